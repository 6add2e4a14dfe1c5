/** Every message between the page and the worker, typed. The page imports only this file of the engine. */

import type {
  Backend,
  Dimm,
  DirtyRingStatus,
  GuestCondition,
  MachineConfig,
  NamedSnapshot,
  PageWalk,
  PageWalkStep,
  RunState,
  StagedEdit,
  StagedEntry,
  Stepping,
  Unasked,
  VirtioMemInfo,
} from '../machine/index';
import type { IndexSetView, IndexStructure, IndexView, Phase, PictureCell, PictureNode } from '../memory/index';
import type { MemoryRegion } from '../memory/types';
import type { Answer, CommitEntry, SlotDifference, SlotPlace } from '../monitor/index';
import type { ReplayView } from '../replay/types';
import type { ShareKind, StageAction } from '../shell/types';
import type { InspectedFile, InspectedLink, MachineShape } from '../snapshot/inspect';
import type { SymbolSource } from '../symbols/index';
import type { EventKind, ExitStat, TraceAsked, TraceLane, TraceMark, TraceRow, TraceSpan, TraceView } from '../trace/index';
import type { CodeView, CpuView } from './cpu-types';
import type { DebugView, Journey, WroteWhere } from './debug-types';
import type { FlagsBench } from './flags-bench';
import type { IndexBench, IndexBenchRow } from './index-bench';

export type { CodeLine, CodeView, CpuView, FrameView, RegisterGroup, RegisterView, TierView } from './cpu-types';
export type { BreakpointView, CommitMark, DebugView, Journey, JourneyEnd, PastView, StopView, WroteView, WroteWhere } from './debug-types';
export type {
  Answer,
  Backend,
  Dimm,
  DirtyRingStatus,
  EventKind,
  ExitStat,
  FlagsBench,
  GuestCondition,
  IndexBench,
  IndexBenchRow,
  IndexSetView,
  IndexStructure,
  IndexView,
  InspectedFile,
  InspectedLink,
  MachineConfig,
  MachineShape,
  MemoryRegion,
  NamedSnapshot,
  PageWalk,
  PageWalkStep,
  Phase,
  PictureCell,
  PictureNode,
  ReplayView,
  RunState,
  ShareKind,
  SlotDifference,
  SlotPlace,
  StageAction,
  StagedEdit,
  StagedEntry,
  Stepping,
  SymbolSource,
  TraceLane,
  TraceMark,
  TraceRow,
  TraceSpan,
  TraceView,
  Unasked,
  VirtioMemInfo,
};

