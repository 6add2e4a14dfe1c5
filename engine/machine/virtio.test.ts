/** Effects of a virtio-mem device's plug and unplug requests on the memslots. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { MemRange } from '../devices/virtio/mem';
import { MemslotEngine } from '../memory/index';
import type { GfnRange } from '../memory/types';
import { type DeviceCommit, MachineError, type VirtioConfig } from './api';
import { Backends } from './backends';
import type { Board } from './devices';
import { Dimms } from './dimms';
import { HostMemory } from './host-memory';
import { VirtioDevices } from './virtio';
import { placeVirtio } from './virtio-config';

const MIB = 0x100000;
const BLOCK = 2 * MIB;
const config = { ram: 64 * MIB, slots: 2, maxmem: 1024 * MIB, smp: 1, accel: 'interp' as const };

let engine: MemslotEngine;
let host: HostMemory;
let backends: Backends;
let dimms: Dimms;
let virtio: VirtioDevices;
let zapped: GfnRange[];
let addr: number;
let hva: number;

function setUp(
  devices: VirtioConfig[] = [{ driver: 'virtio-mem', id: 'vm0', memdev: 'vmem0' }],
  objects = [{ id: 'vmem0', size: 64 * MIB }],
): void {
  host = new HostMemory();
  engine = new MemslotEngine({ hostBase: 0x2000000, hostSize: host.limit });
  backends = new Backends(host, engine, { changed: () => {}, editable: () => {} });
  const through = <T>(_device: DeviceCommit, commit: () => T): T => commit();
  const nothing = (): void => {};
  const hooks = {
    ...{ changed: nothing, editable: nothing, wake: nothing, qmp: nothing, rescan: nothing, settle: nothing },
    ...{ guestBlock: () => undefined, through },
  };
  const memhp = { plug: () => {}, requestUnplug: () => {} } as unknown as ReturnType<ConstructorParameters<typeof Dimms>[3]>;
  dimms = new Dimms(config, engine, backends, () => memhp, hooks);
  const placed = placeVirtio({ ...config, objects, virtio: devices }, (id, size, at) => dimms.placement.reserve(id, size, at));
  virtio = new VirtioDevices(placed, {
    ...{ engine, host, backends, board: () => ({}) as Board, ram: () => config.ram },
    ...{ invalidateCode: () => {}, endSlice: () => {}, changed: () => {}, wake: () => {}, qmp: () => {}, through },
  });
  for (const { id, size } of objects) backends.add(id, size);
  virtio.claimBackends();
  zapped = [];
  engine.subscribe((event) => {
    if (event.type === 'zap') zapped.push(...event.ranges);
  });
  addr = placed[0]?.driver === 'virtio-mem' ? placed[0].addr : 0;
  hva = backends.get('vmem0')?.hva ?? 0;
}

beforeEach(() => setUp());

const blocks = (first: number, count = 1): MemRange => ({ offset: first * BLOCK, size: count * BLOCK });
/** First block, number of blocks and flags of each slot over the device, in guest order. */
const slots = () =>
  engine.memslots().map(({ baseGfn, npages, userspaceAddr, flags }) => {
    expect(userspaceAddr - hva).toBe(baseGfn * 4096 - addr);
    return [(baseGfn * 4096 - addr) / BLOCK, (npages * 4096) / BLOCK, flags];
  });
const gfns = (first: number, count = 1) => ({
  asId: 0,
  start: (addr + first * BLOCK) / 4096,
  end: (addr + (first + count) * BLOCK) / 4096,
});

