/**
 * What the rest of the project may ask of a machine (monitor, snapshot, worker and cli program against this file).
 * The composition root is machine.ts: `createMachine(options): Promise<Machine>`.
 */
import type { JitFigures } from '../jit/index';
import type { MemslotEngine, RingEntry } from '../memory/index';
import type { Commit, CommitEvent, MemoryRegion, Refusal } from '../memory/types';
import type { SavedModes } from './modes';

export type RunState =
  | 'running'
  | 'paused'
  /** Triple fault: stopped, registers kept. `cont` is refused until system_reset. */
  | 'shutdown'
  /** Fetch from unmapped memory: stopped like a shutdown. */
  | 'internal-error';

export type GuestCondition = 'panicked' | 'halted';

export interface GuestImage {
  /** For people and for links: "memlab", or a file's name. */
  name: string;
  kernel: Uint8Array;
  initrd?: Uint8Array;
  append?: string;
}

export interface MachineConfig {
  /** -m size, bytes; a multiple of 1 MiB, at least 2 MiB. */
  ram: number;
  /** -m slots=, 0..32 */
  slots: number;
  /** -m maxmem=, bytes; equal to ram: no hotplug */
  maxmem: number;
  smp: number;
  accel: 'interp' | 'jit';
  index?: 'array' | 'rbtree' | 'btree';
  /** -object memory-backend-ram: there from power-on. */
  objects?: { id: string /** bytes */; size: number }[];
  /** -device: on the virtio-mmio bus from power-on, in this order. */
  virtio?: VirtioConfig[];
}

export type VirtioConfig =
  | {
      driver: 'virtio-mem';
      id: string;
      memdev: string;
      /** requested-size=, bytes; default 0 */
      requested?: number;
      /** memaddr=, gpa; default: placed as DIMMs are */
      addr?: number;
      node?: number;
    }
  | { driver: 'virtio-balloon-device'; id?: string };

/** A virtio-mem device as the monitor tells of it. */
export interface VirtioMemInfo {
  id: string;
  memdev: string;
  node: number;
  /** gpa, bytes */
  addr: number;
  /** bytes: of the device, plugged by the guest, and asked for */
  maxSize: number;
  size: number;
  requestedSize: number;
}

export interface MachineOptions extends MachineConfig {
  /** core.wasm */
  core: Uint8Array<ArrayBuffer> | WebAssembly.Module;
  guest?: GuestImage;
  /** Wall clock in ms, only for throttling and for dates in texts; never reaches the guest but as RTC start. */
  wallClock: () => number;
  /** Seeds RDRAND; part of the machine's inputs. */
  seed?: number;
  /** RTC at power-on, ms since 1970. Default: a fixed date, so that runs are equal. */
  rtcStart?: number;
  /** -device isa-debug-exit,iobase=: port, when present */
  debugExitPort?: number;
  /** its iosize=: number of ports, default 2 */
  debugExitSize?: number;
  /**
   * A turn for others between two ioctls of a legacy commit, which may be thousands; until it is resolved nothing else may reach the machine.
   * false: gives the commit up, and what is done stays done.
   */
  betweenCalls?: () => Promise<boolean>;
  /** Dirty rings from the start, as `enableDirtyRings` would switch them on. */
  dirtyRing?: DirtyRingOptions;
}

export interface DirtyRingOptions {
  /** Entries of each vCPU's ring: a power of two, 256 to 65536. 64 of them are the reserve. */
  entries: number;
  /** Beside the rings, bitmaps for writes that no vCPU makes (KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP). Only from the start: before any memslot. */
  bitmap?: boolean;
}

export interface DirtyRingStatus {
  vcpu: number;
  /** entries in all */
  size: number;
  /** entries that are not free, harvested or not */
  used: number;
  /** entries that wait for a harvest */
  pending: number;
  /** The soft limit (size - 64) is reached: the vCPU is held until a reset makes room. */
  full: boolean;
  /** Writes that found not even the reserve free, and are not recorded: only the host's own can, since a vCPU is held before. */
  overflows: number;
}

