/** Properties of every device, for any writes by a guest. */
import { describe, expect, it } from 'vitest';
import { ApicBus } from './apic-bus';
import type { BusDevice, IrqLine } from './bus';
import { CoprocessorError } from './coprocessor-error';
import { DebugExit } from './debug-exit';
import { DebugConsole } from './debugcon';
import { FloatingPorts } from './floating';
import { GenericEventDevice } from './ged';
import { IoApic } from './ioapic';
import { Lapic } from './lapic';
import { MemoryHotplug } from './memhp';
import { PicPair } from './pic';
import { Pit } from './pit';
import { ResetControl, SystemControlA } from './reset-control';
import { Rtc } from './rtc';
import { Serial } from './serial';
import { SystemControl } from './system-control';
import { TestClock } from './test-clock';
import { VirtioBalloon } from './virtio/balloon';
import { VirtioMem } from './virtio/mem';
import { type VirtioFunction, VirtioMmio } from './virtio/mmio';
import { FlatMemory } from './virtio/test-driver';

interface Board {
  clock: TestClock;
  /** Device and the bytes of its range. */
  devices: [BusDevice, number][];
  lines: IrqLine[];
  acknowledge: () => void;
  serial: Serial;
}

/** All devices connected as on the real board. */
function makeBoard(): Board {
  const clock = new TestClock();
  const bus = new ApicBus();
  let cr8 = 0;
  const lapics: Lapic[] = [];
  const pic = new PicPair({ interrupt: (pending) => lapics[0]?.setPicLine(pending) });
  for (const id of [0, 1]) {
    lapics.push(
      new Lapic({
        id,
        bsp: id === 0,
        bus,
        clock,
        interrupt: () => {},
        acknowledgePic: () => pic.acknowledge(),
        nmi: () => {},
        init: () => {},
        sipi: () => {},
        priority: {
          get: () => cr8,
          set: (value) => {
            cr8 = value;
          },
        },
      }),
    );
  }
  const ioapic = new IoApic({ bus });
  const isa = (irq: number): IrqLine => {
    const both = [pic.line(irq), ioapic.line(irq)];
    return (level) => {
      for (const line of both) line(level);
    };
  };
  const serial = new Serial({ irq: isa(4), output: () => {} });
  const pit = new Pit({ clock, irq: isa(0) });
  const ged = new GenericEventDevice({ irq: isa(9), powerOff: () => {}, reset: () => {} });
  const memhp = new MemoryHotplug({
    slots: 3,
    dimm: (slot) => (slot === 1 ? { base: 2 ** 32, length: 2 ** 27, node: 0 } : undefined),
    event: () => ged.raise(1),
    eject: (slot) => slot === 1,
    ost: () => {},
  });
  memhp.plug(1);
  const memory = new FlatMemory();
  const virtio = <S>(place: number, behind: VirtioFunction<S>) =>
    new VirtioMmio({ name: `virtio-mmio.${place}`, irq: (level) => ioapic.line(16 + place)(level), memory, log: () => {} }, behind);
  const mem = new VirtioMem({
    ...{ name: 'virtio-mmio.0', clock, addr: 2 ** 33, size: 2 ** 27, node: 0, requested: 2 ** 26 },
    ...{ plug: () => 'done', unplug: () => 'done', sizeChanged: () => {} },
  });
  const balloon = new VirtioBalloon({ name: 'virtio-mmio.1', clock, discard: () => {}, changed: () => {} });
  const devices: [BusDevice, number][] = [
    [lapics[0]!, 0x400],
    [lapics[1]!, 0x400],
    [ioapic, 0x50],
    [pic.master, 2],
    [pic.slave, 2],
    [pic.elcr, 2],
    [serial, 8],
    [pit, 4],
    [new SystemControl({ clock, pit }), 1],
    [new Rtc({ clock, irq: isa(8), start: 1.7e12 }), 2],
    [ged, 0x204],
    [memhp, 24],
    [virtio(0, mem), 0x140],
    [virtio(1, balloon), 0x108],
    [new DebugConsole({ output: () => {} }), 1],
    [new DebugExit({ exit: () => {} }), 2],
    [new FloatingPorts('keyboard', 0), 1],
    [new SystemControlA(() => {}), 1],
    [new ResetControl(() => {}), 4],
    [new CoprocessorError({ irq: isa(13), ignore: () => {} }), 1],
  ];
  return { clock, devices, lines: [isa(3), isa(10)], acknowledge: () => void lapics[0]!.acknowledge(), serial };
}

function randomFrom(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}