describe('the memslots of a virtio-mem device', () => {
  it('are one for each run of plugged blocks, and growing zaps nothing', () => {
    expect(virtio.plug('vm0', blocks(0, 2))).toBe('done');
    const id = engine.memslots()[0]!.slot;
    virtio.plug('vm0', blocks(4));
    expect(slots()).toEqual([
      [0, 2, 0],
      [4, 1, 0],
    ]);
    virtio.plug('vm0', blocks(2));
    virtio.plug('vm0', blocks(3));
    expect(slots()).toEqual([[0, 5, 0]]);
    expect(engine.memslots()[0]!.slot).toBe(id);
    expect(zapped).toEqual([]);
    engine.verify();
  });

  it('lose unplugged blocks in one commit, which zaps only those', () => {
    virtio.plug('vm0', blocks(0, 8));
    const generation = engine.generation();
    host.bytes.fill(7, hva, hva + 8 * BLOCK);
    expect(virtio.unplug('vm0', [blocks(2), blocks(5, 3)])).toBe('done');
    expect(slots()).toEqual([
      [0, 2, 0],
      [3, 2, 0],
    ]);
    expect(engine.generation()).toBe(generation + 4);
    expect(zapped).toEqual([gfns(2), gfns(5, 3)]);
    // Removed memory is zero, the rest keeps its contents.
    expect([1, 2, 3, 4, 5, 7].map((block) => host.bytes[hva + block * BLOCK + 9])).toEqual([7, 0, 7, 7, 0, 0]);
    virtio.unplug('vm0', [blocks(0, 2), blocks(3, 2)]);
    expect(engine.memslots()).toEqual([]);
  });

  it('keep dirty logging and dirty bits while they grow and shrink', () => {
    virtio.plug('vm0', blocks(0));
    const { slot } = engine.memslots()[0]!;
    engine.setUserMemoryRegion({ slot, flags: 1, guestPhysAddr: addr, memorySize: BLOCK, userspaceAddr: hva });
    engine.markDirty(addr / 4096 + 3);
    virtio.plug('vm0', blocks(1, 2));
    engine.markDirty(addr / 4096 + 512 + 4);
    virtio.unplug('vm0', [blocks(2)]);
    expect(slots()).toEqual([[0, 2, 1]]);
    const log = engine.getDirtyLog(slot);
    expect(log.ok && [log.bitmap[0], log.bitmap[64]]).toEqual([8, 16]);
  });

  it('are found after moves and splits', () => {
    virtio.plug('vm0', blocks(0, 4));
    const { slot } = engine.memslots()[0]!;
    engine.splitMemslot(slot, addr + 3 * BLOCK, 9);
    engine.setUserMemoryRegion({ slot: 9, guestPhysAddr: 2 ** 40, memorySize: BLOCK, userspaceAddr: hva + 3 * BLOCK });
    expect(virtio.unplug('vm0', [blocks(2, 2)])).toBe('done');
    expect(slots()).toEqual([[0, 2, 0]]);
    // Nothing can be plugged where other memory is mapped.
    const other = backends.add('other', BLOCK);
    engine.setUserMemoryRegion({ slot: 10, guestPhysAddr: addr + 5 * BLOCK, memorySize: BLOCK, userspaceAddr: other.hva });
    expect(virtio.plug('vm0', blocks(4, 2))).toBe('refused');
    expect(virtio.plug('vm0', blocks(4))).toBe('done');
    engine.verify();
  });

  it('wait for a commit in progress', () => {
    const run = engine.beginCommit({ call: 'region', region: { slot: 1, guestPhysAddr: 0, memorySize: BLOCK, userspaceAddr: hva } });
    run.step();
    run.step();
    run.run();
    virtio.plug('vm0', blocks(0));
    const removal = engine.beginCommit({ call: 'region', region: { slot: 1, guestPhysAddr: 0, memorySize: 0, userspaceAddr: 0 } });
    for (const _ of [1, 2, 3]) removal.step();
    expect(virtio.plug('vm0', blocks(1))).toBe('busy');
    expect(virtio.unplug('vm0', [blocks(0)])).toBe('busy');
    removal.run();
    expect(virtio.plug('vm0', blocks(1))).toBe('done');
  });

  it('stay correct through random requests', () => {
    const plugged = new Array<boolean>(32).fill(false);
    let seed = 7;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    for (let step = 0; step < 400; step++) {
      const first = random(32);
      const want = !plugged[first];
      let count = 1;
      while (first + count < 32 && plugged[first + count] === !want && random(4) > 0) count += 1;
      const range = blocks(first, count);
      expect(want ? virtio.plug('vm0', range) : virtio.unplug('vm0', [range])).toBe('done');
      plugged.fill(want, first, first + count);
      const mapped = plugged.map((_unused, block) => engine.gpaToHva(addr + block * BLOCK) === hva + block * BLOCK);
      expect(mapped).toEqual(plugged);
      const runs = plugged.filter((each, block) => each && !plugged[block - 1]).length;
      expect(engine.slotCount()).toBe(runs);
    }
    engine.verify();
  });
});

describe('the place of a virtio-mem device', () => {
  it('is its own, also while nothing is plugged', () => {
    expect(addr).toBe(128 * MIB);
    backends.add('m1', 64 * MIB);
    expect(() => dimms.plug({ memdev: 'm1', addr: addr + 32 * MIB })).toThrow("address range conflicts with memory device id='vm0'");
    expect(dimms.plug({ memdev: 'm1' }).addr).toBe(256 * MIB);
    backends.add('m2', 900 * MIB);
    expect(() => dimms.plug({ memdev: 'm2' })).toThrow(
      'not enough space, currently 0x8000000 in use of total space for memory devices 0x3c000000',
    );
    expect(() => dimms.plug({ memdev: 'vmem0' })).toThrow(/not enough|busy/);
    expect(() => backends.delete('vmem0')).toThrow("object 'vmem0' is in use, can not be deleted");
  });

  const mem = (more: object = {}): VirtioConfig => ({ driver: 'virtio-mem', id: 'vm0', memdev: 'vmem0', ...more });
  it.each<[string, VirtioConfig[], number]>([
    ["-device virtio-mem,id=vm0: Device 'nope' not found", [mem({ memdev: 'nope' })], 64],
    ["Duplicate device ID 'vm0'", [mem(), mem()], 64],
    ["id=vm1: 'memdev' property specifies a busy memdev: vmem0", [mem(), mem({ id: 'vm1' })], 64],
    ["'requested-size' property has to be multiples of 'block-size' (0x200000)", [mem({ requested: 3 * MIB })], 64],
    ["'requested-size' property cannot exceed the memory backend size(0x4000000)", [mem({ requested: 66 * MIB })], 64],
    ["'node' property has value '1', which exceeds the number of numa nodes: 1", [mem({ node: 1 })], 64],
    ['address must be aligned to 0x200000 bytes', [mem({ addr: 2 ** 32 + 4096 })], 64],
    ["can't add memory device [0x200000:0x4000000], usable range for memory devices", [mem({ addr: BLOCK })], 64],
    ['backend memory size must be multiple of 0x200000', [mem()], 3],
    ['not enough space, currently 0x0 in use of total space for memory devices 0x3c000000', [mem()], 1024],
    ['Only one balloon device is supported', [{ driver: 'virtio-balloon-device' }, { driver: 'virtio-balloon-device', id: 'b' }], 64],
    ['has 8 places', Array.from({ length: 9 }, (_unused, n) => mem({ id: `v${n}` })), 64],
  ])('is refused in QEMU’s words: %s', (text, devices, size) => {
    const attempt = () => setUp(devices, [{ id: 'vmem0', size: size * MIB }]);
    expect(attempt).toThrow(MachineError);
    expect(attempt).toThrow(text);
  });
});
