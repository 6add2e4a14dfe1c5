/**
 * Entry into the handler of an interrupt or exception through the IDT: real mode, 16- and 32-bit gates, 64-bit gates with IST. SDM 3A chapter 6.
 * Not implemented: task gates (#GP with a log line), virtual-8086 mode.
 */
import {
  ABSENT_TASK_GATE,
  LOG_ABSENT,
  SEG_CS,
  SEG_SS,
  STAT_INTERRUPTS,
  VCPU_HALTED,
  VCPU_IDT_BASE,
  VCPU_IDT_LIMIT,
  VCPU_NMI_BLOCKED,
  VCPU_RIP,
  VCPU_RSP,
  VCPU_STATS,
} from '../abi/index';
import { dropAccesses } from './device-accesses';
import { getFlags, setFlags } from './flags';
import { log } from './imports';
import { slowValue, sysRead } from './mmu';
import { cpl, isCanonical, isLong, isProt, modeChanged, setCpl } from './mmu-mode';
import {
  ATTR_BIG,
  ATTR_DC,
  ATTR_LONG,
  ATTR_P,
  descAttr,
  descHigh,
  descLimit,
  descLow,
  dplOf,
  isCode,
  isNull,
  putNull,
  putReal,
  putSegment,
  readDescriptor,
  selectorOf,
  setDescriptor,
  touchDescriptor,
} from './segments';
import { cpu, raise, VEC_GP, VEC_NMI, VEC_NP, vcpuIndex } from './state';
import { deliverShortly } from './transfer-fast';
import { commitStack, innerStack, innerStack64, pushValue, putInnerSegment, useCurrentStack, useFlatStack } from './transfer-stack';
import { ARM_VECTOR, armed, noteVector } from './watch';

/** Kinds of `interrupt`. Software interrupts check the gate's DPL. */
export const INT_HARDWARE: i32 = 0;
/** INT n, INT3 (CC), INTO. */
export const INT_SOFTWARE: i32 = 1;
/** INT1 (F1): #DB as a trap without a DPL check; DR6 does not change. */
export const INT_PRIVILEGED: i32 = 2;
/** An exception of class fault: its frame shows RF, so that an instruction breakpoint does not fire again (SDM 3B 18.3.1.1). */
export const INT_FAULT: i32 = 3;
/** An exception of class trap, or an abort: RFLAGS unchanged. */
export const INT_TRAP: i32 = 4;

const FLAG_TF: u32 = 0x100;
const FLAG_IF: u32 = 0x200;
const FLAG_NT: u32 = 0x4000;
export const FLAG_RF: u32 = 0x10000;
const FLAG_VM: u32 = 0x20000;
const FLAG_AC: u32 = 0x40000;

/** Of the event being delivered. */
let eventVector: i32 = 0;
let eventKind: i32 = 0;
let eventHasError: bool = false;
let eventError: u32 = 0;
/** EXT bit of error codes: 1 unless the guest's own INT n caused it. */
let ext: u32 = 0;
let gateType: u32 = 0;
let gateSelector: u32 = 0;
let gateOffset: u64 = 0;
let gateIst: u32 = 0;

export function count(stat: usize): void {
  store<u64>(cpu + stat, load<u64>(cpu + stat, VCPU_STATS) + 1, VCPU_STATS);
}

@inline
function idtError(): u32 {
  return ((<u32>eventVector) << 3) | 2 | ext;
}

/** RFLAGS in the handler's frame: RF is set between two iterations of a repeated instruction, too. */
function frameFlags(): u32 {
  const flags = getFlags();
  if (eventKind == INT_FAULT) return flags | FLAG_RF;
  return eventKind == INT_SOFTWARE || eventKind == INT_PRIVILEGED ? flags & ~FLAG_RF : flags;
}

function enterFlags(interruptGate: bool): void {
  const cleared = FLAG_TF | FLAG_NT | FLAG_RF | FLAG_VM | (interruptGate ? FLAG_IF : 0);
  setFlags(getFlags() & ~cleared);
}

/** Real mode: IVT entry of 4 bytes at the IDT base (SDM 3A 20.1.4). No error codes. */
function deliverReal(): i32 {
  const at = (<u32>eventVector) << 2;
  if (at + 3 > load<u32>(cpu, VCPU_IDT_LIMIT)) return raise(VEC_GP, 0);
  if (!sysRead(load<u64>(cpu, VCPU_IDT_BASE) + at, 4)) return 0;
  const target = <u32>slowValue;
  useCurrentStack();
  if (!pushValue(2, getFlags() & 0xffff)) return 0;
  if (!pushValue(2, selectorOf(SEG_CS))) return 0;
  if (!pushValue(2, load<u64>(cpu, VCPU_RIP) & 0xffff)) return 0;
  commitStack();
  putReal(SEG_CS, target >> 16);
  store<u64>(cpu, target & 0xffff, VCPU_RIP);
  setFlags(getFlags() & ~(FLAG_IF | FLAG_TF | FLAG_AC | FLAG_RF));
  modeChanged();
  return 1;
}

