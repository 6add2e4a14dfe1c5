/**
 * Who runs the vCPUs, in which order and for how long, and how guest time passes meanwhile. The executor (executor.ts) is the deterministic
 * one: fixed turns in one thread, the same run every time (QEMU's -accel tcg,thread=single with icount).
 */
import type { SavedMachine } from './api';
import type { Clock, TimeSource } from './clock';
import type { Vcpu } from './vcpu';

/**
 * `idle`: every vCPU waits: for an interrupt, or to be let on (its dirty ring is full). `left`: the core came back for the machine to look at.
 * `stopped`: a watch was hit, and its owner wants to stop there. `retry`: every vCPU that does not wait met an INVALID memslot, and so it
 * stays until its commit continues.
 */
export type Advance = 'ran' | 'idle' | 'left' | 'retry' | 'stopped';

/** What of the schedule is part of a machine's state. */
export type RoundState = SavedMachine['round'];

export interface Scheduler extends TimeSource {
  readonly clock: Clock;
  /** The vCPU whose instruction is being executed, or whose turn it is. */
  readonly current: Vcpu;
  /** An instruction is being executed; else somebody only looks. */
  readonly executing: boolean;
  /** Runs at most `budget` instructions of one vCPU. */
  advance(budget: number): Advance;
  /** Every vCPU is idle: lets guest time pass up to `at` (ns) or to the next timer, whichever is first, and fires what is due. */
  skipTo(at: number): void;
  /** Input arrived: wake sleeping vCPUs so that they check for it. */
  wake(): void;
  reset(): void;
  /** Tells two moments at the same instruction count apart. */
  place(): { turn: number; inRound: boolean };
  /** Guest time of the vCPU that is least far, ns: how far a sleep of all of them has come. */
  earliest(): number;
  saveRound(): RoundState;
  restoreRound(state: RoundState): void;
}
