/** Copies registers between the vCPU record and the state save area of the VMCB at host address `vmcb`. APM 2 appendix B, table B-2. */
import {
  SEG_ATTR,
  SEG_BASE,
  SEG_CS,
  SEG_DS,
  SEG_ES,
  SEG_FS,
  SEG_GS,
  SEG_LDTR,
  SEG_LIMIT,
  SEG_SELECTOR,
  SEG_SS,
  SEG_TR,
  VCPU_CPL,
  VCPU_CR0,
  VCPU_CR2,
  VCPU_CR3,
  VCPU_CR4,
  VCPU_CSTAR,
  VCPU_DR6,
  VCPU_DR7,
  VCPU_EFER,
  VCPU_GDT_BASE,
  VCPU_GDT_LIMIT,
  VCPU_GPR,
  VCPU_IDT_BASE,
  VCPU_IDT_LIMIT,
  VCPU_KERNEL_GS_BASE,
  VCPU_LSTAR,
  VCPU_PAT,
  VCPU_RIP,
  VCPU_RSP,
  VCPU_SFMASK,
  VCPU_STAR,
  VCPU_SYSENTER_CS,
  VCPU_SYSENTER_EIP,
  VCPU_SYSENTER_ESP,
} from '../../abi/index';
import {
  SVM_NESTED,
  VMCB_CPL,
  VMCB_CR0,
  VMCB_CR2,
  VMCB_CR3,
  VMCB_CR4,
  VMCB_CS,
  VMCB_CSTAR,
  VMCB_DR6,
  VMCB_DR7,
  VMCB_DS,
  VMCB_EFER,
  VMCB_ES,
  VMCB_FS,
  VMCB_G_PAT,
  VMCB_GDTR,
  VMCB_GS,
  VMCB_IDTR,
  VMCB_KERNEL_GS_BASE,
  VMCB_LDTR,
  VMCB_LSTAR,
  VMCB_RAX,
  VMCB_RFLAGS,
  VMCB_RIP,
  VMCB_RSP,
  VMCB_SEG_ATTR,
  VMCB_SEG_BASE,
  VMCB_SEG_LIMIT,
  VMCB_SEG_SELECTOR,
  VMCB_SFMASK,
  VMCB_SS,
  VMCB_STAR,
  VMCB_SYSENTER_CS,
  VMCB_SYSENTER_EIP,
  VMCB_SYSENTER_ESP,
  VMCB_TR,
} from '../../abi/svm';
import { getFlags, setFlags } from '../flags';
import { CR0_BITS, CR0_ET, CR0_PE, CR0_PG, cr0, EFER_LMA, EFER_LME, segRecord } from '../mmu-mode';
import { ATTR_P, putSegmentRaw } from '../segments';
import { cpu } from '../state';

function move(field: usize, from: usize): void {
  store<u64>(cpu + field, load<u64>(from));
}
function put(field: usize, to: usize): void {
  store<u64>(to, load<u64>(cpu + field));
}

function loadSegment(seg: i32, at: usize): void {
  const attr = <u32>load<u16>(at, VMCB_SEG_ATTR) & 0xfff;
  putSegmentRaw(seg, load<u16>(at, VMCB_SEG_SELECTOR), load<u64>(at, VMCB_SEG_BASE), load<u32>(at, VMCB_SEG_LIMIT), attr);
}
function saveSegment(seg: i32, at: usize): void {
  const record = segRecord(seg);
  store<u16>(at, load<u16>(record, SEG_SELECTOR), VMCB_SEG_SELECTOR);
  store<u16>(at, load<u16>(record, SEG_ATTR), VMCB_SEG_ATTR);
  store<u32>(at, load<u32>(record, SEG_LIMIT), VMCB_SEG_LIMIT);
  store<u64>(at, load<u64>(record, SEG_BASE), VMCB_SEG_BASE);
}

/** The registers that VMRUN loads, except RIP. The state was checked. The caller calls modeChanged. */
export function loadGuestState(vmcb: usize): void {
  loadSegment(SEG_ES, vmcb + VMCB_ES);
  loadSegment(SEG_CS, vmcb + VMCB_CS);
  loadSegment(SEG_SS, vmcb + VMCB_SS);
  loadSegment(SEG_DS, vmcb + VMCB_DS);
  move(VCPU_GDT_BASE, vmcb + VMCB_GDTR + VMCB_SEG_BASE);
  store<u32>(cpu, load<u32>(vmcb + VMCB_GDTR, VMCB_SEG_LIMIT) & 0xffff, VCPU_GDT_LIMIT);
  move(VCPU_IDT_BASE, vmcb + VMCB_IDTR + VMCB_SEG_BASE);
  store<u32>(cpu, load<u32>(vmcb + VMCB_IDTR, VMCB_SEG_LIMIT) & 0xffff, VCPU_IDT_LIMIT);
  store<u64>(cpu, (load<u64>(vmcb, VMCB_CR0) & CR0_BITS) | CR0_ET, VCPU_CR0);
  move(VCPU_CR2, vmcb + VMCB_CR2);
  move(VCPU_CR3, vmcb + VMCB_CR3);
  move(VCPU_CR4, vmcb + VMCB_CR4);
  const wanted = load<u64>(vmcb, VMCB_EFER);
  const active = (wanted & EFER_LME) != 0 && (cr0() & CR0_PG) != 0;
  store<u64>(cpu, active ? wanted | EFER_LMA : wanted & ~EFER_LMA, VCPU_EFER);
  store<u64>(cpu, (load<u64>(vmcb, VMCB_DR6) & 0xe00f) | 0xffff0ff0, VCPU_DR6);
  store<u64>(cpu, (load<u64>(vmcb, VMCB_DR7) & 0xffff2bff) | 0x400, VCPU_DR7);
  move(VCPU_RSP, vmcb + VMCB_RSP);
  move(VCPU_GPR, vmcb + VMCB_RAX);
  if (load<u32>(cpu, SVM_NESTED)) move(VCPU_PAT, vmcb + VMCB_G_PAT);
  setFlags((load<u32>(vmcb, VMCB_RFLAGS) & 0x3f7fd7) | 2);
  setGuestCpl(cr0() & CR0_PE ? <u32>load<u8>(vmcb, VMCB_CPL) & 3 : 0);
}

