import { describe, expect, it } from 'vitest';
import { hostRows } from './host-rows';

const slot = (id: number, start: number, end: number) => ({ slot: id, userspaceAddr: start, memorySize: end - start });

describe('hostRows', () => {
  it('leaves slots that only touch the whole height', () => {
    expect(hostRows([slot(1, 0, 10), slot(2, 10, 20), slot(3, 30, 40)]).size).toBe(0);
  });

  it('stacks two that overlap, and no others', () => {
    expect([...hostRows([slot(1, 0, 10), slot(2, 5, 15), slot(3, 15, 20)])]).toEqual([
      [1, { row: 'upper', until: 10 }],
      [2, { row: 'lower', until: 15 }],
    ]);
  });

  it('keeps a chain apart: each over its neighbour, none over another in its row', () => {
    const chain = [slot(1, 0, 20), slot(2, 10, 40), slot(3, 30, 60), slot(4, 50, 70)];
    expect([...hostRows(chain).values()].map(({ row }) => row)).toEqual(['upper', 'lower', 'upper', 'lower']);
  });

  it('puts all parts of a shared range below the slot that shows the whole of it', () => {
    const rows = hostRows([slot(1, 0, 100), slot(2, 0, 30), slot(3, 30, 60), slot(4, 60, 100)]);
    expect([...rows.values()].map(({ row }) => row)).toEqual(['upper', 'lower', 'lower', 'lower']);
  });

  it('reports for three slots over the same bytes how much of each is visible', () => {
    expect([...hostRows([slot(1, 0, 100), slot(2, 10, 50), slot(3, 30, 60)]).values()]).toEqual([
      { row: 'upper', until: 100 },
      { row: 'lower', until: 30 },
      { row: 'lower', until: 60 },
    ]);
  });
});
