/**
 * Checks of a machine state from an untrusted source. Each throws an Error that says what is wrong, and does not touch the running machine.
 * References between parts are checked here too.
 */
import { MAX_VCPUS, PAGE_SIZE, VCPU_RECORD_SIZE } from '../abi/layout';
import * as svm from '../abi/svm';
import * as abi from '../abi/vcpu';
import { type Check, count, flag, int, list, nullable, object, readFields, type Schema } from '../devices/state';
import type { SavedRing, SavedRings } from '../memory/index';
import { MemFlag } from '../memory/types';
import type { MachineConfig, RamPiece, SavedDevices, SavedDimm, SavedMachine, SavedSlot, UncheckedState, VirtioConfig } from './api';
import { refuseBacking } from './backing-rule';
import { CLOCK_SHIFT, VIRTIO_COUNT } from './board';
import { type CpuModel, parseCpu } from './cpu-model';
import { MOST_HOST_MEMORY, rangesOf, refusesRanges } from './host-memory';
import type { SavedModes } from './modes';
import { shapeRefusal } from './shape';
import { Halted } from './vcpu';

export const MAX_SLOTS = 32764;
const PHYS_BITS = 46;
const MAX_RANGES = 65536;
const MAX_DIMMS = 32;
const MAX_OBJECTS = 1024;
const MAX_TEXT = 256;
const TWO_32 = 0x100000000;

const text: Check<string> = (value) => {
  if (typeof value === 'string' && value.length <= MAX_TEXT) return value;
  throw new Error(`must be a text of at most ${MAX_TEXT} characters`);
};

function oneOf<T extends string>(...values: T[]): Check<T> {
  return (value) => {
    if (values.includes(value as T)) return value as T;
    throw new Error(`must be one of ${values.join(', ')}`);
  };
}

const dimm = object<SavedDimm>({
  id: text,
  memdev: text,
  slot: int(0, MAX_DIMMS - 1),
  node: int(0, 0),
  addr: count,
  size: count,
  hotplugged: flag,
  pendingUnplug: flag,
  path: text,
  hva: count,
  moveTo: nullable(count),
});

/** Absent in older snapshots: no vCPU sleeps or retries then. */
const someVcpus = list(int(0, MAX_VCPUS - 1), 0, MAX_VCPUS);
const round = object<Required<SavedMachine['round']>>({
  turn: int(0, MAX_VCPUS - 1),
  end: nullable(count),
  asleep: someVcpus,
  retrying: someVcpus,
});

const MAX_RING = 65536;
const entries = <T>(entry: Check<T>): Check<T[]> => list(entry, 0, MAX_RING);

const ring: Check<SavedRing> = (value) => {
  const saved = object<SavedRing>({
    ...{ harvested: count, overflows: count },
    slots: entries(int(0, 0x1ffff)),
    pages: entries(count),
    live: entries(int(0, 1)),
  })(value);
  const { length } = saved.slots;
  if (saved.pages.length !== length || saved.live.length !== length) throw new Error('has lists of different lengths');
  if (saved.harvested > length) throw new Error(`harvested is ${saved.harvested} of ${length} entries`);
  return saved;
};

const rings: Check<SavedRings> = (value) => {
  const saved = object<SavedRings>({ entries: int(256, MAX_RING), bitmap: flag, vcpus: list(ring, 0, MAX_VCPUS) })(value);
  if (!Number.isInteger(Math.log2(saved.entries))) throw new Error(`entries is ${saved.entries}, which is not a power of two`);
  const full = saved.vcpus.find(({ slots }) => slots.length > saved.entries);
  if (full) throw new Error(`has ${full.slots.length} entries in a ring of ${saved.entries}`);
  return saved;
};

const modes: Check<SavedModes> = object<SavedModes>({
  zap: oneOf('slot', 'all'),
  dirtyLog: (value) => {
    if (value === 0 || value === 1 || value === 3) return value;
    throw new Error('must be 0, 1 or 3');
  },
  rings: nullable(rings),
});

