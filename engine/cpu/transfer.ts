/**
 * Far JMP, CALL and RET in all modes, with 16-, 32- and 64-bit call gates (SDM 2, JMP, CALL, RET; SDM 3A 5.8), and, re-exported, the
 * other transfers. `opsize` is the operand size in bytes: 2, 4 or 8. VCPU_RIP holds the next instruction's address on entry and the
 * target on success; a fault changes nothing but memory below the stack.
 * Not implemented: task switches through a TSS or task gate (#GP(selector) with a log line), virtual-8086 mode.
 */
import { ABSENT_TASK_SWITCH, LOG_ABSENT, SEG_CS, SEG_LIMIT, SEG_SS, VCPU_RIP, VCPU_RSP } from '../abi/index';
import { log } from './imports';
import { slowValue, sysRead } from './mmu';
import { cpl, isCanonical, isLong, isProt, modeChanged, segRecord, setCpl } from './mmu-mode';
import {
  ATTR_BIG,
  ATTR_DC,
  ATTR_LONG,
  ATTR_P,
  ATTR_S,
  attrOf,
  checkStackSegment,
  descAttr,
  descHigh,
  descLimit,
  descLow,
  descVa,
  dplOf,
  isCode,
  isNull,
  locateDescriptor,
  mayBeNullStack,
  putNull,
  putReal,
  putSegment,
  readDescriptor,
  selectorOf,
  setDescriptor,
  touchDescriptor,
} from './segments';
import { cpu, raise, VEC_GP, VEC_NP, vcpuIndex } from './state';
import { dropInnerSegments } from './transfer-return';
import {
  commitStack,
  innerStack,
  innerStack64,
  popped,
  popValue,
  pushValue,
  putInnerSegment,
  readOldStack,
  setOuterPointer,
  skipBytes,
  useCurrentStack,
} from './transfer-stack';

const TYPE_CALL_GATE16: u32 = 4;
const TYPE_CALL_GATE: u32 = 12;

@inline
export function truncate(value: u64, opsize: i32): u64 {
  return opsize == 8 ? value : opsize == 4 ? value & 0xffffffff : value & 0xffff;
}

/** In real mode CS gets base and selector only; the offset must lie in the limit. */
function jumpReal(selector: u32, offset: u64): i32 {
  if (offset > <u64>load<u32>(segRecord(SEG_CS), SEG_LIMIT)) return raise(VEC_GP, 0);
  putReal(SEG_CS, selector);
  store<u64>(cpu, offset, VCPU_RIP);
  modeChanged();
  return 1;
}

/** Checks the code segment in the last descriptor for a direct JMP or CALL. */
function checkDirect(selector: u32): i32 {
  const error = selector & 0xfffc;
  const dpl = dplOf(descAttr);
  if (descAttr & ATTR_DC) {
    if (dpl > cpl) return raise(VEC_GP, error);
  } else if ((selector & 3) > cpl || dpl != cpl) {
    return raise(VEC_GP, error);
  }
  return checkCodeForm(error);
}

/** L with D is reserved in long mode; the segment must be present. */
export function checkCodeForm(error: u32): i32 {
  if (isLong() && (descAttr & (ATTR_LONG | ATTR_BIG)) == (ATTR_LONG | ATTR_BIG)) return raise(VEC_GP, error);
  if (!(descAttr & ATTR_P)) return raise(VEC_NP, error);
  return touchDescriptor();
}

/** Is the last descriptor one of 64-bit code? */
@inline
function isWide(): bool {
  return isLong() && (descAttr & ATTR_LONG) != 0;
}

/** The offset must be canonical for a 64-bit target; its low half inside the limit for any other (last descriptor). #GP(0). */
export function checkOffset(offset: u64): i32 {
  const fits = isWide() ? isCanonical(offset) : <u32>offset <= descLimit();
  return fits ? 1 : raise(VEC_GP, 0);
}

/** Loads CS from the last descriptor at privilege `newCpl` and jumps. */
export function enterCode(selector: u32, newCpl: u32, offset: u64): void {
  putSegment(SEG_CS, (selector & 0xfffc) | newCpl);
  store<u64>(cpu, isWide() ? offset : offset & 0xffffffff, VCPU_RIP);
  setCpl(newCpl);
  modeChanged();
}

function taskSwitch(selector: u32): i32 {
  log(vcpuIndex(), LOG_ABSENT, ABSENT_TASK_SWITCH, selector);
  return raise(VEC_GP, selector & 0xfffc);
}

