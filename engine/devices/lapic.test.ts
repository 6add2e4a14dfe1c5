import { beforeEach, describe, expect, it } from 'vitest';
import { ApicBus } from './apic-bus';
import { IoApic } from './ioapic';
import { Lapic } from './lapic';
import { TestClock } from './test-clock';

interface Cpu {
  lapic: Lapic;
  pending: boolean;
  cr8: number;
  log: string[];
}

let clock: TestClock;
let bus: ApicBus;
let ioapic: IoApic;
let picVector: number;

function addCpu(id: number): Cpu {
  const cpu: Cpu = { lapic: undefined as unknown as Lapic, pending: false, cr8: 0, log: [] };
  cpu.lapic = new Lapic({
    id,
    bsp: id === 0,
    bus,
    clock,
    interrupt: (pending) => {
      cpu.pending = pending;
    },
    acknowledgePic: () => picVector,
    nmi: () => cpu.log.push('nmi'),
    init: () => cpu.log.push('init'),
    sipi: (vector) => cpu.log.push(`sipi ${vector}`),
    priority: {
      get: () => cpu.cr8,
      set: (value) => {
        cpu.cr8 = value;
      },
    },
    tscOffset: () => 1000,
  });
  return cpu;
}

const write = (cpu: Cpu, offset: number, value: number): void => cpu.lapic.write(offset, 4, value);
const read = (cpu: Cpu, offset: number): number => cpu.lapic.read(offset, 4);
const enable = (cpu: Cpu): void => write(cpu, 0xf0, 0x1ff);
const eoi = (cpu: Cpu): void => write(cpu, 0xb0, 0);
function route(pin: number, low: number, high = 0): void {
  ioapic.write(0, 4, 0x11 + pin * 2);
  ioapic.write(0x10, 4, high);
  ioapic.write(0, 4, 0x10 + pin * 2);
  ioapic.write(0x10, 4, low);
}
function entry(pin: number): number {
  ioapic.write(0, 4, 0x10 + pin * 2);
  return ioapic.read(0x10, 4);
}

let cpu: Cpu;

beforeEach(() => {
  clock = new TestClock();
  bus = new ApicBus();
  ioapic = new IoApic({ bus });
  cpu = addCpu(0);
  picVector = 0x08;
  enable(cpu);
});

