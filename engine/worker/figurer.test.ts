/** When figures are sent, by the test's own clock. */
import { expect, it } from 'vitest';
import type { Machine } from '../machine/index';
import { Figurer } from './figurer';
import type { Figures } from './protocol';

const PERIOD = 250;

it('a guest that works is reported every period, one that waits once a second, and one that wakes at once', () => {
  let now = 0;
  let wake = (): void => {};
  const run = { instructions: 0, guestTimeNs: 0, state: 'running' };
  const machine = { run, inspect: { stats: () => ({ tlb_misses: run.instructions / 1000 }), holes: { total: 0 } } } as unknown as Machine;
  const heard: (Figures & { at: number })[] = [];
  const clock = {
    monotonic: () => now,
    setTimer: (next: () => void) => {
      wake = next;
    },
    clearTimer: () => {},
  };
  new Figurer(machine, clock, PERIOD, (figures) => heard.push({ ...figures, at: now }));
  const go = (periods: number, instructions: number): number[] => {
    heard.length = 0;
    for (let n = 0; n < periods; n++) {
      now += PERIOD;
      run.instructions += instructions;
      wake();
    }
    return heard.map(({ at }) => at);
  };
  expect(go(4, 10_000_000)).toEqual([250, 500, 750, 1000]);
  expect(heard.at(-1)).toMatchObject({ mips: 40, idle: false });
  // That the guest waits is reported at once; from then on once a second, over the whole second.
  expect(go(9, 10_000)).toEqual([1250, 2250, 3250]);
  expect(heard.at(-1)).toMatchObject({ idle: true, rates: { tlbMisses: 40 } });
  expect(go(2, 10_000_000)).toEqual([3500, 3750]);
  expect(heard.at(-1)).toMatchObject({ mips: 40, idle: false });
  // A stopped guest changes nothing: only that is reported.
  run.state = 'paused';
  expect(go(3, 0)).toEqual([4000]);
});
