/** Running and stopping. Counts are instructions that all vCPUs together retired; guest time is in ns. */

export type RunState =
  | 'running'
  | 'paused'
  /** Triple fault: stopped, registers kept. `cont` is refused until system_reset. */
  | 'shutdown'
  /** Fetch from unmapped memory: stopped like a shutdown. */
  | 'internal-error';

export type GuestCondition = 'panicked' | 'halted';

/** Where a run is, between two instructions. */
export interface Position {
  /** retired by all vCPUs together */
  instructions: number;
  /** ns of guest time: the vCPU that is least far */
  timeNs: number;
  /** Whose turn it is, and whether the round of turns has begun. */
  turn: number;
  inRound: boolean;
  running: boolean;
}

/** A place in a vCPU's code: after one instruction of it at least. */
export interface SeekGoal {
  vcpu: number;
  /** The next instruction's, as the register has it. Absent: wherever it is after one instruction. */
  rip?: bigint;
  /** With a stack pointer at least as high: out of what was called. */
  rsp?: bigint;
}

/**
 * Goes on with at most so many instructions, of all vCPUs, until the deadline (wall clock, ms). 'ended': the machine does not run; 'asleep':
 * nothing can make it go on; 'most' and 'going': the count or the deadline came first.
 */
export type Seek = (most: number, deadline: number) => 'there' | 'going' | 'most' | 'asleep' | 'ended';

export interface MachineRun {
  readonly state: RunState;
  /** What became of a guest whose vCPUs still run: it said that it panicked, or all of them halted with interrupts off. */
  readonly condition: GuestCondition | undefined;
  /** Retired by all vCPUs together since power-on. */
  readonly instructions: number;
  readonly guestTimeNs: number;
  readonly position: Position;
  /**
   * Runs until `deadline` (wall clock ms), a halt without wake-up, or a stop. See runner.ts for the loop. wakeIn, when idle: guest ns until
   * it is worth looking again, the next timer or later when timers go on firing for nothing.
   */
  until(deadline: number): { idle: boolean; wakeIn?: number };
  /**
   * Runs exactly n instructions of guest time (HLT skips ahead); for tests, `lab` and replay. Fewer when every vCPU is halted and nothing
   * can end that: no timer is left, or timers fired half a million times and none did.
   */
  advance(n: number): void;
  /** Lets an idle guest sleep up to now: whatever is done to the machine next is done at `position`, and no time passes behind it. */
  catchUp(): void;
  /**
   * Runs as fast as it can, idle time skipped, to where a machine with the same inputs was. 'going': the deadline (wall clock, ms) came first.
   * 'never': it cannot come there, so that machine had other inputs.
   */
  to(position: Position, deadline: number): 'there' | 'going' | 'never';
  /** A way to a place in a vCPU's code, for a running machine that nothing else runs meanwhile. Instruction by instruction, so it is slow. */
  seek(goal: SeekGoal): Seek;
  readonly breakCount: number | undefined;
  /**
   * Stops before the instruction with this count, of `instructions`, then forgets it; undefined: nowhere. It stays over resets and restores
   * that leave it ahead. MachineError when the count lies behind or is not a whole number.
   */
  breakAt(count: number | undefined): void;
  stop(): void;
  /** MachineError after a shutdown. */
  cont(): void;
}