/** Page -> worker. `id` links an answer to its request. */
export type ToWorker =
  /** 'boot' will follow, once the guest's files are there: load the core meanwhile. `coreUrl`: address of core.wasm, absolute. */
  | { type: 'prepare'; coreUrl: string }
  | {
      type: 'boot';
      config: MachineConfig;
      /** "-object ... -device ..." in the syntax of `lab`, unchecked: backends and devices at power-on. */
      devices?: string;
      /** Entries of each vCPU's dirty ring, enabled before the guest first runs; absent: bitmaps. A state or replay overrides it. */
      dirtyRing?: number;
      /** -S: the vCPUs wait for "cont". */
      paused?: boolean;
      /** As in 'prepare'. */
      coreUrl: string;
      guest?: { name: string; kernel: Uint8Array; initrd?: Uint8Array; append?: string };
      /** A layout (JSON text, unchecked) to apply before the first instruction, e.g. from a link. */
      layout?: string;
      /**
       * A share link's fragment as received (location.hash), unchecked; the worker unpacks it. "l=" is a layout, "s=" a state, "r=" a replay, which
       * the machine plays once it has booted; anything else is not a share link. For a state or a replay `config` and `guest` are those that
       * `inspect-link` returned.
       */
      link?: string;
      /** A replay from a file, unchecked, instead of a link. */
      replay?: Uint8Array;
      /** The guest's image is a local file, so no link can name it. */
      own?: boolean;
      /** What `share` prepends to "#...". */
      linkBase: string;
    }
  /** Answered with an Answer. */
  | { type: 'monitor'; id: number; line: string }
  | { type: 'complete'; id: number; line: string }
  | { type: 'console'; text: string }
  | { type: 'run'; action: 'stop' | 'cont' | 'reset' | 'step' }
  | { type: 'call'; id: number; method: 'layout' | 'digest' | 'share' | 'undo' | 'redo' }
  /** Makes the history's entry at `index` the live one, in one commit. */
  | { type: 'go-to'; id: number; index: number }
  /** Answered with an InspectedLink, or the reason if it is not one. Touches no machine. */
  | { type: 'inspect-link'; id: number; link: string }
  /** Answered with the link. `screen`: the console's text, for a state link. `breakpoints`: include them in a layout. */
  | { type: 'share'; id: number; what: ShareKind; screen?: string; breakpoints?: boolean }
  /** Answered with the bytes of a file: a layout, a machine snapshot (for 'state'), or a replay. */
  | { type: 'export'; id: number; what: ShareKind; breakpoints?: boolean }
  /** Loads a machine snapshot into the machine; without bytes, takes the last load back. Answered with ''. */
  | { type: 'load'; id: number; bytes?: Uint8Array }
  /** Symbols of the guest's code from a file: ELF or System.map, read in pieces. Answered with the resulting SymbolSource. Not machine state. */
  | { type: 'symbols'; id: number; name: string; file: Blob }
  | { type: 'cancel-replay' }
  /**
   * Runs a stopped guest until this vCPU reaches `to` (linear, hex), or for one instruction of it, and stops it there; `stack`: not with a lower
   * stack pointer (hex). Slow, since it goes step by step; 'run' with 'stop' ends it. Answered with a SeekAnswer.
   */
  | { type: 'seek'; id: number; vcpu: number; to?: string; stack?: string }
  /** Moves a stopped guest through its past; answered with a JourneyEnd. */
  | { type: 'go'; id: number; journey: Journey }
  /** Searches the past; the machine is unchanged afterwards. Answered with a WroteView. */
  | { type: 'who-wrote'; id: number; where: WroteWhere }
  /** Ends either. */
  | { type: 'cancel-going' }
  /** The module that 'core-wanted' asked for, or why there is none. */
  | { type: 'core'; module?: WebAssembly.Module; error?: string }
  /** Answered with 'pong' at any time. */
  | { type: 'ping' }
  /** Is this a complete machine snapshot or layout? Answered with an InspectedFile, or the reason if not. Touches no machine. */
  | { type: 'inspect-file'; id: number; bytes: Uint8Array }
  /** Answered with the SHA-256 of the bytes, 64 hex digits. */
  | { type: 'hash-file'; id: number; bytes: Uint8Array }
  /** Answered with `Queries[query.ask]['answer']`. */
  | { type: 'query'; id: number; query: Query }
  /** Change set edits by the page; answered with `result` (text: error or ''). */
  | { type: 'stage'; id: number; action: StageAction }
  | {
      type: 'storage-result';
      id: number;
      value?: string;
      keys?: string[];
      /** snapshot-get */
      bytes?: Uint8Array;
      /** snapshot-list */
      snapshots?: NamedSnapshot[];
      error?: string;
    };

/** 'stopped': by a person, a breakpoint or the guest itself; 'asleep': nothing wakes it; 'most': it did not get there within the limit of instructions. */
export interface SeekAnswer {
  how: 'there' | 'stopped' | 'asleep' | 'most';
  /** Instructions of all vCPUs on the way */
  instructions: number;
}

