/**
 * Which pages of one slot were written. Offsets are pages from the start of the slot.
 *
 * `bits` is what GET and CLEAR_DIRTY_LOG see; `ringed` marks pages that have an entry in a dirty ring, not reset yet. Either
 * may be absent, by the engine's mode (KVM: dirty_bitmap is not allocated when only a ring is used).
 */
export class DirtyState {
  readonly pages: number;
  bits: Uint8Array | undefined;
  ringed: Uint8Array | undefined;
  private readonly written: { pages: number };

  /** `written` counts pages that become dirty here. Throws RangeError when the host has no memory for the maps. */
  constructor(pages: number, mode: { bitmap: boolean; ring: boolean; allOnes: boolean }, written: { pages: number }) {
    this.pages = pages;
    this.written = written;
    this.bits = mode.bitmap ? new Uint8Array(bitmapBytes(pages)) : undefined;
    this.ringed = mode.ring ? new Uint8Array(bitmapBytes(pages)) : undefined;
    if (this.bits && mode.allOnes) setBits(this.bits, 0, pages);
  }

  /** Switches to another mode of the engine: with a bitmap or without, nothing in a ring. May throw RangeError. */
  reshape(mode: { bitmap: boolean; ring: boolean }): void {
    this.ringed = mode.ring ? new Uint8Array(bitmapBytes(this.pages)) : undefined;
    if (!mode.bitmap) this.bits = undefined;
    else this.bits ??= new Uint8Array(bitmapBytes(this.pages));
  }

  /** Rings were enabled while the slot was logging: its bitmap stays. */
  addRing(): void {
    this.ringed = new Uint8Array(bitmapBytes(this.pages));
  }

  /** A write that no dirty ring takes. */
  mark(offset: number): void {
    if (!this.bits || testBit(this.bits, offset)) return;
    setBit(this.bits, offset);
    this.written.pages++;
  }

  /** True where a vCPU's next write has to be recorded. */
  isClean(offset: number): boolean {
    const live = this.ringed ?? this.bits;
    return live !== undefined && (live[offset >>> 3]! & (1 << (offset & 7))) === 0;
  }
}

/** ALIGN(npages, 64) / 8, the size that KVM_GET_DIRTY_LOG writes. */
export function bitmapBytes(pages: number): number {
  return Math.ceil(pages / 64) * 8;
}

export function testBit(bits: Uint8Array, offset: number): boolean {
  return (bits[offset >>> 3]! & (1 << (offset & 7))) !== 0;
}

export function setBit(bits: Uint8Array, offset: number): void {
  bits[offset >>> 3]! |= 1 << (offset & 7);
}

export function clearBit(bits: Uint8Array, offset: number): void {
  bits[offset >>> 3]! &= ~(1 << (offset & 7));
}

/** Sets [start, end). */
export function setBits(bits: Uint8Array, start: number, end: number): void {
  let at = start;
  for (; at < end && at % 8 !== 0; at++) setBit(bits, at);
  const whole = Math.floor((end - at) / 8);
  if (whole > 0) bits.fill(0xff, at / 8, at / 8 + whole);
  for (at += Math.max(0, whole) * 8; at < end; at++) setBit(bits, at);
}

/** Ors `count` bits of `from` at `fromOffset` into `to` at `toOffset`. */
export function orBits(to: Uint8Array, toOffset: number, from: Uint8Array, fromOffset: number, count: number): void {
  if (toOffset % 8 === fromOffset % 8) {
    let done = 0;
    for (; done < count && (toOffset + done) % 8 !== 0; done++) if (testBit(from, fromOffset + done)) setBit(to, toOffset + done);
    const target = (toOffset + done) / 8;
    const source = (fromOffset + done) / 8;
    const whole = Math.floor((count - done) / 8);
    for (let i = 0; i < whole; i++) to[target + i]! |= from[source + i]!;
    for (done += whole * 8; done < count; done++) if (testBit(from, fromOffset + done)) setBit(to, toOffset + done);
    return;
  }
  for (let i = 0; i < count; i++) if (testBit(from, fromOffset + i)) setBit(to, toOffset + i);
}

/**
 * Runs of set bits as half-open page ranges. After `limit` runs the rest comes as one range from the first to the last set bit:
 * one write tag dropped in vain costs one slow write, a long list of ranges costs every listener.
 */
export function runsOf(bits: Uint8Array, pages: number, limit = 256): { start: number; end: number }[] {
  const runs: { start: number; end: number }[] = [];
  let at = 0;
  while (at < pages) {
    if (bits[at >>> 3] === 0) {
      at = at - (at % 8) + 8;
      continue;
    }
    if (!testBit(bits, at)) {
      at++;
      continue;
    }
    const start = at;
    while (at < pages && testBit(bits, at)) at++;
    if (runs.length < limit) runs.push({ start, end: at });
    else runs[runs.length - 1]!.end = at;
  }
  return runs;
}
