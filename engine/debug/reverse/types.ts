/** The interface of reverse execution. */
import type { Machine, Position, WatchHit } from '../../machine/index';
import type { Breakpoint, Stop } from '../breakpoints/index';

/** The inputs so far. */
export interface Journal {
  /** Number of inputs. */
  readonly length: number;
  at(index: number): Position;
  /** Applies the input again without recording it. */
  redo(index: number): unknown;
  /** The machine enters (or leaves) its past: there, only recorded inputs may reach it. */
  past(stands: boolean): void;
  /** Discards the inputs from this one on: the stopped machine takes a new course. `ran`: it was running there. */
  drop?(from: number, ran: boolean): void;
  /** Saves state outside the machine that must go back with it (the history of commits); the result restores it. */
  keep?(): unknown;
  putBack?(kept: unknown): void;
}

export interface ReverseOptions {
  machine: Machine;
  journal: Journal;
  /** ms, monotonic */
  wallClock(): number;
  /** Keeps others from running the machine until the result is called. */
  hold?(): () => void;
  /** Lets other events be handled. */
  turn?(): Promise<void>;
  /** Called at the end of each move through the past. */
  arrived?(): void;
  /** Instructions between two checkpoints. */
  instructions?: number;
  /** Bound on the size of all checkpoints, bytes. */
  bytes?: number;
}

/** A moment, after `applied` inputs. */
export interface Moment {
  position: Position;
  applied: number;
}

/** Type of a checkpoint's `mark`. */
export interface Mark extends Outside {
  applied: number;
}

/** What goes back with the machine, and is no part of its state. */
export interface Outside {
  /** Of the journal's `keep`. */
  kept: unknown;
  /** Of the machine's `run.breakAt`. */
  breakCount: number | undefined;
}

/** A hit on the way: its vCPU, the count of that vCPU's instructions, and the inputs before it. */
export interface Met {
  stop: Stop;
  icount: number;
  instructions: number;
  applied: number;
}

/** What `findLast` searches for. */
export interface Finding<T> {
  /** Can it lie between the checkpoint with this index and the next? */
  may(index: number): boolean;
  /** Sets breakpoints; the result removes them. */
  watch(): () => void;
  wanted(breakpoint: Breakpoint): boolean;
  look(hit: WatchHit): T;
  /** Nothing was found between these two. */
  passed?(from: Position, to: Position): void;
}

/** Called every few ms. Returns whether to continue. */
export type Going = () => Promise<boolean>;

/** The reachable range, in instructions of all vCPUs together. */
export interface Span {
  begin: number;
  now: number;
  present: number;
  checkpoints: readonly { instructions: number; bytes: number }[];
}
