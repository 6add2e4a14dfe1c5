/**
 * The decoder's state during one instruction, and the writing of records. SDM 2A chapter 2.
 */
import { SEG_DS, SEG_SS, VCPU_GPR, VCPU_SEG, VCPU_SEG_SIZE, VCPU_ZERO } from '../abi/index';
import { TRAIT_INLINE, traitsOf } from './generated/lookups';
import { OP_EA_FAR, OP_EA_SEGMENTED, OP_EA32, OP_EA64 } from './generated/ops';
import {
  AUX_MEMORY,
  clearRecord,
  moveDisp,
  moveFar,
  RECORD_SIZE,
  setAddress,
  setAux,
  setBase,
  setEaAccess,
  setEaBase,
  setEaSegment,
  setFar,
  setPlace,
  setTarget,
  VREG_EA,
  VREG_PAGE,
} from './record';
import { KEY_32, KEY_64, KEY_FLAT, KEY_LIMITED, KEY_NARROW } from './why';

export let code: usize = 0;
/** First byte of the instruction. */
export let codeStart: usize = 0;
export let inLong: bool = false;
/** 32-bit code with flat CS, SS and DS; the same outside long mode. */
let flat: bool = false;
let narrow: bool = false;
/** A CS limit below 4 GiB: branch targets are checked against it. */
export let limited: bool = false;
/** log2 of the operand and address size in bytes. */
export let opSize: i32 = 2;
export let addressSize: i32 = 3;
/** There is a 66 prefix. */
export let prefix66: bool = false;
/** Last of F2 / F3, or 0. */
export let repeat: u32 = 0;
export let locked: bool = false;
/** Segment override, or -1. */
export let segment: i32 = -1;
export let rex: u32 = 0;
/** This instruction may have a LOCK prefix; the forms that allow one set it. */
export let lockable: bool = false;
export let failed: bool = false;
/** Invalid by the manual (no log line), as opposed to not implemented. */
export let documented: bool = false;
export let ends: bool = false;
let defaultSize: i32 = 2;
let pageOff: u32 = 0;
let instruction: i32 = 0;

/** Address of the next record. */
export let recordsEnd: usize = 0;
/** First record of this instruction. */
export let firstRecord: usize = 0;

/** ModRM, extended by REX. */
export let mod: u32 = 0;
export let reg: u32 = 0;
export let rm: u32 = 0;
export let isMemory: bool = false;
let base: u32 = 0;
let index: u32 = 0;
let scale: u32 = 0;
let disp: i64 = 0;
let ripRelative: bool = false;
let defaultSegment: i32 = SEG_DS;
/** The record whose RIP-relative displacement still needs the instruction's end. */
let ripRecord: usize = 0;
let ripFar: bool = false;
/** The address record outside 64-bit mode: gets the access's size and direction at the end. */
let eaRecord: usize = 0;
/** Bytes of the memory access (0: the operand size) and its direction. */
export let accessBytes: i32 = 0;
export let accessWrites: bool = false;

export function beginRecords(at: usize, key: u32): void {
  recordsEnd = at;
  inLong = (key & KEY_64) != 0;
  flat = (key & KEY_FLAT) != 0;
  narrow = (key & KEY_NARROW) != 0;
  limited = (key & KEY_LIMITED) != 0;
  defaultSize = key & (KEY_32 | KEY_64) ? 2 : 1;
}

export function beginInstruction(at: usize, off: u32, number: i32): void {
  code = at;
  codeStart = at;
  pageOff = off;
  instruction = number;
  firstRecord = recordsEnd;
  opSize = defaultSize;
  addressSize = inLong ? 3 : defaultSize;
  prefix66 = false;
  repeat = 0;
  locked = false;
  segment = -1;
  rex = 0;
  lockable = false;
  failed = false;
  documented = false;
  ends = false;
  isMemory = false;
  ripRecord = 0;
  ripFar = false;
  eaRecord = 0;
  accessBytes = 0;
  accessWrites = false;
}

export function readPrefixes(): u32 {
  while (true) {
    const byte = <u32>load<u8>(code++);
    if (code - codeStart > 15) return byte;
    switch (byte) {
      case 0x66:
        prefix66 = true;
        break;
      case 0x67:
        addressSize = inLong ? 2 : 3 - defaultSize;
        break;
      case 0xf0:
        locked = true;
        break;
      case 0xf2:
      case 0xf3:
        repeat = byte;
        break;
      case 0x26:
      case 0x2e:
      case 0x36:
      case 0x3e:
        if (!inLong) segment = <i32>(byte >> 3) & 3;
        break;
      case 0x64:
        segment = 4;
        break;
      case 0x65:
        segment = 5;
        break;
      default:
        if (inLong && (byte & 0xf0) == 0x40) {
          rex = byte;
          continue;
        }
        if (prefix66) opSize = 3 - defaultSize;
        if (rex & 8) opSize = 3;
        return byte;
    }
    rex = 0; // a REX that is not last is ignored
  }
}

