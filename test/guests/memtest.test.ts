import { describe, expect, it } from 'vitest';
import { MemFlag } from '../../engine/memory/types';
import { Memtest } from './memtest';

const MIB = 1 << 20;
const PAGE = 4096;

describe('Memtest86+', () => {
  it('reaches its third test without an error', async () => {
    const memtest = await Memtest.boot({ ram: 16 * MIB });
    memtest.runUntil(() => memtest.tests.length >= 3, 5e9, 'the third test');
    expect(memtest.errors).toBe(0);
    expect(memtest.screen.line(1)).toContain('Memtest86+ v6.10');
    expect(memtest.guest.machine.run.state).toBe('running');
  });

  it('finds errors in a read-only slot and nowhere else', async () => {
    const memtest = await Memtest.boot({ ram: 16 * MIB });
    const start = 10 * MIB;
    const { memory } = memtest.guest.machine;
    expect(memory.splitMemslot(memory.memslotAt(start / PAGE)!.slot, start, 100).ok).toBe(true);
    expect(memory.splitMemslot(100, start + PAGE, 101).ok).toBe(true);
    const { userspaceAddr } = memory.memslotById(100)!;
    const region = { slot: 100, flags: MemFlag.ReadOnly, guestPhysAddr: start, memorySize: PAGE, userspaceAddr };
    expect(memory.changeUserMemoryRegions([region]).ok).toBe(true);
    memtest.runUntil(() => memtest.tests.length >= 2, 5e9, 'the second test');
    expect(memtest.errors).toBeGreaterThan(0);
    expect(Math.min(...memtest.failing)).toBe(start);
    expect(Math.max(...memtest.failing)).toBe(start + PAGE - 8);
  });
});