/** Reads and checks the IDT entry. 1: in gate*. */
function readGate(): i32 {
  const long = isLong();
  const at = (<u32>eventVector) << (long ? 4 : 3);
  if (at + (long ? 15 : 7) > load<u32>(cpu, VCPU_IDT_LIMIT)) return raise(VEC_GP, idtError());
  const va = load<u64>(cpu, VCPU_IDT_BASE) + at;
  gateOffset = 0;
  if (long) {
    if (!sysRead(va + 8, 4)) return 0;
    gateOffset = slowValue << 32;
  }
  if (!sysRead(va, 8)) return 0;
  const low = <u32>slowValue;
  const high = <u32>(slowValue >> 32);
  gateType = (high >> 8) & 0x1f;
  gateSelector = low >> 16;
  gateIst = long ? high & 7 : 0;
  const known = gateType == 14 || gateType == 15 || (!long && (gateType == 5 || gateType == 6 || gateType == 7));
  if (!known) return raise(VEC_GP, idtError());
  if (eventKind == INT_SOFTWARE && ((high >> 13) & 3) < cpl) return raise(VEC_GP, idtError());
  if (!(high & 0x8000)) return raise(VEC_NP, idtError());
  if (gateType == 5) {
    log(vcpuIndex(), LOG_ABSENT, ABSENT_TASK_GATE, eventVector);
    return raise(VEC_GP, idtError());
  }
  gateOffset |= gateType >= 14 ? <u64>((low & 0xffff) | (high & 0xffff0000)) : <u64>(low & 0xffff);
  return 1;
}

let newCpl: u32 = 0;
/** Checks the gate's code segment. Leaves its descriptor as the last one; the new CPL is in newCpl. */
function checkTarget(): i32 {
  if (isNull(gateSelector)) return raise(VEC_GP, ext);
  if (!readDescriptor(gateSelector, VEC_GP, ext)) return 0;
  const error = (gateSelector & 0xfffc) | ext;
  if (!isCode(descAttr) || dplOf(descAttr) > cpl) return raise(VEC_GP, error);
  if (isLong() && (descAttr & (ATTR_LONG | ATTR_BIG)) != ATTR_LONG) return raise(VEC_GP, error);
  if (!(descAttr & ATTR_P)) return raise(VEC_NP, error);
  newCpl = descAttr & ATTR_DC ? cpl : dplOf(descAttr);
  return touchDescriptor();
}

function pushFrame(size: i32, withStack: bool): i32 {
  if (withStack) {
    if (!pushValue(size, selectorOf(SEG_SS))) return 0;
    if (!pushValue(size, load<u64>(cpu, VCPU_RSP))) return 0;
  }
  if (!pushValue(size, frameFlags())) return 0;
  if (!pushValue(size, selectorOf(SEG_CS))) return 0;
  if (!pushValue(size, load<u64>(cpu, VCPU_RIP))) return 0;
  return eventHasError ? pushValue(size, eventError) : 1;
}

function enterHandler(low: u32, high: u32): void {
  setDescriptor(low, high);
  putSegment(SEG_CS, (gateSelector & 0xfffc) | newCpl);
  store<u64>(cpu, gateOffset, VCPU_RIP);
  setCpl(newCpl);
  enterFlags(!(gateType & 1));
  modeChanged();
}

/** 16- and 32-bit gates (SDM 3A 6.12.1). `low`, `high`: the code segment's descriptor. */
function deliverProtected(low: u32, high: u32): i32 {
  const size = gateType >= 14 ? 4 : 2;
  const inner = newCpl < cpl;
  const codeLimit = descLimit();
  if (!inner) useCurrentStack(ext);
  else if (!innerStack(newCpl, ext)) return 0;
  if (gateOffset > <u64>codeLimit) return raise(VEC_GP, ext);
  if (!pushFrame(size, inner)) return 0;
  if (inner) putInnerSegment();
  commitStack();
  enterHandler(low, high);
  return 1;
}

/** 64-bit gates (SDM 3A 6.14): the frame always holds SS:RSP and is 16-byte aligned. */
function deliverLong(low: u32, high: u32): i32 {
  const inner = newCpl < cpl;
  if (!inner && gateIst == 0) useFlatStack(load<u64>(cpu, VCPU_RSP) & ~(<u64>15), newCpl, ext);
  else if (!innerStack64(newCpl, gateIst, ext, ~(<u64>15))) return 0;
  if (!isCanonical(gateOffset)) return raise(VEC_GP, ext);
  if (!pushFrame(8, true)) return 0;
  if (inner) putNull(SEG_SS, newCpl);
  commitStack();
  enterHandler(low, high);
  return 1;
}

/** Delivers one event; 0: another fault (or PEND_RETRY) is pending and nothing but memory below the stack changed. */
export function deliverEvent(vector: i32, kind: i32, hasError: bool, error: u32): i32 {
  eventVector = vector;
  eventKind = kind;
  eventHasError = hasError;
  eventError = error;
  ext = kind == INT_SOFTWARE ? 0 : 1;
  if (!isProt()) {
    if (!deliverReal()) return 0;
  } else if (!deliverShortly(vector, kind == INT_SOFTWARE, frameFlags(), hasError, error)) {
    if (!readGate() || !checkTarget()) return 0;
    const low = descLow;
    const high = descHigh;
    if (!(isLong() ? deliverLong(low, high) : deliverProtected(low, high))) return 0;
  }
  dropAccesses();
  // Cleared together with VCPU_INTR_SHADOW, which lies behind it: going-on.ts loads both at once, and a load that spans two separate stores has to
  // wait for them.
  store<u64>(cpu, 0, VCPU_HALTED);
  if (vector == VEC_NMI) store<u32>(cpu, 1, VCPU_NMI_BLOCKED);
  if (armed & ARM_VECTOR) noteVector(vector);
  return 1;
}

/**
 * INT n, INT3, INTO (INT_SOFTWARE), INT1 (INT_PRIVILEGED) or an external interrupt or NMI (INT_HARDWARE). RIP must be the address to return to. 0: an
 * exception or PEND_RETRY is pending; an instruction is then run again from its start, or its exception delivered at it.
 */
export function interrupt(vector: i32, kind: i32): i32 {
  if (!deliverEvent(vector, kind, false, 0)) return 0;
  count(STAT_INTERRUPTS);
  return 1;
}
