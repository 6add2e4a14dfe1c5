/** #VMEXIT (APM 2 15.6): saves the guest into its VMCB, loads the host. */
import {
  PAGE_INVALID,
  SEG_BASE,
  SEG_CS,
  SEG_ES,
  VCPU_CPL,
  VCPU_CR0,
  VCPU_CR3,
  VCPU_CR4,
  VCPU_DR7,
  VCPU_EFER,
  VCPU_EVENT,
  VCPU_GDT_BASE,
  VCPU_GDT_LIMIT,
  VCPU_GPR,
  VCPU_HALTED,
  VCPU_IDT_BASE,
  VCPU_IDT_LIMIT,
  VCPU_INTR_SHADOW,
  VCPU_MAILBOX2,
  VCPU_NMI_BLOCKED,
  VCPU_PAT,
  VCPU_RIP,
  VCPU_RSP,
  VCPU_SEG,
  VCPU_SEG_SIZE,
  VCPU_STATS,
} from '../../abi/index';
import {
  SVM_EXIT_EXCEPTION,
  SVM_EXIT_NPF,
  SVM_FEATURE_DECODE_ASSISTS,
  SVM_GIF_CLEAR,
  SVM_GUEST,
  SVM_HOST_CR0,
  SVM_HOST_CR3,
  SVM_HOST_CR4,
  SVM_HOST_EFER,
  SVM_HOST_GDT_BASE,
  SVM_HOST_GDT_LIMIT,
  SVM_HOST_IDT_BASE,
  SVM_HOST_IDT_LIMIT,
  SVM_HOST_NMI_BLOCKED,
  SVM_HOST_PAT,
  SVM_HOST_RAX,
  SVM_HOST_RFLAGS,
  SVM_HOST_RIP,
  SVM_HOST_RSP,
  SVM_HOST_SEGMENTS,
  SVM_NESTED,
  SVM_VINTR,
  SVM_VMCB,
  VMCB_BYTES_FETCHED,
  VMCB_EVENTINJ,
  VMCB_EXITCODE,
  VMCB_EXITINFO1,
  VMCB_EXITINFO2,
  VMCB_EXITINTINFO,
  VMCB_INTERRUPT_SHADOW,
  VMCB_NRIP,
  VMCB_VINTR,
} from '../../abi/svm';
import { STAT_VM_EXITS } from '../../abi/vcpu';
import { setFlags } from '../flags';
import { frame } from '../frames';
import { translate } from '../mmu';
import { CR0_PE, is64, modeChanged, wrapLinear } from '../mmu-mode';
import { PF_I } from '../page-bits';
import { cpu, PEND_RETRY, pend, VEC_PF } from '../state';
import { svmFeatures } from '../system/cpuid';
import { exitingTlb } from './asid';
import { debugRegistersChanged } from './debug';
import { physInvalid, physPage } from './physical';
import { saveGuestState } from './save-area';
import { exitCode, exitEvent, exitInfo1, exitInfo2, exitNextRip } from './state';

/** Instruction bytes that a VMCB has room for. */
const MOST_BYTES: u32 = 15;
/** V_TPR and V_IRQ: the fields of the virtual interrupt that the processor writes back. */
const VINTR_WRITTEN: u64 = 0x1ff;

function storeExit(vmcb: usize): void {
  store<u64>(vmcb, exitCode, VMCB_EXITCODE);
  store<u64>(vmcb, exitInfo1, VMCB_EXITINFO1);
  store<u64>(vmcb, exitInfo2, VMCB_EXITINFO2);
  store<u64>(vmcb, exitEvent, VMCB_EXITINTINFO);
  store<u64>(vmcb, exitNextRip, VMCB_NRIP);
}

/**
 * Decode assists (APM 2 15.8.4): the bytes at CS:RIP, if a data access of the instruction there caused the exit. Bytes that the guest's tables do not
 * map are left out, and exits on a fetch provide none.
 */
function storeBytes(vmcb: usize): void {
  if (!(svmFeatures() & SVM_FEATURE_DECODE_ASSISTS)) return;
  let count: u32 = 0;
  if ((exitCode == SVM_EXIT_NPF || exitCode == SVM_EXIT_EXCEPTION + VEC_PF) && !(exitInfo1 & PF_I)) {
    const base = is64() ? 0 : load<u64>(cpu + VCPU_SEG + SEG_CS * VCPU_SEG_SIZE, SEG_BASE);
    let host: usize = 0;
    for (; count < MOST_BYTES; count++) {
      const va = wrapLinear(base + load<u64>(cpu, VCPU_RIP) + count);
      const offset = <usize>va & 0xfff;
      if (count == 0 || offset == 0) {
        if (!translate(cpu, va)) break;
        const answer = frame(load<u64>(cpu, VCPU_MAILBOX2) >> 12);
        if (answer == 0 || answer & PAGE_INVALID) break;
        host = <usize>(answer & 0xfffff000);
      }
      store<u8>(vmcb + count, load<u8>(host + offset), VMCB_BYTES_FETCHED + 1);
    }
  }
  store<u8>(vmcb, count, VMCB_BYTES_FETCHED);
}