export interface Backend {
  id: string;
  /** bytes */
  size: number;
  /** bytes, where its host memory starts */
  hva: number;
  /** `ram` backends are the board's own (not deletable). */
  kind: 'board' | 'memory-backend-ram';
  /** id of the device that uses it */
  busy?: string;
}

export interface Dimm {
  id: string;
  memdev: string;
  /** hotplug register slot, 0..slots-1 */
  slot: number;
  node: number;
  /** bytes: where the DIMM was plugged. */
  addr: number;
  size: number;
  hotplugged: boolean;
  /** device_del was asked and the guest has not answered. */
  pendingUnplug: boolean;
}

/** Where a run is, between two instructions. */
export interface Position {
  /** retired by all vCPUs together */
  instructions: number;
  /** ns of guest time: the vCPU that is least far */
  timeNs: number;
  /** Whose turn it is, and whether the round of turns has begun. */
  turn: number;
  inRound: boolean;
  running: boolean;
}

/** Of a commit that plugs or unplugs a memory device, or a part of it. */
export interface DeviceCommit {
  kind: 'pc-dimm' | 'virtio-mem';
  /** Its id; a DIMM that has none: its QOM path. */
  device: string;
  memdev: string;
  /** Who caused it: the guest, or a person with device_add. */
  who: 'person' | 'guest';
}

/** A refused operation, worded as QEMU words it (without "Error: "). */
export class MachineError extends Error {}

/** What a machine reports by QMP names. DEVICE_MOVED is ours. A monitor adds STOP and RESUME. */
export const QMP_EVENTS = [
  'RESET',
  'SHUTDOWN',
  'POWERDOWN',
  'ACPI_DEVICE_OST',
  'DEVICE_DELETED',
  'DEVICE_MOVED',
  'MEM_UNPLUG_ERROR',
  'MEMORY_DEVICE_SIZE_CHANGE',
  'BALLOON_CHANGE',
] as const;
export type QmpEvent = (typeof QMP_EVENTS)[number];

export type MachineEvent =
  | { type: 'state'; state: RunState }
  | { type: 'reset'; by: 'host' | 'guest' }
  /** `restore` put another state in place: vCPUs, devices, RAM, topology and layout are all others now, and there is no history. */
  | { type: 'restored' }
  /** `through`: it was made by plugging or unplugging a memory device. */
  | { type: 'commit'; event: CommitEvent; through?: DeviceCommit }
  /** The commit that is just over cannot be undone, nor what came before it: "it ${reason}". */
  | { type: 'history-ended'; reason: string }
  | { type: 'backends' }
  | { type: 'dimms' }
  | { type: 'stage' }
  /** `breakAt`'s count is reached. The state is paused by now. */
  | { type: 'break'; count: number }
  /** QMP events by their QMP names. */
  | { type: 'qmp'; event: QmpEvent; data: Record<string, unknown> }
  /** A vCPU's dirty ring reached its soft limit: the vCPU is held until `resetDirtyRings` makes room. The others go on. */
  | { type: 'dirty-ring-full'; vcpu: number }
  | { type: 'log'; text: string }
  /** Something came in that may end a halt: whoever sleeps for this machine should run it again. */
  | { type: 'wake' }
  /** isa-debug-exit was written, or the guest powered off: status as QEMU exits with. */
  | { type: 'quit'; status: number };

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

