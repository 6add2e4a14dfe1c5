/**
 * A machine's whole state in a link: its difference from the same machine just after its guest has started (`freshState`), which the browser that
 * opens the link can reproduce. Counters that are not state of the guest (info tlb-stats) are left out.
 */
import { PAGE_SIZE, VCPU_RECORD_SIZE } from '../abi/layout';
import { VCPU_RECORD_VERSION, VCPU_STATS } from '../abi/vcpu';
import type { Machine, MachineState, RamPiece, UncheckedState } from '../machine/index';
import { hostBaseOf, machineFrom, machineTo, pageFrom, pageTo } from '../machine/index';
import { Refused } from './container';
import { diff, patched } from './json-patch';
import { MAX_INFLATED } from './link';
import { checkRecordVersion } from './machine-file';
import { digestIn, openParcel, PARCEL_VERSION, packParcel } from './parcel';
import { checkSpec, type MachineSpec } from './spec';

/** Instructions after which a guest counts as started; one that waits for input earlier stops there. */
const STARTED = 2_000_000;
/** Pages in one piece of RAM. */
const PIECE_PAGES = 1024;
/** Characters of the console to include. */
export const MAX_SCREEN = 512;

export interface StateLink {
  spec: MachineSpec;
  /** SHA-256 of the machine */
  digest: string;
  /** The last lines of the console, printable. */
  screen: string;
  content: Uint8Array;
}

/** For a machine that has not run yet: runs it a little. */
export function freshState(machine: Machine): MachineState {
  machine.run.advance(STARTED);
  return machine.snapshot.capture();
}

/** Throws Refused if the state is too large for any link. */
export function packState(state: MachineState, fresh: MachineState, link: Omit<StateLink, 'content'>): Uint8Array {
  const pages = differingPages(state.ram, fresh.ram);
  const size = pages.size * PAGE_SIZE;
  if (size > MAX_INFLATED / 2) throw new Refused(`the guest has changed ${size} bytes of memory, a link takes at most ${MAX_INFLATED / 2}`);
  const numbers = [...pages.keys()].sort((a, b) => a - b);
  const base = hostBaseOf(PARCEL_VERSION);
  const head = {
    record: VCPU_RECORD_VERSION,
    spec: link.spec,
    digest: link.digest,
    screen: printable(link.screen),
    machine: diff(machineTo(base, fresh.machine), machineTo(base, state.machine)),
    devices: diff(fresh.devices, state.devices),
    dirty: state.dirty.map(({ slot, bits }) => [slot, bits.length]),
    pages: numbers.map((page, index) => (index === 0 ? pageTo(base, page) : page - numbers[index - 1]!)),
  };
  const records = state.vcpus.map((record, index) => {
    const delta = exclusiveOr(record, fresh.vcpus[index]!);
    return delta.fill(0, VCPU_STATS);
  });
  return packParcel(head, [...records, ...state.dirty.map(({ bits }) => bits), ...numbers.map((page) => pages.get(page)!)]);
}

/** Throws Refused. `unpackState`, which needs the fresh machine, checks the contents. */
export function readStateLink(content: Uint8Array): StateLink {
  const { head } = openParcel(content);
  return { spec: checkSpec(head.spec), digest: digestIn(head), screen: printable(head.screen), content };
}

/** Throws Refused. The machine's `restore` checks the state. */
export function unpackState(content: Uint8Array, fresh: MachineState): UncheckedState {
  const { version, head, body } = openParcel(content);
  checkRecordVersion(version === 1 ? 1 : head.record);
  const base = hostBaseOf(version);
  const lengths = dirtyOf(head.dirty);
  const pages = pagesOf(head.pages, base);
  const records = fresh.vcpus.length * VCPU_RECORD_SIZE;
  const bits = lengths.reduce((sum, [, length]) => sum + length, 0);
  const expected = records + bits + pages.length * PAGE_SIZE;
  if (body.length !== expected) throw new Refused(`${body.length} bytes follow its head, not ${expected}`);
  let at = 0;
  const take = (length: number): Uint8Array => {
    at += length;
    return body.subarray(at - length, at);
  };
  const vcpus = fresh.vcpus.map((record) => exclusiveOr(take(VCPU_RECORD_SIZE), record));
  const dirty = lengths.map(([slot, length]) => ({ slot, bits: take(length) }));
  const deltas = new Map(pages.map((page) => [page, take(PAGE_SIZE)]));
  return {
    machine: machineFrom(base, patched(machineTo(base, fresh.machine), head.machine, 'machine')),
    devices: patched(fresh.devices, head.devices, 'devices'),
    vcpus,
    dirty,
    ram: withDeltas(fresh.ram, deltas),
  };
}

