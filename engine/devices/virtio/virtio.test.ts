import { beforeEach, describe, expect, it } from 'vitest';
import { recorder, TestClock } from '../test-clock';
import { VirtioBalloon } from './balloon';
import { MEM_BLOCK, type MemOutcome, type MemRange, VirtioMem } from './mem';
import { VirtioMmio } from './mmio';
import { FlatMemory, TestDriver } from './test-driver';

const ADDR = 0x10000000;
const MIB = 0x100000;
const SIZE = 512 * MIB;
const SECOND = 1e9;

let clock: TestClock;
let memory: FlatMemory;
let line: ReturnType<typeof recorder>;
let log: string[];

const mmio = <S>(behind: ConstructorParameters<typeof VirtioMmio<S>>[1]): VirtioMmio<S> =>
  new VirtioMmio({ name: 'virtio-mmio.0', irq: line.line, memory, log: (text) => log.push(text) }, behind);

beforeEach(() => {
  clock = new TestClock();
  memory = new FlatMemory();
  line = recorder();
  log = [];
});

function request(type: number, block = 0, count = 0): Uint8Array {
  const bytes = new Uint8Array(24);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, type, true);
  view.setBigUint64(8, BigInt(ADDR + block * MEM_BLOCK), true);
  view.setUint16(16, count, true);
  return bytes;
}

const [PLUG, UNPLUG, UNPLUG_ALL, STATE] = [0, 1, 2, 3] as const;
const [ACK, NACK, BUSY, ERROR] = [0, 1, 2, 3] as const;

function memRig(requested = 64 * MIB) {
  const done: [string, MemRange[]][] = [];
  const sizes: number[] = [];
  const says: { outcome: MemOutcome } = { outcome: 'done' };
  const mem = new VirtioMem({
    ...{ name: 'virtio-mmio.0', clock, addr: ADDR, size: SIZE, node: 0, requested },
    plug: (range) => {
      done.push(['plug', [range]]);
      return says.outcome;
    },
    unplug: (ranges) => {
      done.push(['unplug', [...ranges]]);
      return says.outcome;
    },
    sizeChanged: (size) => sizes.push(size),
  });
  const device = mmio(mem);
  const driver = new TestDriver(device, memory);
  driver.start(2);
  const ask = (type: number, block = 0, count = 0): number | undefined => driver.ask(request(type, block, count))?.[0];
  const state = (block: number, count: number): number | undefined => driver.ask(request(STATE, block, count))?.[8];
  return { mem, device, driver, done, sizes, says, ask, state };
}

