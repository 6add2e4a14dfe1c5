/** Random numbers and values for cases, the same on every machine. */
import { CODE, DATA, DATA_SIZE, type Mode } from './case';

/** xoshiro128** (Blackman and Vigna): period 2^128 - 1, and the same sequence on every machine. */
export class Random {
  readonly #s = new Uint32Array(4);
  constructor(seed: number) {
    // SplitMix32, so that similar seeds give unrelated states.
    let z = seed >>> 0;
    for (let i = 0; i < 4; i++) {
      z = (z + 0x9e3779b9) >>> 0;
      let mixed = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
      mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
      this.#s[i] = mixed ^ (mixed >>> 15);
    }
  }
  u32(): number {
    const s = this.#s;
    const product = Math.imul(s[1]!, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0;
    const shifted = s[1]! << 9;
    s[2]! ^= s[0]!;
    s[3]! ^= s[1]!;
    s[1]! ^= s[2]!;
    s[0]! ^= s[3]!;
    s[2]! ^= shifted;
    s[3] = (s[3]! << 11) | (s[3]! >>> 21);
    return result;
  }
  below(n: number): number {
    return this.u32() % n;
  }
  chance(percent: number): boolean {
    return this.below(100) < percent;
  }
  u64(): bigint {
    return (BigInt(this.u32()) << 32n) | BigInt(this.u32());
  }
  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }
}

const edges = [0n, 1n, 2n, 7n, 8n, 0x7fn, 0x80n, 0xffn, 0x7fffn, 0x8000n, 0xffffn, 0x7fffffffn, 0x80000000n, 0xffffffffn];
const wideEdges = [0x100000000n, 0x7fffffffffffffffn, 0x8000000000000000n, 0xffffffffffffffffn, 0x00007fffffffffffn, 0x0000800000000000n];

/** `data`: what an address of the data page is in this mode, 16-bit code having it at 0 of its segment. */
function addressOrNumber(random: Random, data: number): bigint {
  const kind = random.below(16);
  if (kind < 8) return BigInt(data + 64 + random.below(DATA_SIZE - 128));
  if (kind < 10) return BigInt(random.below(70));
  if (kind < 11) return BigInt.asUintN(64, -BigInt(random.below(70)));
  if (kind < 13) return random.pick(edges);
  if (kind < 14) return random.pick(wideEdges);
  // The last and first bytes of the pages: accesses that cross.
  if (kind < 15) return BigInt.asUintN(64, BigInt(data + random.pick([0, 4096, DATA_SIZE]) + random.below(16) - 8));
  // Somewhere to branch to.
  if (random.chance(40)) return BigInt((data === DATA ? CODE : 0) + random.below(500));
  return random.u64();
}

export function registerValue(random: Random, mode: Mode): bigint {
  if (mode === 64) return addressOrNumber(random, DATA);
  return BigInt.asUintN(32, addressOrNumber(random, mode === 16 ? 0 : DATA));
}

export function immediate(random: Random, bytes: number): number[] {
  const value = random.chance(50) ? random.u64() : random.pick([...edges, ...wideEdges, 3n, 15n, 31n, 33n, 63n, 64n]);
  return littleEndian(value, bytes);
}

export function littleEndian(value: bigint, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
}

const specials64 = [0, -0, 1, -1, Infinity, -Infinity, Number.NaN, 5e-324, 2.2e-308, 1e308, 2 ** 31, -(2 ** 31), 2 ** 63, 0.5, 1.5, 2.5];
const specials32 = [0, -0, 1.5, Infinity, Number.NaN, 1e-42, 3e38, 2 ** 31, 0.5, 2.5];

