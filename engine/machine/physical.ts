/** Guest-physical memory for the host: bytes at a gpa, found slot by slot through the memslots. */
import { PAGE_SIZE } from '../abi/layout';
import type { MemslotEngine } from '../memory/index';
import { MemFlag } from '../memory/types';
import type { HostMemory } from './host-memory';

/** Largest single read for the monitor: a typed array of this size must be possible. */
const MAX_READ = 0x80000000;

export class PhysicalMemory {
  constructor(
    private readonly engine: MemslotEngine,
    private readonly host: HostMemory,
    /** Decoded code from [hva, hva + length) must be dropped. */
    private readonly invalidateCode: (hva: number, length: number) => void,
  ) {}

  /** A copy of [gpa, gpa + length), or undefined if a byte is not backed by a slot. */
  read(gpa: number, length: number): Uint8Array | undefined {
    if (length > MAX_READ || this.backed(gpa, length) < length) return undefined;
    const result = new Uint8Array(length);
    this.forEachPiece(gpa, length, (hva, done, piece) => {
      result.set(this.host.bytes.subarray(hva, hva + piece), done);
    });
    return result;
  }

  /** Writes until the first byte that no slot backs; returns the number of bytes written. READONLY slots are written too: they bind only the guest. */
  write(gpa: number, bytes: Uint8Array): number {
    return this.forEachPiece(gpa, bytes.length, (hva, done, piece, flags) => {
      this.host.bytes.set(bytes.subarray(done, done + piece), hva);
      this.wrote(hva, piece, gpa + done, flags);
    });
  }

  /** Writes zeros; otherwise as `write`. */
  clear(gpa: number, length: number): number {
    return this.forEachPiece(gpa, length, (hva, done, piece, flags) => {
      this.host.bytes.fill(0, hva, hva + piece);
      this.wrote(hva, piece, gpa + done, flags);
    });
  }

  /** How many bytes from gpa on are backed without a gap, at most `length`. */
  backed(gpa: number, length: number): number {
    return this.forEachPiece(gpa, length, () => {});
  }

  /** `flags`: of the slot. */
  private wrote(hva: number, length: number, gpa: number, flags: number): void {
    this.invalidateCode(hva, length);
    if ((flags & MemFlag.LogDirtyPages) === 0) return;
    for (let gfn = Math.floor(gpa / PAGE_SIZE); gfn * PAGE_SIZE < gpa + length; gfn++) this.engine.markDirty(gfn);
  }

  /** Visits the part of each slot in turn, until the first byte that no slot backs. */
  private forEachPiece(gpa: number, length: number, visit: (hva: number, done: number, piece: number, flags: number) => void): number {
    let done = 0;
    while (done < length) {
      const at = gpa + done;
      const hva = this.engine.gpaToHva(at);
      const slot = hva < 0 ? undefined : this.engine.memslotAt(Math.floor(at / PAGE_SIZE));
      if (!slot) break;
      const piece = Math.min(length - done, (slot.baseGfn + slot.npages) * PAGE_SIZE - at);
      visit(hva, done, piece, slot.flags);
      done += piece;
    }
    return done;
  }
}
