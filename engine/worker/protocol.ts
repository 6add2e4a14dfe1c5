/** Every message between the page and the worker, typed. The page imports this file and nothing else of the engine. */

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

/** Page -> worker. `id` ties an answer to its request. */
export type ToWorker =
  | {
      type: 'boot';
      config: MachineConfig;
      /** "-object ... -device ..." as `lab` takes them, unchecked: what is there from power-on. */
      devices?: string;
      /** Entries of each vCPU's dirty ring, on before the guest first runs; absent: bitmaps. What a state or a replay starts with goes before. */
      dirtyRing?: number;
      /** -S: the vCPUs wait for "cont". */
      paused?: boolean;
      /** Address of core.wasm, absolute. */
      coreUrl: string;
      guest?: { name: string; kernel: Uint8Array; initrd?: Uint8Array; append?: string };
      /** A layout (JSON text, unchecked) to apply before the first instruction, e.g. from a link. */
      layout?: string;
      /**
       * A share link's fragment as it came (location.hash), unchecked; the worker unpacks it. "l=" is a layout, "s=" a state, "r=" a replay, which the
       * machine plays once it has booted; anything else is no share link. For a state or a replay `config` and `guest` are what `inspect-link` returned.
       */
      link?: string;
      /** A replay from a file, unchecked, instead of a link. */
      replay?: Uint8Array;
      /** The guest's image is a file of this computer: no link can name it. */
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
  /** Answered with an InspectedLink, or the reason why it is none. No machine is touched. */
  | { type: 'inspect-link'; id: number; link: string }
  /** Answered with the link. `screen`: the console's text, for a state link. `breakpoints`: include them in a layout. */
  | { type: 'share'; id: number; what: ShareKind; screen?: string; breakpoints?: boolean }
  /** Answered with the bytes of a file: a layout, a machine snapshot (for 'state'), or a replay. */
  | { type: 'export'; id: number; what: ShareKind; breakpoints?: boolean }
  /** Puts the machine into the state of a machine snapshot; without bytes, back to what it was before the last one was loaded. Answered with ''. */
  | { type: 'load'; id: number; bytes?: Uint8Array }
  /** Names of the guest's code from a file: ELF or System.map, read in pieces. Answered with the SymbolSource that it became. No state of the machine. */
  | { type: 'symbols'; id: number; name: string; file: Blob }
  | { type: 'cancel-replay' }
  /**
   * A stopped guest runs until this vCPU reaches `to` (linear, hex), or after one instruction of it, and is stopped there; `stack`: not with a lower
   * stack pointer (hex). Slow, since it goes step by step; 'run' with 'stop' ends it. Answered with a SeekAnswer.
   */
  | { type: 'seek'; id: number; vcpu: number; to?: string; stack?: string }
  /** A stopped guest goes through what has run; answered with a JourneyEnd. */
  | { type: 'go'; id: number; journey: Journey }
  /** Looks through what has run; the machine is where it was afterwards. Answered with a WroteView. */
  | { type: 'who-wrote'; id: number; where: WroteWhere }
  /** Ends either. */
  | { type: 'cancel-going' }
  /** What 'core-wanted' asked for, or why there is none. */
  | { type: 'core'; module?: WebAssembly.Module; error?: string }
  /** Answered with 'pong' at any time. */
  | { type: 'ping' }
  /** Is this a whole machine snapshot or a layout? Answered with an InspectedFile, or the reason why not. No machine is touched. */
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

/** 'stopped': by a person, a breakpoint or the guest itself; 'asleep': nothing wakes it; 'most': after so many instructions it was not there. */
export interface SeekAnswer {
  how: 'there' | 'stopped' | 'asleep' | 'most';
  /** Of all vCPUs, on the way */
  instructions: number;
}

/** The page's questions: what each sends and gets. A question changes nothing (engine/worker/queries.ts answers them). */
export interface Queries {
  /** Counters since the start, as `info tlb-stats` prints them. */
  stats: { query: { ask: 'stats' }; answer: Record<string, number> };
  /** So many flags changed among so many slots, by each of the three calls, measured now on scratch engines; takes a second or two. */
  'flags-bench': { query: { ask: 'flags-bench'; slots: number; changes: number }; answer: FlagsBench };
  /** The slots of address space 0 in all three indexes, both sets, and a lookup of gpa (bytes) in each; bounded, however many slots there are. */
  index: { query: { ask: 'index'; gpa?: number }; answer: IndexView };
  /** The three indexes measured now, in this worker, on scratch engines with so many slots (1 to 32,763); takes a second or two. */
  'index-bench': { query: { ask: 'index-bench'; slots: number }; answer: IndexBench };
  /**
   * `count` instructions from a gva on ("0xffffffff81000000"; absent: rip), and up to `before` that a guess finds before it. Addresses are linear;
   * vcpu: 0 when absent.
   */
  disassemble: { query: { ask: 'disassemble'; vcpu?: number; from?: string; before?: number; count: number }; answer: CodeView };
  /** A vCPU's registers, and the code around its rip (or `from`) at the same instant. */
  cpu: { query: { ask: 'cpu'; vcpu?: number; from?: string; before: number; count: number }; answer: CpuView };
  /** Where a gva leads, in the vCPU's tables; `gpa` is absent where they do not map it. */
  translate: { query: { ask: 'translate'; gva: string; vcpu?: number }; answer: { gpa?: number } };
  /** Events and exits by reason, as `info kvm-stat` counts them; bounded, whatever is asked. */
  trace: { query: { ask: 'trace' } & TraceAsked; answer: TraceView };
  /** The row of the next run of this event after the one that begins with `seq`, or before it. */
  'trace-next': {
    query: { ask: 'trace-next'; seq: number; event: string; back?: boolean } & Pick<TraceAsked, 'kinds' | 'filter'>;
    answer: { row?: number };
  };
  /** Chrome's trace-event JSON. */
  'trace-file': { query: { ask: 'trace-file' }; answer: Uint8Array };
  /** "main+0x4", what a page of guest-physical memory holds first, where it is code or data with a name; else absent. */
  'symbol-at': { query: { ask: 'symbol-at'; gpa: number }; answer: { symbol?: string } };
  /** `address`: an expression of the monitor, "0x400000" or "$rip". */
  'page-walk': { query: { ask: 'page-walk'; address: string; vcpu?: number }; answer: PageWalk & { symbol?: string } };
  /** The machine's memory that is a nested guest's, of those that vCPUs run or ran last. */
  'nested-memory': { query: { ask: 'nested-memory' }; answer: NestedMemory };
  /** Nothing is harvested. At most MAX_HEAT_COLUMNS columns in all, at most MAX_HEAT_SPANS spans. */
  'dirty-heat': { query: { ask: 'dirty-heat'; asId?: number; spans: readonly HeatSpan[]; at?: number }; answer: DirtyHeat };
  /**
   * Memory that would be removed without the guest's consent: by making the entry of the history at `goTo` the live one, or by loading the
   * layout with this text.
   */
  unasked: { query: { ask: 'unasked'; goTo?: number; layout?: string }; answer: Unasked[] };
  /** What differs between two entries of the history (indexes), by slot id. */
  difference: { query: { ask: 'difference'; from: number; to: number }; answer: SlotDifference[] };
  /** The slots of an address space that LabState does not carry: 1, SMM. */
  'memslots-of': { query: { ask: 'memslots-of'; asId: number }; answer: SlotView[] };
}

export type Query = Queries[keyof Queries]['query'];

/** [from, to) of guest-physical memory, bytes, cut into columns of equal width. */
export interface HeatSpan {
  from: number;
  to: number;
  columns: number;
}

/** Which pages were written since the log was last harvested (with rings: stand in a ring). */
export interface DirtyHeat {
  /** One byte a column, all spans in turn: HEAT_UNKNOWN where nothing is logged, else the share of its logged pages that are dirty, 0..HEAT_ALL; 0 only where none is. */
  columns: Uint8Array;
  /** Of the page at `at`, where its slot logs */
  at?: { dirty: boolean; slot: number; dirtyPages: number; pages: number };
  /** Empty while rings are off. */
  rings: DirtyRingStatus[];
}

export interface NestedMemory {
  /** gpas, in address order, at most MAX_NESTED_RANGES. */
  ranges: { start: number; end: number }[];
  /** What they are without gaps that were joined. */
  bytes: number;
  /** Guests whose memory is known; vCPUs that run theirs at this instant. */
  guests: number;
  running: number[];
}

export const MAX_NESTED_RANGES = 4096;
export const MAX_HEAT_COLUMNS = 4096;
export const MAX_HEAT_SPANS = 1024;
export { HEAT_ALL, HEAT_UNKNOWN } from '../memory/dirty-heat';

/** Worker -> page. */
export type FromWorker =
  /** From here on this worker holds the Web Lock of its own name, as long as it lives. */
  | { type: 'living' }
  | { type: 'pong' }
  /** A policy forbids this worker to compile WebAssembly; the page may be allowed to. Answered with 'core'. */
  | { type: 'core-wanted'; url: string }
  | { type: 'booted' }
  /** The machine could not be made, or a link's layout was refused: the reason, one line. The worker then started the default, if `fallback`. */
  | { type: 'boot-error'; reason: string; fallback: boolean }
  | { type: 'console'; text: string }
  | { type: 'monitor-event'; text: string }
  /** Something happened to what the person did, and no answer can say it. */
  | { type: 'notice'; text: string }
  | { type: 'result'; id: number; value?: unknown; error?: string }
  | { type: 'state'; state: LabState }
  | { type: 'figures'; figures: Figures }
  /** After each change of it. */
  | { type: 'debug'; view: DebugView }
  /** localStorage/IndexedDB lives in the page: the engine asks for it. Keys are names of layouts. */
  | {
      type: 'storage';
      id: number;
      /** snapshot-*: machine snapshots, in a store of their own. A put is whole or not there. */
      op: 'get' | 'set' | 'delete' | 'keys' | 'snapshot-put' | 'snapshot-get' | 'snapshot-delete' | 'snapshot-list';
      key?: string;
      value?: string;
      /** snapshot-put */
      bytes?: Uint8Array;
      meta?: NamedSnapshot;
    }
  /** A machine snapshot is being packed or unpacked: bytes of RAM done, at most 10 a second; the end is the command's own answer. */
  | { type: 'snapshot-progress'; doing: 'save' | 'load'; done: number; total: number }
  | { type: 'replay'; view: ReplayView }
  /** A state link was opened: the machine has the digest that the link names. `screen`: what stood on the console when the link was made. */
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
  /** Registers as text when the guest is shut down. */
  registers?: string;
  generation: number;
  hostSize: number;
  hostBase: number;
  slots: SlotView[];
  backends: Backend[];
  dimms: Dimm[];
  deviceMemory: { start: number; end: number }[];
  /** Room that virtio-mem devices keep for what their guest plugs. */
  virtioMems: VirtioMemInfo[];
  mmio: { name: string; start: number; end: number }[];
  changeSet: {
    open: boolean;
    entries: readonly StagedEntry[];
    preview?: MemoryRegion[];
    /** What a commit would cost; absent while it is refused, and during a stepped commit. */
    outlook?: { swaps: number; zappedPages: number };
  };
  /** Absent: no commit is between its phases. */
  stepping?: Stepping;
  /** What commits zap: what they touch, or every translation. */
  zap: 'slot' | 'all';
  history: HistoryView[];
  /** Position in history (index of the entry that is live). */
  historyAt: number;
  canUndo: boolean;
  canRedo: boolean;
}

