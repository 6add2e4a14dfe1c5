/** Texts for a commit between its phases. */
import type { LabState, Phase, Stepping } from '../../../engine/worker/protocol';
import { clockStep } from '../../shared/clock-step';
import { count, plural } from '../../shared/format';

export const PHASES: readonly { phase: Phase; name: string }[] = [
  { phase: 'validate', name: 'Validate' },
  { phase: 'prepare', name: 'Prepare' },
  { phase: 'swap1', name: 'Swap 1' },
  { phase: 'zap', name: 'Zap' },
  { phase: 'swap2', name: 'Swap 2' },
  { phase: 'hooks', name: 'Hooks' },
  { phase: 'free', name: 'Free' },
];

export type Progress = 'done' | 'next' | 'passed' | 'later';

/** The state of a phase. Phases that the commit does not need are skipped: if no slot is removed there is only one swap. */
export function progressOf(stepping: Stepping, phase: Phase): Progress {
  if (phase === stepping.phase) return 'next';
  if (stepping.done.some((each) => each.phase === phase)) return 'done';
  const unused = stepping.swaps === 1 && (phase === 'swap1' || phase === 'zap');
  return unused ? 'passed' : 'later';
}

/** "14 µs", "1.2 ms"; "< 100 µs" or "< 1 ms" if the resolution of the browser's clock, `step` µs, is too coarse. */
export function duration(us: number, step: () => number = clockStep): string {
  if (us <= 0) {
    const finest = step();
    return finest < 1000 ? `< ${finest} µs` : `< ${Math.round(finest / 1000)} ms`;
  }
  if (us < 10) return `${us.toFixed(1)} µs`;
  return us < 1000 ? `${Math.round(us)} µs` : `${(us / 1000).toFixed(us < 10_000 ? 1 : 0)} ms`;
}

/** Slots that are INVALID now, by id, with the number of retries at each. */
export const invalidSlots = (stepping: Stepping | undefined): ReadonlyMap<number, number> =>
  new Map(stepping?.invalid.map((slot, index) => [slot, stepping.invalidRetries[index] ?? 0]));

/** "slots 5 and 6 INVALID" */
export function invalidWords({ invalid }: Stepping): string {
  const last = invalid.at(-1);
  if (last === undefined) return 'no slot INVALID';
  return invalid.length === 1 ? `slot ${last} INVALID` : `slots ${invalid.slice(0, -1).join(', ')} and ${last} INVALID`;
}

/** What the zap phase will do or did. */
export function zapWords({ zappedPages }: Stepping, zap: LabState['zap']): string {
  return zap === 'all' ? 'every translation' : plural(zappedPages, 'page');
}

/** For the change set: where the commit stands. */
export function standing(stepping: Stepping, zap: LabState['zap']): string {
  const { phase, swaps } = stepping;
  if (phase === 'validate') return 'Nothing has run yet';
  const outlook = `${plural(swaps, 'swap')}, ${swaps === 2 ? `${zapWords(stepping, zap)} to zap` : 'nothing to zap'}`;
  if (phase === 'prepare') return `Validated: ${outlook}`;
  if (phase === 'swap1') return `Prepared: ${outlook}`;
  if (phase === 'zap') return `Swap 1 of 2 done, ${zapWords(stepping, zap)} to zap`;
  if (phase === 'swap2') return swaps === 1 ? `Prepared: ${outlook}` : `Swap 1 of 2 done, zapped ${zapWords(stepping, zap)}`;
  return `Swap ${swaps} of ${swaps} done`;
}

/** For the status bar: what this means for the guest. */
export function guestWords(stepping: Stepping): { when: string; what: string } {
  const { phase, swaps, retries } = stepping;
  if (phase === 'hooks' || phase === 'free') return { when: `After swap ${swaps}`, what: 'the guest runs on the final layout' };
  if (phase === 'zap')
    return {
      when: 'After swap 1',
      what: `${invalidWords(stepping)}; translations that a vCPU still holds lead to the old place until the zap`,
    };
  if (phase === 'swap2' && swaps === 2) {
    const met = retries > 0 ? `the vCPU retries (${count(retries)} so far)` : 'a vCPU that accesses one retries';
    return { when: 'Between swap 1 and swap 2', what: `${invalidWords(stepping)}, ${met}, it sees no hole` };
  }
  return { when: `Before swap 1 of ${swaps || 2}`, what: 'the guest has noticed nothing yet, the commit can be aborted' };
}
