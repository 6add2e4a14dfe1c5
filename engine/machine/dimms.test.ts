import { beforeEach, describe, expect, it } from 'vitest';
import { MemoryHotplug } from '../devices/memhp';
import { MemslotEngine } from '../memory/index';
import { Backends } from './backends';
import { makeBackingRule } from './backing-rule';
import { layoutBootRam } from './boot-ram';
import { Dimms } from './dimms';
import { HostMemory } from './host-memory';

const MIB = 0x100000;
const GIB = 0x40000000;

let host: HostMemory;
let engine: MemslotEngine;
let backends: Backends;
let dimms: Dimms;
let memhp: MemoryHotplug;
let qmp: [string, Record<string, unknown>][];
let rescans: number;
let events: number;
let block: number | undefined;

/** A guest's side of the registers. */
const guest = {
  select: (slot: number) => memhp.write(0, 4, slot),
  flags: () => memhp.read(0x14, 1),
  base: () => memhp.read(0, 4) + memhp.read(4, 4) * 2 ** 32,
  eject: () => memhp.write(0x14, 1, 8),
  ost: (source: number, status: number) => {
    memhp.write(4, 4, source);
    memhp.write(8, 4, status);
  },
};

function setUp(config = { ram: 64 * MIB, slots: 4, maxmem: 2 * GIB }) {
  host = new HostMemory();
  engine = new MemslotEngine({ hostBase: 0x2000000, hostSize: host.limit, backings: makeBackingRule(host) });
  backends = new Backends(host, engine, { changed: () => {}, editable: () => {} });
  qmp = [];
  rescans = 0;
  events = 0;
  block = undefined;
  dimms = new Dimms(config, engine, backends, () => memhp, {
    changed: () => {},
    editable: () => {},
    wake: () => {},
    qmp: (event, data) => qmp.push([event, data]),
    rescan: () => rescans++,
    guestBlock: () => block,
    settle: () => {},
    through: (_device, commit) => commit(),
  });
  memhp = new MemoryHotplug({
    slots: config.slots,
    dimm: (slot) => dimms.mapped(slot),
    event: () => events++,
    eject: (slot) => dimms.eject(slot),
    ost: (slot, event, status) => dimms.ost(slot, event, status),
  });
  engine.subscribe((event) => {
    if (event.type === 'commit') dimms.noticeCommit();
  });
  const boot = layoutBootRam(host, config.ram);
  backends.addBoard(boot);
  engine.changeUserMemoryRegions(boot.map((slot) => slot.region));
}

beforeEach(() => setUp());

