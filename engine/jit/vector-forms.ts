/**
 * The SSE and SSE2 instructions that are compiled, and their WebAssembly instructions (specification 5.4.8). One line per opcode; the core's handlers
 * run all others.
 */
import { VCPU_XMM } from '../abi/vcpu';
import { type Instruction, isVectorRegister } from './records';

/** The fields of R_IMM (engine/cpu/simd/decode.ts). */
export interface Vector {
  /** prefix << 8 | opcode; prefix 0 none, 1 66, 2 F3, 3 F2. */
  key: number;
  immediate: number;
  /** Bytes of the memory operand, and whether it must be aligned to them. */
  bytes: number;
  aligned: boolean;
  wide: boolean;
  mmx: boolean;
  /** The rm operand lies in memory. */
  memory: boolean;
}

const AUX_MEMORY = 4;

export function fieldsOf({ low, high, aux }: Instruction): Vector {
  return {
    key: low & 0x3ff,
    immediate: (low >>> 16) & 0xff,
    wide: ((low >>> 24) & 1) === 1,
    mmx: ((low >>> 25) & 1) === 1,
    aligned: ((low >>> 26) & 1) === 1,
    bytes: high & 0xff,
    memory: (aux & AUX_MEMORY) !== 0,
  };
}

export const P66 = 0x100;
export const PF3 = 0x200;
const PF2 = 0x300;

/** dst OP src as one WebAssembly instruction, by opcode with prefix 66 (SDM 2D table A-3, specification 5.4.8). */
// biome-ignore format: by rows of the opcode map
export const PLAIN: Readonly<Record<number, number>> = {
  99: 0x65, 100: 0x27, 101: 0x31, 102: 0x3b, 103: 0x66, 107: 0x85, // PACKSSWB PCMPGTB W D PACKUSWB PACKSSDW
  116: 0x23, 117: 0x2d, 118: 0x37, // PCMPEQB W D
  212: 0xce, 213: 0x95, // PADDQ PMULLW
  216: 0x73, 217: 0x93, 218: 0x77, 219: 0x4e, 220: 0x70, 221: 0x90, 222: 0x79, // PSUBUSB W PMINUB PAND PADDUSB W PMAXUB
  224: 0x7b, 227: 0x9b, 232: 0x72, 233: 0x92, 234: 0x96, 235: 0x50, // PAVGB W PSUBSB W PMINSW POR
  236: 0x6f, 237: 0x8f, 238: 0x98, 239: 0x51, 245: 0xba, // PADDSB W PMAXSW PXOR PMADDWD
  248: 0x71, 249: 0x91, 250: 0xb1, 251: 0xd1, 252: 0x6e, 253: 0x8e, 254: 0xae, // PSUBB W D Q PADDB W D
};
/** ANDPS, ORPS, XORPS and their twins. */
export const LOGIC: Readonly<Record<number, number>> = { 84: 0x4e, 86: 0x50, 87: 0x51 };

/** Lanes of `a` (0-15) and `b` (16-31) by bytes. */
const interleave = (unit: number, high: boolean): number[] => {
  const bytes: number[] = [];
  const first = high ? 8 : 0;
  for (let at = first; at < first + 8; at += unit) for (const from of [0, 16]) for (let i = 0; i < unit; i++) bytes.push(from + at + i);
  return bytes;
};
// biome-ignore format: low halves, high halves
const UNPACK: Readonly<Record<number, number[]>> = {
  352: interleave(1, false), 353: interleave(2, false), 354: interleave(4, false), 364: interleave(8, false),
  360: interleave(1, true), 361: interleave(2, true), 362: interleave(4, true), 365: interleave(8, true),
  20: interleave(4, false), 21: interleave(4, true), 276: interleave(8, false), 277: interleave(8, true),
};
const lanes = (unit: number, from: readonly number[]): number[] =>
  from.flatMap((lane) => Array.from({ length: unit }, (_, i) => lane * unit + i));
const two = (immediate: number, at: number): number => (immediate >> (2 * at)) & 3;

export function shuffleOf({ key, immediate }: Vector): number[] | undefined {
  if (UNPACK[key]) return UNPACK[key];
  switch (key) {
    case P66 | 0x70: // PSHUFD: of the source alone
      return lanes(
        4,
        [0, 1, 2, 3].map((at) => 4 + two(immediate, at)),
      );
    case PF2 | 0x70: // PSHUFLW
      return lanes(2, [...[0, 1, 2, 3].map((at) => 8 + two(immediate, at)), 12, 13, 14, 15]);
    case PF3 | 0x70: // PSHUFHW
      return lanes(2, [8, 9, 10, 11, ...[0, 1, 2, 3].map((at) => 12 + two(immediate, at))]);
    case 0xc6: // SHUFPS
      return lanes(4, [two(immediate, 0), two(immediate, 1), 4 + two(immediate, 2), 4 + two(immediate, 3)]);
    case P66 | 0xc6: // SHUFPD
      return lanes(8, [immediate & 1, 2 + ((immediate >> 1) & 1)]);
    default:
      return undefined;
  }
}