/** The page's queries: request and answer of each. A query changes nothing (engine/worker/queries.ts answers them). */
export interface Queries {
  /** Counters since the start, as `info tlb-stats` prints them. */
  stats: { query: { ask: 'stats' }; answer: Record<string, number> };
  /** This many flags changed among this many slots, by each of the three calls, measured now on scratch engines; takes a second or two. */
  'flags-bench': { query: { ask: 'flags-bench'; slots: number; changes: number }; answer: FlagsBench };
  /** The slots of address space 0 in all three indexes, both sets, and a lookup of gpa (bytes) in each; bounded for any number of slots. */
  index: { query: { ask: 'index'; gpa?: number }; answer: IndexView };
  /** The three indexes measured now, in this worker, on scratch engines with this many slots (1 to 32,763); takes a second or two. */
  'index-bench': { query: { ask: 'index-bench'; slots: number }; answer: IndexBench };
  /**
   * `count` instructions from a gva on ("0xffffffff81000000"; absent: rip), and up to `before` before it, which are a guess. Addresses are linear;
   * vcpu: 0 if absent.
   */
  disassemble: { query: { ask: 'disassemble'; vcpu?: number; from?: string; before?: number; count: number }; answer: CodeView };
  /** A vCPU's registers, and the code around its rip (or `from`) at the same instant. */
  cpu: { query: { ask: 'cpu'; vcpu?: number; from?: string; before: number; count: number }; answer: CpuView };
  /** Where a gva leads in the vCPU's tables; `gpa` is absent if they do not map it. */
  translate: { query: { ask: 'translate'; gva: string; vcpu?: number }; answer: { gpa?: number } };
  /** Events, and exits by reason in the format of `info kvm-stat`; bounded, whatever the request. */
  trace: { query: { ask: 'trace' } & TraceAsked; answer: TraceView };
  /** The row of the next run of this event after, or before, the run that begins with `seq`. */
  'trace-next': {
    query: { ask: 'trace-next'; seq: number; event: string; back?: boolean } & Pick<TraceAsked, 'kinds' | 'filter'>;
    answer: { row?: number };
  };
  /** Chrome's trace-event JSON. */
  'trace-file': { query: { ask: 'trace-file' }; answer: Uint8Array };
  /** "main+0x4": the first symbol in a page of guest-physical memory; absent if it has none. */
  'symbol-at': { query: { ask: 'symbol-at'; gpa: number }; answer: { symbol?: string } };
  /** `address`: an expression of the monitor, "0x400000" or "$rip". */
  'page-walk': { query: { ask: 'page-walk'; address: string; vcpu?: number }; answer: PageWalk & { symbol?: string } };
  /** The machine's memory that belongs to nested guests that vCPUs run or ran last. */
  'nested-memory': { query: { ask: 'nested-memory' }; answer: NestedMemory };
  /** Harvests nothing. At most MAX_HEAT_COLUMNS columns in all, at most MAX_HEAT_SPANS spans. */
  'dirty-heat': { query: { ask: 'dirty-heat'; asId?: number; spans: readonly HeatSpan[]; at?: number }; answer: DirtyHeat };
  /** Memory that would be removed without the guest's consent: by going to the history's entry `goTo`, or by loading the layout with this text. */
  unasked: { query: { ask: 'unasked'; goTo?: number; layout?: string }; answer: Unasked[] };
  /** The difference between two entries of the history (indexes), by slot id. */
  difference: { query: { ask: 'difference'; from: number; to: number }; answer: SlotDifference[] };
  /** The slots of an address space that LabState does not include: 1, SMM. */
  'memslots-of': { query: { ask: 'memslots-of'; asId: number }; answer: SlotView[] };
}

export type Query = Queries[keyof Queries]['query'];

/** [from, to) of guest-physical memory, bytes, cut into columns of equal width. */
export interface HeatSpan {
  from: number;
  to: number;
  columns: number;
}

/** Pages written since the log was last harvested (with rings: those in a ring). */
export interface DirtyHeat {
  /**
   * One byte per column, all spans in turn: HEAT_UNKNOWN if nothing is logged there, else the share of its logged pages that are dirty, 0..HEAT_ALL;
   * 0 only if none is.
   */
  columns: Uint8Array;
  /** For the page at `at`, if its slot logs */
  at?: { dirty: boolean; slot: number; dirtyPages: number; pages: number };
  /** Empty while rings are off. */
  rings: DirtyRingStatus[];
}

export interface NestedMemory {
  /** gpas, in address order, at most MAX_NESTED_RANGES. */
  ranges: { start: number; end: number }[];
  /** Their total without the gaps that were joined. */
  bytes: number;
  /** Guests whose memory is known; vCPUs that run theirs now. */
  guests: number;
  running: number[];
}

export const MAX_NESTED_RANGES = 4096;
export const MAX_HEAT_COLUMNS = 4096;
export const MAX_HEAT_SPANS = 1024;
export { HEAT_ALL, HEAT_UNKNOWN } from '../memory/dirty-heat';

