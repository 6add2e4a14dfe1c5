/** VMRUN (APM 2 15.5): checks the VMCB, saves the host's state, loads the guest. */
import {
  SEG_ES,
  VCPU_CR0,
  VCPU_CR3,
  VCPU_CR4,
  VCPU_DR7,
  VCPU_EFER,
  VCPU_EVENT,
  VCPU_EVENT_ERROR,
  VCPU_GDT_BASE,
  VCPU_GDT_LIMIT,
  VCPU_GPR,
  VCPU_IDT_BASE,
  VCPU_IDT_LIMIT,
  VCPU_INTR_SHADOW,
  VCPU_NMI_BLOCKED,
  VCPU_PAT,
  VCPU_RIP,
  VCPU_RSP,
  VCPU_SEG,
  VCPU_SEG_SIZE,
} from '../../abi/index';
import {
  EVENT_SOFTWARE,
  SVM_ASID,
  SVM_FEATURE_NP,
  SVM_GIF_CLEAR,
  SVM_GUEST,
  SVM_GUEST_TSC_OFFSET,
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
  SVM_INJECTED_RIP,
  SVM_INTERCEPT_CR,
  SVM_IOPM,
  SVM_MSRPM,
  SVM_NCR3,
  SVM_NESTED,
  SVM_VINTR,
  SVM_VMCB,
  VMCB_ASID,
  VMCB_CR0,
  VMCB_CR3,
  VMCB_CR4,
  VMCB_CS,
  VMCB_DR6,
  VMCB_DR7,
  VMCB_EFER,
  VMCB_EVENTINJ,
  VMCB_G_PAT,
  VMCB_INTERCEPT_4,
  VMCB_INTERCEPT_CR,
  VMCB_INTERRUPT_SHADOW,
  VMCB_IOPM,
  VMCB_MSRPM,
  VMCB_NCR3,
  VMCB_NP_ENABLE,
  VMCB_NRIP,
  VMCB_RFLAGS,
  VMCB_RIP,
  VMCB_SEG_ATTR,
  VMCB_TLB_CONTROL,
  VMCB_TSC_OFFSET,
  VMCB_VINTR,
} from '../../abi/svm';
import { EVENT_ERROR_CODE, EVENT_FAULT, EVENT_NMI, EVENT_TYPE, EVENT_VALID, SHADOW_STI } from '../../abi/vcpu';
import { F_VM, getFlags } from '../flags';
import {
  ATTR_DB,
  ATTR_L,
  CR0_CD,
  CR0_NW,
  CR0_PE,
  CR0_PG,
  CR4_BITS,
  CR4_PAE,
  EFER_BITS,
  EFER_LME,
  EFER_SVME,
  is64,
  modeChanged,
} from '../mmu-mode';
import { PHYS_BITS, RSVD_PHYS } from '../page-bits';
import { clearPending, cpu, PEND_RETRY, pend, raise, VEC_GP } from '../state';
import { svmFeatures } from '../system/cpuid';
import { isPat } from '../system/msr';
import { enteringTlb } from './asid';
import { debugRegistersChanged } from './debug';
import { refuseGuest } from './leave';
import { physInvalid, physPage } from './physical';
import { loadGuestState } from './save-area';
import { EXIT_INVALID, requestExit } from './state';

/** Bytes of the I/O and MSR permission maps. */
const IOPM_SIZE: u64 = 0x3000;
const MSRPM_SIZE: u64 = 0x2000;
/** Bits of the map's addresses that count. */
const PAGE_ADDRESS: u64 = 0x000ffffffffff000;
const NMI_VECTOR: u32 = 2;

function fits(map: u64, size: u64): bool {
  return (map & PAGE_ADDRESS) + size <= (<u64>1) << PHYS_BITS;
}