let gateSelector: u32 = 0;
let gateOffset: u64 = 0;
let gateWords: u32 = 0;
let gateSize: i32 = 0;

/** Call gate in the last descriptor: checks it and reads its target's descriptor, which becomes the last one. A jump keeps its level. */
function readCallGate(selector: u32, jump: bool): i32 {
  const error = selector & 0xfffc;
  const type = descAttr & 0xf;
  const long = isLong();
  if (type != TYPE_CALL_GATE && (type != TYPE_CALL_GATE16 || long)) {
    return type == 5 || type == 1 || type == 9 ? (long ? raise(VEC_GP, error) : taskSwitch(selector)) : raise(VEC_GP, error);
  }
  if (dplOf(descAttr) < cpl || dplOf(descAttr) < (selector & 3)) return raise(VEC_GP, error);
  if (!(descAttr & ATTR_P)) return raise(VEC_NP, error);
  gateSelector = descLow >> 16;
  gateWords = descHigh & 31;
  gateSize = long ? 8 : type == TYPE_CALL_GATE ? 4 : 2;
  gateOffset = <u64>(descLow & 0xffff);
  if (type == TYPE_CALL_GATE) gateOffset |= <u64>(descHigh & 0xffff0000);
  if (long) {
    if (!locateDescriptor(selector, 16)) return raise(VEC_GP, error);
    if (!sysRead(descVa + 8, 8)) return 0;
    if (slowValue & 0x1f0000000000) return raise(VEC_GP, error);
    gateOffset |= slowValue << 32;
  }
  if (isNull(gateSelector)) return raise(VEC_GP, 0);
  if (!readDescriptor(gateSelector, VEC_GP)) return 0;
  const target = gateSelector & 0xfffc;
  if (!isCode(descAttr) || dplOf(descAttr) > cpl) return raise(VEC_GP, target);
  if (jump && !(descAttr & ATTR_DC) && dplOf(descAttr) != cpl) return raise(VEC_GP, target);
  if (long && (descAttr & (ATTR_LONG | ATTR_BIG)) != ATTR_LONG) return raise(VEC_GP, target);
  return checkCodeForm(target);
}

/** JMP far: ptr16:16/32 or m16:16/32/64. */
export function farJump(selector: u32, offset: u64, opsize: i32): i32 {
  selector &= 0xffff;
  offset = truncate(offset, opsize);
  if (!isProt()) return jumpReal(selector, offset);
  if (isNull(selector)) return raise(VEC_GP, 0);
  if (!readDescriptor(selector, VEC_GP)) return 0;
  if (isCode(descAttr)) {
    if (!checkDirect(selector) || !checkOffset(offset)) return 0;
    enterCode(selector, cpl, offset);
    return 1;
  }
  if (descAttr & ATTR_S) return raise(VEC_GP, selector & 0xfffc);
  if (!readCallGate(selector, true) || !checkOffset(gateOffset)) return 0;
  enterCode(gateSelector, cpl, gateOffset);
  return 1;
}

/** Pushes CS and the return address on the current stack. */
function pushReturn(size: i32): i32 {
  if (!pushValue(size, selectorOf(SEG_CS))) return 0;
  return pushValue(size, load<u64>(cpu, VCPU_RIP));
}

/** CALL far. */
export function farCall(selector: u32, offset: u64, opsize: i32): i32 {
  selector &= 0xffff;
  offset = truncate(offset, opsize);
  if (!isProt()) {
    if (offset > <u64>load<u32>(segRecord(SEG_CS), SEG_LIMIT)) return raise(VEC_GP, 0);
    useCurrentStack();
    if (!pushReturn(opsize)) return 0;
    commitStack();
    return jumpReal(selector, offset);
  }
  if (isNull(selector)) return raise(VEC_GP, 0);
  if (!readDescriptor(selector, VEC_GP)) return 0;
  if (isCode(descAttr)) {
    if (!checkDirect(selector)) return 0;
    useCurrentStack();
    if (!pushReturn(opsize) || !checkOffset(offset)) return 0;
    commitStack();
    enterCode(selector, cpl, offset);
    return 1;
  }
  if (descAttr & ATTR_S) return raise(VEC_GP, selector & 0xfffc);
  if (!readCallGate(selector, false)) return 0;
  return callGate();
}

