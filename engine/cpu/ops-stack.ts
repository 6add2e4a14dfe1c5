/** Stack instructions in their general forms (any operand and stack size). SDM 2: PUSH, POP, PUSHA, POPA, PUSHF, POPF, ENTER, LEAVE. */
import { SEG_SS, SHADOW_MOV_SS, VCPU_GPR, VCPU_INTR_SHADOW, VCPU_RBP, VCPU_RSP } from '../abi/index';
import { ARITHMETIC, F_AC, F_DF, F_ID, F_IF, F_IOPL, F_NT, F_RF, F_TF, F_VIF, F_VIP, F_VM, getFlags, setFlags, sysFlags } from './flags';
import { canWrite, exactCount, leaveAfter, memVal, operandVa, rd, rmRead, segmentedOffset, uncheckedVa, wr, writeReg } from './mem';
import { cpl, isProt, MODE_64, MODE_STACK32, mode } from './mmu-mode';
import { AUX_MEMORY, AUX_SIZE, R_AUX, R_BASE, R_DST, R_IMM, R_LEVEL, R_NUMBER, R_SRC, RECORD_SIZE, VREG_EA } from './record';
import { loadSegment, selectorOf } from './segments';
import { cpu, raise, VEC_GP } from './state';

/** SP, ESP or RSP, by the current stack size. */
@inline
function stackMask(): u64 {
  return mode & MODE_64 ? 0xffffffffffffffff : mode & MODE_STACK32 ? 0xffffffff : 0xffff;
}
function setSp(value: u64): void {
  if (mode & MODE_64) store<u64>(cpu, value, VCPU_RSP);
  else if (mode & MODE_STACK32) store<u64>(cpu, value & 0xffffffff, VCPU_RSP);
  else store<u16>(cpu, <u16>value, VCPU_RSP);
}
function stackVa(sp: u64, size: i32, write: bool): i32 {
  if (mode & MODE_64) {
    store<u64>(cpu, sp, VREG_EA);
    return 1;
  }
  return segmentedOffset(SEG_SS, sp, size, write);
}

export function push(p: usize, size: i32, value: u64): i32 {
  const sp = (load<u64>(cpu, VCPU_RSP) - <u64>size) & stackMask();
  if (!stackVa(sp, size, true) || !wr(p, load<u64>(cpu, VREG_EA), size, value)) return 0;
  setSp(sp);
  return 1;
}
/** Reads the top of the stack into memVal; RSP stays. */
export function peek(p: usize, size: i32): i32 {
  if (!stackVa(load<u64>(cpu, VCPU_RSP) & stackMask(), size, false)) return 0;
  return rd(p, load<u64>(cpu, VREG_EA), size);
}
/** Moves RSP up. */
export function drop(bytes: u64): void {
  setSp((load<u64>(cpu, VCPU_RSP) + bytes) & stackMask());
}

@inline
function sizeOf(p: usize): i32 {
  return 1 << (<i32>load<u8>(p, R_AUX) & AUX_SIZE);
}
/** PUSHF, RETF and similar have 64-bit operands in 64-bit mode without 66; the decoder sets opSize. */
function sizeOfFlags(p: usize): i32 {
  const size = sizeOf(p);
  return mode & MODE_64 && size == 4 ? 8 : size;
}

export function opPushR(p: usize): i32 {
  const size = sizeOf(p);
  return push(p, size, load<u64>(cpu + <usize>load<u16>(p, R_SRC)));
}
export function opPushI(p: usize): i32 {
  return push(p, sizeOf(p), load<u64>(p, R_IMM));
}
export function opPushM(p: usize): i32 {
  const size = sizeOf(p);
  if (!rmRead(p, size)) return 0;
  return push(p, size, memVal);
}
/** The upper bytes of the slot are 0. Intel processors write only 16 bits of a 32-bit slot, a difference that guests hardly notice. */
export function opPushSeg(p: usize): i32 {
  return push(p, sizeOf(p), <u64>selectorOf(<i32>load<u32>(p, R_NUMBER)));
}
export function opPopR(p: usize): i32 {
  const size = sizeOf(p);
  if (!peek(p, size)) return 0;
  const value = memVal;
  drop(<u64>size);
  writeReg(<u32>load<u16>(p, R_DST), size, value);
  return 1;
}

/** The stack is read before the operand's address is checked. */
export function opPopM(p: usize): i32 {
  const size = sizeOf(p);
  const inMemory = (<u32>load<u8>(p, R_AUX) & AUX_MEMORY) != 0;
  const direct = inMemory && mode & MODE_64 ? popTarget(p, size) : 0;
  if (!peek(p, size)) return 0;
  const value = memVal;
  if (inMemory) {
    let target = direct;
    if (!(mode & MODE_64)) {
      if (!uncheckedVa(p, moved(load<u16>(p, R_BASE), size), size, true)) return 0;
      target = load<u64>(cpu, VREG_EA);
    }
    if (!wr(p, target, size, value)) return 0;
    drop(<u64>size);
  } else {
    drop(<u64>size);
    writeReg(<u32>load<u16>(p, R_SRC), size, value);
  }
  return 1;
}
/** An operand address that uses RSP takes its new value (SDM 2, POP). */
@inline
function moved(base: usize, size: i32): u64 {
  return base == VCPU_RSP ? <u64>size : 0;
}
/** 64-bit code: behind an address record, decided by its base register. */
function popTarget(p: usize, size: i32): u64 {
  const base = <usize>load<u16>(p, R_BASE);
  return operandVa(p) + moved(base == VREG_EA ? <usize>load<u16>(p - RECORD_SIZE, R_BASE) : base, size);
}

