/** Makes cases from forms, reproducibly: the same seed gives the same cases. */
import { type Case, CODE, CODE_SIZE, DATA, DATA_SIZE, FLAG, RETURN_ADDRESS } from './case';
import type { Form } from './forms';

/** xorshift128+ on 32-bit words: small, fast, and the same everywhere. */
export class Random {
  #a: number;
  #b: number;
  constructor(seed: number) {
    this.#a = (seed ^ 0x6a09e667) >>> 0 || 1;
    this.#b = (Math.imul(seed, 0x9e3779b1) ^ 0xbb67ae85) >>> 0 || 1;
    for (let i = 0; i < 8; i++) this.u32();
  }
  u32(): number {
    let x = this.#a;
    const y = this.#b;
    this.#a = y;
    x ^= x << 23;
    this.#b = (x ^ y ^ (x >>> 17) ^ (y >>> 26)) >>> 0;
    return (this.#b + y) >>> 0;
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

function registerValue(random: Random): bigint {
  const kind = random.below(16);
  if (kind < 8) return BigInt(DATA + 64 + random.below(DATA_SIZE - 128));
  if (kind < 10) return BigInt(random.below(70));
  if (kind < 11) return BigInt.asUintN(64, -BigInt(random.below(70)));
  if (kind < 13) return random.pick(edges);
  if (kind < 14) return random.pick(wideEdges);
  // The last and first bytes of the pages: accesses that cross.
  if (kind < 15) return BigInt(DATA + random.pick([0, 4096, DATA_SIZE]) + random.below(16) - 8);
  // Somewhere to branch to.
  if (random.chance(40)) return BigInt(CODE + random.below(500));
  return random.u64();
}

function immediate(random: Random, bytes: number): number[] {
  const value = random.chance(50) ? random.u64() : random.pick([...edges, ...wideEdges, 3n, 15n, 31n, 33n, 63n, 64n]);
  return Array.from({ length: bytes }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
}

function modrmBytes(random: Random, form: Form): number[] {
  const reg = form.digit ?? random.below(8);
  const memory = form.modrm === 'mem' || (form.modrm === 'any' && random.chance(55));
  if (!memory) return [0xc0 | (reg << 3) | random.below(8)];
  const mod = random.below(3);
  const rm = random.below(8);
  const bytes = [(mod << 6) | (reg << 3) | rm];
  const sib = random.below(256);
  if (rm === 4) bytes.push(sib);
  const noBase = mod === 0 && (rm === 5 || (rm === 4 && (sib & 7) === 5));
  if (mod === 1) bytes.push(random.pick([0, 1, 8, 0x10, 0x7f, 0x80, 0xf8]));
  if (mod === 2 || noBase) {
    const ripRelative = noBase && rm === 5;
    // Never the bytes behind the instruction: changing the int3 there would make the case run on.
    const displacement =
      noBase && !ripRelative ? DATA + random.below(DATA_SIZE) : random.pick([ripRelative ? 32 : 0, 64, -64, 0x123, -0x123]);
    for (let i = 0; i < 4; i++) bytes.push((displacement >> (8 * i)) & 0xff);
  }
  return bytes;
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

/** An 80-bit register: mostly normal numbers of all sizes, some special, few that no instruction makes (unnormals). */
function x87Register(view: DataView, at: number, random: Random): void {
  const sign = random.chance(40) ? 0x8000 : 0;
  const integer = 1n << 63n;
  const kind = random.below(16);
  if (kind < 7) {
    view.setBigUint64(at, random.u64() | integer, true);
    view.setUint16(at + 8, sign | (0x3fff + random.below(140) - 70), true);
  } else if (kind < 10) {
    // A small integer or half: what compares, rounds and scales.
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

/** FXSAVE image with all exceptions masked; rounding and precision vary. */
function fxImage(random: Random): Uint8Array {
  const image = new Uint8Array(512);
  const view = new DataView(image.buffer);
  const precision = random.chance(80) ? 3 : random.pick([0, 2]);
  view.setUint16(0, 0x7f | (precision << 8) | (random.chance(30) ? random.below(4) << 10 : 0), true);
  view.setUint16(2, (random.below(8) << 11) | (random.chance(50) ? random.u32() & 0x4700 : 0), true);
  image[4] = random.chance(70) ? 0xff : random.below(256);
  view.setUint32(24, 0x1f80 | (random.chance(30) ? random.below(4) << 13 : 0), true);
  view.setUint32(28, 0xffff, true);
  for (let i = 0; i < 8; i++) x87Register(view, 32 + 16 * i, random);
  for (let at = 160; at < 416; at += 8) xmmLane(view, at, random);
  return image;
}

function shiftCount(form: Form, code: readonly number[], gpr: BigUint64Array): number {
  const last = form.opcode.at(-1)!;
  if (form.imm === 1) return code.at(-1)!;
  if ((last & 0xfe) === 0xd0) return 1;
  return Number(gpr[1]! & 0xffn);
}

function operandBits(form: Form, operand16: boolean, rexW: boolean): number {
  if (!form.sized) return 8;
  return rexW ? 64 : operand16 ? 16 : 32;
}

function undefinedByShift(form: Form, count: number, bits: number): number {
  const masked = count & (bits === 64 ? 63 : 31);
  if (masked === 0) return 0;
  const overflow = masked === 1 ? 0 : FLAG.OF;
  if (form.shift === 'rotate') return overflow;
  return FLAG.AF | overflow | (masked >= bits ? FLAG.CF : 0);
}

/** One case of a form, or undefined where the draw has no defined result (16-bit double shifts by more than 16, bswap of 16 bits). */
export function makeCase(form: Form, random: Random): Case | undefined {
  const operand16 = form.sized === true && !form.no16 && form.mandatory === undefined && random.chance(20);
  const rexW = (form.sized === true || form.rexW === true) && random.chance(35);
  const rex = rexW || random.chance(40) ? 0x40 | (rexW ? 8 : 0) | (random.below(8) & 7) : 0;
  const bytes: number[] = [];
  if (form.lock && random.chance(10)) bytes.push(0xf0);
  if (form.rep && random.chance(60)) bytes.push(form.rep === 'rep' ? 0xf3 : random.pick([0xf2, 0xf3]));
  if (operand16) bytes.push(0x66);
  if (random.chance(4) && !form.branch) bytes.push(0x67);
  if (random.chance(4)) bytes.push(random.pick([0x26, 0x2e, 0x36, 0x3e]));
  if (form.mandatory !== undefined) bytes.push(form.mandatory);
  if (rex) bytes.push(rex);
  bytes.push(...form.opcode);
  if (form.plusReg) bytes[bytes.length - 1]! += random.below(8);
  if (form.modrm) bytes.push(...modrmBytes(random, form));

  const immBytes = form.imm === 'z' ? (operand16 && !rexW ? 2 : 4) : form.imm === 'v' ? (rexW ? 8 : operand16 ? 2 : 4) : (form.imm ?? 0);
  const offset = 512 + random.below(CODE_SIZE - 1024);
  if (form.branch) {
    const distance = random.below(400) - 200;
    const near = immBytes === 1 ? distance % 100 : distance;
    // Never back into the instruction itself: that loops for ever.
    const displacement = near < 0 && near >= -15 ? near - 20 : near;
    for (let i = 0; i < immBytes; i++) bytes.push((displacement >> (8 * i)) & 0xff);
  } else bytes.push(...immediate(random, immBytes));
  if (bytes.length > 15) return undefined;

  const gpr = new BigUint64Array(16);
  for (let i = 0; i < 16; i++) gpr[i] = registerValue(random);
  if (!random.chance(3)) gpr[4] = BigInt(DATA + 512 + random.below(DATA_SIZE - 1024));
  // Most packed operands must be aligned.
  if (form.fpu && random.chance(70)) for (let i = 0; i < 16; i++) gpr[i]! &= ~15n;
  if (form.name.startsWith('ret') && random.chance(70)) gpr[4] = BigInt(DATA + RETURN_ADDRESS + 256 * random.below(DATA_SIZE / 256));
  if (form.rep) gpr[1] = BigInt(random.below(40));
  if (form.name.startsWith('div') || form.name.startsWith('idiv')) {
    // Most random dividends overflow: make the quotient fit half of the time.
    if (random.chance(60)) gpr[2] = random.chance(70) ? 0n : 0xffffffffffffffffn;
  }
  let undefinedFlags = form.undefinedFlags ?? 0;
  if (form.shift) {
    const bits = operandBits(form, operand16, rexW);
    const count = shiftCount(form, bytes, gpr);
    if (form.shift === 'double' && bits === 16 && (count & 31) > 16) return undefined;
    undefinedFlags |= undefinedByShift(form, count, bits);
  }
  const code = new Uint8Array(16).fill(0xcc);
  code.set(bytes);
  const status = random.u32() & (FLAG.CF | FLAG.PF | FLAG.AF | FLAG.ZF | FLAG.SF | FLAG.OF);
  const flags = 0x202 | status | (form.rep && random.chance(25) ? FLAG.DF : 0);
  return {
    name: form.name,
    code,
    gpr,
    flags,
    offset,
    fx: fxImage(random),
    undefinedFlags,
    usesFpu: form.fpu === true,
    undefinedFsw: form.undefinedFsw ?? 0,
  };
}

export function makeCases(forms: readonly Form[], count: number, seed: number): Case[] {
  const random = new Random(seed);
  const cases: Case[] = [];
  while (cases.length < count) {
    const made = makeCase(forms[(seed + cases.length) % forms.length]!, random) ?? makeCase(random.pick(forms), random);
    if (made) cases.push(made);
  }
  return cases;
}
