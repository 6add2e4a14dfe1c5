/** Decoded records of the core (layout: abi/record.ts) as objects. */

import { type Family, OPERATIONS as ROWS, type Size } from '../abi/ops/index';
import {
  H_CACHED,
  H_COUNT,
  H_HVA,
  H_LENGTH,
  HEADER_SIZE,
  R_AFTER,
  R_AUX,
  R_BASE,
  R_DISP,
  R_DST,
  R_IMM,
  R_INDEX,
  R_KIND,
  R_LEN,
  R_OFF,
  R_SCALE,
  R_SRC,
  RECORD_SIZE,
} from '../abi/record';
import { VCPU_XMM } from '../abi/vcpu';
import type { Access } from './access';

export type { Size } from '../abi/ops/index';

/** The part of a row of the table of operations that compiled code needs. */
export interface Row {
  name: string;
  family: Family;
  action: string;
  form: string;
  /** 3 if the operation has no size. */
  size: Size;
  from: Size;
  /** For Jcc and a fused compare; -1: none. */
  condition: number;
  /** The branch after it has its own record. */
  joined: boolean;
  quiet: boolean;
  ends: boolean;
  far: boolean;
  /** Its form has a memory operand. */
  memory: boolean;
  /** The handler's record is laid out as vector-forms.ts reads it. */
  simd: boolean;
}

/** Handlers of MMX and SSE instructions. */
const SIMD = new Set(['simd', 'xmm_load', 'xmm_store', 'xmm_load_part', 'xmm_store_part', 'xmm_integer', 'xmm_arithmetic']);

/** By operation number. */
export const OPERATIONS: readonly Row[] = ROWS.map(({ name, family, action, form, size, from, condition, joins, quietOf, ends, far }) => ({
  name,
  family,
  action,
  form,
  size: size ?? 3,
  from: from ?? 0,
  condition: condition ?? -1,
  joined: joins !== undefined,
  quiet: quietOf !== undefined,
  ends,
  far: far === true,
  memory: /[mx]/.test(form),
  simd: SIMD.has(name),
}));

/** Is the offset an XMM register's? */
export const isVectorRegister = (offset: number): boolean => offset >= VCPU_XMM && offset < VCPU_XMM + 256;

export interface Instruction {
  row: Row;
  number: number;
  /** Address of the record. */
  at: number;
  /** Offset in its page, and length, in bytes. */
  offset: number;
  length: number;
  /** Instructions from this one to the block's end, including this one. */
  after: number;
  destination: number;
  source: number;
  base: number;
  index: number;
  scale: number;
  displacement: number;
  aux: number;
  /** Halves of the immediate, with their signs. */
  low: number;
  high: number;
  extra: number;
  /** Bits of general registers (registers.ts); `used` -1: not computed yet. */
  used: number;
  changed: number;
  /** Its memory accesses, once they are planned (accesses.ts). */
  accesses: readonly Access[];
}

const NONE: readonly Access[] = [];

/** The immediate as 64 bits with their sign. */
export const immediateOf = ({ low, high }: Instruction): bigint => (BigInt(high) << 32n) | BigInt(low >>> 0);
/** Is the immediate its low half, sign-extended? */
export const isShort = ({ low, high }: Instruction): boolean => high === low >> 31;

export { VREG_EA, VREG_PAGE } from '../abi/record';

export interface Records {
  /** Address of the first record. */
  first: number;
  /** hva of the first byte. */
  hva: number;
  /** Bytes of guest code. */
  length: number;
  /** Instructions. */
  count: number;
  instructions: Instruction[];
}

/** Reads the records from `first` on, which the header before them describes. */
export function readBlock(view: DataView, header: number, first: number): Records {
  const instructions: Instruction[] = [];
  for (let at = first; ; at += RECORD_SIZE) {
    const number = view.getUint16(at, true);
    const row = OPERATIONS[number];

    if (row === undefined) throw new Error(`record at 0x${at.toString(16)} has the unknown operation ${number}`);
    const instruction: Instruction = {
      row,
      number,
      at,
      destination: view.getUint16(at + R_DST, true),
      source: view.getUint16(at + R_SRC, true),
      base: view.getUint16(at + R_BASE, true),
      index: view.getUint16(at + R_INDEX, true),
      scale: view.getUint8(at + R_SCALE),
      length: view.getUint8(at + R_LEN),
      offset: view.getUint16(at + R_OFF, true),
      after: view.getUint8(at + R_AFTER),
      aux: view.getUint8(at + R_AUX),
      low: view.getInt32(at + R_IMM, true),
      high: view.getInt32(at + R_IMM + 4, true),
      displacement: view.getInt32(at + R_DISP, true),
      extra: view.getUint32(at + R_KIND, true),
      used: -1,
      changed: 0,
      accesses: NONE,
    };
    instructions.push(instruction);
    if (row.ends && !row.joined) break;
  }
  return {
    first,
    hva: view.getUint32(header + H_HVA, true),
    length: view.getUint32(header + H_LENGTH, true),
    count: view.getInt32(header + H_COUNT, true),
    instructions,
  };
}

export const headerOf = (block: number): number => block - HEADER_SIZE;

/** Is the decoded block still the one that runs? */
export const isCached = (view: DataView, block: number): boolean => view.getUint32(headerOf(block) + H_CACHED, true) !== 0;
