/** Decodes the LZ4 "legacy frame" that Debian's kernels are packed with (LZ4 frame format, section "Legacy frame"). */

const MAGIC = 0x184c2102;
/** A legacy frame is a run of blocks that unpack to this many bytes each; only the last is shorter. */
const BLOCK = 8 << 20;

/** Unpacks one block into `to` at `at`; returns the end position. Throws if the block points outside of the unpacked data. */
function block(from: Uint8Array, to: Uint8Array, at: number): number {
  let i = 0;
  let o = at;
  const length = (start: number): number => {
    let total = start;
    if (start !== 15) return total;
    for (;;) {
      const more = from[i++];
      if (more === undefined) throw new Error('LZ4: a length runs past the end of its block');
      total += more;
      if (more !== 255) return total;
    }
  };
  while (i < from.length) {
    const token = from[i++]!;
    const literals = length(token >> 4);
    if (i + literals > from.length || o + literals > to.length) throw new Error('LZ4: literals run past the end');
    to.set(from.subarray(i, i + literals), o);
    i += literals;
    o += literals;
    if (i === from.length) break;
    const distance = from[i]! | (from[i + 1]! << 8);
    i += 2;
    const match = length(token & 15) + 4;
    if (distance === 0 || distance > o - at || o + match > to.length) throw new Error('LZ4: a match points outside of what was unpacked');
    if (distance >= match) to.copyWithin(o, o - distance, o - distance + match);
    else for (let k = 0; k < match; k++) to[o + k] = to[o + k - distance]!;
    o += match;
  }
  return o;
}

/** `size`: bytes that it unpacks to (a kernel's payload has it in its last 4 bytes). Throws an Error that says what is wrong. */
export function unpackLz4Legacy(frame: Uint8Array, size: number): Uint8Array {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (frame.length < 8 || view.getUint32(0, true) !== MAGIC) throw new Error('LZ4: the data does not start with the legacy frame magic');
  const out = new Uint8Array(size);
  let at = 4;
  let o = 0;
  while (at + 4 <= frame.length && o < size) {
    const length = view.getUint32(at, true);
    at += 4;
    if (at + length > frame.length) throw new Error('LZ4: a block runs past the end of the data');
    const end = block(frame.subarray(at, at + length), out, o);
    if (end - o > BLOCK) throw new Error('LZ4: a block is larger than 8 MiB');
    o = end;
    at += length;
  }
  if (o !== size) throw new Error(`LZ4: unpacked ${o} bytes, should be ${size}`);
  return out;
}
