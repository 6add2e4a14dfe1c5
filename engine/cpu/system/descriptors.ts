/** Instructions for descriptors: LLDT, LTR, SLDT, STR, LAR, LSL, VERR, VERW, ARPL. SDM 2, their pages. All are #UD in real mode. */
import { SEG_LDTR, SEG_SELECTOR, SEG_TR } from '../../abi/index';
import { slowValue, sysRead, sysWrite } from '../mmu';
import { cpl, isCanonical, isLong, isProt, segRecord } from '../mmu-mode';
import {
  ATTR_CODE,
  ATTR_DC,
  ATTR_P,
  ATTR_RW,
  ATTR_S,
  ATTR_TYPE,
  descAttr,
  descBase,
  descHigh,
  descLimit,
  descVa,
  dplOf,
  isCode,
  isNull,
  locateDescriptor,
  putNull,
  putSegmentRaw,
  setDescriptor,
} from '../segments';
import { raise, VEC_GP, VEC_NP, VEC_UD } from '../state';

const TYPE_LDT: u32 = 2;
const TYPE_TSS16: u32 = 1;
const TYPE_TSS: u32 = 9;
const BUSY: u32 = 2;

/** Result of SLDT, STR, LAR and LSL, and ZF of LAR, LSL, VERR, VERW and ARPL. */
export let systemValue: u32 = 0;
export let systemZf: bool = false;

/** Finds a system descriptor in the GDT (16 bytes in long mode) and its base. */
let systemBase: u64 = 0;
function readSystem(selector: u32): i32 {
  const error = selector & 0xfffc;
  if (selector & 4) return raise(VEC_GP, error);
  if (!locateDescriptor(selector, isLong() ? 16 : 8)) return raise(VEC_GP, error);
  let high: u64 = 0;
  if (isLong()) {
    if (!sysRead(descVa + 8, 8)) return 0;
    high = slowValue;
    if (high & 0x1f0000000000) return raise(VEC_GP, error);
  }
  if (!sysRead(descVa, 8)) return 0;
  setDescriptor(<u32>slowValue, <u32>(slowValue >> 32));
  systemBase = <u64>descBase() | (high << 32);
  return isCanonical(systemBase) ? 1 : raise(VEC_GP, error);
}

/** LLDT. A null selector makes the LDT unusable. */
export function lldt(selector: u32): i32 {
  selector &= 0xffff;
  if (!isProt()) return raise(VEC_UD, 0);
  if (cpl != 0) return raise(VEC_GP, 0);
  if (isNull(selector)) {
    putNull(SEG_LDTR, selector);
    return 1;
  }
  if (!readSystem(selector)) return 0;
  if ((descAttr & (ATTR_S | ATTR_TYPE)) != TYPE_LDT) return raise(VEC_GP, selector & 0xfffc);
  if (!(descAttr & ATTR_P)) return raise(VEC_NP, selector & 0xfffc);
  putSegmentRaw(SEG_LDTR, selector, systemBase, descLimit(), descAttr);
  return 1;
}

/** LTR: loads an available TSS and marks it busy in the table. */
export function ltr(selector: u32): i32 {
  selector &= 0xffff;
  if (!isProt()) return raise(VEC_UD, 0);
  if (cpl != 0) return raise(VEC_GP, 0);
  if (isNull(selector)) return raise(VEC_GP, 0);
  if (!readSystem(selector)) return 0;
  const type = descAttr & (ATTR_S | ATTR_TYPE);
  if (type != TYPE_TSS && (type != TYPE_TSS16 || isLong())) return raise(VEC_GP, selector & 0xfffc);
  if (!(descAttr & ATTR_P)) return raise(VEC_NP, selector & 0xfffc);
  if (!sysWrite(descVa + 5, 1, (descHigh >> 8) | BUSY)) return 0;
  putSegmentRaw(SEG_TR, selector, systemBase, descLimit(), descAttr | BUSY);
  return 1;
}

function storeSelector(seg: i32): i32 {
  if (!isProt()) return raise(VEC_UD, 0);
  systemValue = load<u16>(segRecord(seg), SEG_SELECTOR);
  return 1;
}
export function sldt(): i32 {
  return storeSelector(SEG_LDTR);
}
export function str(): i32 {
  return storeSelector(SEG_TR);
}

/** Reads the selector's descriptor and sets systemZf if it is visible: not null, in its table, DPL not below CPL and RPL. */
function visible(selector: u32): i32 {
  systemZf = false;
  if (!isProt()) return raise(VEC_UD, 0);
  if (isNull(selector) || !locateDescriptor(selector, 8)) return 1;
  if (!sysRead(descVa, 8)) return 0;
  setDescriptor(<u32>slowValue, <u32>(slowValue >> 32));
  const conforming = isCode(descAttr) && (descAttr & ATTR_DC) != 0;
  systemZf = conforming || (dplOf(descAttr) >= cpl && dplOf(descAttr) >= (selector & 3));
  return 1;
}

/** Is the bit of the last descriptor's type set in `types` (system segments)? Code and data always pass. */
function typeIn(types: u32): bool {
  return (descAttr & ATTR_S) != 0 || ((types >> (descAttr & ATTR_TYPE)) & 1) != 0;
}

/** LAR: systemZf and, if set, the access rights in systemValue (mask it to the operand size). Bits 19-16 are undefined; they are set as processors set them. */
export function lar(selector: u32): i32 {
  if (!visible(selector & 0xffff)) return 0;
  if (!typeIn(isLong() ? 0x1a04 : 0x1a3e)) systemZf = false;
  systemValue = descHigh & 0x00ffff00;
  return 1;
}

/** LSL: systemZf and, if set, the limit in bytes in systemValue. */
export function lsl(selector: u32): i32 {
  if (!visible(selector & 0xffff)) return 0;
  if (!typeIn(isLong() ? 0x0a04 : 0x0a0e)) systemZf = false;
  systemValue = descLimit();
  return 1;
}

/** VERR (write false) and VERW: systemZf. */
export function verify(selector: u32, write: bool): i32 {
  if (!visible(selector & 0xffff)) return 0;
  const attr = descAttr;
  if (!(attr & ATTR_S)) systemZf = false;
  else if (write) systemZf = systemZf && (attr & (ATTR_CODE | ATTR_RW)) == ATTR_RW;
  else systemZf = systemZf && (attr & (ATTR_CODE | ATTR_RW)) != ATTR_CODE;
  return 1;
}

/** ARPL: systemValue is the destination with its RPL raised to the source's; systemZf says whether it changed. #UD in real mode. */
export function arpl(destination: u32, source: u32): i32 {
  if (!isProt()) return raise(VEC_UD, 0);
  systemZf = (destination & 3) < (source & 3);
  systemValue = systemZf ? (destination & ~(<u32>3)) | (source & 3) : destination;
  return 1;
}