/** [lane bits, WebAssembly instruction, arithmetic] of the shifts by a constant: opcode and ModRM.reg. */
// biome-ignore format: by operand size
export const SHIFTS: Readonly<Record<string, readonly [number, number, boolean]>> = {
  '113/2': [16, 0x8d, false], '113/4': [16, 0x8c, true], '113/6': [16, 0x8b, false],
  '114/2': [32, 0xad, false], '114/4': [32, 0xac, true], '114/6': [32, 0xab, false],
  '115/2': [64, 0xcd, false], '115/6': [64, 0xcb, false],
};

/** Loads and stores: bytes, and what the register form does. */
const WHOLE_LOADS = new Set([0x10, P66 | 0x10, 0x28, P66 | 0x28, P66 | 0x6f, PF3 | 0x6f]);
const WHOLE_STORES = new Set([0x11, P66 | 0x11, 0x29, P66 | 0x29, P66 | 0x7f, PF3 | 0x7f, P66 | 0xe7, 0x2b, P66 | 0x2b]);

/** Floating point: WebAssembly's instruction for singles and doubles, and how the result is checked. */
export const ARITHMETIC: Readonly<Record<number, readonly [number, number, 'sum' | 'product' | 'quotient' | 'root']>> = {
  88: [0xe4, 0xf0, 'sum'],
  92: [0xe5, 0xf1, 'sum'],
  89: [0xe6, 0xf2, 'product'],
  94: [0xe7, 0xf3, 'quotient'],
  81: [0xe3, 0xef, 'root'],
};

export type VectorForm =
  | 'wholeLoad'
  | 'wholeStore'
  | 'plain'
  | 'shuffle'
  | 'shift'
  | 'arithmetic'
  | 'lowLoad'
  | 'lowStore'
  | 'fromGeneral'
  | 'toGeneral'
  | 'mask';

/** Is this instruction compiled, or must the core's handler be called? */
export function isVector(at: Instruction): boolean {
  if (!at.row.simd) return false;
  const fields = fieldsOf(at);
  return !fields.mmx && vectorFormOf(fields) !== undefined;
}

/** XMM registers used and changed, and general ones: bits. */
export function vectorRegisters(at: Instruction): { xmm: number; general: number } {
  let xmm = 0;
  let general = 0;
  const { memory } = fieldsOf(at);
  for (const offset of memory ? [at.destination] : [at.destination, at.source]) {
    if (isVectorRegister(offset)) xmm |= 1 << ((offset - VCPU_XMM) >> 4);
    else if (offset < 0x80) general |= 1 << (offset >> 3);
  }
  return { xmm, general };
}

/** Its writer in vectors.ts, or undefined. */
export function vectorFormOf({ key, memory }: Vector): VectorForm | undefined {
  const opcode = key & 0xff;
  const prefix = key & 0x300;
  if (WHOLE_LOADS.has(key)) return 'wholeLoad';
  if (WHOLE_STORES.has(key)) return 'wholeStore';
  if (prefix === P66 && PLAIN[opcode] !== undefined) return 'plain';
  if (prefix <= P66 && (LOGIC[opcode] !== undefined || opcode === 0x55)) return 'plain';
  if (key === (P66 | 0xdf)) return 'plain';
  if (UNPACK[key] || key === (P66 | 0x70) || key === (PF2 | 0x70) || key === (PF3 | 0x70) || key === 0xc6 || key === (P66 | 0xc6))
    return 'shuffle';
  if (prefix === P66 && opcode >= 0x71 && opcode <= 0x73) return 'shift';
  if (ARITHMETIC[opcode]) return 'arithmetic';
  switch (key) {
    case PF3 | 0x10:
    case PF2 | 0x10:
    case PF3 | 0x7e:
      return 'lowLoad';
    case PF3 | 0x11:
    case PF2 | 0x11:
      return memory ? 'lowStore' : undefined;
    case P66 | 0xd6:
      return 'lowStore';
    case P66 | 0x6e:
      return 'fromGeneral';
    case P66 | 0x7e:
      return 'toGeneral';
    case P66 | 0xd7:
    case 0x50:
    case P66 | 0x50:
      return 'mask';
    default:
      return undefined;
  }
}
