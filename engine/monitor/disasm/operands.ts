/**
 * Operands in AT&T syntax, by the letters of the opcode tables:
 *   E G Z  general register: ModRM.rm (or memory), ModRM.reg, low bits of the opcode; R: ModRM.rm, always a register
 *   V W    XMM: ModRM.reg, ModRM.rm (or memory); P Q: MMX likewise; Sw Sd segment register; Cd Dd control, debug register; Fi st(rm)
 *   M O    memory by ModRM, by an offset; X Y (%rsi), %es:(%rdi); a * before it: the operand holds the target
 *   I J    immediate, branch target; Ap: selector and offset; I10: left out when it is 10
 * followed by a size: b w d, v (operand size), y (32, with REX.W 64), m (32, in 64-bit mode 64), s (stack), z (v, but an immediate of
 * 32 bits at most); a last s on an immediate: sign-extended, and shown so. Anything else is the name of a register.
 */
import type { Bits, Fields } from './fields';

const GPR = ['ax', 'cx', 'dx', 'bx', 'sp', 'bp', 'si', 'di'] as const;
const BYTE = ['al', 'cl', 'dl', 'bl', 'ah', 'ch', 'dh', 'bh'] as const;
const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'] as const;
const PAIRS_16 = ['%bx, %si', '%bx, %di', '%bp, %si', '%bp, %di', '%si', '%di', '%bp', '%bx'] as const;

/** The fields of one instruction, with what its operands add to them. */
export interface Target {
  fields: Fields;
  /** Address of the instruction. */
  address: bigint;
  /** AND, OR, XOR: their immediates are shown as bits, never negative. */
  bitwise: boolean;
  /** Set by a near branch. */
  target?: bigint;
  /** Targets are computed at the instruction's end. */
  later?: (end: bigint) => string;
}

const hex = (value: bigint): string => (value <= 9n ? value.toString() : `0x${value.toString(16)}`);
const number = (value: bigint): string => (value < 0n ? `-${hex(-value)}` : hex(value));

function gpr(index: number, bits: number, rex: boolean): string {
  if (bits === 8) {
    if (index >= 8) return `%r${index}b`;
    return `%${rex && index >= 4 ? `${GPR[index]}l` : BYTE[index]}`;
  }
  if (index >= 8) return `%r${index}${bits === 64 ? '' : bits === 32 ? 'd' : 'w'}`;
  return `%${bits === 64 ? 'r' : bits === 32 ? 'e' : ''}${GPR[index]}`;
}

function sizeOf(fields: Fields, letter: string | undefined): number {
  switch (letter) {
    case 'b':
      return 8;
    case 'w':
      return 16;
    case 'd':
      return 32;
    case 'y':
      return fields.wide ? 64 : 32;
    case 'm':
      return fields.bits === 64 ? 64 : 32;
    case 's':
      return fields.stackSize;
    default:
      return fields.operandSize;
  }
}

/** undefined: no such operand. It reads displacement and immediates, so call it once per operand, in order. */
export function operand(target: Target, code: string): string | undefined {
  const { fields } = target;
  const size = () => sizeOf(fields, code[1]);
  switch (code[0]) {
    case '*': {
      const text = operand(target, code.slice(1));
      return text === undefined ? undefined : `*${text}`;
    }
    case 'E':
      return code === 'ES' || code === 'EAX' || code === 'ECX' ? `%${code.toLowerCase()}` : registerOrMemory(fields, gpr, size());
    case 'G':
      return code === 'GS' ? '%gs' : gpr(fields.reg, size(), fields.rex !== 0);
    case 'R':
      return gpr(fields.rm, size(), true);
    case 'Z':
      return gpr((fields.opcode & 7) | ((fields.rex & 1) << 3), size(), fields.rex !== 0);
    case 'M':
      return fields.mod === 3 ? undefined : memory(fields);
    case 'O':
      return segmentPrefix(fields) + hex(fields.unsigned(fields.addressSize / 8));
    case 'X':
      return `${segmentPrefix(fields)}(${gpr(6, fields.addressSize, true)})`;
    case 'Y':
      return `${fields.bits === 64 ? '' : '%es:'}(${gpr(7, fields.addressSize, true)})`;
    case 'V':
      return `%xmm${fields.reg}`;
    case 'W':
      return registerOrMemory(fields, (index) => `%xmm${index}`, 128);
    case 'P':
      return `%mm${fields.digit}`;
    case 'Q':
      return registerOrMemory(fields, (index) => `%mm${index & 7}`, 64);
    case 'F':
      return code === 'FS' ? '%fs' : `%st(${code === 'F0' ? 0 : fields.modrm & 7})`;
    case 'I':
      return immediate(target, code);
    case 'J':
      return branch(target, code);
    default:
      return named(fields, code);
  }
}

