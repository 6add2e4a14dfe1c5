import { describe, expect, it } from 'vitest';
import { readKept } from './kept';

const good = { at: 1764167612000, build: 'abc', measures: { one: { holes: 0, swaps: 2 } } };

describe('what guides have kept', () => {
  it('is read as it was written', () => {
    expect(readKept(JSON.stringify({ move: good }))).toEqual({ move: good });
  });

  it.each([
    ['nothing', null],
    ['no JSON', '{'],
    ['no object', '7'],
    ['a guide that there is not', JSON.stringify({ other: good })],
    ['no date', JSON.stringify({ move: { ...good, at: 'yesterday' } })],
    ['no build', JSON.stringify({ move: { ...good, build: 7 } })],
    ['a figure that is text', JSON.stringify({ move: { ...good, measures: { one: { holes: '<b>0</b>' } } } })],
    ['a measure that is none', JSON.stringify({ move: { ...good, measures: { one: null } } })],
  ])('counts as not there: %s', (_what, text) => {
    expect(readKept(text)).toEqual({});
  });

  it('one broken guide does not spoil another', () => {
    expect(readKept(JSON.stringify({ move: 1, zap: good }))).toEqual({ zap: good });
  });
});
