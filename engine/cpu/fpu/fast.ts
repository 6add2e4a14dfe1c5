/**
 * The short paths of x87 instructions (short-ways.ts), for ordinary operands in registers that are in use, memory that the TLB has, and no unmasked
 * exception that could occur. In all other cases they change nothing, and execute.ts runs the instruction.
 */
import { VCPU_CR0, VCPU_FCW, VCPU_FPU_REGS, VCPU_FSW, VCPU_FTW, VCPU_IGNNE } from '../../abi/index';
import {
  WAY_COMPARE,
  WAY_COMPARE_DOUBLE,
  WAY_COMPARE_FLAGS,
  WAY_COMPARE_FLAGS_POP,
  WAY_COMPARE_POP,
  WAY_COMPARE_POP2,
  WAY_COMPARE_SINGLE,
  WAY_EXCHANGE,
  WAY_LOAD_DOUBLE,
  WAY_LOAD_EXTENDED,
  WAY_LOAD_INT16,
  WAY_LOAD_INT32,
  WAY_LOAD_INT64,
  WAY_LOAD_SINGLE,
  WAY_MOVE,
  WAY_ONE,
  WAY_PUSH,
  WAY_ROOT,
  WAY_SIGN,
  WAY_STORE_DOUBLE,
  WAY_STORE_EXTENDED,
  WAY_STORE_INT16,
  WAY_STORE_INT32,
  WAY_STORE_INT64,
  WAY_STORE_SINGLE,
  WAY_TO_REGISTER,
  WAY_TO_REGISTER_POP,
  WAY_TO_TOP,
  WAY_WITH_DOUBLE,
  WAY_WITH_INT16,
  WAY_WITH_INT32,
  WAY_WITH_SINGLE,
  WAY_ZERO,
} from '../../abi/x87-ways';
import { F_CF, F_ZF, setArithmeticFlags } from '../flags';
import { ripOf } from '../mem';
import { hostRead, hostWrite } from '../mmu';
import { CR0_EM, CR0_TS } from '../mmu-mode';
import { R_FPU } from '../record';
import { cpu } from '../state';
import {
  arithmeticNormal,
  compareNormal,
  endInexact,
  narrowDouble,
  narrowed,
  narrowedInexact,
  narrowedUp,
  narrowInteger,
  narrowSingle,
  rootNormal,
  statusOf,
  widenDouble,
  widenInteger,
  widenSingle,
  wideSe,
  wideSig,
} from './fast-arithmetic';
import { BIAS, EX_PRECISION, INTEGER_BIT } from './float80';
import { FSW_C0, FSW_C1, FSW_C2, FSW_C3, FSW_ES, noteInstruction, noteOperand } from './registers';

const CONDITIONS: u32 = FSW_C0 | FSW_C1 | FSW_C2 | FSW_C3;

// Engines do not merge loads within a function, so block and TOP are read once and passed on.

@inline
function topOf(c: usize): u32 {
  return (<u32>load<u16>(c, VCPU_FSW) >> 11) & 7;
}
/** Address of ST(i). */
@inline
function placeOf(c: usize, top: u32, i: u32): usize {
  return c + VCPU_FPU_REGS + <usize>(((top + i) & 7) << 4);
}
/** Is ST(i) empty, according to this tag word? */
@inline
function emptyIn(tags: u32, top: u32, i: u32): bool {
  return ((tags >> (((top + i) & 7) << 1)) & 3) == 3;
}
@inline
function tagsOf(c: usize): u32 {
  return load<u16>(c, VCPU_FTW);
}
/** Address of ST(0); 0: it is empty. */
@inline
function filled(): usize {
  const c = cpu;
  const top = topOf(c);
  return emptyIn(tagsOf(c), top, 0) ? 0 : placeOf(c, top, 0);
}
@inline
function significand(at: usize): u64 {
  return load<u64>(at);
}
@inline
function signExponent(at: usize): u32 {
  return load<u16>(at, 8);
}

