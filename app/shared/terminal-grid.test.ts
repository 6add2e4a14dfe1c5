import { expect, test } from 'vitest';
import { gridFor } from './terminal-grid';

/** Cells that a pane of so many px has for the three letters. */
const fits = (width: number, height: number) =>
  [
    [7.2, 17],
    [7.2, 14],
    [6.6, 13],
  ].map(([w, h]) => ({ columns: Math.floor(width / w!), rows: Math.floor(height / h!) }));

test('80 by 25 at the largest letters that show it', () => {
  expect(gridFor('auto', fits(600, 430))).toEqual({ letters: 0, grid: { columns: 83, rows: 25 } });
  expect(gridFor('auto', fits(600, 373))).toEqual({ letters: 1, grid: { columns: 83, rows: 26 } });
  expect(gridFor('auto', fits(536, 335))).toEqual({ letters: 2, grid: { columns: 81, rows: 25 } });
});

test('25 rows stay if the pane shows fewer, and columns have priority over large letters', () => {
  expect(gridFor('auto', fits(600, 166))).toEqual({ letters: 0, grid: { columns: 83, rows: 25 } });
  expect(gridFor('auto', fits(540, 281))).toEqual({ letters: 2, grid: { columns: 81, rows: 25 } });
});

test('a pane too narrow for 80 columns has as many as fit', () => {
  expect(gridFor('auto', fits(370, 690))).toEqual({ letters: 0, grid: { columns: 51, rows: 40 } });
});

test('a chosen size is kept to the letter, and the pane can decide alone', () => {
  expect(gridFor('132×43', fits(600, 373)).grid).toEqual({ columns: 132, rows: 43 });
  expect(gridFor('80×24', fits(900, 900))).toEqual({ letters: 0, grid: { columns: 80, rows: 24 } });
  expect(gridFor('pane', fits(370, 166))).toEqual({ letters: 0, grid: { columns: 51, rows: 9 } });
});