function differingPages(ram: readonly RamPiece[], fresh: readonly RamPiece[]): Map<number, Uint8Array> {
  const before = byPage(fresh);
  const differing = new Map<number, Uint8Array>();
  for (const [page, bytes] of byPage(ram)) {
    const old = before.get(page);
    before.delete(page);
    const delta = old ? exclusiveOr(bytes, old) : bytes;
    if (!isZero(delta)) differing.set(page, delta);
  }
  // Pages that are zero now.
  for (const [page, bytes] of before) differing.set(page, bytes);
  return differing;
}

function withDeltas(fresh: readonly RamPiece[], deltas: ReadonlyMap<number, Uint8Array>): RamPiece[] {
  const all = byPage(fresh);
  for (const [page, delta] of deltas) {
    const old = all.get(page);
    all.set(page, old ? exclusiveOr(delta, old) : delta);
  }
  const numbers = [...all.keys()].filter((page) => !isZero(all.get(page)!)).sort((a, b) => a - b);
  const pieces: RamPiece[] = [];
  for (let at = 0; at < numbers.length; at += PIECE_PAGES) {
    const pages = numbers.slice(at, at + PIECE_PAGES);
    const bytes = new Uint8Array(pages.length * PAGE_SIZE);
    pages.forEach((page, index) => {
      bytes.set(all.get(page)!, index * PAGE_SIZE);
    });
    pieces.push({ pages: Uint32Array.from(pages), bytes });
  }
  return pieces;
}

function byPage(ram: readonly RamPiece[]): Map<number, Uint8Array> {
  const pages = new Map<number, Uint8Array>();
  for (const { pages: numbers, bytes } of ram) {
    numbers.forEach((page, index) => {
      pages.set(page, bytes.subarray(index * PAGE_SIZE, (index + 1) * PAGE_SIZE));
    });
  }
  return pages;
}

const exclusiveOr = (a: Uint8Array, b: Uint8Array): Uint8Array => a.map((byte, index) => byte ^ b[index]!);
const isZero = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0);

function dirtyOf(value: unknown): [number, number][] {
  const isPair = (pair: unknown): pair is [number, number] =>
    Array.isArray(pair) && pair.length === 2 && pair.every((each) => Number.isSafeInteger(each) && each >= 0 && each <= MAX_INFLATED);
  if (!Array.isArray(value) || !value.every(isPair)) throw new Refused('dirty is not a list of slots and lengths');
  return value;
}

/** Page numbers of host memory: the first unchanged, the others as distances. */
function pagesOf(value: unknown, base: number): number[] {
  const isStep = (step: unknown, index: number): boolean => Number.isSafeInteger(step) && (step as number) >= (index === 0 ? 0 : 1);
  if (!Array.isArray(value) || value.length > MAX_INFLATED / PAGE_SIZE || !value.every(isStep))
    throw new Refused('pages is not a list of pages');
  let page = pageFrom(base, 0);
  const pages = (value as number[]).map((step) => (page += step));
  if (page >= 2 ** 32 / PAGE_SIZE) throw new Refused(`page ${page} lies beyond host memory`);
  return pages;
}

/** Whole lines, as many as fit. */
function printable(value: unknown): string {
  const text = typeof value === 'string' ? value.replace(/\r\n?/g, '\n').replace(/[^\n\P{C}]/gu, '') : '';
  if (text.length <= MAX_SCREEN) return text;
  const end = text.slice(-MAX_SCREEN);
  return end.slice(end.indexOf('\n') + 1);
}