describe('virtio-mmio', () => {
  it('says what it is, and offers features by word', () => {
    const { driver } = memRig();
    expect([0, 4, 8].map((at) => driver.get(at))).toEqual([0x74726976, 2, 24]);
    const words = [0, 1, 2].map((word) => {
      driver.set(0x14, word);
      return driver.get(0x10);
    });
    expect(words).toEqual([2, 1, 0]);
    expect(driver.get(0xb0)).toBe(0xffffffff);
    expect(driver.device.read(0x70, 1)).toBe(0);
  });

  it.each([
    ['without what the device must have', 0],
    ['with what it has not', 3],
  ])('does not agree on features %s', (_name, features) => {
    const { driver } = memRig();
    driver.start(features);
    expect(driver.get(0x70) & 8).toBe(0);
  });

  it('holds its line up until the driver acknowledges, and keeps it down where the driver wants no interrupt', () => {
    const { driver, ask } = memRig();
    expect(ask(PLUG, 0, 1)).toBe(ACK);
    expect([line.level, driver.get(0x60)]).toEqual([1, 1]);
    driver.set(0x64, 1);
    expect([line.level, driver.get(0x60)]).toEqual([0, 0]);
    driver.silence();
    expect(ask(PLUG, 1, 1)).toBe(ACK);
    expect(line.level).toBe(0);
  });

  it('notifies a ready driver of a configuration change', () => {
    const { driver, device, mem } = memRig();
    const before = driver.get(0xfc);
    mem.resize(128 * MIB);
    device.configChanged();
    expect([driver.get(0x60), driver.get(0xfc), line.level]).toEqual([2, before + 1, 1]);
    driver.set(0x70, 0);
    expect([driver.get(0x60), line.level]).toEqual([0, 0]);
    device.configChanged();
    expect(line.level).toBe(0);
  });

  it.each<[string, RegExp, (driver: TestDriver) => void]>([
    ['a head beyond the queue', /descriptor 9 of a queue of 8/, (d) => d.offer(9)],
    ['a chain without an end', /has no end/, (d) => [d.describe(0, 0x4000, 1, 1, 1), d.describe(1, 0x4000, 1, 1, 0), d.offer(0)]],
    ['an address beyond physical memory', /beyond physical memory/, (d) => [d.describe(0, 2 ** 60, 24, 0), d.offer(0)]],
    ['an address without memory', /no memory at 0xfff0 for 24/, (d) => [d.describe(0, 0xfff0, 24, 0), d.offer(0)]],
    ['a length of 4 GiB', /more than 64 bytes/, (d) => [d.describe(0, 0x4000, 0xffffffff, 0), d.offer(0)]],
    ['an indirect table', /indirect/, (d) => [d.describe(0, 0x4000, 24, 4), d.offer(0)]],
    [
      'reading after writing',
      /follows one to be written/,
      (d) => [d.describe(0, 0x4000, 16, 3, 1), d.describe(1, 0x4000, 24, 0), d.offer(0)],
    ],
    ['a request that is cut short', /a request of 8 bytes/, (d) => d.ask(new Uint8Array(8))],
    ['no room for the answer', /room for 4 of 10/, (d) => d.ask(request(STATE, 0, 1), 4)],
    [
      'an answer into read-only memory',
      /can be written at 0x4800/,
      (d) => [Object.assign(d.memory, { readOnlyFrom: 0x4800 }), d.ask(request(STATE, 0, 1))],
    ],
    [
      'more requests than entries',
      /100 requests are available in a queue of 8/,
      (d) => [d.memory.view.setUint16(0x2002, 100, true), d.set(0x50, 0)],
    ],
  ])('requires a reset after %s, gives the reason once, and works after it', (_name, reason, act) => {
    const { driver, ask } = memRig();
    act(driver);
    expect(driver.get(0x70) & 0x40).toBe(0x40);
    expect([driver.get(0x60) & 2, line.level]).toEqual([2, 1]);
    expect(log).toHaveLength(1);
    expect(log[0]).toMatch(reason);
    driver.set(0x50, 0);
    driver.memory.readOnlyFrom = driver.memory.bytes.length;
    expect(ask(STATE, 0, 1)).toBeUndefined();
    expect(log).toHaveLength(1);
    driver.start(2);
    expect(ask(STATE, 0, 1)).toBe(ACK);
  });

  it.each([
    [0x38, 3],
    [0x38, 0],
    [0x38, 256],
    [0x80, 0x1008],
    [0x90, 0x2001],
    [0xa0, 0x3002],
    [0x84, 0xffffffff],
  ])('refuses a queue with register 0x%s set to %i', (register, value) => {
    const { driver } = memRig();
    driver.set(0x44, 0);
    driver.set(register, value);
    driver.set(0x44, 1);
    driver.ask(request(STATE, 0, 1));
    expect(driver.get(0x70) & 0x40).toBe(0x40);
  });

  it('logs only a few lines for a driver that keeps failing', () => {
    const { driver } = memRig();
    for (let n = 0; n < 1000; n++) {
      driver.start(2);
      driver.offer(9);
    }
    expect(log.length).toBeLessThan(10);
  });
});

