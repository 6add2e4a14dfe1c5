/** The contract of the memslot engine (names and shapes are stable: other code and outside suites rely on them). */

export const MemFlag = { LogDirtyPages: 1, ReadOnly: 2 } as const;

/** struct kvm_userspace_memory_region. */
export interface MemoryRegion {
  /** id, 0 .. maxSlots-1 */
  slot: number;
  /** address space, default 0 */
  asId?: number;
  /** MemFlag bits, default 0 */
  flags?: number;
  /** bytes */
  guestPhysAddr: number;
  /** bytes; 0 deletes */
  memorySize: number;
  /** hva, bytes */
  userspaceAddr: number;
  /** Beyond KVM: true where a person asked for a slot over several backings. Only a `BackingRule` reads it. */
  span?: boolean;
}

export interface Memslot {
  slot: number;
  asId: number;
  flags: number;
  baseGfn: number;
  npages: number;
  userspaceAddr: number;
  arch: unknown;
}

export type ChangeKind = 'create' | 'delete' | 'move' | 'flags-only' | 'replace';
export interface Change {
  kind: ChangeKind;
  old?: Memslot;
  next?: Memslot;
  /** Slots removed or changed by the same request whose pages (same gfn, same backing) `next` takes over: split, merge, resize. */
  from?: Memslot[];
}

/** Half-open, in gfns. */
export interface GfnRange {
  asId: number;
  start: number;
  end: number;
}

export type Errno = 'EINVAL' | 'EEXIST' | 'ENOENT' | 'ENOMEM' | 'ENXIO' | 'E2BIG' | 'ESTALE';

/** `index` is the position of the entry at fault in the request; -1: the request as a whole. */
export interface Refusal {
  index: number;
  errno: Errno;
  reason: string;
}

export type Refused = { ok: false; refusals: Refusal[] };
export type Accepted = {
  ok: true;
  generation: number;
  swaps: number;
  changes: Change[];
  zapped: GfnRange[];
  /** What its phases took together, microseconds; absent where the engine has no clock. */
  us?: number;
};
export type Commit = Accepted | Refused;

/** x86 side: what prepare allocates, commit frees. Throwing in prepare refuses the whole request. */
export interface MemslotArch {
  /**
   * The result becomes next.arch; undefined keeps the old slot's. An Error with an `errno` of type Errno refuses with that errno,
   * any other with ENOMEM.
   */
  prepare?(old: Memslot | undefined, next: Memslot | undefined, change: Change): unknown;
  /** After the last swap; must not throw (what it throws is reported to onListenerError). */
  commit?(old: Memslot | undefined, next: Memslot | undefined, change: Change): void;
  /** The request was refused or aborted after this change had been prepared: give back what prepare allocated. */
  cancel?(old: Memslot | undefined, next: Memslot | undefined, change: Change): void;
}

/** Bytes of host memory, half-open. */
export interface HostSpan {
  start: number;
  end: number;
}

/** What a request says in favour of a region that reaches over several backings. */
export interface BackingClaim {
  /** `MemoryRegion.span`. */
  span: boolean;
  /**
   * Undo and redo: the rule's `version` when the engine accepted this region before. It may be mapped again as it was, if no part of it has
   * changed hands since. undefined: the region is new.
   */
  since: number | undefined;
  /** Host memory of the slots that the request changes, as they are before it: a part of one of them is nothing new. */
  held(): readonly HostSpan[];
}

/**
 * Who owns which host memory. The engine knows no backing; it asks about each region that a request would map, whichever call it comes by,
 * dry runs included.
 */
export interface BackingRule {
  /** Rises whenever host memory changes hands. */
  readonly version: number;
  /** Why a slot must not map `host`, one line; undefined: it may. */
  refuse(slot: number, host: HostSpan, claim: BackingClaim): string | undefined;
}

export interface MemslotEngineOptions {
  /** default: see docs/memslots.md, "Which index" */
  index?: 'array' | 'rbtree' | 'btree';
  /** default 2 */
  addressSpaces?: number;
  /** default 32764 */
  maxSlots?: number;
  /** bytes; an hva range must lie inside [hostBase, hostSize) */
  hostSize?: number;
  /** bytes, default 0: first legal hva */
  hostBase?: number;
  /** default 46 */
  physAddrBits?: number;
  /** default 'slot' */
  zap?: 'slot' | 'all';
  arch?: MemslotArch;
  /** Which host memory a slot may map; default: all of [hostBase, hostSize). */
  backings?: BackingRule;
  /** Microseconds, monotonic: commits and their phases are measured with it. Absent: they are not. */
  clock?: () => number;
  /** default true; false: READONLY is an unsupported flag (EINVAL), as for SEV-ES and TDX guests */
  readOnlySlots?: boolean;
  /** Commits kept per address space for diff, undo and redo; default 256, 0: none. */
  historyLimit?: number;
  /** Receives what a listener or a commit hook threw; the commit continues. */
  onListenerError?: (error: unknown) => void;
}

/** What `subscribe` listeners get, in this order inside one commit. `zap` must drop translations before it returns. */
export type CommitEvent =
  /** A set was published (swap 1: removed and moved slots are INVALID; last swap: the final set). */
  | { type: 'publish'; asId: number; generation: number; swap: number; of: number }
  /** Translations of these gfns must go (zap 'all': every address, ranges are informative). */
  | { type: 'zap'; mode: 'slot' | 'all'; ranges: GfnRange[] }
  /** Write tags of these gfns must go: dirty logging came on, or its log was harvested. */
  | { type: 'protect'; ranges: GfnRange[] }
  /** The commit is complete. */
  | { type: 'commit'; asId: number; commit: Extract<Commit, { ok: true }> };

export type Phase = 'validate' | 'prepare' | 'swap1' | 'zap' | 'swap2' | 'hooks' | 'free';

/** What `observe` listeners get: for a trace; no listener has to act on it. `slots`: ids, of all address spaces. */
export type EngineNote =
  /** A phase of a commit begins; of Validate: it is over, and accepted. */
  | { type: 'phase'; phase: Phase; slots: readonly number[] }
  /** A commit ends without a change. */
  | { type: 'refused'; phase: Phase; refusals: readonly Refusal[] }
  /** Dirty pages were taken out of bitmaps or rings. */
  | { type: 'harvest'; from: 'log' | 'ring'; slots: readonly number[]; pages: number }
  /** Harvested ring entries are free again. */
  | { type: 'ring-reset'; pages: number };
