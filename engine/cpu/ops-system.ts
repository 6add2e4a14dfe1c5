/** System instructions: operands here, semantics in system/ and transfer*.ts. */
import {
  LOG_UNIMPLEMENTED,
  STAT_UNIMPLEMENTED,
  VCPU_GDT_BASE,
  VCPU_GDT_LIMIT,
  VCPU_IDT_BASE,
  VCPU_IDT_LIMIT,
  VCPU_LOG_BYTES,
  VCPU_LOG_LENGTH,
  VCPU_RCX,
  VCPU_RIP,
  VCPU_STATS,
  WATCH_READ,
  WATCH_WRITE,
} from '../abi/index';
import { arithmeticFlags, F_ZF, setArithmeticFlags } from './flags';
import { log } from './imports';
import {
  canWrite,
  exactCount,
  inMemory,
  leaveAfter,
  memVal,
  operandSize,
  operandVa,
  rd,
  readReg,
  regRead,
  regWrite,
  ripAfter,
  ripOf,
  rmRead,
  rmWrite,
  uncheckedVa,
  wr,
  writeReg,
} from './mem';
import { is64, isProt } from './mmu-mode';
import { R_BYTES, R_DST, R_LEN, R_LOGGED, R_NUMBER, VREG_EA } from './record';
import { clearPending, cpu, pending, raise, VEC_GP, VEC_UD, vcpuIndex } from './state';
import {
  arpl,
  clts,
  cpuid,
  hlt,
  invlpg,
  lar,
  lgdt,
  lidt,
  lldt,
  lmsw,
  lsl,
  ltr,
  rdmsr,
  rdpmc,
  rdrand,
  rdtsc,
  rdtscp,
  readCr,
  readDr,
  requireCpl0,
  sldt,
  smsw,
  str,
  swapgs,
  systemValue,
  systemZf,
  verify,
  wbinvd,
  writeCr,
  writeDr,
  wrmsr,
  xgetbv,
} from './system';
import { syscall, sysenter, sysexit, sysret } from './transfer-syscall';
import { ARM_MSR, armed, noteMsr } from './watch';

/** Answer of a far transfer. */
const FAR: i32 = 4;

function done(p: usize, status: i32): i32 {
  return status ? leaveAfter(p) : 0;
}
function prepare(p: usize): void {
  exactCount(p);
  store<u64>(cpu, ripAfter(p), VCPU_RIP);
}

/** Bytes that are not an instruction, or an instruction that is not implemented, which is logged. */
export function opUndefined(p: usize): i32 {
  if (load<u32>(p, R_LOGGED)) {
    exactCount(p);
    const rip = ripOf(p);
    const length = <u32>load<u8>(p, R_LEN);
    store<u64>(cpu, load<u64>(p, R_BYTES), VCPU_LOG_BYTES);
    store<u64>(cpu, 0, VCPU_LOG_BYTES + 8);
    store<u32>(cpu, length < 8 ? length : 8, VCPU_LOG_LENGTH);
    store<u64>(cpu, load<u64>(cpu, VCPU_STATS + STAT_UNIMPLEMENTED) + 1, VCPU_STATS + STAT_UNIMPLEMENTED);
    log(vcpuIndex(), LOG_UNIMPLEMENTED, <u32>rip, <u32>(rip >> 32));
  }
  return raise(VEC_UD, 0);
}
export function opTooLong(_p: usize): i32 {
  return raise(VEC_GP, 0);
}

export function opMovFromCr(p: usize): i32 {
  clearPending();
  const value = readCr(load<i32>(p, R_NUMBER));
  if (pending) return 0;
  writeReg(<u32>load<u16>(p, R_DST), is64() ? 8 : 4, value);
  return 1;
}
export function opMovToCr(p: usize): i32 {
  prepare(p);
  return done(p, writeCr(load<i32>(p, R_NUMBER), readReg(<u32>load<u16>(p, R_DST), is64() ? 8 : 4)));
}
export function opMovFromDr(p: usize): i32 {
  clearPending();
  const value = readDr(load<i32>(p, R_NUMBER));
  if (pending) return 0;
  writeReg(<u32>load<u16>(p, R_DST), is64() ? 8 : 4, value);
  return 1;
}
export function opMovToDr(p: usize): i32 {
  return done(p, writeDr(load<i32>(p, R_NUMBER), readReg(<u32>load<u16>(p, R_DST), is64() ? 8 : 4)));
}

function storeTable(p: usize, base: u64, limit: u32): i32 {
  const va = operandVa(p);
  const size = is64() ? 8 : 4;
  // Two operands: at an address 2 above a multiple of the base's size both are aligned.
  if (!canWrite(p, va, 2) || !canWrite(p, va + 2, size)) return 0;
  if (!wr(p, va, 2, <u64>limit)) return 0;
  return wr(p, va + 2, size, base);
}
export function opSgdt(p: usize): i32 {
  return storeTable(p, load<u64>(cpu, VCPU_GDT_BASE), load<u32>(cpu, VCPU_GDT_LIMIT));
}
export function opSidt(p: usize): i32 {
  return storeTable(p, load<u64>(cpu, VCPU_IDT_BASE), load<u32>(cpu, VCPU_IDT_LIMIT));
}

