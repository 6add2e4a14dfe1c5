/** What going back needs, and what it answers. */
import type { Machine, Position, WatchHit } from '../../machine/index';
import type { Breakpoint, Stop } from '../breakpoints/index';

/** The inputs so far. */
export interface Journal {
  /** How many there are. */
  readonly length: number;
  at(index: number): Position;
  /** Does it once more, and records nothing. */
  redo(index: number): unknown;
  /** The machine stands in its past from now on (or no more): nothing but what was recorded may reach it. */
  past(stands: boolean): void;
  /** Those from this one on never come: the machine goes on another way, stopped. `ran`: it ran there. */
  drop?(from: number, ran: boolean): void;
  /** What is no part of the machine and goes back with it (the history of commits), and puts that back. */
  keep?(): unknown;
  putBack?(kept: unknown): void;
}

export interface ReverseOptions {
  machine: Machine;
  journal: Journal;
  /** ms, monotonic */
  wallClock(): number;
  /** Nobody else runs the machine until the result is called. */
  hold?(): () => void;
  /** Other events are handled meanwhile. */
  turn?(): Promise<void>;
  /** The end of each way through the past. */
  arrived?(): void;
  /** Instructions between two checkpoints. */
  instructions?: number;
  /** What all of them may take, bytes. */
  bytes?: number;
}

/** A moment: `applied` inputs had come. */
export interface Moment {
  position: Position;
  applied: number;
}

/** What a checkpoint's `mark` is. */
export interface Mark {
  applied: number;
  kept: unknown;
}

/** A hit on the way: of which vCPU, at which count of its instructions, behind how many inputs. */
export interface Met {
  stop: Stop;
  icount: number;
  instructions: number;
  applied: number;
}

/** What `findLast` looks for. */
export interface Finding<T> {
  /** May it lie between the checkpoint at this place and the next? */
  may(index: number): boolean;
  /** Sets breakpoints; the result takes them away. */
  watch(): () => void;
  wanted(breakpoint: Breakpoint): boolean;
  look(hit: WatchHit): T;
  /** Nothing was seen between these two. */
  passed?(from: Position, to: Position): void;
}

/** Asked every few ms whether to go on. */
export type Going = () => Promise<boolean>;

/** Where it can go: counts of instructions, of all vCPUs together. */
export interface Span {
  begin: number;
  now: number;
  present: number;
  checkpoints: readonly { instructions: number; bytes: number }[];
}
