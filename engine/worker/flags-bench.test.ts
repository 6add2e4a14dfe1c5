import { describe, expect, it } from 'vitest';
import { benchFlags } from './flags-bench';

const clock = { monotonic: () => performance.now(), yieldTurn: async () => {} };

describe('ten flags among a hundred slots', () => {
  it('is measured by each of the three calls', async () => {
    const bench = await benchFlags(100, 10, clock);
    expect(bench).toMatchObject({ slots: 100, changes: 10 });
    for (const us of [bench.deltaUs, bench.wholeUs, bench.singleUs]) expect(us).toBeGreaterThan(0);
  });

  it('names a number that it cannot do', async () => {
    await expect(benchFlags(0, 1, clock)).rejects.toThrow('slots is 0: use a whole number from 1 to 32763');
    await expect(benchFlags(5, 6, clock)).rejects.toThrow('changes is 6: use a whole number from 1 to the 5 slots');
  });
});