let tableLimit: u32 = 0;
function loadTable(p: usize): i32 {
  const va = operandVa(p);
  if (!rd(p, va, 2)) return 0;
  tableLimit = <u32>memVal;
  return rd(p, va + 2, is64() ? 8 : 4);
}
export function opLgdt(p: usize): i32 {
  if (!requireCpl0() || !loadTable(p)) return 0;
  return done(p, lgdt(tableLimit, memVal, operandSize(p)));
}
export function opLidt(p: usize): i32 {
  if (!requireCpl0() || !loadTable(p)) return 0;
  return done(p, lidt(tableLimit, memVal, operandSize(p)));
}

export function opSldt(p: usize): i32 {
  return sldt() ? rmWrite(p, operandSize(p), <u64>systemValue) : 0;
}
export function opStr(p: usize): i32 {
  return str() ? rmWrite(p, operandSize(p), <u64>systemValue) : 0;
}
export function opLldt(p: usize): i32 {
  if (isProt() && !requireCpl0()) return 0;
  if (!rmRead(p, 2)) return 0;
  exactCount(p);
  return done(p, lldt(<u32>memVal));
}
export function opLtr(p: usize): i32 {
  if (isProt() && !requireCpl0()) return 0;
  if (!rmRead(p, 2)) return 0;
  exactCount(p);
  return done(p, ltr(<u32>memVal));
}
export function opSmsw(p: usize): i32 {
  return rmWrite(p, operandSize(p), smsw());
}
export function opLmsw(p: usize): i32 {
  if (!requireCpl0()) return 0;
  if (!rmRead(p, 2)) return 0;
  exactCount(p);
  return done(p, lmsw(<u32>memVal));
}

function setZf(): i32 {
  setArithmeticFlags((arithmeticFlags() & ~F_ZF) | (systemZf ? F_ZF : 0));
  return 1;
}
export function opVerr(p: usize): i32 {
  if (!rmRead(p, 2)) return 0;
  exactCount(p);
  return verify(<u32>memVal, false) ? setZf() : 0;
}
export function opVerw(p: usize): i32 {
  if (!rmRead(p, 2)) return 0;
  exactCount(p);
  return verify(<u32>memVal, true) ? setZf() : 0;
}
export function opLar(p: usize): i32 {
  if (!rmRead(p, 2)) return 0;
  exactCount(p);
  if (!lar(<u32>memVal)) return 0;
  if (systemZf) regWrite(p, operandSize(p), <u64>systemValue);
  return setZf();
}
export function opLsl(p: usize): i32 {
  if (!rmRead(p, 2)) return 0;
  exactCount(p);
  if (!lsl(<u32>memVal)) return 0;
  if (systemZf) regWrite(p, operandSize(p), <u64>systemValue);
  return setZf();
}
/** Reads, and writes only a changed value: otherwise read access to the segment or page is enough. */
export function opArpl(p: usize): i32 {
  const memory = inMemory(p);
  if (memory && !uncheckedVa(p, 0, 2, false)) return 0;
  if (memory ? !rd(p, load<u64>(cpu, VREG_EA), 2) : !rmRead(p, 2)) return 0;
  if (!arpl(<u32>memVal, <u32>regRead(p, 2))) return 0;
  if (systemZf) {
    if (memory && !uncheckedVa(p, 0, 2, true)) return 0;
    if (memory ? !wr(p, load<u64>(cpu, VREG_EA), 2, <u64>systemValue) : !rmWrite(p, 2, <u64>systemValue)) return 0;
  }
  return setZf();
}

export function opCpuid(_p: usize): i32 {
  cpuid();
  return 1;
}
export function opRdtsc(p: usize): i32 {
  exactCount(p);
  return rdtsc();
}
export function opRdtscp(p: usize): i32 {
  exactCount(p);
  return rdtscp();
}
export function opRdpmc(_p: usize): i32 {
  return rdpmc();
}
export function opRdrand(p: usize): i32 {
  regWrite(p, operandSize(p), rdrand());
  setArithmeticFlags(1);
  return 1;
}
export function opXgetbv(_p: usize): i32 {
  return xgetbv();
}

export function opClts(p: usize): i32 {
  return done(p, clts());
}
export function opInvlpg(p: usize): i32 {
  return done(p, invlpg(operandVa(p)));
}
export function opWbinvd(p: usize): i32 {
  return done(p, wbinvd());
}
export function opHlt(p: usize): i32 {
  prepare(p);
  return hlt() ? 2 : 0;
}
export function opRdmsr(p: usize): i32 {
  exactCount(p);
  const number = load<u32>(cpu, VCPU_RCX);
  if (!rdmsr()) return 0;
  if (armed & ARM_MSR) noteMsr(number, WATCH_READ);
  return leaveAfter(p);
}
export function opWrmsr(p: usize): i32 {
  exactCount(p);
  if (!wrmsr()) return 0;
  if (armed & ARM_MSR) noteMsr(load<u32>(cpu, VCPU_RCX), WATCH_WRITE);
  return leaveAfter(p);
}
export function opSwapgs(p: usize): i32 {
  return done(p, swapgs());
}
export function opSyscall(p: usize): i32 {
  prepare(p);
  return syscall() ? FAR : 0;
}
export function opSysret(p: usize): i32 {
  prepare(p);
  return sysret(operandSize(p)) ? FAR : 0;
}
export function opSysenter(p: usize): i32 {
  prepare(p);
  return sysenter() ? FAR : 0;
}
export function opSysexit(p: usize): i32 {
  prepare(p);
  return sysexit(operandSize(p)) ? FAR : 0;
}