const savedSlot = object<Required<SavedSlot>>({
  ...{ slot: int(0, MAX_SLOTS - 1), flags: int(0, 3), gpa: count, size: count, hva: count },
  span: flag,
});

const schema: Schema<Required<SavedMachine>> = {
  config: object({ ram: count, slots: int(0, MAX_DIMMS), maxmem: count, smp: int(1, MAX_VCPUS) }),
  guest: text,
  run: oneOf('running', 'paused', 'shutdown', 'internal-error'),
  memoryBlock: nullable(int(PAGE_SIZE, 2 ** 40)),
  panicked: flag,
  round: (value) => round(typeof value === 'object' && value !== null ? { asleep: [], retrying: [], ...value } : value),
  ranges: list(object({ start: count, size: count, label: text }), 0, MAX_RANGES),
  backends: list(object({ id: text, size: count, hva: count, kind: oneOf('board', 'memory-backend-ram') }), 0, MAX_RANGES),
  dimms: object({ anonymous: int(0, 1e9), plugged: list(dimm, 0, MAX_DIMMS), ejected: nullable(dimm) }),
  slots: list((value) => savedSlot(typeof value === 'object' && value !== null ? { span: false, ...value } : value), 0, MAX_SLOTS),
  modes: nullable(modes),
  memdevs: list(object({ device: text, memdev: text }), 0, VIRTIO_COUNT),
};

const virtioSchemas = {
  'virtio-mem': object({ driver: oneOf('virtio-mem'), id: text, memdev: text, requested: count, addr: nullable(count), node: count }),
  'virtio-balloon-device': object({ driver: oneOf('virtio-balloon-device'), id: text }),
};

const virtioDevice: Check<VirtioConfig> = (value) => {
  const driver = oneOf('virtio-mem', 'virtio-balloon-device')((value as { driver?: unknown } | null)?.driver);
  const device = virtioSchemas[driver](value);
  if (!('memdev' in device)) return device;
  const { addr, ...mem } = device;
  return addr === null ? mem : { ...mem, addr };
};

/** Largest size of one backend, bytes: no host memory holds more. */
const backendSize = int(1, MOST_HOST_MEMORY);

const savedDevices = object<SavedDevices>({
  objects: list(object({ id: text, size: backendSize }), 0, MAX_OBJECTS),
  virtio: list(virtioDevice, 0, VIRTIO_COUNT),
});

/** The devices of a configuration, with all fields; undefined: none. */
export function devicesOf({ objects = [], virtio = [] }: Pick<MachineConfig, 'objects' | 'virtio'>): SavedDevices | undefined {
  if (virtio.length === 0) return undefined;
  const spelled = virtio.map((device) => {
    if (device.driver !== 'virtio-mem') return { driver: device.driver, id: device.id ?? '' };
    const { driver, id, memdev, requested = 0, addr = null, node = 0 } = device;
    return { driver, id, memdev, requested, addr, node };
  });
  return { objects: objects.map(({ id, size }) => ({ id, size })), virtio: spelled as VirtioConfig[] };
}

/** The devices of a saved configuration. Throws an Error that says what is wrong with them. */
export function checkDevices(config: unknown): SavedDevices | undefined {
  const devices = (config as { devices?: unknown } | null | undefined)?.devices;
  if (devices === undefined) return undefined;
  let checked: SavedDevices;
  try {
    checked = savedDevices(devices);
  } catch (error) {
    throw new Error(`machine: config devices ${(error as Error).message}`);
  }
  const total = checked.objects.reduce((sum, { size }) => sum + size, 0);
  if (total > MOST_HOST_MEMORY) throw new Error(`machine: its objects need ${total} bytes of host memory, there are ${MOST_HOST_MEMORY}`);
  return checked;
}

