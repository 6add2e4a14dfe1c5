import { describe, expect, it } from 'vitest';
import type { BusDevice } from '../devices/bus';
import { MmioBus, PortBus } from './bus';

function recorder(name: string, value = 0x11223344) {
  const log: [string, number, number, number?][] = [];
  const device: BusDevice = {
    name,
    read: (offset, size) => {
      log.push(['r', offset, size]);
      return size === 4 ? value : value % 2 ** (8 * size);
    },
    write: (offset, size, written) => log.push(['w', offset, size, written]),
    peek: () => value,
    reset: () => {},
    save: () => ({}),
    check: () => {},
    restore: () => {},
  };
  return { device, log };
}

describe('port bus', () => {
  it('gives a device offsets from its own start and absent ports all ones', () => {
    const bus = new PortBus();
    const { device, log } = recorder('uart');
    bus.attach(device, 0x3f8, 8);
    expect(bus.read(0x3fa, 1)).toBe(0x44);
    bus.write(0x3f8, 2, 0xabcd);
    expect(log).toEqual([
      ['r', 2, 1],
      ['w', 0, 2, 0xabcd],
    ]);
    expect(bus.read(0x2f8, 1)).toBe(0xff);
    expect(bus.read(0xcfc, 4)).toBe(0xffffffff);
    expect(bus.read(0xffff, 2)).toBe(0xffff);
  });

  it('splits an access that runs past a device', () => {
    const bus = new PortBus();
    const { device, log } = recorder('one-port', 0x61);
    bus.attach(device, 0x61, 1);
    expect(bus.read(0x61, 2)).toBe(0xff61);
    bus.write(0x60, 4, 0x44332211);
    expect(log).toEqual([
      ['r', 0, 1],
      ['w', 0, 1, 0x22],
    ]);
  });

  it('refuses two devices on one port, naming both', () => {
    const bus = new PortBus();
    bus.attach(recorder('a').device, 0x70, 2);
    expect(() => bus.attach(recorder('b').device, 0x71, 1)).toThrow('b: port 0x71 belongs to a');
  });
});

describe('memory-mapped bus', () => {
  it('counts accesses that no device answers, but not a write to a READONLY slot', () => {
    const bus = new MmioBus((gpa) => gpa < 0x1000);
    const { device } = recorder('ioapic');
    bus.attach({ name: 'ioapic', start: 0xfec00000, end: 0xfec01000, device: () => device });
    expect(bus.read(0xfec00010, 4)).toBe(0x11223344);
    bus.write(0x10, 4, 1);
    expect(bus.holes).toBe(0);
    expect(bus.read(0x5000, 2)).toBe(0xffff);
    bus.write(0x5000, 1, 0);
    expect(bus.holes).toBe(2);
  });

  it('treats a device that is switched off as a hole', () => {
    const bus = new MmioBus(() => false);
    bus.attach({ name: 'lapic', start: 0xfee00000, end: 0xfee01000, device: () => undefined });
    expect(bus.read(0xfee00020, 4)).toBe(0xffffffff);
    expect(bus.holes).toBe(1);
  });
});
