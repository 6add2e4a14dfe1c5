/** The flags of `lab`, with QEMU's names. Parsing has no side effects. */
import { type MachineConfig, MachineError, parseCpu, type VirtioConfig } from '../machine/index';
import { type DebugExitFlag, parseDevice, parseObject } from '../monitor/device-flags';
import { splitCommas } from '../monitor/opts';
import { parseInteger } from '../monitor/sizes';
import { type Chardev, FlagError, parseChardev, parseGdb } from './chardev-flag';
import { type MemoryFlag, parseMemory } from './memory-flag';

export interface LabFlags {
  /** Absent: the guest's own, or 128M. */
  memory?: MemoryFlag;
  smp: number;
  /** -cpu; absent: lab64 */
  cpu?: string;
  /** Paths. Without a kernel, `guest` runs. */
  kernel?: string;
  initrd?: string;
  append?: string;
  guest?: string;
  serial: Chardev;
  monitors: Chardev[];
  qmps: Chardev[];
  debugcon?: Chardev;
  /** -gdb, -s */
  gdb?: Chardev;
  debugExit?: DebugExitFlag;
  /** -object */
  objects?: NonNullable<MachineConfig['objects']>;
  /** -device, those on the virtio-mmio bus */
  virtio?: VirtioConfig[];
  accel: 'interp' | 'jit';
  /** Entries of each vCPU's dirty ring; absent: rings are off. */
  dirtyRing?: number;
  /** The index that finds the memslot of a gfn; absent: the engine's default. */
  index?: MachineConfig['index'];
  /** File with the names of the guest's code */
  symbols?: string;
  /** -S */
  paused: boolean;
  /** Folder of machine snapshots. */
  snapshots?: string;
  /** Snapshot to start with. */
  loadvm?: string;
  /** File that a replay is written to at the end. */
  record?: string;
  /** A replay's file or link: played instead of running a machine. */
  replay?: string;
}

export type Parsed = LabFlags | 'help' | 'cpu-help';

const MOST_CPUS = 8;
const INDEXES = ['array', 'rbtree', 'btree'] as const;

/** State while a flag list is parsed. */
interface Draft extends Omit<LabFlags, 'serial'> {
  serial?: Chardev;
}

type Handler = (draft: Draft, value: string, flag: string) => void;

const withValue: Record<string, Handler> = {
  m: (draft, value) => {
    draft.memory = parseMemory(value);
  },
  cpu: (draft, value) => {
    draft.cpu = flagged(() => parseCpu(value)).name;
  },
  smp: (draft, value) => {
    draft.smp = parseSmp(value);
  },
  kernel: (draft, value) => {
    draft.kernel = value;
  },
  initrd: (draft, value) => {
    draft.initrd = value;
  },
  append: (draft, value) => {
    draft.append = value;
  },
  guest: (draft, value) => {
    draft.guest = value;
  },
  serial: (draft, value, flag) => {
    if (draft.serial) throw new FlagError(`${flag} ${value}: this machine has one serial port; give -serial once`);
    draft.serial = parseChardev(flag, value);
  },
  monitor: (draft, value, flag) => {
    draft.monitors.push(parseTwoWay(flag, value));
  },
  qmp: (draft, value, flag) => {
    draft.qmps.push(parseTwoWay(flag, value));
  },
  debugcon: (draft, value, flag) => {
    if (draft.debugcon) throw new FlagError(`${flag} ${value}: this machine has one debug console; give -debugcon once`);
    draft.debugcon = parseChardev(flag, value);
  },
  gdb: (draft, value, flag) => {
    if (draft.gdb) throw new FlagError(`${flag} ${value}: one gdb is served; give -gdb or -s once`);
    draft.gdb = parseGdb(flag, value);
  },
  device: (draft, value) => {
    const device = flagged(() => parseDevice(value));
    if ('driver' in device) draft.virtio = [...(draft.virtio ?? []), device];
    else if (draft.debugExit) throw new FlagError(`-device ${value}: this machine takes one isa-debug-exit`);
    else draft.debugExit = device;
  },
  object: (draft, value) => {
    draft.objects = [...(draft.objects ?? []), flagged(() => parseObject(value))];
  },
  accel: (draft, value) => {
    Object.assign(draft, parseAccel(value));
  },
  loadvm: (draft, value) => {
    draft.loadvm = value;
  },
  snapshots: (draft, value) => {
    draft.snapshots = value;
  },
  symbols: (draft, value) => {
    draft.symbols = value;
  },
  record: (draft, value) => {
    draft.record = value;
  },
  replay: (draft, value) => {
    draft.replay = value;
  },
};
/** Flags allowed beside -replay: the file has everything else. */
const BESIDE_REPLAY = new Set(['replay', 'kernel', 'initrd', 'append', 'serial', 'accel', 'gdb', 's', 'symbols']);