export interface StagedEntry {
  edit: StagedEdit;
  refusals: Refusal[];
  /** What it would take from under the guest, which nobody has asked. */
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

export type PhaseName = 'validate' | 'prepare' | 'swap1' | 'zap' | 'swap2' | 'hooks' | 'free';

/** A commit between two of its phases, while the guest runs on. */
export interface Stepping {
  /** The next phase to run. */
  phase: PhaseName;
  /** Phases that ran, measured microseconds. Those with nothing to do are passed over: one swap is swap 2 alone. */
  done: { phase: PhaseName; us: number }[];
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
  phase: PhaseName;
  us?: number;
  /** That counts right after the phase. */
  generation: number;
  /** Right after the phase. */
  view: Stepping;
  /** Set when the commit is over: accepted by its last phase, or refused by one before swap 1. */
  commit?: Commit;
}

/** The change set being staged: one per machine, shared by monitor and page. */
export interface ChangeSet {
  readonly open: boolean;
  /** How many edits are staged; no dry run. */
  readonly count: number;
  /** With what a dry run says of each. */
  readonly entries: readonly StagedEntry[];
  begin(): void; // MachineError if one is open
  stage(edit: StagedEdit): void; // MachineError if none is open, or if the slot id already has an operation
  drop(index: number): void;
  /** Dry run of all entries against the final layout. */
  check(): Commit;
  /** What the layout would be; undefined where the check refuses. */
  preview(): MemoryRegion[] | undefined;
  /** What a commit would take from under the guest, as far as the machine knows; empty while the check refuses. */
  readonly unasked: readonly Unasked[];
  /**
   * One atomic commit; the set is closed when it is accepted and stays open, unchanged, when it is refused.
   * whole: the layout as it will be, handed over whole; the engine finds the difference. Same result, other cost.
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
}

/** Where a gpa leads. Without a slot: a hole or a device. `invalid`: the slot stands between the two swaps of a commit. */
export interface WalkPlace {
  gpa: number;
  slot?: number;
  hva?: number;
  invalid?: boolean;
}

export interface PageWalkStep extends WalkPlace {
  name: 'PML4E' | 'PDPTE' | 'PDE' | 'PTE';
  /** Bits high..low of the gva are the index. */
  high: number;
  low: number;
  index: number;
  /** Size of an entry */
  bytes: 4 | 8;
  entry: bigint;
  /** It maps the page; else it points to the next table. */
  leaf: boolean;
}

export interface WalkRights {
  write: boolean;
  user: boolean;
  execute: boolean;
}

/** Accesses that hit the software TLB without a walk. */
export interface TlbTags {
  read: boolean;
  write: boolean;
  execute: boolean;
}

export interface PageWalk {
  mode: 'off' | '32-bit' | 'PAE' | '4-level';
  /** As the mode takes it: 32 bits but with 4 levels. */
  gva: bigint;
  cr3: bigint;
  asId: number;
  /** CR0.WP: the supervisor heeds read-only pages too. */
  writeProtect: boolean;
  steps: PageWalkStep[];
  /** gpa of the address itself, size of its page, the rights of all levels together */
  page?: WalkPlace & { size: number; rights: WalkRights; global: boolean };
  tlb: { supervisor: TlbTags; user: TlbTags };
  /** Why there is no page, one line */
  stop?: { kind: 'not-canonical' | 'not-present' | 'reserved' | 'invalid'; text: string };
}

export interface HoleCount {
  /** MMIO reads + writes that no slot and no device answered, since the start. */
  total: number;
}

/** A place in a vCPU's code: after one instruction of it at least. */
export interface SeekGoal {
  vcpu: number;
  /** The next instruction's, as the register has it. Absent: wherever it stands after one instruction. */
  rip?: bigint;
  /** With a stack pointer at least as high: out of what was called. */
  rsp?: bigint;
}

/**
 * Goes on with at most so many instructions, of all vCPUs, until the deadline (wall clock, ms). 'ended': the machine does not run; 'asleep':
 * nothing can make it go on; 'most' and 'going': the count or the deadline came first.
 */
export type Seek = (most: number, deadline: number) => 'there' | 'going' | 'most' | 'asleep' | 'ended';

export interface Machine {
  readonly config: MachineConfig;
  readonly memory: MemslotEngine;
  readonly changeSet: ChangeSet;
  readonly state: RunState;
  readonly guest: GuestImage | undefined;
  /** What became of a guest whose vCPUs still run: it said that it panicked, or all of them halted with interrupts off. */
  readonly condition: GuestCondition | undefined;