const names = (devices: SavedDevices | undefined): string =>
  devices ? `with ${devices.virtio.map(({ driver, id }) => `${driver} '${id ?? ''}'`).join(', ')}` : 'without virtio devices';

/** What makes up the board. Not included: how much memory a device was first asked to plug, and backends, which the state brings. */
function boardOf(devices: SavedDevices | undefined): string {
  const virtio = devices?.virtio.map((device) => (device.driver === 'virtio-mem' ? { ...device, requested: 0 } : device)) ?? [];
  return JSON.stringify(devicesOf({ virtio })?.virtio);
}

/** These are not fields of the schema, so that older saved states stay valid. */
function takeDevices(given: unknown): { fields: unknown; devices: SavedDevices | undefined; cpu: string } {
  const fields = typeof given === 'object' && given !== null ? { memdevs: [], modes: null, panicked: false, ...given } : given;
  const saved = (fields as { config?: unknown } | null | undefined)?.config;
  const devices = checkDevices(saved);
  const cpu = parseCpu((saved as { cpu?: string } | undefined)?.cpu).name;
  if (typeof saved !== 'object' || saved === null) return { fields, devices, cpu };
  const { devices: _devices, cpu: _cpu, ...rest } = saved as Record<string, unknown>;
  return { fields: { ...(fields as object), config: rest }, devices, cpu };
}

/**
 * Checks what a saved state says about its machine: fields, host memory, backends, DIMMs, memslots. It checks everything that can be checked without
 * a machine, before a byte of RAM is unpacked. `most`: bytes at which host memory must end at the latest.
 */
export function checkDescription(raw: unknown, most?: number): { saved: SavedMachine; devices: SavedDevices | undefined; cpu: string } {
  const { fields, devices, cpu } = takeDevices(raw);
  const saved = readFields('machine', schema, fields as { [field: string]: unknown });
  const ranges = refusesRanges(saved.ranges, most);
  if (ranges !== undefined) throw new Error(`host memory: ${ranges}`);
  checkTopology(saved);
  checkOwners(saved);
  checkLogs(saved.slots);
  return { saved, devices, cpu };
}

/** The same for this machine: the state must be from a machine of the same shape. `board`: this machine's boot RAM. */
export function checkMachine(
  raw: unknown,
  config: MachineConfig,
  board: readonly { id: string; size: number }[],
  most: number,
): SavedMachine {
  const { saved, devices, cpu } = checkDescription(raw, most);
  const ownCpu = parseCpu(config.cpu).name;
  if (cpu !== ownCpu) throw new Error(`it was saved with the processor ${cpu}; this machine has ${ownCpu} (-cpu)`);
  const own = devicesOf(config);
  if (boardOf(devices) !== boardOf(own))
    throw new Error(`it is of a machine ${names(devices)}, this one is ${own ? names(own) : 'without any'} (-object, -device)`);
  const refusal = shapeRefusal(saved.config, config);
  if (refusal) throw new Error(refusal);
  if (saved.round.turn >= config.smp) throw new Error(`machine: round turn ${saved.round.turn} is no vCPU`);
  for (const field of ['asleep', 'retrying'] as const) {
    const stranger = saved.round[field]?.find((index) => index >= config.smp);
    if (stranger !== undefined) throw new Error(`machine: round ${field} names vCPU ${stranger}, which is none`);
  }
  const rings = saved.modes?.rings?.vcpus.length ?? 0;
  if (rings > config.smp) throw new Error(`machine: modes has rings of ${rings} vCPUs, this machine has ${config.smp}`);
  const boot = saved.backends.filter((backend) => backend.kind === 'board');
  const isOwn = ({ id, size }: { id: string; size: number }): boolean => boot.some((each) => each.id === id && each.size === size);
  if (boot.length !== board.length || !board.every(isOwn)) throw new Error('its boot RAM is not that of this machine');
  return saved;
}

