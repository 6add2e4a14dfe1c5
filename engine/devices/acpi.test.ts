import { describe, expect, it } from 'vitest';
import { GenericEventDevice } from './ged';
import { type MappedDimm, MemoryHotplug } from './memhp';
import { recorder } from './test-clock';

describe('generic event device', () => {
  function make() {
    const irq = recorder();
    const log: string[] = [];
    const ged = new GenericEventDevice({ irq: irq.line, powerOff: () => log.push('off'), reset: () => log.push('reset') });
    return { ged, irq, log };
  }

  it('collects events, raises an edge for each and clears them on read', () => {
    const { ged, irq } = make();
    ged.raise(1);
    ged.raise(2);
    expect(irq.rises).toBe(2);
    expect(ged.peek(0, 4)).toBe(3);
    expect(ged.read(0, 4)).toBe(3);
    expect(irq.level).toBe(0);
    expect(ged.read(0, 4)).toBe(0);
  });

  it('powers off for S5 and resets for 0x42, and for nothing else', () => {
    const { ged, log } = make();
    for (let value = 0; value < 256; value++) {
      ged.write(0x200, 1, value);
      ged.write(0x202, 1, value);
    }
    expect(log.filter((entry) => entry === 'reset')).toHaveLength(1);
    log.length = 0;
    ged.write(0x200, 1, (5 << 2) | 0x20);
    expect(log).toEqual(['off']);
    ged.write(0x200, 1, 5 << 2);
    ged.write(0x200, 1, (3 << 2) | 0x20);
    expect(log).toEqual(['off']);
  });

  it('restores its selector', () => {
    const { ged } = make();
    ged.restore({ selector: 5 });
    expect(ged.read(0, 4)).toBe(5);
    expect(() => ged.restore({ selector: -1 })).toThrow('acpi-ged: selector must be an integer from 0 to 4294967295, not -1');
  });
});

describe('memory hotplug registers', () => {
  function make(slots = 4) {
    const dimms = new Map<number, MappedDimm>();
    const log: string[] = [];
    let keep = false;
    const device = new MemoryHotplug({
      slots,
      dimm: (slot) => dimms.get(slot),
      event: () => log.push('event'),
      eject: (slot) => {
        log.push(`eject ${slot}`);
        if (!keep) dimms.delete(slot);
        return !keep;
      },
      ost: (slot, event, status) => log.push(`ost ${slot} ${event} ${status}`),
    });
    const refuse = (): void => {
      keep = true;
    };
    return { device, dimms, log, refuse };
  }
  const registers = (device: MemoryHotplug, slot: number): number[] => {
    device.write(0, 4, slot);
    return [0, 4, 8, 0xc, 0x10].map((offset) => device.read(offset, 4)).concat(device.read(0x14, 1));
  };

  it('reports what is plugged, through the whole life of a DIMM', () => {
    const { device, dimms, log } = make();
    dimms.set(2, { base: 0x1_4000_0000, length: 0x1_1000_0000, node: 1 });
    device.plug(2);
    expect(registers(device, 2)).toEqual([0x4000_0000, 1, 0x1000_0000, 1, 1, 3]);
    device.write(0x14, 1, 2);
    expect(registers(device, 2)[5]).toBe(1);
    device.write(4, 4, 1);
    device.write(8, 4, 0);
    device.requestUnplug(2);
    expect(registers(device, 2)[5]).toBe(5);
    device.write(0x14, 1, 4);
    device.write(4, 4, 3);
    device.write(8, 4, 0x84);
    device.write(0x14, 1, 8);
    expect(registers(device, 2)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(log).toEqual(['event', 'ost 2 1 0', 'event', 'ost 2 3 132', 'eject 2']);
    expect(device.status(2).ostStatus).toBe(0x84);
  });

  it('follows a DIMM that is moved while it is plugged', () => {
    const { device, dimms } = make();
    dimms.set(0, { base: 0x1000_0000, length: 0x800_0000, node: 0 });
    device.plug(0, false);
    expect(registers(device, 0)).toEqual([0x1000_0000, 0, 0x800_0000, 0, 0, 1]);
    dimms.set(0, { base: 0x3000_0000, length: 0x800_0000, node: 0 });
    expect(registers(device, 0)[0]).toBe(0x3000_0000);
  });

  it('keeps a DIMM that the board does not release', () => {
    const { device, dimms, refuse } = make();
    dimms.set(1, { base: 0, length: 0x800_0000, node: 0 });
    device.plug(1, false);
    refuse();
    device.write(0, 4, 1);
    device.write(0x14, 1, 8);
    expect(device.status(1).enabled).toBe(true);
  });

  it('ejects nothing from an empty slot', () => {
    const { device, log } = make();
    device.write(0, 4, 3);
    device.write(0x14, 1, 8);
    expect(log).toEqual([]);
  });

  it('answers a selector out of range with 0, unknown registers with ones', () => {
    const { device, log } = make();
    expect(registers(device, 4)).toEqual([0, 0, 0, 0, 0, 0]);
    device.write(8, 4, 1);
    device.write(0x14, 1, 8);
    expect(log).toEqual([]);
    device.write(0, 4, 0);
    expect(device.read(0x15, 1)).toBe(0xff);
    expect(device.read(0x11, 4)).toBe(0xffffffff);
    const none = make(0);
    expect(registers(none.device, 0)).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it('a reset keeps plugged memory and drops unseen events', () => {
    const { device, dimms } = make();
    dimms.set(0, { base: 0x1000_0000, length: 0x800_0000, node: 0 });
    device.plug(0);
    device.requestUnplug(0);
    device.reset();
    expect(registers(device, 0)[5]).toBe(1);
  });

  it('restores, and refuses another number of slots', () => {
    const { device } = make();
    device.plug(3);
    const state = JSON.parse(JSON.stringify(device.save()));
    const other = make();
    other.device.restore(state);
    expect(other.device.save()).toEqual(state);
    expect(() => make(2).device.restore(state)).toThrow('acpi-mem-hotplug: slots must have 2 entries, not 4');
    expect(() => device.plug(4)).toThrow('no DIMM slot 4: there are 4');
  });
});
