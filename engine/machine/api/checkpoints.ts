/** Checkpoints of a machine: earlier states to return to. Each stores only the pages that changed. */
import type { Position } from './run';

export interface CheckpointInfo {
  position: Position;
  /** Data that the caller stored with it. */
  mark: unknown;
  /** Bytes that it takes. */
  bytes: number;
}

export interface CheckpointOptions {
  /** Instructions of all vCPUs together between two checkpoints. */
  instructions: number;
  /** Limit of all checkpoints together, bytes. The oldest are dropped beyond it. */
  bytes: number;
  mark(): unknown;
  /** ms, monotonic. If given, checkpoints take at most a twentieth of the time: an expensive one delays the next. */
  wallClock?: (() => number) | undefined;
}

export interface MachineCheckpoints {
  /** On: takes the first checkpoint at once and the others every `instructions`, calling `mark` for each. Off: drops all. */
  keep(options: CheckpointOptions | undefined): void;
  /** Oldest first. */
  list(): readonly CheckpointInfo[];
  /** Takes one now, after all others. */
  take(): void;
  /**
   * Restores the checkpoint at this place in the list. RAM, vCPUs, their TLBs, devices and layout are as they were, and so are generations, undo
   * history and the count of holes; the machine is paused, or has ended if it had. No event is emitted: the caller reports the change.
   */
  to(index: number): void;
  /** The machine takes a new course from its position: drops the checkpoint at `from` and those after it. */
  forget(from: number): void;
  /** May a byte of this host memory have changed between the checkpoint at this place and the next? */
  changed(index: number, range: { start: number; end: number }): boolean;
  /** Current contents of this host memory; undefined where none is allocated. */
  memory(range: { start: number; end: number }): Uint8Array | undefined;
  /** While set, output (serial line, debug console, logs, events for QMP) is suppressed: it was emitted before. */
  muted: boolean;
}