/** 64 bits of an XMM register: ordinary doubles and floats, NaN, infinities, denormals, integers. */
function xmmLane(view: DataView, at: number, random: Random): void {
  const kind = random.below(6);
  if (kind === 0) view.setFloat64(at, (random.u32() - 2 ** 31) / 1000, true);
  else if (kind === 1) {
    view.setFloat32(at, random.below(2000) - 1000, true);
    view.setFloat32(at + 4, random.u32() / 7, true);
  } else if (kind === 2) view.setFloat64(at, random.pick(specials64), true);
  else if (kind === 3) {
    view.setFloat32(at, random.pick(specials32), true);
    view.setFloat32(at + 4, random.pick([0, 2, -3.25, -Infinity, 1e-40]), true);
  } else view.setBigUint64(at, random.chance(30) ? random.pick(edges) : random.u64(), true);
}

/** An 80-bit register: mostly normal numbers of all sizes, some special, a few that no instruction produces (unnormals). */
function x87Register(view: DataView, at: number, random: Random): void {
  const sign = random.chance(40) ? 0x8000 : 0;
  const integer = 1n << 63n;
  const kind = random.below(16);
  if (kind < 7) {
    view.setBigUint64(at, random.u64() | integer, true);
    view.setUint16(at + 8, sign | (0x3fff + random.below(140) - 70), true);
  } else if (kind < 10) {
    // A small integer or half: useful for compares, rounding and scaling.
    const value = BigInt(random.below(4000) + 1);
    const length = value.toString(2).length;
    view.setBigUint64(at, value << BigInt(64 - length), true);
    view.setUint16(at + 8, sign | (0x3fff + length - 1 - random.below(3)), true);
  } else if (kind === 10) view.setUint16(at + 8, sign, true);
  else if (kind === 11) {
    view.setBigUint64(at, random.chance(50) ? integer : integer | (random.u64() >> 2n) | (random.chance(50) ? 1n << 62n : 0n), true);
    view.setUint16(at + 8, sign | 0x7fff, true);
  } else if (kind === 12) {
    view.setBigUint64(at, random.u64() >> BigInt(1 + random.below(60)), true);
    view.setUint16(at + 8, sign, true);
  } else if (kind === 13) {
    view.setBigUint64(at, random.u64(), true);
    view.setUint16(at + 8, random.u32() & 0xffff, true);
  } else {
    view.setBigUint64(at, random.u64() | integer, true);
    view.setUint16(at + 8, sign | (1 + random.below(0x7ffe)), true);
  }
}

/** FXSAVE image with all x87 exceptions masked; rounding and precision vary, and occasionally all bits of MXCSR. */
export function fxImage(random: Random): Uint8Array {
  const image = new Uint8Array(512);
  const view = new DataView(image.buffer);
  const precision = random.chance(80) ? 3 : random.pick([0, 2]);
  view.setUint16(0, 0x7f | (precision << 8) | (random.chance(30) ? random.below(4) << 10 : 0), true);
  view.setUint16(2, (random.below(8) << 11) | (random.chance(50) ? random.u32() & 0x4700 : 0), true);
  image[4] = random.chance(70) ? 0xff : random.below(256);
  view.setUint32(24, 0x1f80 | (random.chance(30) ? random.below(4) << 13 : 0), true);
  if (random.chance(15)) view.setUint32(24, random.u32() & random.pick([0xffff, 0xffc0, 0xffff]), true);
  view.setUint32(28, 0xffff, true);
  for (let i = 0; i < 8; i++) x87Register(view, 32 + 16 * i, random);
  for (let at = 160; at < 416; at += 8) xmmLane(view, at, random);
  return image;
}

/** Strings into the XMM registers of an image: of few letters, some with an end. */
export function drawTexts(image: Uint8Array, random: Random): void {
  for (let at = 160; at < 416; at += 16) {
    const letters = random.pick([
      [1, 2],
      [1, 2, 3, 0x80, 0xff],
      [0, 1, 2, 3, 4, 5],
      [0x41, 0x5a, 0x61, 0x7a, 0],
    ]);
    const wide = random.chance(40);
    for (let i = 0; i < 16; i++) image[at + i] = wide && i & 1 ? 0 : random.pick(letters);
    if (random.chance(50)) image.fill(0, at + random.below(17), at + random.below(17));
  }
}