describe('plugging', () => {
  it('takes the first block below 4 GiB, the lowest memslot id and hotplug slot, and notifies the guest once', () => {
    backends.add('m1', 128 * MIB);
    expect(dimms.plug({ id: 'd1', memdev: 'm1' })).toMatchObject({ id: 'd1', addr: 128 * MIB, slot: 0, size: 128 * MIB, node: 0 });
    expect(engine.memslotById(5)).toMatchObject({ baseGfn: 0x8000, npages: 0x8000 });
    expect([events, rescans]).toEqual([1, 0]);
    guest.select(0);
    expect(guest.flags()).toBe(3);
    expect(guest.base()).toBe(128 * MIB);
    backends.add('m2', 2 * MIB);
    expect(dimms.plug({ memdev: '/objects/m2' })).toMatchObject({ id: '', addr: 256 * MIB, slot: 1 });
  });

  it('goes above 4 GiB when asked, or when there is no room below', () => {
    setUp({ ram: 64 * MIB, slots: 4, maxmem: 16 * GIB });
    for (const id of ['big', 'more', 'third']) backends.add(id, GIB);
    expect(dimms.plug({ memdev: 'big', addr: 4 * GIB }).addr).toBe(4 * GIB);
    expect(dimms.plug({ memdev: 'more', addr: 0x88000000 }).addr).toBe(0x88000000);
    expect(dimms.plug({ memdev: 'third' }).addr).toBe(128 * MIB);
    host.release(backends.add('x', MIB).hva);
    expect(dimms.window()).toEqual([
      { start: 128 * MIB, end: 0xe0000000 },
      { start: 4 * GIB, end: 20 * GIB - 128 * MIB + 128 * MIB },
    ]);
  });

  const refusals: [string, Parameters<Dimms['plug']>[0], string][] = [
    ['an unknown backend', { memdev: 'nope' }, "Device 'nope' not found"],
    ['an id that is taken', { id: 'd1', memdev: 'm2' }, "Duplicate device ID 'd1'"],
    ['a busy backend', { id: 'd2', memdev: 'm1' }, "can't use already busy memdev: m1"],
    ['the board RAM', { memdev: 'ram.a', addr: 0x20000000 }, 'backend memory size must be multiple of 0x200000'],
    ['a misaligned address', { memdev: 'm2', addr: 0x1000 }, 'address must be aligned to 0x200000 bytes'],
    ['an odd size', { memdev: 'odd' }, 'backend memory size must be multiple of 0x200000'],
    [
      'an address outside',
      { memdev: 'm2', addr: 0x4000000 },
      "can't add memory device [0x4000000:0x8000000], usable range for memory devices [0x8000000:0xd8000000] and [0x100000000:0x80000000]",
    ],
    ['an overlap', { memdev: 'm2', addr: 0x8000000 }, "address range conflicts with memory device id='d1'"],
    ['a slot that is taken', { memdev: 'm2', slot: 0 }, 'slot 0 is busy (DIMM slot: another DIMM is in it)'],
    ['a slot that does not exist', { memdev: 'm2', slot: 4 }, 'invalid slot number 4, valid range is [0-3]'],
    ['a node that does not exist', { memdev: 'm2', node: 3 }, "'DIMM property node has value 3' which exceeds the number of numa nodes: 1"],
    ['more than maxmem', { memdev: 'huge' }, 'not enough space, currently 0x8000000 in use of total space for memory devices 0x7c000000'],
  ];
  it.each(refusals)('refuses %s as QEMU does', (_what, options, message) => {
    backends.add('m1', 128 * MIB);
    backends.add('m2', 128 * MIB);
    backends.add('odd', 100);
    backends.add('huge', 0x7c000000 - 126 * MIB);
    dimms.plug({ id: 'd1', memdev: 'm1' });
    const before = engine.generation();
    expect(() => dimms.plug(options)).toThrow(message);
    expect(engine.generation()).toBe(before);
    expect(dimms.list()).toHaveLength(1);
  });

  it('names what is wrong with slot, address, backend and node at once', () => {
    backends.add('m1', 128 * MIB);
    dimms.plug({ id: 'd1', memdev: 'm1' });
    expect(() => dimms.plug({ memdev: 'm1', slot: 0, addr: 0x1000, node: 3 })).toThrow(
      /^slot 0 is busy .*; address must be aligned to 0x200000 bytes \(nearest address: 0x[0-9a-f]+\); can't use already busy memdev: m1; 'DIMM property node has value 3'/,
    );
    expect(dimms.list()).toHaveLength(1);
  });

  it('names every reason with the nearest size and the nearest free address, by the guest’s rule where it has one', () => {
    backends.add('m1', 127 * MIB);
    backends.add('m2', 128 * MIB);
    dimms.plug({ id: 'd2', memdev: 'm2' });
    const say = (addr?: number): string => {
      try {
        dimms.plug({ memdev: 'm1', ...(addr === undefined ? {} : { addr }) });
      } catch (error) {
        return (error as Error).message;
      }
      return 'plugged';
    };
    expect(say(0x1000)).toBe(
      'address must be aligned to 0x200000 bytes (nearest address: 0x10000000); backend memory size must be multiple of 0x200000 (nearest size: 128M)',
    );
    block = 128 * MIB;
    const rule = ': this guest takes memory in blocks of 128 MiB';
    expect(say(0x1000)).toBe(
      `address must be aligned to 0x8000000 bytes${rule} (nearest address: 0x10000000); backend memory size must be multiple of 0x8000000${rule} (nearest size: 128M)`,
    );
    expect(say()).toBe(`backend memory size must be multiple of 0x8000000${rule} (nearest size: 128M)`);
    expect(() => dimms.move('d2', 0x200000)).toThrow(`address must be aligned to 0x8000000 bytes${rule} (nearest address: 0x10000000)`);
    expect(() => dimms.move('d2', 0)).toThrow(/usable range for memory devices .* \(nearest address: 0x10000000\)$/);
    backends.add('m3', 128 * MIB);
    expect(() => dimms.plug({ memdev: 'm3', addr: 0x8000000 })).toThrow(
      "conflicts with memory device id='d2' (nearest address: 0x10000000)",
    );
  });

  it('refuses without slots and without maxmem', () => {
    setUp({ ram: 64 * MIB, slots: 0, maxmem: 64 * MIB });
    backends.add('m1', 2 * MIB);
    expect(() => dimms.plug({ memdev: 'm1' })).toThrow("no slots where allocated, please specify the 'slots' option");
    setUp({ ram: 64 * MIB, slots: 1, maxmem: 64 * MIB });
    backends.add('m1', 2 * MIB);
    expect(() => dimms.plug({ memdev: 'm1' })).toThrow('not enabled, please specify the maxmem option');
  });

  it('does not plug over a memslot that is no DIMM, and places DIMMs around it', () => {
    const hva = host.allocate(MIB, 'bare9');
    engine.setUserMemoryRegion({ slot: 9, guestPhysAddr: 128 * MIB, memorySize: MIB, userspaceAddr: hva });
    backends.add('m1', 128 * MIB);
    expect(() => dimms.plug({ memdev: 'm1', addr: 128 * MIB })).toThrow('address range conflicts with memslot 9');
    expect(dimms.plug({ memdev: 'm1' }).addr).toBe(256 * MIB);
  });
});