/** Worker -> page. */
export type FromWorker =
  /** From now on this worker holds the Web Lock of its own name, until it ends. */
  | { type: 'living' }
  | { type: 'pong' }
  /** A policy forbids this worker to compile WebAssembly; the page may be allowed to. Answered with 'core'. */
  | { type: 'core-wanted'; url: string }
  | { type: 'booted' }
  /** The machine could not be created, or a link's layout was refused: the reason, one line. The worker then started the default machine, if `fallback`. */
  | { type: 'boot-error'; reason: string; fallback: boolean }
  | { type: 'console'; text: string }
  | { type: 'monitor-event'; text: string }
  /** Something happened to the person's work, and no answer can report it. */
  | { type: 'notice'; text: string }
  | { type: 'result'; id: number; value?: unknown; error?: string }
  | { type: 'state'; state: LabState }
  | { type: 'figures'; figures: Figures }
  /** After each change of it. */
  | { type: 'debug'; view: DebugView }
  /** localStorage/IndexedDB belongs to the page: the engine requests operations. Keys are names of layouts. */
  | {
      type: 'storage';
      id: number;
      /** snapshot-*: machine snapshots, in a separate store. A put is atomic. */
      op: 'get' | 'set' | 'delete' | 'keys' | 'snapshot-put' | 'snapshot-get' | 'snapshot-delete' | 'snapshot-list';
      key?: string;
      value?: string;
      /** snapshot-put */
      bytes?: Uint8Array;
      meta?: NamedSnapshot;
    }
  /** A machine snapshot is being packed or unpacked: bytes of RAM done, at most 10 messages a second; the command's own answer ends it. */
  | { type: 'snapshot-progress'; doing: 'save' | 'load'; done: number; total: number }
  | { type: 'replay'; view: ReplayView }
  /** A state link was opened: the machine has the digest in the link. `screen`: the console when the link was created. */
  | { type: 'state-opened'; digest: string; screen: string }
  | { type: 'quit'; status: number }
  | { type: 'fatal'; reason: string };

/** Sent whole after each change of it. */
export interface LabState {
  run: RunState;
  config: MachineConfig;
  guest: string | undefined;
  /** It runs, but its guest panicked, or halted with interrupts off. */
  condition?: GuestCondition;
  /** Registers as text if the guest is shut down. */
  registers?: string;
  generation: number;
  hostSize: number;
  hostBase: number;
  slots: SlotView[];
  backends: Backend[];
  dimms: Dimm[];
  deviceMemory: { start: number; end: number }[];
  /** Memory that virtio-mem devices reserve for their guest to plug. */
  virtioMems: VirtioMemInfo[];
  mmio: { name: string; start: number; end: number }[];
  changeSet: {
    open: boolean;
    entries: readonly StagedEntry[];
    preview?: MemoryRegion[];
    /** The cost of a commit; absent while it is refused, and during a stepped commit. */
    outlook?: { swaps: number; zappedPages: number };
  };
  /** Absent: no commit is between its phases. */
  stepping?: Stepping;
  /** What commits zap: what they changed, or every translation. */
  zap: 'slot' | 'all';
  history: HistoryView[];
  /** Position in history: index of the live entry. */
  historyAt: number;
  canUndo: boolean;
  canRedo: boolean;
}

export interface SlotView extends MemoryRegion {
  /** "ram.a", "dimm1 (mem1)": its backing. */
  name: string;
  /** rom: read-only memory of the board. bare: host memory that the monitor or the page allocated for it. */
  kind: 'ram' | 'dimm' | 'virtio-mem' | 'rom' | 'bare';
}

export type HistoryView = CommitEntry;

/** At most 4 a second. */
export interface Figures {
  mips: number;
  instructions: number;
  guestTimeNs: number;
  tlbMissPerMille: number;
  /** Averages since the last figures, per second: */
  rates: Rates;
  /** Of the JIT; absent with -accel interp. */
  jit?: JitRates;
  holes: number;
  idle: boolean;
}

/** Activity of compiled code since the last figures. */
export interface JitRates {
  /** Percent of the guest's instructions that ran as compiled code. */
  share: number;
  /** Run-time compilation is forbidden here: the interpreter runs everything. */
  refused: boolean;
  /** Compiled regions that exist now. */
  regions: number;
  /** ms per second spent on compiling. */
  compileMs: number;
  /** Regions and windows dropped, per second. */
  regionsDropped: number;
  windowsDropped: number;
}

/** Events per second. */
export interface Rates {
  tlbMisses: number;
  /** Pages whose translation a commit dropped */
  zappedPages: number;
  /** Pages that became dirty in a log or a ring */
  dirtyPages: number;
  /** Accesses to memory-mapped devices, including holes */
  mmio: number;
  /** Port accesses */
  pio: number;
  holes: number;
}
