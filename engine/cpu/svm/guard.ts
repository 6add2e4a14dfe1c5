/**
 * Intercepted instructions (APM 2 15.7 to 15.11). Code is decoded separately for guest mode (KEY_GUEST), with a record before each instruction that a
 * host can intercept: the guard. Other code pays nothing. The guard looks up the host's intercepts when it runs.
 *
 * Faults with a higher priority than the intercept are left to the instruction itself: the guard lets it run. Those of its memory operand have a
 * lower priority.
 */
import { VCPU_GPR, VCPU_RCX, VCPU_RDX, VCPU_ZERO } from '../../abi/index';
import {
  INTERCEPT_CR0_SELECTIVE,
  SVM_EXIT_CPUID,
  SVM_EXIT_CR0_SEL_WRITE,
  SVM_EXIT_EXCEPTION,
  SVM_EXIT_GDTR_READ,
  SVM_EXIT_GDTR_WRITE,
  SVM_EXIT_HLT,
  SVM_EXIT_ICEBP,
  SVM_EXIT_IDTR_READ,
  SVM_EXIT_IDTR_WRITE,
  SVM_EXIT_INTR,
  SVM_EXIT_INVD,
  SVM_EXIT_INVLPG,
  SVM_EXIT_INVLPGA,
  SVM_EXIT_IOIO,
  SVM_EXIT_IRET,
  SVM_EXIT_LDTR_READ,
  SVM_EXIT_LDTR_WRITE,
  SVM_EXIT_MSR,
  SVM_EXIT_PAUSE,
  SVM_EXIT_POPF,
  SVM_EXIT_PUSHF,
  SVM_EXIT_RDPMC,
  SVM_EXIT_RDTSC,
  SVM_EXIT_RDTSCP,
  SVM_EXIT_READ_CR0,
  SVM_EXIT_READ_DR0,
  SVM_EXIT_SWINT,
  SVM_EXIT_TR_READ,
  SVM_EXIT_TR_WRITE,
  SVM_EXIT_VMRUN,
  SVM_EXIT_WBINVD,
  SVM_EXIT_WRITE_CR0,
  SVM_EXIT_WRITE_DR0,
  SVM_IOPM,
  SVM_MSRPM,
} from '../../abi/svm';
import { overflow } from '../flags';
import {
  OP_CLTS,
  OP_CPUID,
  OP_GUARD,
  OP_HLT,
  OP_IN,
  OP_INT,
  OP_INTO,
  OP_INVLPG,
  OP_IRET,
  OP_LGDT,
  OP_LIDT,
  OP_LLDT,
  OP_LMSW,
  OP_LTR,
  OP_MOV_FROM_CR,
  OP_MOV_FROM_DR,
  OP_MOV_TO_CR,
  OP_MOV_TO_DR,
  OP_OUT,
  OP_POPF,
  OP_PUSHF,
  OP_RDMSR,
  OP_RDPMC,
  OP_RDTSC,
  OP_RDTSCP,
  OP_SGDT,
  OP_SIDT,
  OP_SLDT,
  OP_SMSW,
  OP_STR,
  OP_STRING_IO,
  OP_SVM,
  OP_WBINVD,
  OP_WRMSR,
} from '../generated/ops';
import { exactCount, operandSize, operandVa, readReg, ripAfter } from '../mem';
import { CR0_MP, CR0_TS, CR4_PCE, CR4_TSD, cpl, cr0, cr4, is64, isProt } from '../mmu-mode';
import { checkPort } from '../ops-io';
import {
  AUX_REP,
  AUX_REPNE,
  opOf,
  R_AUX,
  R_DST,
  R_IMM,
  R_KIND,
  R_NUMBER,
  R_PORT,
  R_SRC,
  RECORD_SIZE,
  setAddress,
  setImm,
  setKind,
  setOp,
  setSrc,
} from '../record';
import { cpu, VEC_BP, VEC_OF } from '../state';
import { SVM_INVLPGA, SVM_VMRUN, svmFault } from './instructions';
import { mapByte } from './physical';
import { intercepts, requestExit } from './state';

/** The record is not an instruction that can be intercepted. */
export const NO_GUARD: i32 = 0xffff;
/** Exit codes of guards whose exit depends on more than a bit. */
const BREAKPOINT: i32 = SVM_EXIT_EXCEPTION + VEC_BP;
const OVERFLOW: i32 = SVM_EXIT_EXCEPTION + VEC_OF;

// EXITINFO1 of IOIO.
const IO_IN: u64 = 1;
const IO_STRING: u64 = 4;
const IO_REP: u64 = 8;
const IO_SIZE: u64 = 0x10;
const IO_ADDRESS: u64 = 0x80;
const IO_SEGMENT_SHIFT: u64 = 10;
/** EXITINFO1 of MOV CR and MOV DR: bits 3:0 are the register. */
const IS_MOV: u64 = (<u64>1) << 63;

