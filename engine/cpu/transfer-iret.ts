/**
 * IRET in real, protected and long mode (SDM 2, IRET). It also ends the blocking of NMIs.
 * Not implemented: return to virtual-8086 mode and from a nested task (#GP(0) with a log line).
 */
import { ABSENT_NESTED_TASK, ABSENT_VIRTUAL_8086, LOG_ABSENT, SEG_CS, SEG_LIMIT, VCPU_NMI_BLOCKED, VCPU_RIP } from '../abi/index';
import { sysFlags } from './flags';
import { log } from './imports';
import { cpl, is64, isLong, isProt, modeChanged, segRecord } from './mmu-mode';
import { descHigh, descLow, putReal } from './segments';
import { cpu, raise, VEC_GP, vcpuIndex } from './state';
import { checkOffset, checkReturnCode, enterCode, returnOuter } from './transfer';
import { iretShortly } from './transfer-fast';
import { dropInnerSegments, returnFlags } from './transfer-return';
import { commitStack, popped, popValue, useCurrentStack } from './transfer-stack';

const FLAG_NT: u32 = 0x4000;
const FLAG_VM: u32 = 0x20000;

function unsupported(what: u32): i32 {
  log(vcpuIndex(), LOG_ABSENT, what, 0);
  return raise(VEC_GP, 0);
}

function iretReal(selector: u32, offset: u64, image: u32, opsize: i32): i32 {
  if (offset > <u64>load<u32>(segRecord(SEG_CS), SEG_LIMIT)) return raise(VEC_GP, 0);
  commitStack();
  putReal(SEG_CS, selector);
  store<u64>(cpu, offset, VCPU_RIP);
  returnFlags(image, opsize, 0);
  modeChanged();
  return 1;
}

/** opsize 2, 4 or 8 bytes. VCPU_RIP is read only for the log. */
export function iret(opsize: i32): i32 {
  if (opsize == 8 && iretShortly()) {
    store<u32>(cpu, 0, VCPU_NMI_BLOCKED);
    return 1;
  }
  if (isProt() && !isLong() && sysFlags() & FLAG_NT) return unsupported(ABSENT_NESTED_TASK);
  if (isLong() && sysFlags() & FLAG_NT) return raise(VEC_GP, 0);
  useCurrentStack();
  if (!popValue(opsize)) return 0;
  const offset = popped;
  if (!popValue(opsize)) return 0;
  const selector = <u32>popped & 0xffff;
  if (!popValue(opsize)) return 0;
  const image = <u32>popped;
  if (!isProt()) {
    if (!iretReal(selector, offset, image, opsize)) return 0;
    store<u32>(cpu, 0, VCPU_NMI_BLOCKED);
    return 1;
  }
  if (image & FLAG_VM && cpl == 0 && !isLong() && opsize != 2) return unsupported(ABSENT_VIRTUAL_8086);
  return iretProtected(selector, offset, image, opsize);
}

function iretProtected(selector: u32, offset: u64, image: u32, opsize: i32): i32 {
  const from = cpl;
  const outer = (selector & 3) != from;
  let rsp: u64 = 0;
  let ss: u32 = 0;
  const withStack = is64() || outer;
  if (!checkReturnCode(selector)) return 0;
  const low = descLow;
  const high = descHigh;
  if (withStack) {
    if (!popValue(opsize)) return 0;
    rsp = popped;
    if (!popValue(opsize)) return 0;
    ss = <u32>popped & 0xffff;
    if (!returnOuter(selector, offset, ss, rsp, low, high)) return 0;
    if (outer) dropInnerSegments();
  } else {
    if (!checkOffset(offset)) return 0;
    commitStack();
    enterCode(selector, from, offset);
  }
  returnFlags(image, opsize, from);
  store<u32>(cpu, 0, VCPU_NMI_BLOCKED);
  return 1;
}