describe('local APIC', () => {
  it('shows the registers that kernels look at', () => {
    expect(read(cpu, 0x20)).toBe(0);
    expect(read(cpu, 0x30)).toBe(0x50014);
    expect(read(addCpu(3), 0x20)).toBe(0x03000000);
    write(cpu, 0xd0, 0x01ffffff);
    expect(read(cpu, 0xd0)).toBe(0x01000000);
    expect(read(cpu, 0xf0)).toBe(0x1ff);
    expect(cpu.lapic.apicBase).toBe(0xfee00900);
  });

  it('serves the higher vector first and nests by priority class', () => {
    const self = (vector: number): void => write(cpu, 0x300, 0x44000 | vector);
    self(0x31);
    expect(cpu.lapic.acknowledge()).toBe(0x31);
    self(0x35); // same class: waits
    expect(cpu.pending).toBe(false);
    self(0x41);
    expect(cpu.lapic.acknowledge()).toBe(0x41);
    expect(read(cpu, 0xa0)).toBe(0x40);
    eoi(cpu);
    expect(cpu.pending).toBe(false);
    eoi(cpu);
    expect(cpu.lapic.acknowledge()).toBe(0x35);
  });

  it('the task priority is CR8', () => {
    write(cpu, 0x80, 0x50);
    expect(cpu.cr8).toBe(5);
    write(cpu, 0x300, 0x44055);
    expect(cpu.pending).toBe(false);
    expect(cpu.lapic.acknowledge()).toBe(-1);
    cpu.cr8 = 4;
    cpu.lapic.priorityChanged();
    expect(cpu.pending).toBe(true);
    expect(read(cpu, 0x80)).toBe(0x40);
  });

  it('one-shot timer with divider, as Linux programs it', () => {
    write(cpu, 0x3e0, 3); // by 16
    write(cpu, 0x320, 0xec);
    write(cpu, 0x380, 1000);
    clock.advance(8000);
    expect(read(cpu, 0x390)).toBe(500);
    expect(cpu.pending).toBe(false);
    clock.advance(8000);
    expect(cpu.lapic.acknowledge()).toBe(0xec);
    eoi(cpu);
    expect(read(cpu, 0x390)).toBe(0);
    clock.advance(1e9);
    expect(cpu.pending).toBe(false);
  });

  it('periodic timer keeps its beat and stops when masked', () => {
    write(cpu, 0x3e0, 0xb); // by 1
    write(cpu, 0x320, 0x20000 | 0x40);
    write(cpu, 0x380, 10_000);
    let ticks = 0;
    for (let i = 0; i < 1000; i++) {
      clock.advance(1000);
      if (!cpu.pending) continue;
      cpu.lapic.acknowledge();
      eoi(cpu);
      ticks++;
    }
    expect(ticks).toBe(100);
    write(cpu, 0x320, 0x30000 | 0x40);
    expect(clock.next()).toBeUndefined();
    clock.advance(25_000);
    expect(cpu.pending).toBe(false);
    write(cpu, 0x320, 0x20000 | 0x40);
    clock.advance(4000);
    expect(cpu.pending).toBe(false);
    clock.advance(1000);
    expect(cpu.pending).toBe(true);
  });

  it('TSC deadline fires when the TSC reaches it and disarms itself', () => {
    write(cpu, 0x320, 0x40000 | 0xec);
    expect(cpu.lapic.writeMsr(0x6e0, 51_000, 0)).toBe(true);
    expect(cpu.lapic.readMsr(0x6e0)).toBe(true);
    expect([cpu.lapic.msrLow, cpu.lapic.msrHigh]).toEqual([51_000, 0]);
    clock.advance(49_999); // TSC = ns + 1000
    expect(cpu.pending).toBe(false);
    clock.advance(1);
    expect(cpu.lapic.acknowledge()).toBe(0xec);
    cpu.lapic.readMsr(0x6e0);
    expect(cpu.lapic.msrLow).toBe(0);
    cpu.lapic.writeMsr(0x6e0, 0xffffffff, 0xffffffff);
    expect(clock.next()).toBeUndefined();
  });

  it('is the virtual wire of the 8259s until LVT0 is masked', () => {
    cpu.lapic.setPicLine(true);
    expect(cpu.pending).toBe(true);
    expect(cpu.lapic.acknowledge()).toBe(0x08);
    cpu.lapic.setPicLine(false);
    expect(cpu.pending).toBe(false);
    write(cpu, 0x350, 0x10700);
    cpu.lapic.setPicLine(true);
    expect(cpu.pending).toBe(false);
    expect(addCpu(1).lapic.pending).toBe(false);
  });

  it('software disable masks the LVT and keeps the rest', () => {
    write(cpu, 0x320, 0xec);
    write(cpu, 0xf0, 0xff);
    expect(read(cpu, 0x320)).toBe(0x100ec);
    write(cpu, 0x320, 0xec);
    expect(read(cpu, 0x320)).toBe(0x100ec);
  });

  it('sends IPIs: physical, logical, shorthands, INIT and start-up', () => {
    const others = [addCpu(1), addCpu(2)];
    for (const other of others) enable(other);
    write(cpu, 0x310, 0x01000000);
    write(cpu, 0x300, 0x40fd);
    expect(others.map((other) => other.pending)).toEqual([true, false]);
    write(cpu, 0x300, 0xc40fc); // all but self
    expect([cpu.pending, others[1]!.pending]).toEqual([false, true]);
    write(others[1]!, 0xd0, 0x04000000);
    write(cpu, 0x310, 0x04000000);
    write(cpu, 0x300, 0x4830);
    expect(others[1]!.lapic.acknowledge()).toBe(0xfc);
    eoi(others[1]!);
    expect(others[1]!.lapic.acknowledge()).toBe(0x30);
    write(cpu, 0x300, 0xc4400);
    expect(others[0]!.log).toEqual(['nmi']);
    write(cpu, 0x310, 0x02000000);
    write(cpu, 0x300, 0xc500);
    write(cpu, 0x300, 0x8500); // de-assert: nothing
    write(cpu, 0x300, 0x469a);
    expect(others[1]!.log).toEqual(['nmi', 'init', 'sipi 154']);
    expect(read(others[1]!, 0xf0)).toBe(0xff);
  });

  it('reports illegal vectors through ESR and its own vector', () => {
    write(cpu, 0x370, 0xfe);
    write(cpu, 0x300, 0x44005);
    expect(read(cpu, 0x280)).toBe(0);
    write(cpu, 0x280, 0);
    expect(read(cpu, 0x280)).toBe(0x20);
    expect(cpu.lapic.acknowledge()).toBe(0xfe);
  });

  it('x2APIC: allowed transitions only, registers as MSRs', () => {
    const { lapic } = cpu;
    expect(lapic.readMsr(0x802)).toBe(false);
    expect(lapic.writeMsr(0x1b, 0xfee00d00, 0)).toBe(true);
    expect(lapic.mmioVisible).toBe(false);
    expect(lapic.readMsr(0x80d)).toBe(true);
    expect(lapic.msrLow).toBe(1);
    expect(lapic.writeMsr(0x1b, 0xfee00900, 0)).toBe(false);
    expect(lapic.writeMsr(0x83f, 0x77, 0)).toBe(true);
    expect(lapic.acknowledge()).toBe(0x77);
    expect(lapic.writeMsr(0x80b, 1, 0)).toBe(false);
    expect(lapic.writeMsr(0x80b, 0, 0)).toBe(true);
    expect(lapic.writeMsr(0x80d, 5, 0)).toBe(false);
    expect(lapic.writeMsr(0x830, 0x4055, 0)).toBe(true); // fixed, destination 0: itself
    expect(lapic.acknowledge()).toBe(0x55);
    expect(lapic.writeMsr(0x1b, 0xfee00100, 0)).toBe(true);
    expect(lapic.enabled).toBe(false);
    expect(lapic.writeMsr(0x1b, 0xfee00d00, 0)).toBe(false);
    for (const [low, high] of [
      [0xfee00901, 0],
      [0xfee00a00, 0],
      [0xfee00900, 0x4000],
    ] as const)
      expect(lapic.writeMsr(0x1b, low, high)).toBe(false);
  });

  it('moves its page, which INIT leaves where it is and a reset takes back', () => {
    const { lapic } = cpu;
    expect(lapic.page).toBe(0xfee00000);
    expect(lapic.writeMsr(0x1b, 0x42000900, 0x12)).toBe(true);
    expect(lapic.page).toBe(0x1242000000);
    expect(lapic.readMsr(0x1b)).toBe(true);
    expect([lapic.msrLow, lapic.msrHigh]).toEqual([0x42000900, 0x12]);
    lapic.initReset();
    expect(lapic.page).toBe(0x1242000000);
    const state = lapic.save();
    lapic.reset();
    expect(lapic.page).toBe(0xfee00000);
    lapic.restore(state);
    expect(lapic.page).toBe(0x1242000000);
  });

  it('restores a running timer and pending vectors', () => {
    write(cpu, 0x3e0, 0xb);
    write(cpu, 0x320, 0x40);
    write(cpu, 0x380, 5000);
    write(cpu, 0x300, 0x44091);
    clock.advance(1000);
    const state = JSON.parse(JSON.stringify(cpu.lapic.save()));
    cpu.lapic.reset();
    expect(cpu.pending).toBe(false);
    cpu.lapic.restore(state);
    expect(cpu.lapic.save()).toEqual(state);
    expect(cpu.lapic.acknowledge()).toBe(0x91);
    eoi(cpu);
    clock.advance(4000);
    expect(cpu.lapic.acknowledge()).toBe(0x40);
    expect(() => cpu.lapic.restore({ ...state, timer: { ...state.timer, initial: 0 } })).toThrow(
      'timer running must not be true with initial 0',
    );
    expect(() => cpu.lapic.restore({ ...state, irr: [0] })).toThrow('lapic0: irr must have 8 entries, not 1');
  });
});

