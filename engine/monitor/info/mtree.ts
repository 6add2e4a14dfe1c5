/**
 * info mtree in QEMU's layout. The tree here is flat: a memslot is an alias of its backing, DIMMs are in `device-memory`, devices beside them. Port
 * I/O is not listed.
 */
import type { Machine } from '../../machine/index';
import { MemFlag, type Memslot } from '../../memory/types';
import { type Command, getFlag } from '../types';

const PAGE = 4096;
const ALL = (1n << 64n) - 1n;

interface Region {
  start: number;
  end: number;
  prio: number;
  kind: 'ram' | 'rom' | 'i/o';
  name: string;
  /** Offset in `name`. */
  offset: number;
  /** Alias of a part of `name`. */
  alias?: string;
  inside?: Region[];
}

const h16 = (value: number | bigint): string => value.toString(16).padStart(16, '0');
const span = (start: number, end: number): string => `${h16(start)}-${h16(end - 1)}`;

function sizeOf(machine: Machine, id: string, slots: Memslot[]): number {
  const backend = machine.backends.list().find((each) => each.id === id);
  if (backend) return backend.size;
  const parts = slots.flatMap((slot) => machine.host.backingsOf(slot.userspaceAddr, slot.npages * PAGE));
  return Math.max(...parts.map((part) => (part.id === id ? part.offset + part.size : 0)));
}

/** One alias per backing of the slot. */
function slotRegions(machine: Machine, slot: Memslot, all: Memslot[]): Region[] {
  const { userspaceAddr: hva, npages } = slot;
  return machine.host.backingsOf(hva, npages * PAGE).map(({ id, offset, size, hva: at }): Region => {
    const start = slot.baseGfn * PAGE + at - hva;
    const whole = offset === 0 && size === sizeOf(machine, id, all);
    return {
      start,
      end: start + size,
      prio: 0,
      kind: slot.flags & MemFlag.ReadOnly ? 'rom' : 'ram',
      name: id,
      offset,
      ...(whole ? {} : { alias: `memslot-${slot.slot}` }),
    };
  });
}

const byStart = (a: Region, b: Region): number => a.start - b.start;

function systemRegions(machine: Machine, asId: number): Region[] {
  const slots = machine.memory.memslots(asId);
  const regions = slots.flatMap((slot) => slotRegions(machine, slot, slots));
  for (const device of machine.inspect.mmioRegions()) {
    regions.push({ start: device.start, end: device.end, prio: 0, kind: 'i/o', name: device.name, offset: 0 });
  }
  return regions.sort(byStart);
}

/** Puts the regions in a window for DIMMs under a `device-memory` container. */
function withContainers(machine: Machine, regions: Region[]): Region[] {
  const containers = machine.dimms
    .window()
    .map(({ start, end }): Region => ({ start, end, prio: 0, kind: 'i/o', name: 'device-memory', offset: 0, inside: [] }));
  const outside = regions.filter((region) => {
    const container = containers.find((each) => region.kind !== 'i/o' && region.start >= each.start && region.end <= each.end);
    container?.inside?.push(region);
    return !container;
  });
  return [...outside, ...containers].sort(byStart);
}

function line(region: Region, indent: number): string {
  const label = region.alias
    ? `alias ${region.alias} @${region.name} ${span(region.offset, region.offset + region.end - region.start)}`
    : region.name;
  const own = `${' '.repeat(indent)}${span(region.start, region.end)} (prio ${region.prio}, ${region.kind}): ${label}\n`;
  return own + (region.inside ?? []).map((child) => line(child, indent + 2)).join('');
}

const system = `  ${h16(0)}-${h16(ALL)} (prio 0, i/o): system\n`;

function tree(machine: Machine): string {
  const regions = systemRegions(machine, 0);
  const names = cpuNames(machine);
  let text = `${names.map((name) => `address-space: ${name}\n`).join('')}address-space: memory\n${system}`;
  text += withContainers(machine, regions)
    .map((region) => line(region, 4))
    .join('');
  const smm = machine.memory.memslots(1);
  if (smm.length > 0) {
    text += `\naddress-space: cpu-smm-0\n${system}`;
    text += systemRegions(machine, 1)
      .map((region) => line(region, 4))
      .join('');
  }
  const targets = new Set([...regions, ...(smm.length > 0 ? systemRegions(machine, 1) : [])].filter((r) => r.alias).map((r) => r.name));
  for (const id of targets) {
    const size = sizeOf(machine, id, machine.memory.memslots(0));
    text += `\nmemory-region: ${id}\n  ${span(0, size)} (prio 0, ram): ${id}\n`;
  }
  return `${text}\n`;
}

const cpuNames = (machine: Machine): string[] => Array.from({ length: machine.config.smp }, (_, cpu) => `cpu-memory-${cpu}`);

function flat(machine: Machine): string {
  let text = '';
  const views: [string[], number][] = [[['memory', ...cpuNames(machine)], 0]];
  if (machine.memory.memslots(1).length > 0) views.push([['cpu-smm-0'], 1]);
  views.forEach(([names, asId], index) => {
    text += `FlatView #${index}\n${names.map((name) => ` AS "${name}", root: system\n`).join('')} Root memory region: system\n`;
    for (const region of systemRegions(machine, asId)) {
      const offset = region.offset > 0 ? ` @${h16(region.offset)}` : '';
      text += `  ${span(region.start, region.end)} (prio ${region.prio}, ${region.kind}): ${region.name}${offset}\n`;
    }
    text += '\n';
  });
  return text;
}

export const mtreeInfo: Command = {
  name: 'mtree',
  args: 'flatview:-f',
  params: '[-f]',
  help: 'show memory tree (-f: dump flat view for address spaces)',
  origin: 'qemu',
  run: (context, args) => (getFlag(args, 'flatview') ? flat(context.machine) : tree(context.machine)),
};
