import { describe, expect, it } from 'vitest';
import { MemFlag } from '../memory/index';
import { checkRamSize, layoutBootRam } from './boot-ram';
import { E820_ACPI, E820_RAM, E820_RESERVED, highestRam, isRam, makeE820 } from './e820';
import { HostMemory } from './host-memory';

const MIB = 0x100000;
const GIB = 0x40000000;

describe('boot RAM', () => {
  it.each([2 * MIB, 3 * MIB, 64 * MIB, 256 * MIB])('%i bytes: covers [0, end) without gap or overlap', (ram) => {
    const slots = layoutBootRam(new HostMemory(), ram);
    let at = 0;
    for (const { region } of slots) {
      expect(region.guestPhysAddr).toBe(at);
      at += region.memorySize;
    }
    expect(at).toBe(ram);
    expect(slots.find((slot) => slot.name === 'bios')!.region.flags).toBe(MemFlag.ReadOnly);
  });

  it('maps no two neighbours with the same offset', () => {
    const slots = layoutBootRam(new HostMemory(), 64 * MIB);
    const offsets = slots.map(({ region }) => region.userspaceAddr - region.guestPhysAddr);
    offsets.forEach((offset, index) => {
      expect(offset).not.toBe(offsets[index + 1]);
    });
  });

  it('puts memory that does not fit below the hole above 4 GiB', () => {
    let next = 0x2000000;
    const allocate = (size: number) => {
      next += size;
      return next - size;
    };
    const slots = layoutBootRam({ allocate } as unknown as HostMemory, 4 * GIB);
    const last = slots.at(-1)!;
    expect(last.name).toBe('ram.c');
    expect(last.region.guestPhysAddr).toBe(4 * GIB);
    expect(last.region.memorySize).toBe(4 * GIB - 0xe0000000);
  });

  it('refuses invalid sizes and names them', () => {
    expect(() => checkRamSize(MIB)).toThrow('RAM size 1048576 is too small');
    expect(() => checkRamSize(2 * MIB + 1)).toThrow('RAM size 2097153 must be a multiple of 1 MiB');
  });
});

describe('e820', () => {
  const sources = [
    { start: 0, end: 0xa0000, type: E820_RAM },
    { start: 0xa0000, end: 0xc0000, type: E820_RESERVED },
    { start: 0xc0000, end: 0x100000, type: E820_RESERVED },
    { start: 0x100000, end: 0x200000, type: E820_RAM },
    { start: 0x200000, end: 0x400000, type: E820_RAM },
    { start: 0x8000000, end: 0x10000000, type: undefined },
  ];

  it('joins neighbours of one type, leaves DIMMs out and cuts the ACPI tables out of the ROM', () => {
    expect(makeE820(sources, { start: 0xe0000, end: 0xe1000 })).toEqual([
      { start: 0, end: 0xa0000, type: E820_RAM },
      { start: 0xa0000, end: 0xe0000, type: E820_RESERVED },
      { start: 0xe0000, end: 0xe1000, type: E820_ACPI },
      { start: 0xe1000, end: 0x100000, type: E820_RESERVED },
      { start: 0x100000, end: 0x400000, type: E820_RAM },
    ]);
  });

  it('finds room from the top, within bounds', () => {
    const map = makeE820(sources);
    expect(highestRam(map, 0x1000, 0, 0xffffffff)).toBe(0x3ff000);
    expect(highestRam(map, 0x1001, 0, 0x380000)).toBe(0x37e000);
    expect(highestRam(map, 0x300000, 0x200000, 0xffffffff)).toBeUndefined();
    expect(isRam(map, 0x1ff000, 0x201000)).toBe(true);
    expect(isRam(map, 0x9f000, 0xa1000)).toBe(false);
  });
});
