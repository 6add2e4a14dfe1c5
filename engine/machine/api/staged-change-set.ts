/** The change set that monitor and page stage together: its edits, what a dry run says of them, and a commit phase by phase. */
import type { Phase } from '../../memory/index';
import type { Commit, MemoryRegion, Refusal } from '../../memory/types';

/** One staged operation, as the monitor's command would say it. */
export type StagedEdit =
  /** `span`, here and below: it may reach over several backings. */
  | { op: 'add'; slot: number; gpa: number; size: number; hva: number; flags: number; span?: boolean }
  | { op: 'move'; slot: number; gpa: number }
  | { op: 'flags'; slot: number; flags: number }
  | { op: 'resize'; slot: number; size: number; span?: boolean }
  | { op: 'split'; slot: number; gpa: number; newSlot: number }
  | { op: 'merge'; slots: number[]; span?: boolean }
  /**
   * The whole backing of the slot goes to other host memory, contents and every slot over it with it: to the memory backend `memdev`, which
   * takes the place of the one before, also in the DIMM; or to a range of the same size at hva; neither: to a new one. May stand beside other
   * operations on the same slots.
   */
  | { op: 'rehost'; slot: number; hva?: number; memdev?: string }
  | { op: 'del'; slot: number };

/** As it is staged: an add without hva gets host memory of its own, zeroed, which goes again when nothing can use it any more. */
export type NewEdit = Exclude<StagedEdit, { op: 'add' }> | (Omit<Extract<StagedEdit, { op: 'add' }>, 'hva'> & { hva?: number | undefined });

export interface StagedEntry {
  edit: StagedEdit;
  refusals: Refusal[];
  /** Memory that it would remove without the guest's consent. */
  unasked?: Unasked[];
}

/** Memory that the guest counts on, and that an entry of the change set would take away: the guest crashes. */
export interface Unasked {
  /** Of the entry. */
  index: number;
  /** The memslot that shows it now. */
  slot: number;
  /** "dimm1", "ram.a", "the code that vCPU 0 runs" */
  name: string;
  /** bytes: where the guest believes it to be. */
  gpa: number;
  how: 'moves' | 'goes' | 'read-only';
  /** What would ask the guest first: device_move or device_del. `refusal`: why it cannot be moved there; `nearest`: where it could. */
  ask?: { do: 'move'; dimm: string; addr: number; refusal?: string; nearest?: number } | { do: 'unplug'; dimm: string };
}

/** A commit between two of its phases, while the guest runs on. */
export interface Stepping {
  /** The next phase to run. */
  phase: Phase;
  /** Phases that ran, measured microseconds. Those with nothing to do are passed over: one swap is swap 2 alone. */
  done: { phase: Phase; us: number }[];
  /** Of the whole commit; 0 until it is validated. */
  swaps: number;
  /** That it ends with; 0 until it is validated. */
  generation: number;
  /** Pages that the zap phase drops; 0 until it is validated. */
  zappedPages: number;
  /** Ids of the slots that are INVALID now. */
  invalid: number[];
  /** How often a vCPU met each of them, in the same order. */
  invalidRetries: number[];
  /** Guest accesses tried again since swap 1. */
  retries: number;
  /** Until swap 1. */
  canAbort: boolean;
}

/** What one step did. */
export interface PhaseReport {
  phase: Phase;
  us?: number;
  /** That counts right after the phase. */
  generation: number;
  /** Right after the phase. */
  view: Stepping;
  /** Set when the commit is over: accepted by its last phase, or refused by one before swap 1. */
  commit?: Commit;
}

/** The change set being staged: one per machine, shared by monitor and page. */
export interface StagedChangeSet {
  readonly open: boolean;
  /** How many edits are staged; no dry run. */
  readonly count: number;
  /** With what a dry run says of each. */
  readonly entries: readonly StagedEntry[];
  /** MachineError if one is open. */
  begin(): void;
  /** MachineError if none is open, if the slot id already has an operation, or without host memory for it. */
  stage(edit: NewEdit): void;
  drop(index: number): void;
  /** Dry run of all entries against the final layout. */
  check(): Commit;
  /** What the layout would be; undefined where the check refuses. */
  preview(): MemoryRegion[] | undefined;
  /** What a commit would take from under the guest, as far as the machine knows; empty while the check refuses. */
  readonly unasked: readonly Unasked[];
  /** The same of a layout that something else leads to (undo, redo, a saved layout), in any order; of memory that is not there yet hva is -1. */
  unaskedBy(then: readonly MemoryRegion[]): Unasked[];
  /**
   * One atomic commit; the set is closed when it is accepted and stays open, unchanged, when it is refused.
   * whole: a whole-set switch: the engine finds the difference. Same result, other cost.
   * legacy: one ioctl after another as KVM's users must today (deletes first, then the adds), the guest running in between.
   */
  commit(options?: { legacy?: boolean; whole?: boolean }): Promise<Commit>;
  /**
   * A stepped commit begins: no phase has run. While it lasts the set cannot be edited, and whatever else would change the layout from
   * outside the guest is refused; a refusal by one of its phases ends it and leaves the set open, unchanged.
   */
  beginStepped(): void;
  /** The stepped commit that runs. */
  readonly stepping: Stepping | undefined;
  /** Runs its next phase; MachineError when there is none. */
  step(): PhaseReport;
  /** Runs all that are left. */
  finish(): PhaseReport[];
  /** Ends a stepped commit that is not past swap 1, and leaves the set open; without one, drops the set. */
  abort(): void;
  /** What commits zap: only what they touched, or every translation. MachineError for another word, and during a stepped commit. */
  setZap(mode: string): void;
}
