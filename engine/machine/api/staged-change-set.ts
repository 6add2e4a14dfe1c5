/** The change set that monitor and page share: its edits, their dry run, and a commit phase by phase. */
import type { Phase } from '../../memory/index';
import type { Commit, MemoryRegion, Refusal } from '../../memory/types';

/** One staged operation, as in the monitor's command. */
export type StagedEdit =
  /** `span`, here and below: it may span several backings. */
  | { op: 'add'; slot: number; gpa: number; size: number; hva: number; flags: number; span?: boolean }
  | { op: 'move'; slot: number; gpa: number }
  | { op: 'flags'; slot: number; flags: number }
  | { op: 'resize'; slot: number; size: number; span?: boolean }
  | { op: 'split'; slot: number; gpa: number; newSlot: number }
  | { op: 'merge'; slots: number[]; span?: boolean }
  /**
   * Moves the whole backing of the slot, with its contents and every slot over it, to other host memory: to the memory backend `memdev`, which
   * replaces the previous one, also in the DIMM; or to a range of the same size at hva; without either: to a new range. It may be staged together
   * with other operations on the same slots.
   */
  | { op: 'rehost'; slot: number; hva?: number; memdev?: string }
  | { op: 'del'; slot: number };

/** As staged: an add without hva gets zeroed host memory of its own, which is freed once nothing can use it. */
export type NewEdit = Exclude<StagedEdit, { op: 'add' }> | (Omit<Extract<StagedEdit, { op: 'add' }>, 'hva'> & { hva?: number | undefined });

export interface StagedEntry {
  edit: StagedEdit;
  refusals: Refusal[];
  /** Memory that it would remove without the guest's consent. */
  unasked?: Unasked[];
}

/** Memory that the guest uses and that an entry of the change set would remove: the guest would crash. */
export interface Unasked {
  /** Number of the entry. */
  index: number;
  /** The memslot that maps it now. */
  slot: number;
  /** "dimm1", "ram.a", "the code that vCPU 0 runs" */
  name: string;
  /** bytes: where the guest sees it. */
  gpa: number;
  how: 'moves' | 'goes' | 'read-only';
  /** The command that asks the guest first: device_move or device_del. `refusal`: why it cannot be moved there; `nearest`: where it could. */
  ask?: { do: 'move'; dimm: string; addr: number; refusal?: string; nearest?: number } | { do: 'unplug'; dimm: string };
}

/** A commit between two of its phases. The guest runs on. */
export interface Stepping {
  /** The next phase to run. */
  phase: Phase;
  /** Phases that ran, measured in microseconds. Phases with nothing to do are skipped: a commit with one swap has only swap 2. */
  done: { phase: Phase; us: number }[];
  /** Of the whole commit; 0 until it is validated. */
  swaps: number;
  /** The generation after the commit; 0 until it is validated. */
  generation: number;
  /** Pages that the zap phase drops; 0 until it is validated. */
  zappedPages: number;
  /** Ids of the slots that are INVALID now. */
  invalid: number[];
  /** How often a vCPU met each of them, in the same order. */
  invalidRetries: number[];
  /** Guest accesses retried since swap 1. */
  retries: number;
  /** It can be aborted: until swap 1. */
  canAbort: boolean;
}

/** The result of one step. */
export interface PhaseReport {
  phase: Phase;
  us?: number;
  /** The generation after the phase. */
  generation: number;
  /** The commit after the phase. */
  view: Stepping;
  /** Set when the commit is over: accepted by its last phase, or refused by a phase before swap 1. */
  commit?: Commit;
}

/** The change set being staged: one per machine, shared by monitor and page. */
export interface StagedChangeSet {
  readonly open: boolean;
  /** Number of staged edits. Runs no dry run. */
  readonly count: number;
  /** With the dry run of each. */
  readonly entries: readonly StagedEntry[];
  /** MachineError if one is already open. */
  begin(): void;
  /** MachineError if none is open, if the slot id already has an operation, or if there is no host memory for it. */
  stage(edit: NewEdit): void;
  drop(index: number): void;
  /** Dry run of all entries against the final layout. */
  check(): Commit;
  /** The layout that would result; undefined if the check refuses. */
  preview(): MemoryRegion[] | undefined;
  /** What a commit would take from the running guest, as far as the machine knows; empty while the check refuses. */
  readonly unasked: readonly Unasked[];
  /** The same for a layout that results otherwise (undo, redo, a saved layout), in any order. hva is -1 for memory that does not exist yet. */
  unaskedBy(then: readonly MemoryRegion[]): Unasked[];
  /**
   * One atomic commit. The set is closed if it is accepted, and stays open and unchanged if it is refused. whole: a whole-set switch, where the
   * engine finds the difference; same result, different cost. legacy: one ioctl after another as KVM's users must today (deletes first, then the
   * adds), with the guest running in between.
   */
  commit(options?: { legacy?: boolean; whole?: boolean }): Promise<Commit>;
  /**
   * Begins a stepped commit: no phase has run. While it lasts the set cannot be edited, and any other change of the layout from outside the guest is
   * refused. A refusal by one of its phases ends it and leaves the set open and unchanged.
   */
  beginStepped(): void;
  /** The stepped commit that runs. */
  readonly stepping: Stepping | undefined;
  /** Why the machine cannot go back now: a commit runs phase by phase, or call by call. */
  readonly underWay: string | undefined;
  /** Runs its next phase; MachineError if there is none. */
  step(): PhaseReport;
  /** Runs all remaining phases. */
  finish(): PhaseReport[];
  /** Ends a stepped commit before swap 1 and leaves the set open; without a stepped commit, drops the set. */
  abort(): void;
  /** What commits zap: only what they changed, or every translation. MachineError for any other word, and during a stepped commit. */
  setZap(mode: string): void;
}