/** Exit code of the intercept for the instruction that ends with the record r and the byte `last`, or NO_GUARD. */
export function guardFor(r: usize, last: u32, pause: bool): i32 {
  switch (opOf(r)) {
    case OP_MOV_FROM_CR:
      return SVM_EXIT_READ_CR0 + load<i32>(r, R_NUMBER);
    case OP_SMSW:
      return SVM_EXIT_READ_CR0;
    case OP_MOV_TO_CR:
      return SVM_EXIT_WRITE_CR0 + load<i32>(r, R_NUMBER);
    case OP_LMSW:
    case OP_CLTS:
      return SVM_EXIT_WRITE_CR0;
    case OP_MOV_FROM_DR:
      return SVM_EXIT_READ_DR0 + load<i32>(r, R_NUMBER);
    case OP_MOV_TO_DR:
      return SVM_EXIT_WRITE_DR0 + load<i32>(r, R_NUMBER);
    case OP_SIDT:
      return SVM_EXIT_IDTR_READ;
    case OP_SGDT:
      return SVM_EXIT_GDTR_READ;
    case OP_SLDT:
      return SVM_EXIT_LDTR_READ;
    case OP_STR:
      return SVM_EXIT_TR_READ;
    case OP_LIDT:
      return SVM_EXIT_IDTR_WRITE;
    case OP_LGDT:
      return SVM_EXIT_GDTR_WRITE;
    case OP_LLDT:
      return SVM_EXIT_LDTR_WRITE;
    case OP_LTR:
      return SVM_EXIT_TR_WRITE;
    case OP_RDTSC:
      return SVM_EXIT_RDTSC;
    case OP_RDTSCP:
      return SVM_EXIT_RDTSCP;
    case OP_RDPMC:
      return SVM_EXIT_RDPMC;
    case OP_PUSHF:
      return SVM_EXIT_PUSHF;
    case OP_POPF:
      return SVM_EXIT_POPF;
    case OP_CPUID:
      return SVM_EXIT_CPUID;
    case OP_IRET:
      return SVM_EXIT_IRET;
    case OP_INT: {
      const kind = load<u32>(r, R_KIND);
      return kind == 0 ? SVM_EXIT_SWINT : kind == 1 ? BREAKPOINT : SVM_EXIT_ICEBP;
    }
    case OP_INTO:
      return OVERFLOW;
    case OP_WBINVD:
      return last == 0x08 ? SVM_EXIT_INVD : SVM_EXIT_WBINVD;
    case OP_HLT:
      return SVM_EXIT_HLT;
    case OP_INVLPG:
      return SVM_EXIT_INVLPG;
    case OP_IN:
    case OP_OUT:
    case OP_STRING_IO:
      return SVM_EXIT_IOIO;
    case OP_RDMSR:
    case OP_WRMSR:
      return SVM_EXIT_MSR;
    case OP_SVM: {
      const number = load<i32>(r, R_NUMBER);
      return number == SVM_INVLPGA ? SVM_EXIT_INVLPGA : SVM_EXIT_VMRUN + number - SVM_VMRUN;
    }
    default:
      return pause ? SVM_EXIT_PAUSE : NO_GUARD;
  }
}

/** EXITINFO1 of IN, OUT, INS or OUTS (opcode `last` if it is a string instruction), without the port. */
function ioInfo(r: usize, last: u32, addressSize: i32, segment: i32): u64 {
  let info = (IO_SIZE << (<u64>(<u32>load<u8>(r, R_AUX) & 3))) | ((IO_ADDRESS >> 1) << (<u64>addressSize));
  if (opOf(r) != OP_STRING_IO) return info | (opOf(r) == OP_IN ? IO_IN : 0);
  info |= IO_STRING;
  if (last < 0x6e) info |= IO_IN;
  else info |= (<u64>segment) << IO_SEGMENT_SHIFT;
  return <u32>load<u8>(r, R_AUX) & (AUX_REP | AUX_REPNE) ? info | IO_REP : info;
}

/** Turns the record at r, before the instruction's last one, `main`, into the guard of the exit code. `main` is already in place. */
export function putGuard(r: usize, main: usize, code: i32, last: u32, addressSize: i32, segment: i32): void {
  memory.copy(r, main, RECORD_SIZE);
  setOp(r, OP_GUARD);
  setAddress(r, VCPU_ZERO, VCPU_ZERO, 0, 0);
  setSrc(r, <u32>(main - r));
  setImm(r, code == SVM_EXIT_IOIO ? <i64>ioInfo(main, last, addressSize, segment) : 0);
  setKind(r, <u32>code);
}

/** A fault of the instruction with a higher priority than its intercept. */
function faultsFirst(code: i32, main: usize): bool {
  if (opOf(main) == OP_SVM) return svmFault(load<i32>(main, R_NUMBER)) != 0;
  if (code < SVM_EXIT_EXCEPTION) return cpl != 0 && opOf(main) != OP_SMSW;
  switch (code) {
    case SVM_EXIT_LDTR_READ:
    case SVM_EXIT_TR_READ:
      return !isProt();
    case SVM_EXIT_LDTR_WRITE:
    case SVM_EXIT_TR_WRITE:
      return !isProt() || cpl != 0;
    case SVM_EXIT_RDTSC:
    case SVM_EXIT_RDTSCP:
      return cpl != 0 && (cr4() & CR4_TSD) != 0;
    case SVM_EXIT_RDPMC:
      return cpl != 0 && !(cr4() & CR4_PCE);
    case SVM_EXIT_IDTR_WRITE:
    case SVM_EXIT_GDTR_WRITE:
    case SVM_EXIT_HLT:
    case SVM_EXIT_INVLPG:
    case SVM_EXIT_INVD:
    case SVM_EXIT_WBINVD:
    case SVM_EXIT_MSR:
      return cpl != 0;
    default:
      return false;
  }
}