const alone: Record<string, (draft: Draft) => void> = {
  s: (draft) => {
    if (draft.gdb) throw new FlagError('-s: one gdb is served; give -gdb or -s once');
    draft.gdb = parseGdb('-s', 'tcp::1234');
  },
  S: (draft) => {
    draft.paused = true;
  },
};

/** argv: without program names. Throws a FlagError for the first wrong flag. */
export function parseFlags(argv: readonly string[]): Parsed {
  const draft: Draft = { smp: 1, monitors: [], qmps: [], accel: 'jit', paused: false };
  const given = new Set<string>();
  for (let at = 0; at < argv.length; at++) {
    const flag = argv[at]!;
    if (!flag.startsWith('-') || flag === '-') throw new FlagError(`${flag}: not an option; a kernel is named with -kernel FILE`);
    const name = flag.replace(/^--?/, '');
    if (name === 'h' || name === 'help') return 'help';
    given.add(name);
    if (name === 'cpu' && (argv[at + 1] === 'help' || argv[at + 1] === '?')) return 'cpu-help';
    if (Object.hasOwn(alone, name)) {
      alone[name]!(draft);
    } else if (Object.hasOwn(withValue, name)) {
      const value = argv[++at];
      if (value === undefined) throw new FlagError(`${flag}: requires an argument`);
      withValue[name]!(draft, value, `-${name}`);
    } else {
      throw new FlagError(`${flag}: invalid option; -help lists the options`);
    }
  }
  if (draft.replay !== undefined) checkReplay(draft, given);
  return complete(draft);
}

function checkReplay({ replay, serial, dirtyRing }: Draft, given: ReadonlySet<string>): void {
  const other = [...given].find((name) => !BESIDE_REPLAY.has(name)) ?? (dirtyRing ? 'accel with dirty-ring-size' : undefined);
  if (other !== undefined)
    throw new FlagError(`-replay ${replay}: it says what the machine is and what reaches it; -${other} cannot be given`);
  if (serial?.kind === 'unix') throw new FlagError(`-replay ${replay}: what the guest prints goes to -serial stdio or -serial file:PATH`);
}

/** Flags that a replay does not record, or could not distinguish. */
function checkRecord({ record, qmps, monitors, dirtyRing, debugExit }: Draft): void {
  const wrong = (reason: string): FlagError => new FlagError(`-record ${record}: ${reason}`);
  if (qmps.length > 0) throw wrong('a replay cannot contain QMP commands; give -monitor instead of -qmp');
  if (monitors.length > 1) throw wrong('a replay has one monitor; give -monitor once');
  if (dirtyRing) throw wrong('a replay cannot contain dirty rings; leave out dirty-ring-size');
  if (debugExit) throw wrong('a replay cannot contain isa-debug-exit; leave it out');
}