/** EVENTINJ names an event that can be injected (APM 2 15.20). */
function isInjectable(event: u64): bool {
  if (!(event & EVENT_VALID)) return true;
  const type = <u32>event & EVENT_TYPE;
  const vector = <u32>event & 255;
  if (type == EVENT_FAULT) return vector < 32 && vector != NMI_VECTOR;
  return type == 0 || type == EVENT_NMI || type == EVENT_SOFTWARE;
}

/** The consistency checks of VMRUN (APM 2 15.5.1), on the control area. */
function isControlLegal(vmcb: usize): bool {
  if (!(load<u32>(vmcb, VMCB_INTERCEPT_4) & 1)) return false;
  if (load<u32>(vmcb, VMCB_ASID) == 0) return false;
  if (!fits(load<u64>(vmcb, VMCB_IOPM), IOPM_SIZE) || !fits(load<u64>(vmcb, VMCB_MSRPM), MSRPM_SIZE)) return false;
  if (!isInjectable(load<u64>(vmcb, VMCB_EVENTINJ))) return false;
  if (!(load<u64>(vmcb, VMCB_NP_ENABLE) & 1)) return true;
  return (svmFeatures() & SVM_FEATURE_NP) != 0 && isPat(load<u64>(vmcb, VMCB_G_PAT)) && !(load<u64>(vmcb, VMCB_NCR3) & RSVD_PHYS);
}

/** The checks on the guest's state. Virtual-8086 mode is not implemented, so RFLAGS.VM is refused too. */
function isStateLegal(vmcb: usize): bool {
  const cr0 = load<u64>(vmcb, VMCB_CR0);
  const cr4 = load<u64>(vmcb, VMCB_CR4);
  const efer = load<u64>(vmcb, VMCB_EFER);
  if (!(efer & EFER_SVME) || efer & ~EFER_BITS) return false;
  if ((cr0 & (CR0_NW | CR0_CD)) == CR0_NW || cr0 >> 32 || cr4 & ~CR4_BITS) return false;
  if (load<u64>(vmcb, VMCB_DR6) >> 32 || load<u64>(vmcb, VMCB_DR7) >> 32) return false;
  if (load<u64>(vmcb, VMCB_RFLAGS) & F_VM) return false;
  if (!(efer & EFER_LME) || !(cr0 & CR0_PG)) return true;
  if (!(cr4 & CR4_PAE) || !(cr0 & CR0_PE) || load<u64>(vmcb, VMCB_CR3) & LONG_CR3_RESERVED) return false;
  return (<u32>load<u16>(vmcb + VMCB_CS, VMCB_SEG_ATTR) & (ATTR_L | ATTR_DB)) != (ATTR_L | ATTR_DB);
}
/** CR3 bits that must be zero in long mode. */
const LONG_CR3_RESERVED: u64 = (<u64>-1) << PHYS_BITS;

function keep(field: usize, to: usize): void {
  store<u64>(cpu + to, load<u64>(cpu + field));
}

/** RIP already points to the instruction after VMRUN. */
function keepHost(): void {
  memory.copy(cpu + SVM_HOST_SEGMENTS, cpu + VCPU_SEG + SEG_ES * VCPU_SEG_SIZE, 4 * VCPU_SEG_SIZE);
  keep(VCPU_GDT_BASE, SVM_HOST_GDT_BASE);
  keep(VCPU_IDT_BASE, SVM_HOST_IDT_BASE);
  store<u32>(cpu, load<u32>(cpu, VCPU_GDT_LIMIT), SVM_HOST_GDT_LIMIT);
  store<u32>(cpu, load<u32>(cpu, VCPU_IDT_LIMIT), SVM_HOST_IDT_LIMIT);
  keep(VCPU_CR0, SVM_HOST_CR0);
  keep(VCPU_CR3, SVM_HOST_CR3);
  keep(VCPU_CR4, SVM_HOST_CR4);
  keep(VCPU_EFER, SVM_HOST_EFER);
  keep(VCPU_PAT, SVM_HOST_PAT);
  keep(VCPU_GPR, SVM_HOST_RAX);
  keep(VCPU_RSP, SVM_HOST_RSP);
  keep(VCPU_RIP, SVM_HOST_RIP);
  store<u64>(cpu, <u64>getFlags(), SVM_HOST_RFLAGS);
  store<u32>(cpu, load<u32>(cpu, VCPU_NMI_BLOCKED), SVM_HOST_NMI_BLOCKED);
}