/** Backends own whole ranges, DIMMs own backends. */
function checkTopology(saved: SavedMachine): void {
  const ranges = new Map(saved.ranges.map((range) => [range.start, range.size]));
  const backends = byKey('backend', saved.backends, ({ id }) => id);
  byKey('backend at hva', saved.backends, ({ hva }) => hva);
  for (const { id, size, hva } of saved.backends) {
    if (ranges.get(hva) !== Math.ceil(size / PAGE_SIZE) * PAGE_SIZE) throw new Error(`backend '${id}' is not a range of host memory`);
  }
  const { plugged, ejected } = saved.dimms;
  const all = ejected ? [...plugged, ejected] : plugged;
  byKey('DIMM in DIMM slot', all, ({ slot }) => slot);
  byKey('DIMM', all, ({ path }) => path);
  byKey('DIMM on backend', all, ({ memdev }) => memdev);
  for (const { id, slot, memdev, hva, size } of all) {
    const backend = backends.get(memdev);
    if (slot >= saved.config.slots) throw new Error(`DIMM '${id}' sits in DIMM slot ${slot} of ${saved.config.slots}`);
    if (backend?.kind !== 'memory-backend-ram' || backend.hva !== hva || backend.size !== size) {
      throw new Error(`DIMM '${id}' is not what its backend '${memdev}' is`);
    }
  }
}

/** The machine's rule of ownership, applied to the host memory that the state describes. */
function checkOwners(saved: SavedMachine): void {
  const ranges = rangesOf(saved.ranges);
  for (const { slot, hva, size, span = false } of saved.slots) {
    const reason = refuseBacking(slot, { start: hva, end: hva + size }, { span, held: () => [] }, ranges);
    if (reason !== undefined) throw new Error(`memslots: ${reason}`);
  }
}

function byKey<T, K extends string | number>(what: string, items: readonly T[], key: (item: T) => K): Map<K, T> {
  const seen = new Map<K, T>();
  for (const item of items) {
    if (seen.has(key(item))) throw new Error(`${what} '${key(item)}' occurs twice`);
    seen.set(key(item), item);
  }
  return seen;
}

/** Registers may have any value, as after any guest code, except where this program itself relies on them. */
export function checkVcpus(records: UncheckedState['vcpus'], smp: number, cpu: CpuModel): void {
  if (records.length !== smp) throw new Error(`it has ${records.length} vCPU records, this machine has ${smp} vCPUs`);
  for (const [index, record] of records.entries()) checkVcpu(index, record, cpu);
}