describe('a guest that takes memory in blocks', () => {
  beforeEach(() => {
    block = 128 * MIB;
    backends.add('half', 64 * MIB);
    backends.add('odd', 192 * MIB);
    backends.add('good', 256 * MIB);
  });

  it.each<[Parameters<Dimms['plug']>[0], string]>([
    [
      { memdev: 'half' },
      'backend memory size must be multiple of 0x8000000: this guest takes memory in blocks of 128 MiB (nearest size: 128M)',
    ],
    [{ memdev: 'odd' }, '(nearest size: 256M)'],
    [
      { memdev: 'good', addr: 0x12000000 },
      'address must be aligned to 0x8000000 bytes: this guest takes memory in blocks of 128 MiB (nearest address: 0x10000000)',
    ],
    [{ memdev: 'good', addr: 0x1000 }, 'address must be aligned to 0x8000000 bytes'],
  ])('is not given %o', (options, message) => {
    expect(() => dimms.plug(options)).toThrow(message);
  });

  it('gets whole ones', () => {
    expect(dimms.plug({ memdev: 'good' }).addr).toBe(128 * MIB);
  });
});

describe('backends', () => {
  it('are refused and deleted in QEMU words', () => {
    backends.add('m1', 2 * MIB);
    expect(() => backends.add('m1', MIB)).toThrow("attempt to add duplicate property 'm1' to object (type 'container')");
    expect(() => backends.add('m3', 0)).toThrow("property 'size' of memory-backend-ram doesn't take value '0'");
    dimms.plug({ id: 'd1', memdev: 'm1' });
    expect(() => backends.delete('m1')).toThrow("object 'm1' is in use, can not be deleted");
    expect(() => backends.delete('ram.a')).toThrow("object 'ram.a' is in use, can not be deleted");
    expect(() => backends.delete('nope')).toThrow("object 'nope' not found");
  });
});

describe('unplugging', () => {
  beforeEach(() => {
    backends.add('m1', 128 * MIB);
    dimms.plug({ id: 'd1', memdev: 'm1' });
    guest.select(0);
    memhp.write(0x14, 1, 2);
  });

  it('asks the guest, deletes every memslot on the backend when it ejects, and reports in order', () => {
    engine.splitMemslot(5, 192 * MIB, 6);
    const generation = engine.generation();
    dimms.unplug('d1');
    dimms.unplug('d1');
    expect(dimms.list()[0]!.pendingUnplug).toBe(true);
    expect(guest.flags()).toBe(5);
    guest.ost(3, 0x84);
    guest.eject();
    guest.ost(3, 0);
    expect(dimms.list()).toEqual([]);
    expect(engine.memslotById(5) ?? engine.memslotById(6)).toBeUndefined();
    expect(engine.generation()).toBe(generation + 4);
    expect(qmp).toEqual([
      ['ACPI_DEVICE_OST', { info: { device: 'd1', source: 3, status: 132, slot: '0', 'slot-type': 'DIMM' } }],
      ['DEVICE_DELETED', { device: 'd1', path: '/machine/peripheral/d1' }],
      ['ACPI_DEVICE_OST', { info: { source: 3, status: 0, slot: '0', 'slot-type': 'DIMM' } }],
    ]);
    backends.delete('m1');
  });

  it('keeps the DIMM if the guest refuses, and reports it', () => {
    dimms.unplug('d1');
    guest.ost(3, 0x82);
    expect(dimms.list()[0]!.pendingUnplug).toBe(false);
    expect(qmp.at(-1)).toEqual(['MEM_UNPLUG_ERROR', { device: 'd1', msg: 'the guest keeps it (_OST status 130: device busy)' }]);
  });

  it('names an unknown device', () => {
    expect(() => dimms.unplug('nope')).toThrow("Device 'nope' not found");
    expect(() => dimms.unplug('')).toThrow("Device '' not found");
  });
});