  /**
   * Runs until `deadline` (wall clock ms), a halt without wake-up, or a stop. See runner.ts for the loop. wakeIn, when idle: guest ns until
   * it is worth looking again, the next timer or later when timers go on firing for nothing.
   */
  runUntil(deadline: number): { idle: boolean; wakeIn?: number };
  /**
   * Runs exactly n instructions of guest time (HLT skips ahead); for tests, `lab` and replay. Fewer when every vCPU is halted and nothing
   * can end that: no timer is left, or timers fired half a million times and none did.
   */
  runInstructions(n: number): void;
  readonly position: Position;
  /** Lets an idle guest sleep up to now: whatever is done to the machine next is done at `position`, and no time passes behind it. */
  catchUp(): void;
  /**
   * Runs as fast as it can, idle time skipped, to where a machine with the same inputs was. 'going': the deadline (wall clock, ms) came first.
   * 'never': it cannot come there, so that machine had other inputs.
   */
  runTo(position: Position, deadline: number): 'there' | 'going' | 'never';
  /** A way to a place in a vCPU's code, for a machine that runs and that nobody else runs meanwhile. Instruction by instruction, so it is slow. */
  seek(goal: SeekGoal): Seek;
  /**
   * Stops before the instruction with this count, of `instructions` (all vCPUs together), then forgets it; undefined: nowhere. It stays over
   * resets and restores that leave it ahead. MachineError when the count lies behind or is not a whole number.
   */
  breakAt(count: number | undefined): void;
  readonly breakCount: number | undefined;
  stop(): void;
  cont(): void; // MachineError after a shutdown
  reset(): void;
  /** Raises the power button event. */
  powerdown(): void;
  /** Raises an NMI on a vCPU. Optional: a machine without it answers the monitor's `nmi` with QEMU's refusal. */
  nmi?(vcpu?: number): void;
  subscribe(listener: (event: MachineEvent) => void): () => void;

  /** Guest serial console. */
  readonly serial: {
    /** Bytes for the guest; queued until its FIFO takes them. Returns how many were taken: at most 1 MiB waits. */
    input(bytes: Uint8Array): number;
    /** After input that was not taken whole: half of the queue is free. Called while the guest runs, so answer later. */
    onRoom(listener: () => void): () => void;
    onOutput(listener: (bytes: Uint8Array) => void): () => void;
  };
  onDebugcon(listener: (byte: number) => void): () => void;

  // backends and DIMMs: QEMU's object_add/_del and device_add/_del
  backends(): Backend[];
  addBackend(id: string, size: number): Backend;
  deleteBackend(id: string): void;
  dimms(): Dimm[];
  plugDimm(options: { id?: string; memdev: string; addr?: number; slot?: number; node?: number }): Dimm;
  /** Asks the guest to give the DIMM back; it may take its time or refuse. */
  unplugDimm(id: string): void;
  /**
   * Unplugs a DIMM and plugs it in at `addr` when the guest has given it back: QMP event DEVICE_MOVED {device, path, addr}. A guest that
   * refuses keeps it where it is: MEM_UNPLUG_ERROR. MachineError when the address will not do.
   */
  moveDimm(id: string, addr: number): void;
  /** virtio-mem devices. */
  virtioMems(): VirtioMemInfo[];
  /** Bytes that a virtio-mem device shall have; the guest plugs and unplugs towards it (QMP event MEMORY_DEVICE_SIZE_CHANGE). */
  setRequestedSize(id: string, size: number): void;
  /** The balloon: bytes of RAM that the guest has left. undefined: there is none. */
  balloon(): { id: string; actual: number } | undefined;
  /** The guest shall have no more than so many bytes (QMP event BALLOON_CHANGE as it follows). */
  setBalloon(target: number): void;
  /** What commits zap: only what they touched, or every translation. MachineError for another word, and during a stepped commit. */
  setZap(mode: string): void;
  /** Host memory for a bare memslot: a free, zeroed range of `size` bytes; MachineError when there is none. */
  allocateHost(size: number, label: string): number;
  /**
   * Gives back a range of `allocateHost` that starts at hva, for an edit that came to nothing. False, and nothing happens, while a
   * memslot, a staged edit or the history may still use it, or when no such range starts there.
   */
  releaseHost(hva: number): boolean;
  /** Name of what backs an hva: "ram.a", "mem1", or undefined. With the offset inside it. */
  backingOf(hva: number): { id: string; offset: number } | undefined;
  /** The parts of `size` bytes from hva on, by what backs them: one part, but where a slot spans several backings. Bytes. */
  backingsOf(hva: number, size: number): BackingPart[];

