/**
 * Guest-physical memory as devices access it: through the memslots, and never writing to read-only ones. A device cannot retry like a vCPU: if it
 * meets an INVALID slot, the commit that made it INVALID is completed first.
 */
import { PAGE_SIZE } from '../abi/layout';
import type { GuestMemory } from '../devices/virtio/queue';
import { MEMSLOT_INVALID, type MemslotEngine } from '../memory/index';
import { MemFlag } from '../memory/types';
import type { PhysicalMemory } from './physical';

export class DeviceMemory implements GuestMemory {
  constructor(
    private readonly engine: MemslotEngine,
    private readonly physical: PhysicalMemory,
    private readonly settle: () => void,
  ) {}

  read(gpa: number, length: number): Uint8Array | undefined {
    this.leaveInvalid(gpa, length);
    return this.physical.read(gpa, length);
  }

  write(gpa: number, bytes: Uint8Array): boolean {
    if (!this.writable(gpa, bytes.length)) return false;
    return this.physical.write(gpa, bytes) === bytes.length;
  }

  /** Zeroes the page at gpa; does nothing if that is no writable memory. */
  discard(gpa: number): void {
    if (this.writable(gpa, PAGE_SIZE)) this.physical.clear(gpa, PAGE_SIZE);
  }

  private writable(gpa: number, length: number): boolean {
    this.leaveInvalid(gpa, length);
    const end = Math.ceil((gpa + length) / PAGE_SIZE);
    for (let gfn = Math.floor(gpa / PAGE_SIZE); gfn < end; gfn++) {
      const slot = this.engine.memslotAt(gfn);
      if (!slot || (slot.flags & MemFlag.ReadOnly) !== 0) return false;
    }
    return true;
  }

  /** No page of [gpa, gpa + length) is INVALID afterwards. */
  private leaveInvalid(gpa: number, length: number): void {
    const end = Math.ceil((gpa + length) / PAGE_SIZE);
    for (let gfn = Math.floor(gpa / PAGE_SIZE); gfn < end; gfn++) {
      const slot = this.engine.memslotAt(gfn);
      if (!slot) return;
      if (slot.flags < MEMSLOT_INVALID) continue;
      this.settle();
      return;
    }
  }
}
