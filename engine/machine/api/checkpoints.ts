/** A machine's own past: states to go back to, of which only pages that changed are kept. */
import type { Position } from './run';

export interface CheckpointInfo {
  position: Position;
  /** What whoever took it wanted to know again. */
  mark: unknown;
  /** bytes that it holds */
  bytes: number;
}

export interface CheckpointOptions {
  /** of all vCPUs together, between two checkpoints */
  instructions: number;
  /** What all of them may take: beyond it the oldest go. */
  bytes: number;
  mark(): unknown;
  /** ms, monotonic. With it checkpoints take a twentieth of the time at most: one that was dear keeps the next waiting. */
  wallClock?: (() => number) | undefined;
}

export interface MachineCheckpoints {
  /** On: the first is taken, and the others every so many instructions, `mark` being asked for each. Off: all are dropped. */
  keep(options: CheckpointOptions | undefined): void;
  /** Oldest first. */
  list(): readonly CheckpointInfo[];
  /** Takes one now, behind all others. */
  take(): void;
  /**
   * Puts the machine to the one at this place in the list. RAM, vCPUs, their TLBs, devices and layout are as they were, generations, undo
   * history and the count of holes too; the machine is paused, or has ended where it had. Nothing is emitted: who goes there says so.
   */
  to(index: number): void;
  /** The machine takes a new course from its position: checkpoints from this one on are dropped. */
  forget(from: number): void;
  /** May a byte of this host memory have changed from the one at this place to the next? */
  changed(index: number, range: { start: number; end: number }): boolean;
  /** What this host memory holds now; undefined where none is handed out. */
  memory(range: { start: number; end: number }): Uint8Array | undefined;
  /** What goes out (serial line, debug console, logs, events for QMP) went out already: nothing does while this is set. */
  muted: boolean;
}
