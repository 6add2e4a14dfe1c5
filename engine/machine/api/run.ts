/** Running and stopping. Counts are of instructions that all vCPUs together retired; guest time is in ns. */

export type RunState =
  | 'running'
  | 'paused'
  /** Triple fault: stopped, with registers kept. `cont` is refused until system_reset. */
  | 'shutdown'
  /** Fetch from unmapped memory: stopped like a shutdown. */
  | 'internal-error';

export type GuestCondition = 'panicked' | 'halted';

/** Where a run is, between two instructions. */
export interface Position {
  /** retired by all vCPUs together */
  instructions: number;
  /** ns of guest time of the vCPU that is furthest behind */
  timeNs: number;
  /** Whose turn it is, and whether the round of turns has begun. */
  turn: number;
  inRound: boolean;
  running: boolean;
}

/** A place in a vCPU's code, at least one instruction ahead. */
export interface SeekGoal {
  vcpu: number;
  /** RIP of the next instruction. Absent: anywhere, after one instruction. */
  rip?: bigint;
  /** With a stack pointer at least this high: after the return from what was called. */
  rsp?: bigint;
}

/**
 * Continues with at most this many instructions, of all vCPUs, until the deadline (wall clock, ms). 'ended': the machine does not run; 'asleep':
 * nothing can wake it; 'most' and 'going': the count or the deadline came first.
 */
export type Seek = (most: number, deadline: number) => 'there' | 'going' | 'most' | 'asleep' | 'ended';

export interface MachineRun {
  readonly state: RunState;
  /** State of a guest whose vCPUs still run: it printed a panic, or all of them halted with interrupts off. */
  readonly condition: GuestCondition | undefined;
  /** Retired by all vCPUs together since power-on. */
  readonly instructions: number;
  readonly guestTimeNs: number;
  readonly position: Position;
  /**
   * Runs until `deadline` (wall clock ms), a halt without wake-up, or a stop. See runner.ts for the loop. wakeIn, when idle: guest ns until it is
   * worth running again, at the next timer, or later if timers keep firing without effect.
   */
  until(deadline: number): { idle: boolean; wakeIn?: number };
  /**
   * Runs exactly n instructions of guest time (HLT skips ahead); for tests, `lab` and replay. Runs fewer if every vCPU is halted and nothing can end
   * that: no timer is left, or timers fired half a million times without effect.
   */
  advance(n: number): void;
  /** Lets an idle guest sleep up to now: the next change to the machine happens at `position`, and no time passes after that. */
  catchUp(): void;
  /**
   * Runs as fast as it can, skipping idle time, to the position of a machine with the same inputs. 'going': the deadline (wall clock, ms) came first.
   * 'never': it cannot get there, so that machine had other inputs.
   */
  to(position: Position, deadline: number): 'there' | 'going' | 'never';
  /** Finds a way to a place in a vCPU's code, for a running machine that nothing else runs meanwhile. It goes instruction by instruction, so it is slow. */
  seek(goal: SeekGoal): Seek;
  readonly breakCount: number | undefined;
  /**
   * Stops before the instruction with this count, of `instructions`, then clears itself; undefined: nowhere. It survives resets and restores that
   * leave it ahead. MachineError if the count was passed or is not a whole number.
   */
  breakAt(count: number | undefined): void;
  stop(): void;
  /** MachineError after a shutdown. */
  cont(): void;
}
