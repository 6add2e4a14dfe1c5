import { describe, expect, it } from 'vitest';
import { MemFlag, MemslotEngine } from '../memory/index';
import { HostMemory } from './host-memory';
import { PhysicalMemory } from './physical';

const PAGE = 4096;

/** Slots of four pages at gpa 0, 0x4000 and 0x8000 (read-only), apart in host memory; the second logs. Then a hole. */
function memory() {
  const host = new HostMemory();
  const engine = new MemslotEngine({ maxSlots: 8 });
  const hvas = [0, 1, 2].map((slot) => {
    host.allocate(PAGE, 'gap');
    return host.allocate(4 * PAGE, `${slot}`);
  });
  const flags = [0, MemFlag.LogDirtyPages, MemFlag.ReadOnly];
  for (const [slot, userspaceAddr] of hvas.entries()) {
    const region = { slot, asId: 0, flags: flags[slot]!, guestPhysAddr: slot * 4 * PAGE, memorySize: 4 * PAGE, userspaceAddr };
    expect(engine.changeUserMemoryRegions([region]).ok).toBe(true);
  }
  const dropped: [number, number][] = [];
  const physical = new PhysicalMemory(engine, host, (hva, length) => dropped.push([hva, length]));
  return { host, engine, physical, hvas, dropped };
}

const dirty = (engine: MemslotEngine): number => engine.peekDirtyLog(1)![0]!;

describe('guest-physical memory', () => {
  it('is written and read across slots that are apart in host memory, up to a hole', () => {
    const { host, physical, hvas } = memory();
    const bytes = Uint8Array.from({ length: 12 * PAGE }, (_, at) => at % 251);
    expect(physical.write(100, bytes)).toBe(12 * PAGE - 100);
    expect([...host.bytes.subarray(hvas[1]! - 4, hvas[1]!)]).toEqual([0, 0, 0, 0]);
    expect(host.bytes[hvas[1]!]).toBe((4 * PAGE - 100) % 251);
    expect(physical.read(100, 12 * PAGE - 100)).toEqual(bytes.subarray(0, 12 * PAGE - 100));
    expect(physical.read(100, 12 * PAGE - 99)).toBeUndefined();
    expect(physical.clear(200, 20 * PAGE)).toBe(12 * PAGE - 200);
    expect(physical.read(100, 12 * PAGE - 100)?.some((byte, at) => byte !== (at < 100 ? at : 0))).toBe(false);
  });

  it('marks the pages that were written, where writes are logged', () => {
    const { engine, physical } = memory();
    physical.write(4 * PAGE - 1, Uint8Array.of(1));
    expect(dirty(engine)).toBe(0);
    physical.write(4 * PAGE - 1, Uint8Array.of(1, 2));
    expect(dirty(engine)).toBe(1);
    physical.clear(6 * PAGE - 1, 2);
    expect(dirty(engine)).toBe(7);
    physical.write(7 * PAGE, new Uint8Array(2 * PAGE));
    expect(dirty(engine)).toBe(15);
  });

  it('drops decoded code from all bytes that were written', () => {
    const { physical, hvas, dropped } = memory();
    physical.write(3 * PAGE + 5, new Uint8Array(2 * PAGE));
    expect(dropped).toEqual([
      [hvas[0]! + 3 * PAGE + 5, PAGE - 5],
      [hvas[1]!, PAGE + 5],
    ]);
  });
});
