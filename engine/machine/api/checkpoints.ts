/** A machine's own past: states to go back to, of which only pages that changed are kept. */
import type { Position } from './run';

export interface CheckpointInfo {
  position: Position;
  /** The caller's own mark. */
  mark: number;
  /** bytes that it holds */
  bytes: number;
}

export interface MachineCheckpoints {
  /** On: the first is taken, and the others every so many instructions, `mark` being asked for each. Off: all are dropped. */
  keep(options: { instructions: number; bytes: number; mark: () => number } | undefined): void;
  /** Oldest first. */
  list(): readonly CheckpointInfo[];
  /** Takes one now. */
  take(): void;
  /**
   * Puts the machine back to the one at this place in the list; those behind it are gone. Undo history ends. RAM, vCPUs, their TLBs, devices
   * and layout are as they were; the machine is paused. Nothing is emitted: the caller reports it on arrival.
   */
  back(index: number): void;
  /** What goes out (serial line, debug console, logs, events for QMP) went out already: nothing does while this is set. */
  muted: boolean;
}
