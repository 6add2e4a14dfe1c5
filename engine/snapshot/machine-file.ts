/**
 * Machine snapshots as files: sections meta (JSON, for lists of snapshots), machine and devices (JSON), vcpu (records, one after another), dirty
 * (bitmaps), ram (as many as needed). docs/snapshots.md has the format, container.ts its outer form. A file is not trusted: all of it is checked
 * before the running machine is touched, and each section bounds the unpacked size of the next ones.
 */
import { MAX_VCPUS, PAGE_SIZE, VCPU_RECORD_SIZE } from '../abi/layout';
import { VCPU_RECORD_VERSION } from '../abi/vcpu';
import {
  checkDescription,
  dirtyBytes,
  hostBaseOf,
  MAX_SLOTS,
  type Machine,
  MachineError,
  type MachineState,
  MOST_DIRTY,
  machineFrom,
  machineTo,
  pageTo,
  type SavedMachine,
  type SnapshotMeta,
  type UncheckedState,
} from '../machine/index';
import {
  type PackedSection,
  type Progress,
  packSections,
  Refused,
  readSections,
  type Section,
  unpackSection,
  unpackSections,
  VERSION,
  versionOf,
} from './container';
import { PIECE_BYTES, RamPieces } from './ram-pieces';

const MIB = 0x100000;
/** Largest size of each section when unpacked, bytes. */
const MOST = {
  meta: 64 * 1024,
  machine: 16 * MIB,
  devices: 4 * MIB,
  vcpu: 4 + MAX_VCPUS * VCPU_RECORD_SIZE,
  // Each bitmap has a head.
  dirty: MOST_DIRTY + 8 * MAX_SLOTS,
  ram: PIECE_BYTES,
} as const;
const SMALL = ['meta', 'machine', 'devices', 'vcpu', 'dirty'] as const;
/** As much of a file as `readMeta` needs. */
export const META_BYTES = 4096;

/** The machine at this instant; it may run on while the file is packed. `date`: ms since 1970. */
export async function saveMachine(
  machine: Machine,
  date: number,
  progress?: Progress,
): Promise<{ bytes: Uint8Array<ArrayBuffer>; meta: SnapshotMeta }> {
  const meta = { date, vmClockNs: machine.run.guestTimeNs, icount: machine.run.instructions };
  const bytes = await packMachine(machine.snapshot.capture(), meta, progress);
  return { bytes, meta: { ...meta, size: bytes.length } };
}

/** A captured state as a file. Throws Refused for a state that could not be read again. */
export async function packMachine(
  state: MachineState,
  meta: Omit<SnapshotMeta, 'size'>,
  progress?: Progress,
): Promise<Uint8Array<ArrayBuffer>> {
  const sections = sectionsOf(state, meta);
  for (const { name, bytes } of sections) {
    const most = MOST[name as keyof typeof MOST];
    if (bytes.length > most) throw new Refused(`section ${name} would have ${bytes.length} bytes, at most ${most} are read`);
  }
  return packSections(sections, progress);
}