/** Call through the gate that readCallGate found; with a more privileged target the stack switches and parameters are copied. */
function callGate(): i32 {
  const low = descLow;
  const high = descHigh;
  const dpl = dplOf(descAttr);
  const inner = !(descAttr & ATTR_DC) && dpl < cpl;
  if (!inner) {
    useCurrentStack();
  } else {
    const found = isLong() ? innerStack64Plain(dpl) : innerStack(dpl, 0);
    if (!found) return 0;
    if (!pushValue(gateSize, selectorOf(SEG_SS)) || !pushValue(gateSize, load<u64>(cpu, VCPU_RSP))) return 0;
    if (!isLong() && !copyParameters()) return 0;
  }
  if (!pushReturn(gateSize)) return 0;
  setDescriptor(low, high);
  if (!checkOffset(gateOffset)) return 0;
  if (inner) {
    if (isLong()) putNull(SEG_SS, dpl);
    else putInnerSegment();
  }
  commitStack();
  setDescriptor(low, high);
  enterCode(gateSelector, inner ? dpl : cpl, gateOffset);
  return 1;
}

@inline
function innerStack64Plain(forCpl: u32): i32 {
  return innerStack64(forCpl, 0, 0, ~(<u64>0));
}

/** Copies the gate's parameters from the caller's stack, last one first. */
function copyParameters(): i32 {
  for (let i = <i32>gateWords - 1; i >= 0; i--) {
    if (!readOldStack(<u64>(i * gateSize), gateSize)) return 0;
    if (!pushValue(gateSize, slowValue)) return 0;
  }
  return 1;
}

/** Checks the code segment that a RET or IRET returns to and leaves its descriptor as the last one. */
export function checkReturnCode(selector: u32): i32 {
  const error = selector & 0xfffc;
  const rpl = selector & 3;
  if (isNull(selector)) return raise(VEC_GP, 0);
  if (!readDescriptor(selector, VEC_GP)) return 0;
  if (!isCode(descAttr) || rpl < cpl) return raise(VEC_GP, error);
  if (descAttr & ATTR_DC ? dplOf(descAttr) > rpl : dplOf(descAttr) != rpl) return raise(VEC_GP, error);
  return checkCodeForm(error);
}

/**
 * Second half of a return to an outer level or of any 64-bit IRET: loads SS:RSP, then CS:RIP from the given descriptor words. The SS checks depend on
 * whether the target is 64-bit code, and precede that of the offset.
 */
export function returnOuter(selector: u32, offset: u64, ss: u32, rsp: u64, low: u32, high: u32): i32 {
  const rpl = selector & 3;
  const none = isNull(ss);
  setDescriptor(low, high);
  const wide = isWide();
  if (none && !mayBeNullStack(ss, rpl, wide)) return raise(VEC_GP, 0);
  if (!none && !checkStackSegment(ss, rpl)) return 0;
  const stackLow = descLow;
  const stackHigh = descHigh;
  setDescriptor(low, high);
  if (!checkOffset(offset)) return 0;
  setDescriptor(stackLow, stackHigh);
  if (none) putNull(SEG_SS, ss);
  else putSegment(SEG_SS, ss);
  setOuterPointer(rsp, wide, (attrOf(SEG_SS) & ATTR_BIG) != 0);
  setDescriptor(low, high);
  enterCode(selector, rpl, offset);
  return 1;
}

/** RET far, releasing `pop` bytes of parameters (on both stacks when the level changes). */
export function farRet(opsize: i32, pop: u32): i32 {
  useCurrentStack();
  if (!popValue(opsize)) return 0;
  const offset = popped;
  if (!popValue(opsize)) return 0;
  const selector = <u32>popped & 0xffff;
  if (!isProt()) {
    if (offset > <u64>load<u32>(segRecord(SEG_CS), SEG_LIMIT)) return raise(VEC_GP, 0);
    skipBytes(pop);
    commitStack();
    return jumpReal(selector, offset);
  }
  if (!checkReturnCode(selector)) return 0;
  skipBytes(pop);
  if ((selector & 3) == cpl) {
    if (!checkOffset(offset)) return 0;
    commitStack();
    enterCode(selector, cpl, offset);
    return 1;
  }
  const low = descLow;
  const high = descHigh;
  if (!popValue(opsize)) return 0;
  const rsp = popped;
  if (!popValue(opsize)) return 0;
  if (!returnOuter(selector, offset, <u32>popped & 0xffff, rsp + pop, low, high)) return 0;
  dropInnerSegments();
  return 1;
}
