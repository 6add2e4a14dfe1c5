/**
 * SSE and SSE2 in v128 locals. Moves, logic, integers and shuffles map to WebAssembly. The host computes sums, products, quotients and roots if every
 * lane is ordinary (so MXCSR does not change); otherwise the interpreter runs the instruction.
 */
import { VCPU_XMM } from '../abi/vcpu';
import type { Emitter } from './emitter';
import { V0, V1, V2 } from './locals';
import type { Instruction } from './records';
import {
  ARITHMETIC,
  fieldsOf,
  LOGIC,
  P66,
  PF3,
  PLAIN,
  SHIFTS,
  shuffleOf,
  type Vector,
  type VectorForm,
  vectorFormOf,
} from './vector-forms';

type Writer = (e: Emitter, at: Instruction, fields: Vector) => void;
const ANDNOT = 0x4f;

export function vector(e: Emitter, at: Instruction): void {
  const fields = fieldsOf(at);
  e.needVectors(at);
  WRITERS[vectorFormOf(fields)!](e, at, fields);
}

/** Pushes the memory operand's host address; exits to a fault if it must be aligned but is not. */
function operandAt(e: Emitter, at: Instruction, { bytes, aligned }: Vector): void {
  e.operand(at, 0, aligned && bytes === 16);
  e.host();
}

/** The source operand, on the stack. */
function source(e: Emitter, at: Instruction, fields: Vector): void {
  const { code } = e;
  if (!fields.memory) {
    code.get(e.xmm(at.source));
    return;
  }
  operandAt(e, at, fields);
  if (fields.bytes === 16) code.v128Load(e.at);
  else if (fields.bytes === 8) code.v128Load64Zero(e.at);
  else code.v128Load32Zero(e.at);
}

const wholeLoad: Writer = (e, at, fields) => {
  source(e, at, fields);
  e.setXmm(at.destination, fields.memory ? undefined : e.ordinary.get(at.source));
};

const wholeStore: Writer = (e, at, fields) => {
  if (!fields.memory) {
    e.code.get(e.xmm(at.destination));
    e.setXmm(at.source, e.ordinary.get(at.destination));
    return;
  }
  operandAt(e, at, fields);
  e.code.get(e.xmm(at.destination));
  e.code.v128Store(e.at);
};

const plain: Writer = (e, at, fields) => {
  const { code } = e;
  const opcode = fields.key & 0xff;
  if (opcode === 0x55 || opcode === 0xdf) {
    source(e, at, fields);
    code.get(e.xmm(at.destination));
    code.lanes(ANDNOT);
  } else {
    if (fields.memory) {
      source(e, at, fields);
      code.set(V1);
    }
    code.get(e.xmm(at.destination));
    code.get(fields.memory ? V1 : e.xmm(at.source));
    code.lanes(LOGIC[opcode] ?? PLAIN[opcode]!);
  }
  e.setXmm(at.destination);
};

const shuffle: Writer = (e, at, fields) => {
  const { code } = e;
  source(e, at, fields);
  code.set(V1);
  code.get(e.xmm(at.destination));
  code.get(V1);
  code.shuffle(shuffleOf(fields)!);
  e.setXmm(at.destination);
};

/** PSRL PSRA PSLL by a constant, PSRLDQ PSLLDQ. The target is the rm operand, ModRM.reg selects the operation. */
const shift: Writer = (e, at, { key, immediate }) => {
  const { code } = e;
  const which = ((at.destination - VCPU_XMM) >> 4) & 7;
  const found = SHIFTS[`${key & 0xff}/${which}`];
  const zero = (): void => code.v128Const(0n, 0n);
  if (found === undefined) {
    const count = Math.min(immediate, 16);
    const from = Array.from({ length: 16 }, (_, i) => (which === 3 ? i + count : i < count ? 16 : i - count));
    code.get(e.xmm(at.source));
    zero();
    code.shuffle(from.map((byte) => Math.min(byte, 16)));
  } else if (immediate >= found[0] && !found[2]) zero();
  else {
    code.get(e.xmm(at.source));
    code.i32Const(Math.min(immediate, found[0] - 1));
    code.lanes(found[1]);
  }
  e.setXmm(at.source);
};

/** MOVSS, MOVSD and MOVQ: a load from memory clears the rest; between registers MOVSS and MOVSD keep it. */
const lowLoad: Writer = (e, at, fields) => {
  const { code } = e;
  if (fields.memory) source(e, at, fields);
  else if (fields.key === (PF3 | 0x7e)) {
    code.get(e.xmm(at.source));
    code.v128Const(0xffffffffffffffffn, 0n);
    code.lanes(0x4e);
  } else {
    const bytes = fields.key === (PF3 | 0x10) ? 4 : 8;
    code.get(e.xmm(at.destination));
    code.get(e.xmm(at.source));
    code.shuffle(Array.from({ length: 16 }, (_, i) => (i < bytes ? 16 + i : i)));
  }
  e.setXmm(at.destination);
};

const lowStore: Writer = (e, at, fields) => {
  const { code } = e;
  if (!fields.memory) {
    // MOVQ xmm, xmm
    code.get(e.xmm(at.destination));
    code.v128Const(0xffffffffffffffffn, 0n);
    code.lanes(0x4e);
    e.setXmm(at.source);
    return;
  }
  operandAt(e, at, fields);
  code.get(e.xmm(at.destination));
  if (fields.bytes === 8) code.v128Store64Lane0(e.at);
  else code.v128Store32Lane0(e.at);
};

