/** ModRM operands: their bytes and their location in memory. */
import { CODE, DATA, DATA_SIZE, type Mode } from './case';
import type { Form } from './form';
import type { Random } from './random';

export type AddressSize = 16 | 32 | 64;

export interface MemoryOperand {
  base?: number;
  index?: number;
  scale: number;
  displacement: number;
  ripRelative: boolean;
  size: AddressSize;
}

export interface Operand {
  bytes: number[];
  /** Number in ModRM.reg, REX.R not counted. */
  reg: number;
  /** Number in ModRM.rm, REX.B counted; undefined: memory. */
  register?: number;
  memory?: MemoryOperand;
}

const BX = 3;
const BP = 5;
const SI = 6;
const DI = 7;
/** 16-bit addressing: SDM 2A table 2-1. */
const pairs: readonly (readonly [number | undefined, number | undefined])[] = [
  [BX, SI],
  [BX, DI],
  [BP, SI],
  [BP, DI],
  [SI, undefined],
  [DI, undefined],
  [BP, undefined],
  [BX, undefined],
];

function le(value: number, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, i) => (value >> (8 * i)) & 0xff);
}

/** `rex`: the prefix byte or 0. `mode` determines where the data page is and whether RIP-relative addressing exists. */
export function drawOperand(random: Random, form: Form, mode: Mode, size: AddressSize, rex: number): Operand {
  const reg = form.digit ?? random.below(8);
  const memory = form.modrm === 'mem' || (form.modrm === 'any' && random.chance(55));
  if (!memory) {
    const rm = random.below(8);
    return { bytes: [0xc0 | (reg << 3) | rm], reg, register: rm | ((rex & 1) << 3) };
  }
  const mod = random.below(3);
  const rm = random.below(8);
  const first = (mod << 6) | (reg << 3) | rm;
  return size === 16 ? operand16(random, first) : operand32(random, first, mode, size, rex);
}

function displacementOf(random: Random, mod: number): number {
  if (mod === 1) return random.pick([0, 1, 8, 0x10, 0x7f, -128, -8]);
  return mod === 2 ? random.pick([0, 64, -64, 0x123, -0x123]) : 0;
}

function operand16(random: Random, first: number): Operand {
  const [mod, rm] = [first >> 6, first & 7];
  const absolute = mod === 0 && rm === 6;
  const displacement = absolute ? random.below(DATA_SIZE) : displacementOf(random, mod);
  const [base, index] = absolute ? [undefined, undefined] : pairs[rm]!;
  const memory: MemoryOperand = { scale: 1, displacement, ripRelative: false, size: 16 };
  if (base !== undefined) memory.base = base;
  if (index !== undefined) memory.index = index;
  return { bytes: [first, ...le(displacement, absolute || mod === 2 ? 2 : mod)], reg: (first >> 3) & 7, memory };
}

function operand32(random: Random, first: number, mode: Mode, size: AddressSize, rex: number): Operand {
  const [mod, rm] = [first >> 6, first & 7];
  const bytes = [first];
  const memory: MemoryOperand = { scale: 1, displacement: displacementOf(random, mod), ripRelative: false, size };
  let base: number | undefined = rm;
  if (rm === 4) {
    const sib = random.below(256);
    bytes.push(sib);
    base = sib & 7;
    const index = ((sib >> 3) & 7) | ((rex & 2) << 2);
    if (index !== 4) memory.index = index;
    memory.scale = 1 << (sib >> 6);
  }
  const noBase = mod === 0 && base === 5;
  if (noBase) {
    memory.ripRelative = rm === 5 && mode === 64;
    // Never the bytes after the instruction: without the int3 there, the case would run on.
    if (memory.ripRelative) memory.displacement = random.pick([32, 64, -64, 0x123, -0x123]);
    else memory.displacement = (mode === 16 ? 0 : DATA) + random.below(DATA_SIZE);
  } else memory.base = base | ((rex & 1) << 3);
  bytes.push(...le(memory.displacement, noBase || mode2(mod) ? 4 : mod));
  return { bytes, reg: (first >> 3) & 7, memory };
}

const mode2 = (mod: number): boolean => mod === 2;

/** The effective address: `next` is where the following instruction lies. */
export function effectiveAddress(memory: MemoryOperand, gpr: BigUint64Array, next: number): bigint {
  let address = BigInt(memory.displacement);
  if (memory.ripRelative) address += BigInt(CODE + next);
  if (memory.base !== undefined) address += gpr[memory.base]!;
  if (memory.index !== undefined) address += gpr[memory.index]! * BigInt(memory.scale);
  return BigInt.asUintN(memory.size, address);
}

/** Changes the base register so that the operand lies at `wanted`; false if no base register may change. */
export function aimAt(memory: MemoryOperand, gpr: BigUint64Array, wanted: bigint): boolean {
  const { base, index } = memory;
  if (base === undefined || base === 4 || base === index) return false;
  const rest = index === undefined ? 0n : gpr[index]! * BigInt(memory.scale);
  gpr[base] = BigInt.asUintN(memory.size, wanted - rest - BigInt(memory.displacement));
  return true;
}