/** The exit of a VMRUN whose VMCB is refused: nothing was loaded, so nothing is saved. GIF is clear afterwards. */
export function refuseGuest(vmcb: usize): void {
  storeExit(vmcb);
  store<u32>(cpu, 1, SVM_GIF_CLEAR);
}

function restore(field: usize, from: usize): void {
  store<u64>(cpu + field, load<u64>(cpu + from));
}

/**
 * Performs the requested #VMEXIT and saves RIP as the guest's. 0: the VMCB lies in an INVALID memslot, PEND_RETRY, nothing was changed. If the VMCB's
 * memory is gone, nothing is stored there.
 */
export function leaveGuest(): i32 {
  const vmcb = physPage(load<u64>(cpu, SVM_VMCB), true);
  if (vmcb == 0 && physInvalid) return pend(PEND_RETRY);
  if (vmcb != 0) {
    storeExit(vmcb);
    storeBytes(vmcb);
    saveGuestState(vmcb);
    store<u64>(vmcb, u64(load<u32>(cpu, VCPU_INTR_SHADOW) != 0), VMCB_INTERRUPT_SHADOW);
    const virtual = load<u64>(vmcb, VMCB_VINTR) & ~VINTR_WRITTEN;
    store<u64>(vmcb, virtual | (load<u64>(cpu, SVM_VINTR) & VINTR_WRITTEN), VMCB_VINTR);
    store<u64>(vmcb, load<u64>(vmcb, VMCB_EVENTINJ) & ~(<u64>0x80000000), VMCB_EVENTINJ);
  }
  exitingTlb();
  const nested = load<u32>(cpu, SVM_NESTED) != 0;
  store<u32>(cpu, 0, SVM_GUEST);
  store<u32>(cpu, 1, SVM_GIF_CLEAR);
  store<u32>(cpu, 0, SVM_NESTED);
  memory.copy(cpu + VCPU_SEG + SEG_ES * VCPU_SEG_SIZE, cpu + SVM_HOST_SEGMENTS, 4 * VCPU_SEG_SIZE);
  restore(VCPU_GDT_BASE, SVM_HOST_GDT_BASE);
  restore(VCPU_IDT_BASE, SVM_HOST_IDT_BASE);
  store<u32>(cpu, load<u32>(cpu, SVM_HOST_GDT_LIMIT), VCPU_GDT_LIMIT);
  store<u32>(cpu, load<u32>(cpu, SVM_HOST_IDT_LIMIT), VCPU_IDT_LIMIT);
  store<u64>(cpu, load<u64>(cpu, SVM_HOST_CR0) | CR0_PE, VCPU_CR0);
  restore(VCPU_CR3, SVM_HOST_CR3);
  restore(VCPU_CR4, SVM_HOST_CR4);
  restore(VCPU_EFER, SVM_HOST_EFER);
  if (nested) restore(VCPU_PAT, SVM_HOST_PAT);
  restore(VCPU_GPR, SVM_HOST_RAX);
  restore(VCPU_RSP, SVM_HOST_RSP);
  restore(VCPU_RIP, SVM_HOST_RIP);
  setFlags(load<u32>(cpu, SVM_HOST_RFLAGS));
  const watched = load<u32>(cpu, VCPU_DR7);
  store<u64>(cpu, 0x400, VCPU_DR7);
  store<u32>(cpu, 0, VCPU_CPL);
  store<u32>(cpu, 0, VCPU_INTR_SHADOW);
  store<u32>(cpu, 0, VCPU_HALTED);
  store<u32>(cpu, 0, VCPU_EVENT);
  store<u32>(cpu, load<u32>(cpu, SVM_HOST_NMI_BLOCKED), VCPU_NMI_BLOCKED);
  store<u64>(cpu, load<u64>(cpu, VCPU_STATS + STAT_VM_EXITS) + 1, VCPU_STATS + STAT_VM_EXITS);
  modeChanged();
  debugRegistersChanged(watched);
  return 1;
}