/** Moves TOP up by one, or (7) down; the register that it leaves, or reaches, gets this tag. */
@inline
function moveTop(c: usize, status: u32, by: u32, register: u32, tag: u32): void {
  const shift = register << 1;
  store<u16>(c, <u16>((tagsOf(c) & ~((<u32>3) << shift)) | (tag << shift)), VCPU_FTW);
  store<u16>(c, <u16>((status & ~(<u32>0x3800)) | ((((status >> 11) + by) & 7) << 11)), VCPU_FSW);
}
function pop(): bool {
  const c = cpu;
  const status = <u32>load<u16>(c, VCPU_FSW);
  moveTop(c, status, 1, (status >> 11) & 7, 3);
  return true;
}
/** Pushes a value whose load raised nothing. */
function push(sig: u64, se: u32): bool {
  const c = cpu;
  const status = <u32>load<u16>(c, VCPU_FSW);
  const register = ((status >> 11) + 7) & 7;
  if (!emptyIn(tagsOf(c), register, 0)) return false;
  store<u32>(c, 0, VCPU_IGNNE); // like endInexact
  moveTop(c, status & ~FSW_C1, 7, register, 0);
  const at = placeOf(c, register, 0);
  store<u64>(at, sig);
  store<u16>(at, <u16>se, 8);
  return true;
}

/** Ends arithmetic that returned these status bits; false: it was not done. */
function ended(bits: i32): bool {
  if (bits < 0) return false;
  endInexact(<u32>bits);
  return true;
}
function withRegister(op: u32, i: u32, to: u32): bool {
  const c = cpu;
  const top = topOf(c);
  const tags = tagsOf(c);
  if (emptyIn(tags, top, 0) || emptyIn(tags, top, i)) return false;
  const a = placeOf(c, top, 0);
  const b = placeOf(c, top, i);
  return ended(arithmeticNormal(op, to == 0 ? a : b, significand(a), signExponent(a), significand(b), signExponent(b)));
}
/** ST(0) with the value that widening returned. */
function withWide(op: u32): bool {
  const at = filled();
  return at != 0 && ended(arithmeticNormal(op, at, significand(at), signExponent(at), wideSig, wideSe));
}

function relationTo(sig: u64, se: u32): i32 {
  const at = filled();
  return at == 0 ? -1 : compareNormal(significand(at), signExponent(at), sig, se);
}
function relation(i: u32): i32 {
  const c = cpu;
  const top = topOf(c);
  const at = placeOf(c, top, i);
  return emptyIn(tagsOf(c), top, i) ? -1 : relationTo(significand(at), signExponent(at));
}
function compared(found: i32): bool {
  if (found < 0) return false;
  endInexact(0);
  const bits = found == 0 ? FSW_C3 : found == 2 ? FSW_C0 : 0;
  store<u16>(cpu, <u16>((<u32>load<u16>(cpu, VCPU_FSW) & ~CONDITIONS) | bits), VCPU_FSW);
  return true;
}
function comparedFlags(found: i32): bool {
  if (found < 0) return false;
  const status = load<u16>(cpu, VCPU_FSW);
  endInexact(0);
  // C1 is kept.
  store<u16>(cpu, status, VCPU_FSW);
  setArithmeticFlags(found == 0 ? F_ZF : found == 2 ? F_CF : 0);
  return true;
}

// Widens the operand in memory. False if the TLB does not have the page for it.

function loadSingle(va: u64): bool {
  const host = hostRead<u32>(va);
  return host != 0 && widenSingle(load<u32>(host));
}
function loadDouble(va: u64): bool {
  const host = hostRead<u64>(va);
  return host != 0 && widenDouble(load<u64>(host));
}
function loadInt16(va: u64): bool {
  const host = hostRead<u16>(va);
  if (host == 0) return false;
  widenInteger(<i64>load<i16>(host));
  return true;
}
function loadInt32(va: u64): bool {
  const host = hostRead<u32>(va);
  if (host == 0) return false;
  widenInteger(<i64>load<i32>(host));
  return true;
}
function loadInt64(va: u64): bool {
  const host = hostRead<u64>(va);
  if (host == 0) return false;
  widenInteger(load<i64>(host));
  return true;
}
function pushExtended(va: u64): bool {
  // The operand has ten bytes, but the probe covers sixteen.
  const host = hostRead<v128>(va);
  return host != 0 && push(load<u64>(host), load<u16>(host, 8));
}