@inline
export function fetch8(): u32 {
  return <u32>load<u8>(code++);
}
@inline
export function fetch16(): u32 {
  code += 2;
  return <u32>load<u16>(code - 2);
}
@inline
export function fetch32(): u32 {
  code += 4;
  return load<u32>(code - 4);
}
@inline
export function fetch64(): u64 {
  code += 8;
  return load<u64>(code - 8);
}
@inline
export function signed8(): i64 {
  return <i64>(<i8>fetch8());
}
/** Immediate of the operand size, at most 32 bits, sign-extended. */
export function immediateZ(size: i32): i64 {
  if (size == 0) return <i64>(<i8>fetch8());
  if (size == 1) return <i64>(<i16>fetch16());
  return <i64>(<i32>fetch32());
}

export function setSegment(seg: i32): void {
  segment = seg;
}
/** In 64-bit mode stack and branch instructions have 64-bit operands without REX.W. */
export function stackSize(): i32 {
  if (!inLong) return opSize;
  return prefix66 && !(rex & 8) ? 1 : 3;
}
export function endsBlock(): void {
  ends = true;
}
export function allowLock(): void {
  lockable = true;
}
/** The bytes are not an instruction. `known`: the manual says so. */
export function invalid(known: bool): void {
  failed = true;
  documented = known;
}
export function memoryAccess(bytes: i32, writes: bool): void {
  accessBytes = bytes;
  accessWrites = writes;
}

/** Offset of a general register; without REX the 8-bit numbers 4-7 are AH CH DH BH. */
export function gpr(number: u32, size: i32): u32 {
  if (size == 0 && rex == 0 && (number & 0xfc) == 4) return VCPU_GPR + ((number & 3) << 3) + 1;
  return VCPU_GPR + (number << 3);
}

export function readModrm(): void {
  const byte = fetch8();
  mod = byte >> 6;
  reg = ((byte >> 3) & 7) | ((rex & 4) << 1);
  rm = byte & 7;
  isMemory = mod != 3;
  if (!isMemory) {
    rm |= (rex & 1) << 3;
    return;
  }
  base = VCPU_ZERO;
  index = VCPU_ZERO;
  scale = 0;
  disp = 0;
  ripRelative = false;
  defaultSegment = SEG_DS;
  if (addressSize == 1) address16();
  else address32();
}

function register16(number: u32): u32 {
  return VCPU_GPR + (number << 3);
}

function address16(): void {
  // BX+SI BX+DI BP+SI BP+DI SI DI BP BX
  if (rm < 4) {
    base = register16(rm < 2 ? 3 : 5);
    index = register16(rm & 1 ? 7 : 6);
  } else if (!(rm == 6 && mod == 0)) {
    base = register16(rm == 4 ? 6 : rm == 5 ? 7 : rm == 6 ? 5 : 3);
  }
  if (base == register16(5)) defaultSegment = SEG_SS;
  if (mod == 1) disp = signed8();
  else if (mod == 2 || (rm == 6 && mod == 0)) disp = <i64>(<i16>fetch16());
}

function address32(): void {
  const low = rm;
  let number = low | ((rex & 1) << 3);
  let hasBase = true;
  if (low == 4) {
    const sib = fetch8();
    const at = ((sib >> 3) & 7) | ((rex & 2) << 2);
    if (at != 4) {
      index = VCPU_GPR + (at << 3);
      scale = sib >> 6;
    }
    number = (sib & 7) | ((rex & 1) << 3);
    if ((sib & 7) == 5 && mod == 0) {
      hasBase = false;
      disp = <i64>(<i32>fetch32());
    }
  } else if (low == 5 && mod == 0) {
    hasBase = false;
    disp = <i64>(<i32>fetch32());
    if (inLong) ripRelative = true;
  }
  if (hasBase) {
    base = VCPU_GPR + (number << 3);
    if (number == 4 || number == 5) defaultSegment = SEG_SS;
  }
  if (mod == 1) disp = signed8();
  else if (mod == 2) disp = <i64>(<i32>fetch32());
}

/** A memory operand at a plain offset (MOV moffs). */
export function absoluteOperand(): void {
  isMemory = true;
  mod = 0;
  base = VCPU_ZERO;
  index = VCPU_ZERO;
  scale = 0;
  ripRelative = false;
  defaultSegment = SEG_DS;
  disp = addressSize == 3 ? <i64>fetch64() : addressSize == 2 ? <i64>fetch32() : <i64>fetch16();
}