/** SS of a present stack segment has the CPL as its DPL, as everywhere else. */
function setGuestCpl(level: u32): void {
  const ss = segRecord(SEG_SS);
  const attr = <u32>load<u16>(ss, SEG_ATTR);
  if (cr0() & CR0_PE && attr & ATTR_P) store<u16>(ss, <u16>((attr & ~0x60) | (level << 5)), SEG_ATTR);
  store<u32>(cpu, level, VCPU_CPL);
}

/** The guest's registers that #VMEXIT saves. */
export function saveGuestState(vmcb: usize): void {
  saveSegment(SEG_ES, vmcb + VMCB_ES);
  saveSegment(SEG_CS, vmcb + VMCB_CS);
  saveSegment(SEG_SS, vmcb + VMCB_SS);
  saveSegment(SEG_DS, vmcb + VMCB_DS);
  put(VCPU_GDT_BASE, vmcb + VMCB_GDTR + VMCB_SEG_BASE);
  store<u32>(vmcb + VMCB_GDTR, load<u32>(cpu, VCPU_GDT_LIMIT), VMCB_SEG_LIMIT);
  put(VCPU_IDT_BASE, vmcb + VMCB_IDTR + VMCB_SEG_BASE);
  store<u32>(vmcb + VMCB_IDTR, load<u32>(cpu, VCPU_IDT_LIMIT), VMCB_SEG_LIMIT);
  put(VCPU_CR0, vmcb + VMCB_CR0);
  put(VCPU_CR2, vmcb + VMCB_CR2);
  put(VCPU_CR3, vmcb + VMCB_CR3);
  put(VCPU_CR4, vmcb + VMCB_CR4);
  put(VCPU_EFER, vmcb + VMCB_EFER);
  put(VCPU_DR6, vmcb + VMCB_DR6);
  put(VCPU_DR7, vmcb + VMCB_DR7);
  put(VCPU_RIP, vmcb + VMCB_RIP);
  put(VCPU_RSP, vmcb + VMCB_RSP);
  put(VCPU_GPR, vmcb + VMCB_RAX);
  store<u64>(vmcb, <u64>getFlags(), VMCB_RFLAGS);
  store<u8>(vmcb, <u8>load<u32>(cpu, VCPU_CPL), VMCB_CPL);
  if (load<u32>(cpu, SVM_NESTED)) put(VCPU_PAT, vmcb + VMCB_G_PAT);
}

/** VMLOAD. */
export function loadMoreState(vmcb: usize): void {
  loadSegment(SEG_FS, vmcb + VMCB_FS);
  loadSegment(SEG_GS, vmcb + VMCB_GS);
  loadSegment(SEG_LDTR, vmcb + VMCB_LDTR);
  loadSegment(SEG_TR, vmcb + VMCB_TR);
  move(VCPU_STAR, vmcb + VMCB_STAR);
  move(VCPU_LSTAR, vmcb + VMCB_LSTAR);
  move(VCPU_CSTAR, vmcb + VMCB_CSTAR);
  move(VCPU_SFMASK, vmcb + VMCB_SFMASK);
  move(VCPU_KERNEL_GS_BASE, vmcb + VMCB_KERNEL_GS_BASE);
  move(VCPU_SYSENTER_CS, vmcb + VMCB_SYSENTER_CS);
  move(VCPU_SYSENTER_ESP, vmcb + VMCB_SYSENTER_ESP);
  move(VCPU_SYSENTER_EIP, vmcb + VMCB_SYSENTER_EIP);
}

/** VMSAVE. */
export function saveMoreState(vmcb: usize): void {
  saveSegment(SEG_FS, vmcb + VMCB_FS);
  saveSegment(SEG_GS, vmcb + VMCB_GS);
  saveSegment(SEG_LDTR, vmcb + VMCB_LDTR);
  saveSegment(SEG_TR, vmcb + VMCB_TR);
  put(VCPU_STAR, vmcb + VMCB_STAR);
  put(VCPU_LSTAR, vmcb + VMCB_LSTAR);
  put(VCPU_CSTAR, vmcb + VMCB_CSTAR);
  put(VCPU_SFMASK, vmcb + VMCB_SFMASK);
  put(VCPU_KERNEL_GS_BASE, vmcb + VMCB_KERNEL_GS_BASE);
  put(VCPU_SYSENTER_CS, vmcb + VMCB_SYSENTER_CS);
  put(VCPU_SYSENTER_ESP, vmcb + VMCB_SYSENTER_ESP);
  put(VCPU_SYSENTER_EIP, vmcb + VMCB_SYSENTER_EIP);
}