function checkVcpu(index: number, record: Uint8Array, cpu: CpuModel): void {
  if (record.length !== VCPU_RECORD_SIZE) throw new Error(`vCPU ${index}: its record has ${record.length} bytes, not ${VCPU_RECORD_SIZE}`);
  const view = new DataView(record.buffer, record.byteOffset, record.length);
  const u32 = (at: number): number => view.getUint32(at, true);
  const u64 = (at: number): number => u32(at) + u32(at + 4) * TWO_32;
  const within = (name: string, value: number, most: number): void => {
    if (!(value <= most)) throw new Error(`vCPU ${index}: ${name} is ${value}, at most ${most} is possible`);
  };
  within('CPL', u32(abi.VCPU_CPL), 3);
  within('HALTED', u32(abi.VCPU_HALTED), Halted.shutdown);
  within('AS_ID', u32(abi.VCPU_AS_ID), 1);
  within('ZERO', u64(abi.VCPU_ZERO), 0);
  // The lazy flags' kind and 64 - width: cpu/flags.ts.
  within('kind of flags', u32(abi.VCPU_FLAGS) & 0xff, 6);
  within('width of flags', u32(abi.VCPU_FLAGS) >>> 8, 56);
  for (const at of [abi.VCPU_IRQ_PENDING, abi.VCPU_NMI_PENDING, abi.VCPU_NMI_BLOCKED]) {
    within(`field 0x${at.toString(16)}`, u32(at), 1);
  }
  within('INTR_SHADOW', u32(abi.VCPU_INTR_SHADOW), abi.SHADOW_MOV_SS);
  within('accesses to devices', u32(abi.VCPU_DONE_COUNT), abi.DONE_MOST);
  within('ICOUNT', u64(abi.VCPU_ICOUNT), 2 ** 49);
  within('CLOCK_SKEW', u64(abi.VCPU_CLOCK_SKEW), 2 ** 52);
  within('TSC_SHOWN', u64(abi.VCPU_TSC_SHOWN), 2 ** 52);
  if (u32(abi.VCPU_CLOCK_SHIFT) !== CLOCK_SHIFT) throw new Error(`vCPU ${index}: its clock is that of a different board`);
  const own = [cpu.number, ...cpu.hidden];
  if (own.some((word, at) => u32(svm.VCPU_CPU_MODEL + at * 4) !== word)) throw new Error(`vCPU ${index}: its record is not of ${cpu.name}`);
  const mayNest = cpu.number === svm.CPU_MODEL_LAB64_SVM ? 1 : 0;
  within('GIF', u32(svm.SVM_GIF_CLEAR), mayNest);
  within('guest mode', u32(svm.SVM_GUEST), mayNest);
  within('nested paging', u32(svm.SVM_NESTED), u32(svm.SVM_GUEST));
  within('VMCB', u64(svm.SVM_VMCB), 2 ** PHYS_BITS - PAGE_SIZE);
  if (u32(abi.VCPU_INDEX) !== index) throw new Error(`vCPU ${index}: its record is that of vCPU ${u32(abi.VCPU_INDEX)}`);
}

/** Bytes of a slot's dirty bitmap (KVM: whole 64-bit words). */
export const dirtyBytes = ({ size }: { size: number }): number => Math.ceil(size / PAGE_SIZE / 64) * 8;

/**
 * Most bytes of all dirty bitmaps in a file or link: enough for 2 TiB of memory that logs. Slots may share a backing, so the size of host memory is
 * no bound.
 */
export const MOST_DIRTY = 64 * 2 ** 20;

export function checkLogs(slots: readonly { flags: number; size: number }[]): void {
  const total = slots.reduce((sum, slot) => sum + (slot.flags & MemFlag.LogDirtyPages ? dirtyBytes(slot) : 0), 0);
  if (total > MOST_DIRTY) throw new Error(`the dirty logs of its memslots take ${total} bytes, at most ${MOST_DIRTY} are given`);
}

/** One bitmap per logging slot, of the right size. */
export function checkDirty(dirty: UncheckedState['dirty'], saved: SavedMachine): void {
  const slots = new Map(saved.slots.map((slot) => [slot.slot, slot]));
  byKey('dirty log of memslot', dirty, ({ slot }) => slot);
  for (const { slot, bits } of dirty) {
    const owner = slots.get(slot);
    if (!owner || (owner.flags & 1) === 0) throw new Error(`there is a dirty log of memslot ${slot}, which logs nothing`);
    const bytes = dirtyBytes(owner);
    if (bits.length !== bytes) throw new Error(`the dirty log of memslot ${slot} has ${bits.length} bytes, not ${bytes}`);
  }
}

/** Every page lies in a range and occurs once, in order. */
export function checkRam(ram: readonly RamPiece[], saved: SavedMachine): void {
  let last = -1;
  let at = 0;
  for (const { pages, bytes } of ram) {
    if (bytes.length !== pages.length * PAGE_SIZE) throw new Error(`RAM of ${pages.length} pages has ${bytes.length} bytes`);
    for (const page of pages) {
      const hva = page * PAGE_SIZE;
      while (at < saved.ranges.length && hva >= saved.ranges[at]!.start + saved.ranges[at]!.size) at += 1;
      const range = saved.ranges[at];
      if (page <= last || !range || hva < range.start) throw new Error(`RAM at hva 0x${hva.toString(16)} is in no range of host memory`);
      last = page;
    }
  }
}