/** Defaults, and conflicts between flags. */
function complete(draft: Draft): LabFlags {
  const { kernel, guest } = draft;
  if (kernel !== undefined && guest !== undefined) throw new FlagError(`-guest ${guest}: give either -guest or -kernel`);
  if (draft.initrd !== undefined && kernel === undefined)
    throw new FlagError(`-initrd ${draft.initrd}: only allowed with the -kernel option`);
  const named = [draft.serial, ...draft.monitors, ...draft.qmps, draft.debugcon, draft.gdb].filter((chardev) => chardev?.kind === 'stdio');
  if (named.length > 1) throw new FlagError('cannot use stdio by multiple character devices; give all but one another CHARDEV');
  if (draft.loadvm !== undefined && draft.snapshots === undefined) {
    throw new FlagError(`-loadvm ${draft.loadvm}: give -snapshots DIR, the folder that it lies in`);
  }
  if (draft.record !== undefined) checkRecord(draft);
  checkPaths(draft);
  // Nothing else uses the terminal, so the monitor does, as with QEMU's -display none -monitor stdio.
  if (named.length === 0 && draft.monitors.length === 0 && draft.replay === undefined) draft.monitors.push({ kind: 'stdio' });
  return { ...draft, serial: draft.serial ?? { kind: 'null' } };
}

/** A flag's own parser refused its value: reports it as a wrong flag. */
function flagged<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw error instanceof MachineError ? new FlagError(error.message) : error;
  }
}

function checkPaths(draft: Draft): void {
  const seen = new Set<string>();
  for (const chardev of [draft.serial, ...draft.monitors, ...draft.qmps, draft.debugcon, draft.gdb]) {
    if (chardev?.kind !== 'unix' && chardev?.kind !== 'file') continue;
    if (seen.has(chardev.path)) throw new FlagError(`${chardev.path}: two character devices cannot share one path`);
    seen.add(chardev.path);
  }
}

function parseTwoWay(flag: string, value: string): Chardev {
  const chardev = parseChardev(flag, value);
  if (chardev.kind === 'file')
    throw new FlagError(`${flag} ${value}: a file provides no input; give stdio, null or unix:PATH,server=on,wait=off`);
  return chardev;
}

function parseSmp(value: string): number {
  const [count = '', ...more] = splitCommas(value);
  const cpus = parseInteger(count.replace(/^cpus=/, ''));
  if (cpus === undefined) throw new FlagError(`-smp ${value}: Parameter 'cpus' expects a number`);
  if (more.length > 0)
    throw new FlagError(`-smp ${value}: Parameter '${more[0]!.split('=')[0]}' is unexpected; -smp takes the number of CPUs`);
  if (cpus < 1n || cpus > BigInt(MOST_CPUS)) throw new FlagError(`-smp ${value}: Invalid SMP CPUs ${cpus}; 1 to ${MOST_CPUS} are possible`);
  return Number(cpus);
}

function parseAccel(value: string): Pick<LabFlags, 'accel' | 'dirtyRing' | 'index'> {
  const [accel = '', ...options] = splitCommas(value);
  const wrong = (reason: string): FlagError => new FlagError(`-accel ${value}: ${reason}`);
  if (accel !== 'interp' && accel !== 'jit') throw wrong(`invalid accelerator ${accel}; use jit or interp`);
  const result: ReturnType<typeof parseAccel> = { accel };
  for (const option of options) {
    const [key = '', text = ''] = option.split('=', 2);
    if (key === 'memslot-index') {
      result.index = INDEXES.find((index) => index === text);
      if (!result.index) throw wrong(`memslot-index '${text}' does not exist; use ${INDEXES.join(', ')}`);
      continue;
    }
    if (key !== 'dirty-ring-size') throw wrong(`Property '${accel}-accel.${key}' not found; it has dirty-ring-size and memslot-index`);
    const entries = Number(parseInteger(text) ?? -1);
    if (entries === 0) continue;
    if (!(entries >= 256 && entries <= 65536 && Number.isInteger(Math.log2(entries))))
      throw wrong(`dirty-ring-size '${text}' is not a power of two from 256 to 65536; 0 disables rings`);
    result.dirtyRing = entries;
  }
  return result;
}