export function opPopSeg(p: usize): i32 {
  const size = sizeOf(p);
  const seg = <i32>load<u32>(p, R_NUMBER);
  if (!peek(p, size)) return 0;
  exactCount(p);
  if (!loadSegment(seg, <u32>memVal & 0xffff)) return 0;
  drop(<u64>size);
  if (seg == SEG_SS) store<u32>(cpu, SHADOW_MOV_SS, VCPU_INTR_SHADOW);
  return leaveAfter(p);
}

export function opPusha(p: usize): i32 {
  const size = sizeOf(p);
  const top = load<u64>(cpu, VCPU_RSP);
  // Reads all slots first, from the top: after that nothing can fault.
  for (let slot = 1; slot <= 8; slot++) {
    if (!stackVa((top - <u64>(size * slot)) & stackMask(), size, true) || !canWrite(p, load<u64>(cpu, VREG_EA), size)) return 0;
  }
  for (let n = 0; n < 8; n++) {
    const value = n == 4 ? top : load<u64>(cpu + ((<usize>n) << 3), VCPU_GPR);
    if (!push(p, size, value)) {
      store<u64>(cpu, top, VCPU_RSP);
      return 0;
    }
  }
  return 1;
}
export function opPopa(p: usize): i32 {
  const size = sizeOf(p);
  const top = load<u64>(cpu, VCPU_RSP);
  // Checks both ends first: after that nothing can fault.
  if (!peek(p, size)) return 0;
  if (!stackVa((top + <u64>(size * 7)) & stackMask(), size, false) || !rd(p, load<u64>(cpu, VREG_EA), size)) return 0;
  for (let n = 7; n >= 0; n--) {
    if (!peek(p, size)) {
      store<u64>(cpu, top, VCPU_RSP);
      return 0;
    }
    const value = memVal;
    drop(<u64>size);
    if (n != 4) writeReg(VCPU_GPR + ((<u32>n) << 3), size, value);
  }
  return 1;
}

export function opPushf(p: usize): i32 {
  return push(p, sizeOfFlags(p), <u64>(getFlags() & ~(F_VM | F_RF)));
}
export function opPopf(p: usize): i32 {
  const size = sizeOfFlags(p);
  if (!peek(p, size)) return 0;
  drop(<u64>size);
  const old = getFlags();
  let change: u32 = ARITHMETIC | F_TF | F_DF | F_NT | F_AC | F_ID;
  if (!isProt() || cpl == 0) change |= F_IOPL | F_IF;
  else if (cpl <= ((old >> 12) & 3)) change |= F_IF;
  if (size == 2) change &= 0xffff;
  setFlags((old & ~change & ~(F_VIF | F_VIP | F_RF)) | (<u32>memVal & change));
  return leaveAfter(p);
}

/** R_IMM bytes, R_LEVEL nesting level. */
export function opEnter(p: usize): i32 {
  const size = sizeOf(p);
  const level = <i32>load<u32>(p, R_LEVEL);
  const top = load<u64>(cpu, VCPU_RSP);
  const bp = load<u64>(cpu, VCPU_RBP);
  if (!push(p, size, bp)) return 0;
  const frame = load<u64>(cpu, VCPU_RSP);
  if (!enterLevels(p, size, level, bp, frame)) {
    store<u64>(cpu, top, VCPU_RSP);
    return 0;
  }
  const end = (load<u64>(cpu, VCPU_RSP) - load<u64>(p, R_IMM)) & stackMask();
  // The new top must be writable (SDM 2, ENTER).
  if (!stackVa(end, size, true) || !canWrite(p, load<u64>(cpu, VREG_EA), size)) {
    store<u64>(cpu, top, VCPU_RSP);
    return 0;
  }
  writeReg(VCPU_RBP, size, frame);
  setSp(end);
  return 1;
}
function enterLevels(p: usize, size: i32, level: i32, bp: u64, frame: u64): i32 {
  if (level == 0) return 1;
  let at = bp;
  for (let i = 1; i < level; i++) {
    at -= <u64>size;
    if (!stackVa(at & stackMask(), size, false) || !rd(p, load<u64>(cpu, VREG_EA), size)) return 0;
    if (!push(p, size, memVal)) return 0;
  }
  return push(p, size, frame);
}

export function opLeave(p: usize): i32 {
  const size = sizeOf(p);
  const sp = load<u64>(cpu, VCPU_RBP) & stackMask();
  if (!stackVa(sp, size, false) || !rd(p, load<u64>(cpu, VREG_EA), size)) return 0;
  setSp((sp + <u64>size) & stackMask());
  writeReg(VCPU_RBP, size, memVal);
  return 1;
}

/** CLI and STI need CPL <= IOPL in protected mode. */
export function mayTouchInterrupts(): i32 {
  if (isProt() && cpl > (sysFlags() & F_IOPL) >> 12) return raise(VEC_GP, 0);
  return 1;
}