  // Dirty rings (KVM_CAP_DIRTY_LOG_RING), one per vCPU; MachineError where they are off
  /** Before the guest first runs, once. */
  enableDirtyRings(options: DirtyRingOptions): void;
  /** Takes what waits in the rings, at most `limit` entries of each, in order. */
  harvestDirtyRings(limit?: number): RingEntry[];
  /** Frees what was harvested, protects those pages again, and lets held vCPUs on. Returns how many entries that were. */
  resetDirtyRings(): number;
  /** Empty while rings are off. */
  dirtyRings(): DirtyRingStatus[];

  // registers and memory, for the monitor; none has a side effect on the guest but the writes
  registers(vcpu?: number): VcpuRegisters;
  /** Bytes at a gpa, or undefined where a byte is not backed by a slot. */
  readPhysical(gpa: number, length: number): Uint8Array | undefined;
  /** Stops at the first byte that no slot backs and returns the number of bytes written. */
  writePhysical(gpa: number, bytes: Uint8Array): number;
  /** gva -> gpa with the vCPU's current tables, undefined: unmapped. */
  translate(gva: bigint, vcpu?: number): number | undefined;
  /** Guest TLB entries of a vCPU as the guest's tables say (info tlb walks the tables, as QEMU does). */
  pageTable(vcpu?: number): Iterable<{ gva: bigint; gpa: number; flags: number; size: number }>;
  /** How the vCPU's tables translate a gva now, entry by entry. */
  pageWalk(gva: bigint, vcpu?: number): PageWalk;
  ioRead(port: number, size: number): number; // `i`, side effects as a guest read
  ioWrite(port: number, size: number, value: number): void;
  /** The devices on the buses, for info mtree / qtree. */
  mmioRegions(): { name: string; start: number; end: number }[];
  irqCounts(): { name: string; count: number }[];
  /** The two 8259s, master first. */
  picState(): PicState[];
  ioapicState(): IoApicState;
  /** Window for DIMMs: half-open ranges of gpa. */
  deviceMemory(): { start: number; end: number }[];

  /** Guest-visible time and work. */
  readonly instructions: number;
  readonly guestTimeNs: number;
  readonly holes: HoleCount;
  stats(): Record<string, number>;
  /** Of the JIT; undefined with -accel interp. Nothing of it is state of the machine. */
  jitFigures(): JitFigures | undefined;
  /** SHA-256 (hex) over vCPUs, devices, layout and RAM. */
  digest(): Promise<string>;