function named(fields: Fields, code: string): string | undefined {
  switch (code) {
    case 'rAX':
      return gpr(0, fields.operandSize, true);
    case 'zAX':
      return gpr(0, Math.min(fields.operandSize, 32), true);
    case 'sAX':
      return gpr(0, fields.addressSize, true);
    case '1':
      return '$1';
    case 'Sw':
    case 'Sd':
      // CS cannot be loaded.
      return code === 'Sd' && fields.digit === 1 ? undefined : prefixed(SEGMENTS[fields.digit]);
    case 'Cd':
      return `%cr${fields.reg}`;
    case 'Dd':
      return fields.reg > 7 ? undefined : `%dr${fields.reg}`;
    case 'Ap': {
      const offset = fields.unsigned(fields.operandSize / 8);
      return `$${hex(fields.unsigned(2))}:$${hex(offset)}`;
    }
    default:
      return `%${code.toLowerCase()}`;
  }
}

const prefixed = (name: string | undefined): string | undefined => (name === undefined ? undefined : `%${name}`);

function registerOrMemory(fields: Fields, register: (index: number, bits: number, rex: boolean) => string, bits: number): string {
  return fields.mod === 3 ? register(fields.rm, bits, fields.rex !== 0) : memory(fields);
}

function immediate(target: Target, code: string): string | undefined {
  const { fields } = target;
  if (code === 'I10') {
    const base = fields.unsigned(1);
    return base === 10n ? '' : `$${hex(base)}`;
  }
  const size = code[1] === 'b' ? 8 : code[1] === 'w' ? 16 : fields.operandSize;
  const bytes = code[1] === 'v' ? size / 8 : Math.min(size / 8, 4);
  const extended = code.endsWith('bs') || (code[1] === 'z' && (fields.operandSize === 64 || (code === 'Izs' && fields.bits === 64)));
  if (!extended) return `$${hex(fields.unsigned(code === 'Izs' && fields.stackSize === 64 ? 4 : bytes))}`;
  const value = fields.signed(bytes);
  return `$${target.bitwise ? hex(BigInt.asUintN(fields.operandSize, value)) : number(value)}`;
}

function branch(target: Target, code: string): string {
  const { fields } = target;
  const long = fields.bits === 64 || fields.operandSize === 32;
  const relative = fields.signed(code === 'Jb' ? 1 : long ? 4 : 2);
  target.later = (end) => {
    target.target = BigInt.asUintN(fields.bits === 64 ? 64 : fields.operandSize, end + relative);
    return hex(target.target);
  };
  return '';
}

const segmentPrefix = (fields: Fields): string => (fields.segment === undefined ? '' : `%${fields.segment}:`);

/** disp(base, index, scale); the same ModRM may be read once only. */
function memory(fields: Fields): string {
  const bits = fields.addressSize;
  return segmentPrefix(fields) + (bits === 16 ? memory16(fields) : memory32(fields, bits));
}

function displacement(fields: Fields, bytes: number): string {
  const value = fields.signed(bytes);
  return value === 0n ? '' : number(value);
}

const absolute = (value: bigint, bits: Bits): string => hex(BigInt.asUintN(bits, value));

function memory16(fields: Fields): string {
  const { mod } = fields;
  const base = PAIRS_16[fields.modrm & 7]!;
  if (mod === 0 && base === '%bp') return absolute(fields.signed(2), 16);
  return `${mod === 0 ? '' : displacement(fields, mod)}(${base})`;
}

function memory32(fields: Fields, bits: Bits): string {
  const { mod } = fields;
  const register = (low: number, high: number): string => gpr(low | (high ? 8 : 0), bits, true);
  let base: string | undefined;
  let index = '';
  const low = fields.modrm & 7;
  if (low === 4) {
    const sib = fields.byte();
    const indexed = ((sib >> 3) & 7) | (fields.rex & 2 ? 8 : 0);
    const scale = 1 << (sib >> 6);
    if (indexed !== 4) index = `, ${register(indexed & 7, fields.rex & 2)}${scale === 1 ? '' : `, ${scale}`}`;
    if ((sib & 7) !== 5 || mod !== 0) base = register(sib & 7, fields.rex & 1);
  } else if (low === 5 && mod === 0) {
    if (fields.bits === 64) return `${displacement(fields, 4)}(${bits === 64 ? '%rip' : '%eip'})`;
  } else base = register(low, fields.rex & 1);
  if (base === undefined && index === '') return absolute(fields.signed(4), bits);
  const offset = mod === 1 ? displacement(fields, 1) : mod === 2 || base === undefined ? displacement(fields, 4) : '';
  return `${offset}(${base ?? ''}${index})`;
}