/** MOVD, MOVQ xmm, r/m. */
const fromGeneral: Writer = (e, at, fields) => {
  const { code } = e;
  if (fields.memory) source(e, at, fields);
  else {
    code.v128Const(0n, 0n);
    e.readRegister(at.source, fields.wide ? 3 : 2);
    if (fields.wide) code.i64x2ReplaceLane0();
    else code.i32x4ReplaceLane0();
  }
  e.setXmm(at.destination);
};

/** MOVD, MOVQ r/m, xmm. */
const toGeneral: Writer = (e, at, fields) => {
  const { code } = e;
  if (fields.memory) {
    lowStore(e, at, fields);
    return;
  }
  code.get(e.xmm(at.destination));
  if (fields.wide) code.i64x2ExtractLane0();
  else code.i32x4ExtractLane0();
  e.writeRegister(at.source, fields.wide ? 3 : 2);
};

/** PMOVMSKB MOVMSKPS MOVMSKPD. */
const mask: Writer = (e, at, { key }) => {
  e.code.get(e.xmm(at.source));
  e.code.lanes(key === (P66 | 0xd7) ? 0x64 : key === 0x50 ? 0xa4 : 0xc4);
  e.writeRegister(at.destination, 2);
};

/** Constants of singles and doubles for the tests below. */
const SINGLE = { abs: 0xe0, add: 0xe4, eq: 0x41, lt: 0x43, ge: 0x46, all: 0xa3, tiny: 0x0100000001000000n, huge: 0x7f0000007f000000n };
const DOUBLE = { abs: 0xec, add: 0xf0, eq: 0x47, lt: 0x49, ge: 0x4c, all: 0xc3, tiny: 0x0020000000000000n, huge: 0x7fd0000000000000n };

/**
 * ADD SUB MUL DIV SQRT. The host's result is used when MXCSR cannot change: PE set, rounding to nearest, all masked, no DAZ or FTZ (tested on entry
 * to the region), and each lane of operands and result 0 or with an exponent far from both ends. A product or quotient of 0 must have an operand of
 * 0.
 */
const arithmetic: Writer = (e, at, fields) => {
  const { code } = e;
  const prefix = fields.key >> 8;
  const scalar = prefix >= 2;
  const isDouble = prefix === 1 || prefix === 3;
  const [singles, doubles, judged] = ARITHMETIC[fields.key & 0xff]!;
  const kind = isDouble ? DOUBLE : SINGLE;
  const type = isDouble ? 'double' : 'single';
  const known = (offset: number): boolean => e.ordinary.get(offset) === type;
  source(e, at, fields);
  code.set(V1);
  if (judged !== 'root') {
    code.get(e.xmm(at.destination));
    code.set(V0);
    code.get(V0);
  }
  code.get(V1);
  code.lanes(isDouble ? doubles : singles);
  code.set(V2);
  const abs = (local: number): void => {
    code.get(local);
    code.lanes(kind.abs);
  };
  const isZero = (local: number): void => {
    code.get(local);
    code.v128Const(0n, 0n);
    code.lanes(kind.eq);
  };
  const atLeastTiny = (local: number): void => {
    abs(local);
    code.v128Const(kind.tiny, kind.tiny);
    code.lanes(kind.ge);
  };
  const or = (): void => code.lanes(0x50);
  const and = (): void => code.lanes(0x4e);
  // No huge values, infinities or NaNs: the sum of all is small enough.
  abs(V1);
  if (judged !== 'root') {
    abs(V0);
    code.lanes(kind.add);
  }
  abs(V2);
  code.lanes(kind.add);
  code.v128Const(kind.huge, kind.huge);
  code.lanes(kind.lt);
  // No tiny values.
  const operands: [number, boolean][] = [[V1, !fields.memory && known(at.source)]];
  if (judged !== 'root') operands.push([V0, known(at.destination)]);
  for (const [local, sure] of operands) {
    if (sure) continue;
    atLeastTiny(local);
    isZero(local);
    or();
    and();
  }
  if (judged !== 'root') {
    atLeastTiny(V2);
    isZero(judged === 'sum' ? V2 : V0);
    or();
    if (judged === 'product') {
      isZero(V1);
      or();
    }
    and();
  }
  if (scalar) {
    if (isDouble) {
      code.i64x2ExtractLane0();
      code.i32WrapI64();
    } else code.i32x4ExtractLane0();
  } else code.lanes(kind.all);
  e.unlessExact(at);
  if (scalar) {
    const bytes = isDouble ? 8 : 4;
    code.get(e.xmm(at.destination));
    code.get(V2);
    code.shuffle(Array.from({ length: 16 }, (_, i) => (i < bytes ? 16 + i : i)));
    e.setXmm(at.destination);
  } else {
    code.get(V2);
    e.setXmm(at.destination, type);
  }
};

const WRITERS: Readonly<Record<VectorForm, Writer>> = {
  wholeLoad,
  wholeStore,
  plain,
  shuffle,
  shift,
  arithmetic,
  lowLoad,
  lowStore,
  fromGeneral,
  toGeneral,
  mask,
};