export interface SlotView extends MemoryRegion {
  /** "ram.a", "dimm1 (mem1)": what backs it. */
  name: string;
  /** rom: board memory that is read-only. bare: what the monitor or the page made a backing for. */
  kind: 'ram' | 'dimm' | 'virtio-mem' | 'rom' | 'bare';
}

export type HistoryView = CommitEntry;

/** At most 4 a second. */
export interface Figures {
  mips: number;
  instructions: number;
  guestTimeNs: number;
  tlbMissPerMille: number;
  /** Of the time since the last figures, each a second: */
  rates: Rates;
  /** Of the JIT; absent with -accel interp. */
  jit?: JitRates;
  holes: number;
  idle: boolean;
}

/** What compiled code did since the last figures. */
export interface JitRates {
  /** Percent of the guest's instructions that ran as compiled code. */
  share: number;
  /** Run-time compilation is forbidden here: the interpreter runs everything. */
  refused: boolean;
  /** Compiled regions that exist now. */
  regions: number;
  /** ms a second that compiling took. */
  compileMs: number;
  /** Regions and windows dropped, a second. */
  regionsDropped: number;
  windowsDropped: number;
}

/** Events a second. */
export interface Rates {
  tlbMisses: number;
  /** Pages whose translation a commit dropped */
  zappedPages: number;
  /** Pages that became dirty in a log or a ring */
  dirtyPages: number;
  /** Memory-mapped device accesses, holes among them */
  mmio: number;
  /** Port accesses */
  pio: number;
  holes: number;
}