describe('a queue of nonsense', () => {
  it.each([1, 2, 3, 4])('neither throws nor hangs: seed %i', (seed) => {
    let state = seed;
    const random = (below: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    const { driver, mem, device } = memRig(SIZE);
    const { view } = memory;
    let served = 0;
    for (let step = 0; step < 20_000; step++) {
      if ((driver.get(0x70) & 0x40) !== 0 || random(200) === 0) driver.start(2);
      for (let index = 0; index < 8; index++) {
        const gpa = random(30) === 0 ? random(2 ** 32) * 2 ** random(32) : 0x4000 + random(0x8000);
        driver.describe(index, gpa, random(20) === 0 ? random(2 ** 32) : random(40), random(30) === 0 ? random(8) : random(4), random(9));
      }
      const at = 0x4000 + random(0x2000);
      memory.bytes.set(request(random(5), random(300) - 20, random(64)), at);
      if (random(3) > 0) {
        driver.describe(0, at, 24, 1, 1);
        driver.describe(1, 0x9000, 16, random(20) === 0 ? 0 : 2);
      }
      const before = driver.given;
      driver.offer(random(40) === 0 ? random(0x10000) : 0);
      if (driver.given !== before) served += 1;
      if (random(500) === 0) view.setUint16(0x2002, random(0x10000), true);
    }
    expect(served).toBeGreaterThan(5000);
    expect(mem.size % MEM_BLOCK).toBe(0);
    expect(log.length).toBeLessThan(10);
    device.restore(JSON.parse(JSON.stringify(device.save())));
  });
});

describe('virtio-mem', () => {
  it('reports sizes as the specification lays them out', () => {
    const { device } = memRig();
    const bytes = Uint8Array.from({ length: 56 }, (_unused, at) => device.read(0x100 + at, 1));
    const view = new DataView(bytes.buffer);
    const at = (offset: number): number => Number(view.getBigUint64(offset, true));
    expect([0, 16, 24, 32, 40, 48].map(at)).toEqual([MEM_BLOCK, ADDR, SIZE, 320 * MIB, 0, 64 * MIB]);
    expect(device.read(0x100 + 56, 4)).toBe(0);
  });

  it('plugs up to the requested size, and answers impossible requests', () => {
    const { ask, state, done, mem } = memRig();
    expect(ask(PLUG, 4, 16)).toBe(ACK);
    expect(mem.size).toBe(32 * MIB);
    expect([state(4, 16), state(0, 4), state(0, 8)]).toEqual([0, 1, 2]);
    expect(ask(PLUG, 10, 1)).toBe(ERROR);
    expect(ask(PLUG, 64, 17)).toBe(NACK);
    expect(ask(UNPLUG, 0, 8)).toBe(ERROR);
    expect(ask(UNPLUG, 4, 2)).toBe(ACK);
    expect(done).toEqual([
      ['plug', [{ offset: 4 * MEM_BLOCK, size: 16 * MEM_BLOCK }]],
      ['unplug', [{ offset: 4 * MEM_BLOCK, size: 2 * MEM_BLOCK }]],
    ]);
    // Beyond the usable region, before the start, no block, and no such request.
    for (const [type, block, count] of [
      [PLUG, 159, 2],
      [PLUG, -1, 1],
      [PLUG, 0.5, 1],
      [STATE, 0, 0],
      [9, 0, 1],
    ] as const)
      expect(ask(type, block, count)).toBe(ERROR);
  });

  it('keeps its state where the layout cannot be changed', () => {
    const { ask, state, says, mem } = memRig();
    says.outcome = 'busy';
    expect(ask(PLUG, 0, 1)).toBe(BUSY);
    says.outcome = 'refused';
    expect(ask(PLUG, 0, 1)).toBe(NACK);
    expect([mem.size, state(0, 1)]).toEqual([0, 1]);
    says.outcome = 'done';
    ask(PLUG, 0, 1);
    says.outcome = 'refused';
    expect([ask(UNPLUG, 0, 1), ask(UNPLUG_ALL), state(0, 1)]).toEqual([BUSY, BUSY, 0]);
  });

  it('unplugs everything at once, and at a machine reset, but not when the driver resets it', () => {
    const { ask, done, driver, device, mem } = memRig();
    for (const block of [0, 1, 5]) ask(PLUG, block, 1);
    driver.start(2);
    expect(mem.size).toBe(3 * MEM_BLOCK);
    expect(ask(UNPLUG_ALL)).toBe(ACK);
    const ranges = [
      { offset: 0, size: 2 * MEM_BLOCK },
      { offset: 5 * MEM_BLOCK, size: MEM_BLOCK },
    ];
    expect(done.at(-1)).toEqual(['unplug', ranges]);
    ask(PLUG, 3, 1);
    device.reset();
    expect(done.at(-1)).toEqual(['unplug', [{ offset: 3 * MEM_BLOCK, size: MEM_BLOCK }]]);
    expect([mem.size, driver.get(0x70), line.level]).toEqual([0, 0, 0]);
  });

  it('shrinks the usable region only when all is unplugged', () => {
    const { ask, mem, device } = memRig();
    const usable = () => device.read(0x100 + 32, 4);
    mem.resize(0);
    expect(usable()).toBe(320 * MIB);
    ask(UNPLUG_ALL);
    expect(usable()).toBe(0);
    expect(ask(STATE, 0, 1)).toBe(ERROR);
  });

  it('sends an event at once and then one a second, the last size always', () => {
    const { ask, sizes } = memRig();
    for (let block = 0; block < 5; block++) ask(PLUG, block, 1);
    expect(sizes).toEqual([2 * MIB]);
    clock.advance(SECOND);
    expect(sizes).toEqual([2 * MIB, 10 * MIB]);
    clock.advance(2 * SECOND);
    expect(sizes).toHaveLength(2);
    ask(UNPLUG, 0, 1);
    expect(sizes).toEqual([2 * MIB, 10 * MIB, 8 * MIB]);
  });

  it('continues from a saved state, with the pending event', () => {
    const first = memRig();
    first.ask(PLUG, 0, 1);
    first.ask(PLUG, 1, 2);
    const saved = JSON.parse(JSON.stringify(first.device.save()));
    const second = memRig();
    second.device.restore(saved);
    expect(JSON.parse(JSON.stringify(second.device.save()))).toEqual(saved);
    expect(second.mem.size).toBe(6 * MIB);
    clock.advance(SECOND);
    expect(second.sizes).toEqual([6 * MIB]);
    const broken = { ...saved, function: { ...saved.function, requested: 12345 } };
    expect(() => second.device.restore(broken)).toThrow('virtio-mmio.0: function requested must be a multiple of 2097152, not 12345');
    const other = { ...saved, function: { ...saved.function, regionSize: MIB } };
    expect(() => second.device.restore(other)).toThrow('regionSize');
  });
});

describe('virtio-balloon', () => {
  function balloonRig() {
    const pages: number[] = [];
    const sizes: number[] = [];
    const balloon = new VirtioBalloon({
      name: 'virtio-mmio.0',
      clock,
      discard: (gpa) => pages.push(gpa),
      changed: (size) => sizes.push(size),
    });
    const device = mmio(balloon);
    const driver = new TestDriver(device, memory);
    driver.start(0, 2);
    return { balloon, device, driver, pages, sizes };
  }

  it('zeroes pages that the guest puts into it, and none that it takes out', () => {
    const { driver, pages, balloon, device } = balloonRig();
    balloon.resize(8192);
    expect(device.read(0x100, 4)).toBe(2);
    expect(driver.ask(new Uint8Array(Uint32Array.of(5, 0xffffffff).buffer), 0)).toEqual(new Uint8Array());
    expect(pages).toEqual([5 * 4096, 0xffffffff * 4096]);
    driver.start(0, 2);
    driver.ask(new Uint8Array(Uint32Array.of(5).buffer), 0, 1);
    expect(pages).toHaveLength(2);
  });

  it('reports the size that the guest reports', () => {
    const { device, sizes, balloon } = balloonRig();
    device.write(0x104, 4, 3);
    device.write(0x104, 4, 3);
    device.write(0x104, 2, 9);
    device.write(0x100, 4, 9);
    expect([balloon.size, sizes, device.read(0x100, 4)]).toEqual([3 * 4096, [3 * 4096], 0]);
    device.reset();
    expect(balloon.size).toBe(0);
  });

  it('does not let one request keep the machine busy', () => {
    const { driver, pages } = balloonRig();
    driver.ask(new Uint8Array(Uint32Array.from({ length: 1025 }).buffer), 0);
    expect(pages).toEqual([]);
    expect(log[0]).toMatch(/more than 4096 bytes/);
  });
});