/** One thing that can happen to a board. */
function act(board: Board, random: (n: number) => number): void {
  const [device, length] = board.devices[random(board.devices.length)]!;
  const kind = random(12);
  if (kind === 0) board.clock.advance(random(20) === 0 ? random(2e9) : random(20_000));
  else if (kind === 1) board.lines[random(2)]!(random(2) as 0 | 1);
  else if (kind === 2) board.acknowledge();
  else if (kind === 3) board.serial.input(Uint8Array.from({ length: random(40) }, () => random(256)));
  else {
    const size = [1, 1, 4, 2][random(4)]!;
    const offset = size === 4 ? Math.floor(random(length) / 4) * 4 : random(length);
    // Small values reach far more states than uniform 32-bit ones.
    if (random(2) === 0) device.write(offset, size, random(3) === 0 ? random(2 ** 32) : random(2 ** (8 * Math.min(size, 2))));
    else check(device, offset, size);
  }
}

function check(device: BusDevice, offset: number, size: number): void {
  const before = JSON.stringify(device.save());
  const seen = device.peek(offset, size);
  expect(JSON.stringify(device.save()), `${device.name}: peek at ${offset} changed its state`).toBe(before);
  const value = device.read(offset, size);
  expect(value, `${device.name}: read and peek at ${offset} differ`).toBe(seen);
  expect(Number.isInteger(value) && value >= 0 && value < 2 ** (8 * size), `${device.name}: ${value} is no ${size}-byte value`).toBe(true);
}

const snapshot = (board: Board): string => JSON.stringify(board.devices.map(([device]) => device.save()));

describe('every device', () => {
  it.each([1, 2, 3, 4])('returns values in range, peeks without effect and survives random writes (seed %i)', (seed) => {
    const board = makeBoard();
    const random = randomFrom(seed);
    for (let i = 0; i < 6000; i++) act(board, random);
  });

  it.each([5, 6, 7])('continues from a restored state as from the original (seed %i)', (seed) => {
    const first = makeBoard();
    const random = randomFrom(seed);
    for (let i = 0; i < 3000; i++) act(first, random);
    const second = makeBoard();
    second.clock.advance(first.clock.now());
    const saved = snapshot(first);
    for (const [i, state] of (JSON.parse(saved) as Record<string, unknown>[]).entries()) second.devices[i]![0].restore(state);
    expect(snapshot(second)).toBe(saved);
    const [a, b] = [randomFrom(seed * 31), randomFrom(seed * 31)];
    for (let i = 0; i < 1500; i++) {
      act(first, a);
      act(second, b);
    }
    expect(snapshot(second)).toBe(snapshot(first));
  });

  it('checks the state of another board and keeps its own', () => {
    const [own, other] = [makeBoard(), makeBoard()];
    const random = randomFrom(8);
    for (let i = 0; i < 500; i++) act(other, random);
    const before = snapshot(own);
    for (const [i, [device]] of own.devices.entries()) device.check(other.devices[i]![0].save());
    expect(snapshot(own)).toBe(before);
    expect(snapshot(other)).not.toBe(before);
  });

  it('refuses a state with a field too few, too many or of the wrong type, and keeps its own', () => {
    const board = makeBoard();
    const random = randomFrom(9);
    for (let i = 0; i < 500; i++) act(board, random);
    for (const [device] of board.devices) {
      const good = device.save();
      for (const take of ['check', 'restore'] as const) expect(() => device[take]({ ...good, unknown: 1 })).toThrow(device.name);
      for (const field of Object.keys(good)) {
        const { [field]: _gone, ...rest } = good;
        expect(() => device.restore(rest)).toThrow(`${device.name}: ${field} is missing`);
        for (const wrong of [undefined, null, 'text', -1e15, 0.5, [], {}]) {
          if (JSON.stringify(wrong) === JSON.stringify(good[field])) continue;
          try {
            device.restore({ ...good, [field]: wrong });
          } catch (error) {
            expect((error as Error).message).toContain(`${device.name}: ${field}`);
            continue;
          }
          // Only a value that is valid there may pass: an optional one, or an empty list.
          expect([null, []]).toContainEqual(wrong);
          device.restore(good);
        }
      }
      expect(device.save()).toEqual(good);
    }
  });
});

describe('the file of every device', () => {
  const devices = import.meta.glob(['./*.ts', './virtio/*.ts', '!./**/*.test.ts'], { query: '?raw', import: 'default', eager: true });
  const sources = Object.entries(devices as Record<string, string>).filter(([, text]) =>
    /^export class .*(implements .*(BusDevice|VirtioFunction)|extends StatelessDevice)/m.test(text),
  );

  it.each(sources)('%s lists at its head what it leaves out', (_file, text) => {
    expect(text.slice(0, text.indexOf('*/'))).toContain('Not implemented: ');
  });

  it('is among them', () => expect(sources.length).toBeGreaterThan(14));
});