function storeSingle(va: u64): bool {
  const host = hostWrite<u32>(va);
  const at = filled();
  if (host == 0 || at == 0 || !narrowSingle(significand(at), signExponent(at))) return false;
  store<u32>(host, <u32>narrowed);
  endInexact(statusOf(narrowedInexact, narrowedUp));
  return true;
}
function storeDouble(va: u64): bool {
  const host = hostWrite<u64>(va);
  const at = filled();
  if (host == 0 || at == 0 || !narrowDouble(significand(at), signExponent(at))) return false;
  store<u64>(host, narrowed);
  endInexact(statusOf(narrowedInexact, narrowedUp));
  return true;
}
function storeExtended(va: u64): bool {
  const host = hostWrite<v128>(va);
  const at = filled();
  if (host == 0 || at == 0) return false;
  store<u64>(host, significand(at));
  store<u16>(host, <u16>signExponent(at), 8);
  store<u16>(cpu, load<u16>(cpu, VCPU_FSW) & <u16>~FSW_C1, VCPU_FSW);
  return true;
}
/** /1 FISTTP, /2 FIST, /3 and /7 FISTP. */
function storeInteger(va: u64, bits: u32, reg: u32): bool {
  const host = bits == 64 ? hostWrite<u64>(va) : bits == 32 ? hostWrite<u32>(va) : hostWrite<u16>(va);
  const at = filled();
  if (host == 0 || at == 0 || !narrowInteger(significand(at), signExponent(at), bits, reg == 1)) return false;
  if (bits == 64) store<u64>(host, narrowed);
  else if (bits == 32) store<u32>(host, <u32>narrowed);
  else store<u16>(host, <u16>narrowed);
  endInexact(statusOf(narrowedInexact, narrowedUp));
  return reg == 2 || pop();
}

function exchange(i: u32): bool {
  const c = cpu;
  const status = <u32>load<u16>(c, VCPU_FSW);
  const top = (status >> 11) & 7;
  const tags = tagsOf(c);
  if (emptyIn(tags, top, 0) || emptyIn(tags, top, i)) return false;
  const a = placeOf(c, top, 0);
  const b = placeOf(c, top, i);
  const sig = significand(a);
  const se = signExponent(a);
  store<u64>(a, significand(b));
  store<u16>(a, <u16>signExponent(b), 8);
  store<u64>(b, sig);
  store<u16>(b, <u16>se, 8);
  store<u16>(c, <u16>(status & ~FSW_C1), VCPU_FSW);
  return true;
}
function move(i: u32): bool {
  const c = cpu;
  const status = <u32>load<u16>(c, VCPU_FSW);
  const top = (status >> 11) & 7;
  const tags = tagsOf(c);
  if (emptyIn(tags, top, 0)) return false;
  const from = placeOf(c, top, 0);
  const to = placeOf(c, top, i);
  store<u64>(to, significand(from));
  store<u16>(to, <u16>signExponent(from), 8);
  store<u16>(c, <u16>(tags & ~((<u32>3) << (((top + i) & 7) << 1))), VCPU_FTW);
  store<u16>(c, <u16>(status & ~FSW_C1), VCPU_FSW);
  return true;
}
function changeSign(clear: bool): bool {
  const at = filled();
  if (at == 0) return false;
  const se = signExponent(at);
  store<u16>(at, <u16>(clear ? se & 0x7fff : se ^ 0x8000), 8);
  store<u16>(cpu, load<u16>(cpu, VCPU_FSW) & <u16>~FSW_C1, VCPU_FSW);
  return true;
}

