/**
 * The layout format: which memory the machine has and where its memslots lie, as versioned JSON. It does not carry the contents of memory, vCPUs or
 * devices. Memslots name what backs them (backend or bare range, and the offset in it), never a raw hva: hvas differ from machine to machine.
 * Only address space 0 is part of it. A slot that spans several backings (memslot_merge -f) is saved as one for each of them. What a virtio-mem device maps is not: that is between the device and its guest. See docs/snapshots.md.
 */
import type { BackingPart, Machine } from '../machine/index';
import { FreeIds } from '../machine/index';

export const LAYOUT_FORMAT = 'memslot-lab layout';
export const LAYOUT_VERSION = 1;

export interface LayoutSlot {
  slot: number;
  /** MemFlag bits */
  flags: number;
  /** bytes */
  gpa: number;
  /** bytes */
  size: number;
  /** id of a backend, of the board's RAM or of a bare range */
  backing: string;
  /** bytes into the backing */
  offset: number;
}

export interface LayoutDimm {
  /** '' for one without an id */
  id: string;
  memdev: string;
  slot: number;
  node: number;
  /** Where it was plugged in */
  addr: number;
}

export interface Layout {
  format: typeof LAYOUT_FORMAT;
  version: typeof LAYOUT_VERSION;
  machine: { ram: number; slots: number; maxmem: number };
  /** For people; a layout may be loaded under another guest. */
  guest: string;
  /** The board's own RAM, to detect a different board. */
  board: { id: string; size: number }[];
  /** memory-backend-ram objects. */
  backends: { id: string; size: number }[];
  /** Host memory of memslots that belong to no backend. */
  bare: { id: string; size: number }[];
  dimms: LayoutDimm[];
  memslots: LayoutSlot[];
  /** Only on request, as this is not memory: texts for `breakpoint_add`. */
  breakpoints?: string[];
}

const PAGE = 4096;

/** A range of host memory without a backend, found through the slots that use it. */
export interface BareRange {
  id: string;
  hva: number;
  size: number;
}

/** Bare ranges in use. Two with the same label get different ids: "bare.7", "bare.7.2". */
export function bareRanges(machine: Machine): BareRange[] {
  const backends = new Set(machine.backends.list().map((backend) => backend.id));
  const byStart = new Map<number, BareRange>();
  for (const { part: backing } of mappedParts(machine)) {
    if (backends.has(backing.id)) continue;
    const hva = backing.hva - backing.offset;
    const size = backing.offset + backing.size;
    const known = byStart.get(hva);
    if (known) known.size = Math.max(known.size, size);
    else byStart.set(hva, { id: backing.id, hva, size });
  }
  const taken = new Set(backends);
  return [...byStart.values()].map((range) => {
    let id = range.id;
    for (let copy = 2; taken.has(id); copy++) id = `${range.id}.${copy}`;
    taken.add(id);
    return { ...range, id };
  });
}

/** The machine's current layout, with these breakpoints. */
export function captureLayout(machine: Machine, breakpoints?: readonly string[]): Layout {
  const virtio = new Set(machine.virtio.mems().map(({ memdev }) => memdev));
  const backends = machine.backends.list().filter(({ id }) => !virtio.has(id));
  const bare = bareRanges(machine);
  const { ram, slots, maxmem } = machine.config;
  return {
    format: LAYOUT_FORMAT,
    version: LAYOUT_VERSION,
    machine: { ram, slots, maxmem },
    guest: machine.guest?.name ?? '',
    board: backends.filter((backend) => backend.kind === 'board').map(({ id, size }) => ({ id, size })),
    backends: backends.filter((backend) => backend.kind !== 'board').map(({ id, size }) => ({ id, size })),
    bare: bare.map(({ id, size }) => ({ id, size })),
    dimms: machine.dimms.list().map(({ id, memdev, slot, node, addr }) => ({ id, memdev, slot, node, addr })),
    memslots: mappedParts(machine)
      .filter(({ part }) => !virtio.has(part.id))
      .map((mapped) => captureSlot(mapped, [...backends, ...bare])),
    ...(breakpoints && { breakpoints: [...breakpoints] }),
  };
}

/** The part of a backing that a memslot maps. */
export interface MappedPart {
  slot: number;
  flags: number;
  /** bytes */
  gpa: number;
  part: BackingPart;
}

/** In gfn order. A slot that spans several backings becomes one per backing: the first keeps its id, the others get free ones. */
export function mappedParts(machine: Machine): MappedPart[] {
  const ids = new FreeIds(machine.memory);
  return machine.memory.memslots(0).flatMap(({ slot, flags, baseGfn, npages, userspaceAddr: hva }) =>
    machine.host.backingsOf(hva, npages * PAGE).map((part, index) => ({
      slot: index === 0 ? slot : ids.next(),
      flags,
      gpa: baseGfn * PAGE + part.hva - hva,
      part,
    })),
  );
}

/** What virtio-mem devices map. */
export function virtioParts(machine: Machine): MappedPart[] {
  const virtio = new Set(machine.virtio.mems().map(({ memdev }) => memdev));
  return mappedParts(machine).filter(({ part }) => virtio.has(part.id));
}

function captureSlot({ slot, flags, gpa, part }: MappedPart, backings: readonly { id: string; hva: number; size: number }[]): LayoutSlot {
  const { hva, size } = part;
  const backing = backings.find((each) => hva >= each.hva && hva < each.hva + each.size);
  // All hvas of a slot are in the machine's host memory, so one range holds each.
  if (!backing) throw new Error(`slot ${slot} has no backing at hva 0x${hva.toString(16)}`);
  return { slot, flags, gpa, size, backing: backing.id, offset: hva - backing.hva };
}

export const layoutText = (layout: Layout): string => JSON.stringify(layout);