/** Number of the general register of MOV CR or DR. */
function registerOf(main: usize): u64 {
  return <u64>((<u32>load<u16>(main, R_DST) - VCPU_GPR) >> 3);
}

/** Does a write to CR0 change more than TS and MP? LMSW always counts as such a write, CLTS never. */
function changesMore(main: usize): bool {
  const op = opOf(main);
  if (op != OP_MOV_TO_CR) return op == OP_LMSW;
  const value = readReg(<u32>load<u16>(main, R_DST), is64() ? 8 : 4);
  return ((value ^ cr0()) & ~(CR0_TS | CR0_MP)) != 0;
}

function guardRegister(p: usize, main: usize, code: i32): i32 {
  const moves = opOf(main) != OP_SMSW && opOf(main) != OP_LMSW && opOf(main) != OP_CLTS;
  const info: u64 = !moves ? 0 : code < SVM_EXIT_READ_DR0 ? IS_MOV | registerOf(main) : registerOf(main);
  if (intercepts(code)) return requestExit(code, info, 0, ripAfter(p));
  const selective = code == SVM_EXIT_WRITE_CR0 && intercepts(SVM_EXIT_INTR + INTERCEPT_CR0_SELECTIVE);
  return selective && changesMore(main) ? requestExit(SVM_EXIT_CR0_SEL_WRITE, info, 0, ripAfter(p)) : 1;
}

/** The I/O permission map has a bit per port; one set bit among the accessed ports is enough. */
function guardPort(p: usize, main: usize): i32 {
  const given = opOf(main) == OP_STRING_IO ? -1 : load<i64>(main, R_PORT);
  const port = given < 0 ? <u32>load<u16>(cpu, VCPU_RDX) : <u32>given;
  const size = operandSize(main);
  const info = load<u64>(p, R_IMM);
  if (!checkPort(port, size)) return 0;
  if (info & IO_REP) {
    const rcx = load<u64>(cpu, VCPU_RCX);
    const count = info & (IO_ADDRESS << 2) ? rcx : info & (IO_ADDRESS << 1) ? rcx & 0xffffffff : rcx & 0xffff;
    if (count == 0) return 1;
  }
  const map = load<u64>(cpu, SVM_IOPM);
  const bits = mapByte(map + (port >> 3)) | (mapByte(map + (port >> 3) + 1) << 8);
  if (!((bits >> (port & 7)) & ((1 << size) - 1))) return 1;
  return requestExit(SVM_EXIT_IOIO, info | ((<u64>port) << 16), ripAfter(p), ripAfter(p));
}

/** Two bits per MSR, read and write, for three ranges of 0x2000; all others are always intercepted. */
function guardMsr(p: usize, main: usize): i32 {
  const index = load<u32>(cpu, VCPU_RCX);
  const writes = u32(opOf(main) == OP_WRMSR);
  const range: u32 = index < 0x2000 ? 0 : index - 0xc0000000 < 0x2000 ? 0x800 : index - 0xc0010000 < 0x2000 ? 0x1000 : 0xffff;
  if (range != 0xffff) {
    const bit = ((index & 0x1fff) << 1) + writes;
    if (!((mapByte(load<u64>(cpu, SVM_MSRPM) + range + (bit >> 3)) >> (bit & 7)) & 1)) return 1;
  }
  return requestExit(SVM_EXIT_MSR, writes, 0, ripAfter(p));
}

/** Runs before the instruction. 1: continue with it; 0: a #VMEXIT (or a fault) is pending. */
export function opGuard(p: usize): i32 {
  const code = load<i32>(p, R_KIND);
  const main = p + <usize>load<u16>(p, R_SRC);
  if (faultsFirst(code, main)) return 1;
  exactCount(p);
  if (code < SVM_EXIT_EXCEPTION) return guardRegister(p, main, code);
  if (!intercepts(code)) return 1;
  switch (code) {
    case SVM_EXIT_IOIO:
      return guardPort(p, main);
    case SVM_EXIT_MSR:
      return guardMsr(p, main);
    case OVERFLOW:
      return overflow() ? requestExit(code, 0, 0, ripAfter(p)) : 1;
    case SVM_EXIT_SWINT:
      return requestExit(code, load<u32>(main, R_NUMBER), 0, ripAfter(p));
    case SVM_EXIT_INVLPG:
      return requestExit(code, operandVa(main), 0, ripAfter(p));
    default:
      return requestExit(code, 0, 0, ripAfter(p));
  }
}