describe('I/O APIC', () => {
  it('shows version and masked entries at power-on', () => {
    ioapic.write(0, 4, 1);
    expect(ioapic.read(0x10, 4)).toBe(0x170020);
    expect(entry(23)).toBe(0x10000);
  });

  it('delivers an edge once and loses it while masked', () => {
    route(4, 0x10000 | 0x24);
    ioapic.line(4)(1);
    route(4, 0x24);
    expect(cpu.pending).toBe(false);
    ioapic.line(4)(0);
    ioapic.line(4)(1);
    expect(cpu.lapic.acknowledge()).toBe(0x24);
    eoi(cpu);
    expect(cpu.pending).toBe(false);
  });

  it('a level interrupt comes again after EOI for as long as the line is high', () => {
    route(9, 0x8000 | 0x39);
    ioapic.line(9)(1);
    expect(cpu.lapic.acknowledge()).toBe(0x39);
    expect(entry(9)).toBe(0xc039);
    expect(cpu.pending).toBe(false);
    eoi(cpu);
    expect(cpu.lapic.acknowledge()).toBe(0x39);
    ioapic.line(9)(0);
    eoi(cpu);
    expect(cpu.pending).toBe(false);
    expect(entry(9)).toBe(0x8039);
  });

  it('routes by destination, lowest priority included', () => {
    const second = addCpu(1);
    enable(second);
    write(cpu, 0xd0, 0x01000000);
    write(second, 0xd0, 0x02000000);
    cpu.cr8 = 2;
    route(3, 0x900 | 0x33, 0x03000000);
    ioapic.line(3)(1);
    expect([cpu.pending, second.pending]).toEqual([false, true]);
    route(5, 0x35, 0xff000000);
    ioapic.line(5)(1);
    expect(cpu.pending).toBe(true);
  });

  it('remote IRR cannot be written but goes with level mode', () => {
    route(9, 0xc039);
    expect(entry(9)).toBe(0x8039);
    ioapic.line(9)(1);
    expect(entry(9)).toBe(0xc039);
    route(9, 0x39);
    expect(entry(9)).toBe(0x39);
  });

  it('keeps a level interrupt until a vCPU takes it', () => {
    write(cpu, 0xf0, 0xff);
    route(9, 0x8039);
    ioapic.line(9)(1);
    expect(entry(9)).toBe(0x8039);
    enable(cpu);
    route(9, 0x8039);
    expect(cpu.pending).toBe(true);
  });

  it('restores and refuses', () => {
    route(9, 0x8039);
    ioapic.line(9)(1);
    const state = ioapic.save();
    ioapic.reset();
    expect(entry(9)).toBe(0x10000);
    ioapic.restore(JSON.parse(JSON.stringify(state)));
    expect(entry(9)).toBe(0xc039);
    expect(() => ioapic.restore({ ...state, entries: [] })).toThrow('ioapic: entries must have 24 entries, not 0');
    expect(() => ioapic.line(24)).toThrow('no I/O APIC pin 24');
  });
});