/** The reason, one line, if the file is refused; then the machine is unchanged. Never throws. `ready`: all is unpacked, the switch follows. */
export async function loadMachine(
  machine: Machine,
  bytes: Uint8Array,
  progress?: Progress,
  ready: () => void = () => {},
): Promise<string | undefined> {
  try {
    const state = await readState(bytes, (saved) => machine.snapshot.check(saved), progress);
    ready();
    machine.snapshot.restore(state);
    return undefined;
  } catch (error) {
    if (error instanceof Refused || error instanceof MachineError) return error.message;
    if (error instanceof RangeError) return `there is not enough memory to unpack it: ${error.message}`;
    return `it cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** The entry in a list of snapshots, from the first META_BYTES of a file of `size` bytes; undefined if it is not a snapshot or is damaged. */
export function readMeta(beginning: Uint8Array, size: number): SnapshotMeta | undefined {
  try {
    const meta = readSections(beginning, MOST, true)[0];
    if (meta?.name !== 'meta' || meta.packing !== 0) return undefined;
    const { date, vmClockNs, icount } = JSON.parse(new TextDecoder().decode(meta.stored)) as SnapshotMeta;
    return [date, vmClockNs, icount].every((each) => Number.isSafeInteger(Math.trunc(each)) && each >= 0)
      ? { size, date, vmClockNs, icount }
      : undefined;
  } catch {
    return undefined;
  }
}

function sectionsOf(state: MachineState, meta: object): Section[] {
  const base = hostBaseOf(VERSION);
  const json = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));
  return [
    { name: 'meta', bytes: json(meta) },
    { name: 'machine', bytes: json(machineTo(base, state.machine)) },
    { name: 'devices', bytes: json(state.devices) },
    { name: 'vcpu', bytes: joined([words(VCPU_RECORD_VERSION), ...state.vcpus]) },
    { name: 'dirty', bytes: joined(state.dirty.flatMap(({ slot, bits }) => [words(slot, bits.length), bits])) },
    ...state.ram.map(({ pages, bytes }) => ({
      name: 'ram',
      bytes: joined([words(pages.length, ...pages.map((page) => pageTo(base, page))), bytes]),
    })),
  ];
}

function words(...values: number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  const view = new DataView(bytes.buffer);
  values.forEach((value, index) => {
    view.setUint32(index * 4, value, true);
  });
  return bytes;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/**
 * The whole file, with its form checked. `check` judges the file's description of its machine before anything else is unpacked: a machine's own
 * `checkSaved`, or rules for any machine. Throws Refused, and what `check` throws.
 */
export async function readState(
  file: Uint8Array,
  check: (machine: unknown) => SavedMachine = describe,
  progress?: Progress,
): Promise<UncheckedState> {
  const { ram, ...state } = await readDescription(file, check);
  const pieces = new RamPieces(ram, state.saved.ranges, hostBaseOf(versionOf(file)));
  await unpackSections(ram, (bytes, index) => pieces.take(bytes, index), progress);
  const { machine, devices, vcpus, dirty } = state;
  return { machine, devices, vcpus, dirty, ram: pieces.all };
}

/** The whole file except its RAM, whose sections stay packed; the other sections bound them. Throws like `readState`. */
export async function readDescription(
  file: Uint8Array,
  check: (machine: unknown) => SavedMachine = describe,
): Promise<Omit<UncheckedState, 'ram'> & { saved: SavedMachine; ram: PackedSection[] }> {
  const sections = readSections(file, MOST);
  const ram = sections.slice(SMALL.length);
  for (const [index, name] of SMALL.entries()) {
    const found = sections[index]?.name;
    if (found !== name) throw new Refused(`section ${name} is missing${found === undefined ? '' : `: ${found} stands in its place`}`);
  }
  const odd = ram.find((section) => section.name !== 'ram');
  if (odd) throw new Refused(`section ${odd.name} occurs twice`);
  const [, packedMachine, packedDevices, packedVcpu, packedDirty] = sections;
  const version = versionOf(file);
  const machine = machineFrom(hostBaseOf(version), parse('machine', await unpackSection(packedMachine!)));
  const saved = check(machine);
  checkSizes(saved, packedVcpu!, packedDirty!, ram);
  return {
    saved,
    machine,
    devices: parse('devices', await unpackSection(packedDevices!)),
    vcpus: records(await unpackSection(packedVcpu!), version),
    dirty: bitmaps(await unpackSection(packedDirty!)),
    ram,
  };
}

/** Rules for any machine. */
function describe(machine: unknown): SavedMachine {
  try {
    return checkDescription(machine).saved;
  } catch (error) {
    throw new Refused((error as Error).message);
  }
}

function parse(name: string, bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new Refused(`section ${name}: it is not JSON`);
  }
}

/** Before the sections are unpacked: none may be larger than the machine described by the same file allows. */
function checkSizes(saved: SavedMachine, vcpu: PackedSection, dirty: PackedSection, ram: readonly PackedSection[]): void {
  const vcpuBytes = 4 + saved.config.smp * VCPU_RECORD_SIZE;
  if (vcpu.length > vcpuBytes) throw new Refused(`section vcpu: ${vcpu.length} bytes, ${saved.config.smp} vCPUs have ${vcpuBytes}`);
  const logs = saved.slots.reduce((sum, slot) => sum + (slot.flags & 1 ? 8 + dirtyBytes(slot) : 0), 0);
  if (dirty.length > logs) throw new Refused(`section dirty: ${dirty.length} bytes, its memslots have dirty logs of ${logs}`);
  const described = saved.ranges.reduce((sum, { size }) => sum + size, 0);
  const held = ram.reduce((sum, { length }) => sum + Math.floor((length - 4) / (4 + PAGE_SIZE)) * PAGE_SIZE, 0);
  if (held > described) throw new Refused(`RAM of ${held} bytes is more than its ${described} bytes of host memory`);
}

/** Files of version 1 have records of version 1 without a version number. */
function records(section: Uint8Array, fileVersion: number): Uint8Array[] {
  const head = fileVersion === 1 ? 0 : 4;
  if (section.length < head) throw new Refused(`section vcpu: ${section.length} bytes have no version`);
  checkRecordVersion(head === 0 ? 1 : new DataView(section.buffer, section.byteOffset, head).getUint32(0, true));
  const bytes = section.subarray(head);
  if (bytes.length % VCPU_RECORD_SIZE !== 0) throw new Refused(`section vcpu: ${bytes.length} bytes are not a whole number of records`);
  return Array.from({ length: bytes.length / VCPU_RECORD_SIZE }, (_unused, index) =>
    bytes.subarray(index * VCPU_RECORD_SIZE, (index + 1) * VCPU_RECORD_SIZE),
  );
}

/** Throws Refused for vCPU records that this program does not know. */
export function checkRecordVersion(version: unknown): void {
  if (version !== VCPU_RECORD_VERSION)
    throw new Refused(`its vCPU records have version ${JSON.stringify(version)?.slice(0, 20)}, this lab reads ${VCPU_RECORD_VERSION}`);
}

function bitmaps(bytes: Uint8Array): UncheckedState['dirty'] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const dirty: UncheckedState['dirty'] = [];
  let at = 0;
  while (at < bytes.length) {
    if (at + 8 > bytes.length) throw new Refused('section dirty: it ends within a bitmap');
    const slot = view.getUint32(at, true);
    const length = view.getUint32(at + 4, true);
    at += 8;
    if (at + length > bytes.length) throw new Refused('section dirty: it ends within a bitmap');
    dirty.push({ slot, bits: bytes.subarray(at, at + length) });
    at += length;
  }
  return dirty;
}