  /** The whole machine at this instant, as a value that shares nothing with it. Call it between slices (not from a device). */
  capture(): MachineState;
  /**
   * The `machine` part of a state, checked as `restore` does it: MachineError (one line) where this machine could not take it. Before the rest of a
   * file is unpacked, which may be a thousand times its size.
   */
  checkSaved(machine: unknown): SavedMachine;
  /**
   * Puts a captured state in place of everything: RAM, vCPUs, devices, backends, DIMMs, memslots. Host memory, backends and DIMMs that the
   * state does not have are dropped; undo history ends. All or nothing: the state is distrusted and checked whole first, and a MachineError
   * (one line) means that the machine goes on untouched. A machine that ran goes on running, a stopped one stays stopped.
   */
  restore(state: UncheckedState): void;
}

/** A part of one backing. */
export interface BackingPart {
  /** Name of the backing */
  id: string;
  /** of the part, inside the backing, bytes */
  offset: number;
  hva: number;
  size: number;
}

/** A memslot in a machine state; address space 0. */
export interface SavedSlot {
  slot: number;
  /** MemFlag bits */
  flags: number;
  /** bytes */
  gpa: number;
  size: number;
  hva: number;
  /** It reaches over several backings, since a person asked for that. Absent: it lies inside one. */
  span?: boolean;
}

/** Pages of host memory that are not zero. */
export interface RamPiece {
  /** hva / 4096, ascending */
  pages: Uint32Array;
  /** 4096 bytes per page */
  bytes: Uint8Array;
}

export interface SavedDimm extends Dimm {
  /** QOM path */
  path: string;
  hva: number;
  /** gpa that it is being moved to */
  moveTo: number | null;
}

export interface SavedDimms {
  /** DIMMs without id so far */
  anonymous: number;
  plugged: SavedDimm[];
  /** A DIMM on its way: ejected, and not yet plugged in at its new place. */
  ejected: SavedDimm | null;
}

/** What a machine with devices on its virtio-mmio bus was made with; others have none of it. */
export interface SavedDevices {
  objects: { id: string; size: number }[];
  virtio: VirtioConfig[];
}

/** What is not device, vCPU or memory content: JSON values only. */
export interface SavedMachine {
  config: { ram: number; slots: number; maxmem: number; smp: number; devices?: SavedDevices };
  /** Name of the guest image, for people; a reset boots the image that the machine has. */
  guest: string;
  run: RunState;
  /** Hotplug block of the guest, bytes; null: none */
  memoryBlock: number | null;
  /**
   * `asleep`: vCPUs that halted in this round with interrupts disabled; `retrying`: those that met an INVALID memslot in it. Older snapshots
   * have neither.
   */
  round: { turn: number; end: number | null; asleep?: number[]; retrying?: number[] };
  /** Host memory in use, by hva. */
  ranges: { start: number; size: number; label: string }[];
  backends: { id: string; size: number; hva: number; kind: Backend['kind'] }[];
  dimms: SavedDimms;
  slots: SavedSlot[];
  /** Absent: those of a machine that was just made. Snapshots from before they were kept do not have them. */
  modes?: SavedModes | null;
  /** virtio-mem devices whose memory backend is another than they began with. */
  memdevs?: { device: string; memdev: string }[];
}

export interface MachineState {
  machine: SavedMachine;
  /** By device name. */
  devices: Record<string, { [field: string]: unknown }>;
  /** Records of VCPU_RECORD_SIZE bytes. */
  vcpus: Uint8Array[];
  /** Dirty bitmaps of the slots that have one. */
  dirty: { slot: number; bits: Uint8Array }[];
  ram: RamPiece[];
}

/** A machine state from a file: shaped like one, but what it says is not checked. */
export interface UncheckedState extends Pick<MachineState, 'vcpus' | 'dirty' | 'ram'> {
  machine: unknown;
  devices: unknown;
}

export interface PicState {
  irr: number;
  imr: number;
  isr: number;
  /** input of the highest priority */
  highest: number;
  /** vector of input 0 */
  base: number;
  /** a read gives the ISR, not the IRR */
  readIsr: boolean;
  elcr: number;
  /** special fully nested mode */
  fullyNested: boolean;
}

export interface IoApicState {
  version: number;
  id: number;
  /** The register that the data window shows. */
  select: number;
  /** Redirection entries, 64 bits, by pin. */
  entries: bigint[];
  /** Bits by pin: requests that wait, and lines of level pins that are asserted. */
  irr: number;
}

export interface VcpuRegisters {
  gpr: bigint[]; // encoding order
  rip: bigint;
  rflags: number;
  cpl: number;
  halted: boolean;
  segments: { selector: number; base: bigint; limit: number; attributes: number }[]; // es cs ss ds fs gs ldtr tr
  gdt: { base: bigint; limit: number };
  idt: { base: bigint; limit: number };
  cr0: bigint;
  cr2: bigint;
  cr3: bigint;
  cr4: bigint;
  cr8: bigint;
  efer: bigint;
  dr: bigint[]; // 0 1 2 3 6 7
  fcw: number;
  fsw: number;
  ftw: number;
  mxcsr: number;
  fpr: { significand: bigint; exponent: number }[];
  xmm: { low: bigint; high: bigint }[];
}
