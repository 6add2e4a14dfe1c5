/** Guest-physical memory as a device reaches it: through the memslots, and not into read-only ones. */
import { PAGE_SIZE } from '../abi/layout';
import type { GuestMemory } from '../devices/virtio/queue';
import type { MemslotEngine } from '../memory/index';
import { MemFlag } from '../memory/types';
import type { PhysicalMemory } from './physical';

export class DeviceMemory implements GuestMemory {
  constructor(
    private readonly engine: MemslotEngine,
    private readonly physical: PhysicalMemory,
  ) {}

  read(gpa: number, length: number): Uint8Array | undefined {
    return this.physical.read(gpa, length);
  }

  write(gpa: number, bytes: Uint8Array): boolean {
    if (!this.writable(gpa, bytes.length)) return false;
    return this.physical.write(gpa, bytes) === bytes.length;
  }

  /** Zeroes the page at gpa; nothing happens where it is no writable memory. */
  discard(gpa: number): void {
    if (this.writable(gpa, PAGE_SIZE)) this.physical.clear(gpa, PAGE_SIZE);
  }

  private writable(gpa: number, length: number): boolean {
    const end = Math.ceil((gpa + length) / PAGE_SIZE);
    for (let gfn = Math.floor(gpa / PAGE_SIZE); gfn < end; gfn++) {
      const slot = this.engine.memslotAt(gfn);
      if (!slot || (slot.flags & MemFlag.ReadOnly) !== 0) return false;
    }
    return true;
  }
}
