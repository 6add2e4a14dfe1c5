/**
 * Decides which vCPU runs, in which order and for how long, and how guest time passes meanwhile. The executor (executor.ts) is the deterministic one:
 * fixed turns in one thread, the same run every time (QEMU's -accel tcg,thread=single with icount).
 */
import type { SavedMachine } from './api';
import type { Clock, TimeSource } from './clock';
import type { Vcpu } from './vcpu';

/**
 * `idle`: every vCPU waits for an interrupt, or for its dirty ring to be reset. `left`: the core returned and the machine must act. `stopped`: a
 * watch was hit, and its owner wants to stop there. `retry`: every vCPU that does not wait met an INVALID memslot, and this lasts until its commit
 * continues.
 */
export type Advance = 'ran' | 'idle' | 'left' | 'retry' | 'stopped';

/** The schedule's part of a machine's state. */
export type RoundState = SavedMachine['round'];

export interface Scheduler extends TimeSource {
  readonly clock: Clock;
  /** The vCPU whose instruction is being executed, or whose turn it is. */
  readonly current: Vcpu;
  /** True while an instruction runs; false while the state is only inspected. */
  readonly executing: boolean;
  /** Runs at most `budget` instructions of one vCPU. */
  advance(budget: number): Advance;
  /** Every vCPU is idle: advances guest time to `at` (ns) or to the next timer, whichever is first, and fires what is due. */
  skipTo(at: number): void;
  /** Input arrived: wake sleeping vCPUs so that they check for it. */
  wake(): void;
  reset(): void;
  /** Tells two moments at the same instruction count apart. */
  place(): { turn: number; inRound: boolean };
  /** Guest time of the vCPU that is furthest behind, ns: how far a sleep of all vCPUs has advanced. */
  earliest(): number;
  saveRound(): RoundState;
  /** `inRound`: a round without an end has begun, which `state` does not tell of vCPU 0's turn. */
  restoreRound(state: RoundState, inRound?: boolean): void;
}