function loadControl(vmcb: usize): void {
  memory.copy(cpu + SVM_INTERCEPT_CR, vmcb + VMCB_INTERCEPT_CR, 20);
  store<u32>(cpu, load<u32>(vmcb, VMCB_ASID), SVM_ASID);
  store<u64>(cpu, load<u64>(vmcb, VMCB_IOPM) & PAGE_ADDRESS, SVM_IOPM);
  store<u64>(cpu, load<u64>(vmcb, VMCB_MSRPM) & PAGE_ADDRESS, SVM_MSRPM);
  store<u64>(cpu, load<u64>(vmcb, VMCB_TSC_OFFSET), SVM_GUEST_TSC_OFFSET);
  store<u64>(cpu, load<u64>(vmcb, VMCB_VINTR), SVM_VINTR);
  store<u64>(cpu, load<u64>(vmcb, VMCB_NCR3), SVM_NCR3);
  store<u32>(cpu, <u32>load<u64>(vmcb, VMCB_NP_ENABLE) & 1, SVM_NESTED);
}

/** The event to inject waits in the record, like one that was held up by an INVALID memslot: it is delivered before anything else. */
function inject(vmcb: usize): void {
  const event = load<u64>(vmcb, VMCB_EVENTINJ);
  if (!(event & EVENT_VALID)) return;
  let bits = <u32>event & (EVENT_VALID | EVENT_ERROR_CODE | EVENT_TYPE | 255);
  // An NMI's vector is ignored: KVM leaves it 0.
  if ((bits & EVENT_TYPE) == EVENT_NMI) bits = (bits & ~255) | NMI_VECTOR;
  store<u32>(cpu, bits, VCPU_EVENT);
  store<u32>(cpu, <u32>(event >> 32), VCPU_EVENT_ERROR);
  const next = load<u64>(vmcb, VMCB_NRIP);
  store<u64>(cpu, next != 0 ? next : load<u64>(cpu, VCPU_RIP), SVM_INJECTED_RIP);
}

/** VMRUN of the VMCB at gpa `rax`, after the privilege check. 1: the guest runs, or was refused (VMEXIT_INVALID) and RIP is the host's. */
export function vmrun(rax: u64): i32 {
  if (rax & 0xfff || rax >> PHYS_BITS) return raise(VEC_GP, 0);
  const vmcb = physPage(rax, true);
  if (vmcb == 0) return physInvalid ? pend(PEND_RETRY) : raise(VEC_GP, 0);
  if (!isControlLegal(vmcb) || !isStateLegal(vmcb)) {
    requestExit(EXIT_INVALID, 0, 0, 0);
    clearPending();
    refuseGuest(vmcb);
    return 1;
  }
  keepHost();
  store<u64>(cpu, rax, SVM_VMCB);
  loadControl(vmcb);
  const watched = load<u32>(cpu, VCPU_DR7);
  loadGuestState(vmcb);
  store<u32>(cpu, 1, SVM_GUEST);
  store<u32>(cpu, 0, SVM_GIF_CLEAR);
  store<u32>(cpu, load<u64>(vmcb, VMCB_INTERRUPT_SHADOW) & 1 ? SHADOW_STI : 0, VCPU_INTR_SHADOW);
  store<u32>(cpu, 0, VCPU_NMI_BLOCKED);
  modeChanged();
  const rip = load<u64>(vmcb, VMCB_RIP);
  store<u64>(cpu, is64() ? rip : rip & 0xffffffff, VCPU_RIP);
  inject(vmcb);
  enteringTlb(<u32>load<u8>(vmcb, VMCB_TLB_CONTROL));
  debugRegistersChanged(watched);
  return 1;
}