describe('what the guest sees of a DIMM whose memory moves', () => {
  beforeEach(() => {
    for (const id of ['m1', 'm2']) backends.add(id, 64 * MIB);
    dimms.plug({ id: 'd1', memdev: 'm1' });
    dimms.plug({ id: 'd2', memdev: 'm2' });
    guest.select(0);
  });

  it('follows an exchange of two DIMMs, with one rescan', () => {
    const [a, b] = [engine.memslotById(5)!, engine.memslotById(6)!];
    const at = (slot: typeof a, gfn: number) => ({
      slot: slot.slot,
      guestPhysAddr: gfn * 4096,
      memorySize: 64 * MIB,
      userspaceAddr: slot.userspaceAddr,
    });
    expect(engine.changeUserMemoryRegions([at(a, b.baseGfn), at(b, a.baseGfn)]).ok).toBe(true);
    expect(rescans).toBe(1);
    expect(guest.base()).toBe(256 * MIB);
    guest.select(1);
    expect(guest.base()).toBe(128 * MIB);
  });

  it('is disabled while its first byte is not mapped', () => {
    engine.setUserMemoryRegion({ slot: 5, guestPhysAddr: 0, memorySize: 0, userspaceAddr: 0 });
    expect(guest.flags() & 1).toBe(0);
    engine.undo();
    expect(guest.flags() & 1).toBe(1);
    expect(rescans).toBe(2);
  });

  it('does not change by a split, a merge or flags; shrinks with its slot', () => {
    engine.splitMemslot(5, 160 * MIB, 9);
    engine.mergeMemslots([5, 9]);
    expect(rescans).toBe(0);
    expect(memhp.read(8, 4)).toBe(64 * MIB);
    engine.resizeMemslot(5, 32 * MIB);
    expect(rescans).toBe(1);
    expect(memhp.read(8, 4)).toBe(32 * MIB);
  });
});

describe('moving', () => {
  const home = 128 * MIB;
  const away = 512 * MIB;

  beforeEach(() => {
    backends.add('m1', 128 * MIB);
    dimms.plug({ id: 'd1', memdev: 'm1' });
    guest.select(0);
  });

  it('plugs the DIMM in at its new address when the guest has given it back', () => {
    dimms.move('d1', away);
    expect(dimms.list()).toMatchObject([{ addr: home, pendingUnplug: true }]);
    guest.eject();
    guest.ost(3, 0);
    expect(dimms.list()).toMatchObject([{ id: 'd1', addr: away, pendingUnplug: false }]);
    guest.ost(1, 0);
    expect(qmp.map(([event]) => event)).not.toContain('DEVICE_DELETED');
    expect(qmp).toContainEqual(['DEVICE_MOVED', { device: 'd1', path: '/machine/peripheral/d1', addr: away }]);
    guest.ost(1, 0x80);
    expect(dimms.list()).toMatchObject([{ addr: away }]);
  });

  it('plugs it in at its old address if the guest does not accept the new one', () => {
    dimms.move('d1', away);
    guest.eject();
    guest.ost(3, 0);
    guest.ost(1, 1);
    expect(dimms.list()).toMatchObject([{ id: 'd1', addr: home, slot: 0, pendingUnplug: false }]);
    expect(engine.memslotAt(away / 4096)).toBeUndefined();
    expect(qmp.at(-1)).toEqual([
      'MEM_UNPLUG_ERROR',
      { device: 'd1', msg: 'the guest does not accept it at 0x20000000 (_OST status 1); it was plugged in again at 0x8000000' },
    ]);
  });

  it('plugs it in again at its old address if the new one has been taken; its backend and slot stay reserved during the move', () => {
    dimms.move('d1', away);
    guest.eject();
    expect(() => backends.delete('m1')).toThrow(/in use/);
    backends.add('m2', 128 * MIB);
    expect(dimms.plug({ id: 'd2', memdev: 'm2', addr: away }).slot).toBe(1);
    guest.select(0);
    guest.ost(3, 0);
    expect(dimms.list().find(({ id }) => id === 'd1')).toMatchObject({ addr: home, slot: 0 });
    expect(qmp.at(-1)?.[0]).toBe('MEM_UNPLUG_ERROR');
  });

  it('ends the move if there is no place left', () => {
    dimms.move('d1', away);
    guest.eject();
    for (const [n, addr] of [away, home].entries()) {
      backends.add(`x${n}`, 128 * MIB);
      dimms.plug({ id: `x${n}`, memdev: `x${n}`, addr });
    }
    guest.select(0);
    guest.ost(3, 0);
    expect(dimms.list().map(({ id }) => id)).toEqual(['x0', 'x1']);
    expect(qmp.slice(-2).map(([event]) => event)).toEqual(['MEM_UNPLUG_ERROR', 'DEVICE_DELETED']);
    backends.delete('m1');
  });
});
