/** The page's measurements: their answers and refusals, and that the guest and the monitor continue meanwhile. No figure is asserted. */
import { describe, expect, it } from 'vitest';
import { benchIndexes } from './index-bench';

function clock(): { monotonic(): number; yieldTurn(): Promise<void>; turns: number[] } {
  let since = performance.now();
  const turns: number[] = [];
  return {
    turns,
    monotonic: () => performance.now(),
    yieldTurn: async () => {
      turns.push(performance.now() - since);
      await new Promise((done) => setImmediate(done));
      since = performance.now();
    },
  };
}

describe('index-bench', () => {
  it.each([1, 40, 3000])('measures all three with %i slots', async (slots) => {
    const { turns, ...given } = clock();
    const { rows, ...rest } = await benchIndexes(slots, given);
    expect(rest).toEqual({ slots });
    expect(rows.map(({ index }) => index)).toEqual(['array', 'rbtree', 'btree']);
    for (const { lookupNs, localLookupNs, updateUs, bytesPerSlot } of rows)
      for (const figure of [lookupNs, localLookupNs, updateUs, bytesPerSlot]) expect(figure).toBeGreaterThan(0);
    expect(turns.length).toBeGreaterThan(3 * 3 * 7);
  });

  it.each([0, -1, 1.5, 32_764, Number.NaN, '9' as unknown as number])('refuses %s slots and names them', async (slots) => {
    await expect(benchIndexes(slots, clock())).rejects.toThrow(`slots is ${String(slots)}: use a whole number from 1 to 32763`);
  });
});