/** Runs the instruction at p on its short path, if it has one; va is the address of its operand. False: nothing was changed. */
export function shortly(p: usize, va: u64): bool {
  const word = load<u32>(p, R_FPU);
  const modrm = (word >> 8) & 255;
  if (!shortWay(word >> 16, modrm, va)) return false;
  noteInstruction(word & 255, modrm, ripOf(p));
  if (modrm < 0xc0) noteOperand(va);
  return true;
}
function pushRegister(i: u32): bool {
  const c = cpu;
  const top = topOf(c);
  const at = placeOf(c, top, i);
  return !emptyIn(tagsOf(c), top, i) && push(significand(at), signExponent(at));
}
function rootOfTop(): bool {
  const at = filled();
  return at != 0 && ended(rootNormal(at, significand(at), signExponent(at)));
}

function shortWay(way: u32, modrm: u32, va: u64): bool {
  const c = cpu;
  if (load<u64>(c, VCPU_CR0) & (CR0_EM | CR0_TS)) return false;
  if (load<u16>(c, VCPU_FSW) & <u16>FSW_ES || !(load<u16>(c, VCPU_FCW) & <u16>EX_PRECISION)) return false;
  const i = modrm & 7;
  const reg = (modrm >> 3) & 7;
  switch (way) {
    case WAY_TO_TOP:
      return withRegister(reg, i, 0);
    case WAY_TO_REGISTER:
      return withRegister(reg, i, i);
    case WAY_TO_REGISTER_POP:
      return withRegister(reg, i, i) && pop();
    case WAY_WITH_SINGLE:
      return loadSingle(va) && withWide(reg);
    case WAY_WITH_INT32:
      return loadInt32(va) && withWide(reg);
    case WAY_WITH_DOUBLE:
      return loadDouble(va) && withWide(reg);
    case WAY_WITH_INT16:
      return loadInt16(va) && withWide(reg);
    case WAY_COMPARE:
      return compared(relation(i));
    case WAY_COMPARE_POP:
      return compared(relation(i)) && pop();
    case WAY_COMPARE_POP2:
      return compared(relation(1)) && pop() && pop();
    case WAY_COMPARE_FLAGS:
      return comparedFlags(relation(i));
    case WAY_COMPARE_FLAGS_POP:
      return comparedFlags(relation(i)) && pop();
    case WAY_COMPARE_SINGLE:
      return loadSingle(va) && compared(relationTo(wideSig, wideSe)) && (reg == 2 || pop());
    case WAY_COMPARE_DOUBLE:
      return loadDouble(va) && compared(relationTo(wideSig, wideSe)) && (reg == 2 || pop());
    case WAY_LOAD_SINGLE:
      return loadSingle(va) && push(wideSig, wideSe);
    case WAY_LOAD_DOUBLE:
      return loadDouble(va) && push(wideSig, wideSe);
    case WAY_LOAD_EXTENDED:
      return pushExtended(va);
    case WAY_LOAD_INT16:
      return loadInt16(va) && push(wideSig, wideSe);
    case WAY_LOAD_INT32:
      return loadInt32(va) && push(wideSig, wideSe);
    case WAY_LOAD_INT64:
      return loadInt64(va) && push(wideSig, wideSe);
    case WAY_STORE_SINGLE:
      return storeSingle(va) && (reg == 2 || pop());
    case WAY_STORE_DOUBLE:
      return storeDouble(va) && (reg == 2 || pop());
    case WAY_STORE_EXTENDED:
      return storeExtended(va) && pop();
    case WAY_STORE_INT16:
      return storeInteger(va, 16, reg);
    case WAY_STORE_INT32:
      return storeInteger(va, 32, reg);
    case WAY_STORE_INT64:
      return storeInteger(va, 64, reg);
    case WAY_PUSH:
      return pushRegister(i);
    case WAY_EXCHANGE:
      return exchange(i);
    case WAY_MOVE:
      return move(i) && (reg == 2 || pop());
    case WAY_ONE:
      return push(INTEGER_BIT, BIAS);
    case WAY_ZERO:
      return push(0, 0);
    case WAY_SIGN:
      return changeSign(i != 0);
    case WAY_ROOT:
      return rootOfTop();
    default:
      return false;
  }
}