/** The memory operand has an index, so the [base+disp] handlers cannot be used. */
export function isIndexed(): bool {
  return index != VCPU_ZERO;
}

function blank(op: i32): usize {
  const r = recordsEnd;
  recordsEnd += RECORD_SIZE;
  clearRecord(r, op);
  return r;
}

function putAddress(r: usize): void {
  setAddress(r, ripRelative ? <u32>VREG_PAGE : base, index, scale, <i32>disp);
  if (ripRelative) ripRecord = r;
}

/** A record without memory operand. */
export function emit(op: i32): usize {
  return blank(op);
}

/** Byte offset of the base that a segment override adds in 64-bit mode. */
function overrideBase(): u32 {
  return segment >= 4 ? VCPU_SEG + <u32>segment * VCPU_SEG_SIZE : VCPU_ZERO;
}

/** 32-bit operands in the flat code, with the flat segments. */
export function flatStack(): bool {
  return flat && opSize == 2;
}
/** Does the operand's segment begin at 0 and have no end? */
function flatOperand(): bool {
  const seg = operandSegment();
  return flat && addressSize == 2 && (seg == SEG_DS || seg == SEG_SS);
}

/** A record with the ModRM memory operand, preceded by an address record where the plain form is not enough. */
export function emitMemory(op: i32): usize {
  const wide = disp != <i64>(<i32>disp) || (ripRelative && disp > 0x7fffe000);
  const plain = flatOperand();
  // Out-of-line handlers get an address already cut to 32 bits: they may use it for more than one access.
  if ((inLong && addressSize == 3 && segment < 4 && !wide) || (plain && narrow && traitsOf(op) & TRAIT_INLINE)) {
    const r = blank(op);
    putAddress(r);
    setAux(r, AUX_MEMORY);
    return r;
  }
  let ea: usize;
  if (inLong && wide && addressSize == 3) {
    ea = blank(OP_EA_FAR);
    ripFar = ripRelative;
    if (ripRelative) ripRecord = ea;
    setFar(ea, disp);
    if (ripRelative) setBase(ea, <u32>VREG_PAGE);
    setEaBase(ea, overrideBase());
  } else if (inLong) {
    ea = blank(addressSize == 3 ? OP_EA64 : OP_EA32);
    putAddress(ea);
    setEaBase(ea, overrideBase());
  } else if (plain) {
    ea = blank(OP_EA32);
    putAddress(ea);
    setEaBase(ea, VCPU_ZERO);
  } else {
    ea = blank(OP_EA_SEGMENTED);
    putAddress(ea);
    setEaSegment(ea, <u32>operandSegment(), addressSize);
    eaRecord = ea;
  }
  const r = blank(op);
  setBase(r, <u32>VREG_EA);
  setAux(r, AUX_MEMORY);
  return r;
}

/** LEA: the operand's offset, no segment, no access. */
export function emitEffective(op: i32): usize {
  const r = blank(op);
  putAddress(r);
  return r;
}

/** The segment of the memory operand. */
export function operandSegment(): i32 {
  return segment >= 0 ? segment : defaultSegment;
}

/** Fills in fields that are known only at the end of the instruction. */
export function endInstruction(): void {
  const length = <u32>(code - codeStart);
  if (ripRecord != 0) {
    if (ripFar) moveFar(ripRecord, <i64>(pageOff + length));
    else moveDisp(ripRecord, <i32>(pageOff + length));
  }
  if (eaRecord != 0) {
    const bytes = <u32>(accessBytes != 0 ? accessBytes : 1 << opSize);
    setEaAccess(eaRecord, bytes, accessWrites);
  }
  for (let r = firstRecord; r < recordsEnd; r += RECORD_SIZE) setPlace(r, length, pageOff, instruction);
}

/** Drops the records of this instruction. */
export function restartRecords(): void {
  recordsEnd = firstRecord;
  ripRecord = 0;
  ripFar = false;
  eaRecord = 0;
}
/** Accounts for `bytes` bytes of records that were inserted before the last ones. */
export function moveRecordsEnd(bytes: usize): void {
  recordsEnd += bytes;
}
export function setCode(at: usize): void {
  code = at;
}
export { setAux, setDst, setImm, setSrc } from './record';
/** Target of a near branch as an offset from the page's start. 0: does not fit. */
export function branchTarget(r: usize, relative: i64): void {
  setTarget(r, <i32>(relative + <i64>(pageOff + <u32>(code - codeStart))));
}
