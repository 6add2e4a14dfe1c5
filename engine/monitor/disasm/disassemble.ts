/** One x86 instruction from its bytes, in the AT&T syntax of QEMU's `x /i`. */
import { type Bits, EndOfBytes, Fields, MAX_LENGTH } from './fields';
import { operand, type Target } from './operands';
import { type Mandatory, opcodeOf, type Row } from './table';

export interface Instruction {
  /** bytes */
  length: number;
  /** "rep movsb", "jne"; ".byte" if the first byte begins no known instruction */
  mnemonic: string;
  operands: string;
  /** Target of a near branch or call. */
  target?: bigint;
}

const COMPARISONS = ['eq', 'lt', 'le', 'unord', 'neq', 'nlt', 'nle', 'ord'] as const;
const LOCKABLE = /^(?:add|or|adc|sbb|and|sub|xor|inc|dec|not|neg|xchg|xadd|cmpxchg|cmpxchg8b|cmpxchg16b|bts|btr|btc)[b*]?$/;
const REPEATS = /^(?:movs|stos|lods|ins|outs)[b*%]$/;
const COMPARES = /^(?:cmps|scas)[b*]$/;
/** F2 before these is MPX's BND. */
const BOUNDED = /^(?:j(?!c)|call\^|ret\^)/;
const BITWISE = /^(?:and|or|xor)[b*]$/;

/**
 * The instruction at the start of `bytes`, whose `address` is IP, EIP or RIP (near targets are relative to it). undefined: the bytes end before the
 * instruction does. Pass 15 bytes if they exist.
 */
export function disassemble(bytes: Uint8Array, address: bigint, bits: Bits): Instruction | undefined {
  try {
    return decode(bytes.length > MAX_LENGTH ? bytes.subarray(0, MAX_LENGTH) : bytes, address, bits) ?? unknown(bytes);
  } catch (error) {
    if (!(error instanceof EndOfBytes)) throw error;
    return bytes.length >= MAX_LENGTH ? unknown(bytes) : undefined;
  }
}

const unknown = (bytes: Uint8Array): Instruction => ({
  length: 1,
  mnemonic: '.byte',
  operands: `0x${bytes[0]!.toString(16).padStart(2, '0')}`,
});

function decode(bytes: Uint8Array, address: bigint, bits: Bits): Instruction | undefined {
  const fields = new Fields(bytes, bits);
  const opcode = opcodeOf(fields.opcode);
  if (!opcode) return undefined;
  // MOV to and from control registers has no memory form, whatever mod is.
  if (opcode.hasModrm) fields.modrm = fields.byte();
  const row = opcode.rows.find((candidate) => fits(candidate, fields));
  if (!row || (fields.lock && !lockable(row, fields))) return undefined;
  const target: Target = { fields, address, bitwise: BITWISE.test(row.mnemonic) };
  const operands: string[] = [];
  // ModRM's displacement comes before immediates: the tables name them in that order.
  for (const code of row.operands) {
    const text = operand(target, code);
    if (text === undefined) return undefined;
    operands.push(text);
  }
  const mnemonic = prefixOf(row, fields) + mnemonicOf(row.mnemonic, fields, operands);
  if (target.later) operands[operands.length - 1] = target.later(address + BigInt(fields.at));
  if (!row.mnemonic.startsWith('=')) operands.reverse();
  return {
    length: fields.at,
    mnemonic,
    operands: operands.filter(Boolean).join(', '),
    ...(target.target === undefined ? {} : { target: target.target }),
  };
}

function fits(row: Row, fields: Fields): boolean {
  if (row.prefix !== undefined && row.prefix !== mandatory(fields)) return false;
  if (row.digit !== undefined && row.digit !== fields.digit) return false;
  if (row.modrm !== undefined && row.modrm !== fields.modrm) return false;
  for (const condition of row.conditions) if (!holds(condition, fields)) return false;
  return true;
}

function mandatory(fields: Fields): Mandatory {
  if (fields.repeat !== 0) return fields.repeat === 0xf3 ? 'f3' : 'f2';
  return fields.operand66 ? '66' : 'np';
}

function holds(condition: string, fields: Fields): boolean {
  switch (condition) {
    case 'r':
      return fields.mod === 3;
    case 'm':
      return fields.mod !== 3;
    case 'n':
      return fields.bits !== 64;
    case 'l':
      return fields.bits === 64;
    case 'w':
      return fields.wide;
    default:
      return (fields.rex & 1) === 0;
  }
}

const lockable = (row: Row, fields: Fields): boolean =>
  fields.mod !== 3 && /^[EM]/.test(row.operands[0] ?? '') && LOCKABLE.test(row.mnemonic);

function prefixOf(row: Row, fields: Fields): string {
  const lock = fields.lock ? 'lock ' : '';
  if (fields.repeat === 0 || row.prefix !== undefined) return lock;
  const equal = fields.repeat === 0xf3;
  if (REPEATS.test(row.mnemonic)) return equal ? 'rep ' : 'repne ';
  if (COMPARES.test(row.mnemonic)) return equal ? 'repe ' : 'repne ';
  return !equal && BOUNDED.test(row.mnemonic) ? 'bnd ' : lock;
}

const SUFFIX = { 16: 'w', 32: 'l', 64: 'q' } as const;

function mnemonicOf(name: string, fields: Fields, operands: string[]): string {
  if (name.includes('|')) return bySize(name.split('|'), fields.operandSize);
  if (name.includes('&')) return bySize(name.split('&'), fields.addressSize);
  if (name.includes('?')) return comparison(name, operands);
  return name.replace(/[=*^%~@$]/, (mark) => suffix(mark, fields));
}

function suffix(mark: string, fields: Fields): string {
  switch (mark) {
    case '=':
      return '';
    case '^':
      return SUFFIX[fields.stackSize];
    case '%':
      return fields.operandSize === 16 ? 'w' : 'l';
    case '~':
      return fields.wide ? 'q' : 'l';
    case '@':
      return fields.bits === 64 ? 'q' : 'l';
    case '$':
      return fields.bits === 64 ? 'q' : SUFFIX[fields.operandSize];
    default:
      return SUFFIX[fields.operandSize];
  }
}

const bySize = (names: string[], size: Bits): string => names[size === 16 ? 0 : size === 32 ? 1 : 2]!;

/** CMPPS and similar: the immediate becomes part of the name if it has one. */
function comparison(name: string, operands: string[]): string {
  const kind = COMPARISONS[Number(operands.at(-1)!.slice(1))];
  if (kind !== undefined) operands.pop();
  return name.replace('?', kind ?? '');
}
