/**
 * The guests' TLB. A vCPU has one set of tables for the host and one for the guest that ran last. A different ASID empties the latter, and so does a
 * change of the guest's paging mode or page table between exit and entry, which real processors leave to software's flushes.
 */
import { VCPU_CR0, VCPU_CR3, VCPU_CR4, VCPU_EFER } from '../../abi/index';
import { VCPU_GUEST_CONTEXT } from '../../abi/layout';
import { SVM_ASID, SVM_NCR3, SVM_NESTED } from '../../abi/svm';
import { dropGuestTlb, dropHostTlb } from '../mmu';
import { CR0_PE, CR0_PG, CR0_WP } from '../mmu-mode';
import { cpu } from '../state';

// Cells of the vCPU's block: the owner of the translations in the guest's tables.
const TLB_ASID: usize = VCPU_GUEST_CONTEXT; // u32, 0: none
const TLB_NESTED: usize = VCPU_GUEST_CONTEXT + 4; // u32
const TLB_CR0: usize = VCPU_GUEST_CONTEXT + 8;
const TLB_CR3: usize = VCPU_GUEST_CONTEXT + 16;
const TLB_CR4: usize = VCPU_GUEST_CONTEXT + 24;
const TLB_EFER: usize = VCPU_GUEST_CONTEXT + 32;
const TLB_NCR3: usize = VCPU_GUEST_CONTEXT + 40;
const PAGING: u64 = CR0_PG | CR0_WP | CR0_PE;

function isOurs(): bool {
  return (
    load<u32>(cpu, TLB_ASID) == load<u32>(cpu, SVM_ASID) &&
    load<u32>(cpu, TLB_NESTED) == load<u32>(cpu, SVM_NESTED) &&
    load<u64>(cpu, TLB_CR0) == (load<u64>(cpu, VCPU_CR0) & PAGING) &&
    load<u64>(cpu, TLB_CR3) == load<u64>(cpu, VCPU_CR3) &&
    load<u64>(cpu, TLB_CR4) == load<u64>(cpu, VCPU_CR4) &&
    load<u64>(cpu, TLB_EFER) == load<u64>(cpu, VCPU_EFER) &&
    load<u64>(cpu, TLB_NCR3) == load<u64>(cpu, SVM_NCR3)
  );
}

/** VMRUN has loaded the guest. `control`: TLB_CONTROL, 0: flush nothing, 1: everything, 3 and 7: this guest's. */
export function enteringTlb(control: u32): void {
  if (control != 0 || !isOurs()) dropGuestTlb(cpu);
  if (control == 1) dropHostTlb(cpu);
}

/** The guest is about to exit; its control registers are still in the record. */
export function exitingTlb(): void {
  store<u32>(cpu, load<u32>(cpu, SVM_ASID), TLB_ASID);
  store<u32>(cpu, load<u32>(cpu, SVM_NESTED), TLB_NESTED);
  store<u64>(cpu, load<u64>(cpu, VCPU_CR0) & PAGING, TLB_CR0);
  store<u64>(cpu, load<u64>(cpu, VCPU_CR3), TLB_CR3);
  store<u64>(cpu, load<u64>(cpu, VCPU_CR4), TLB_CR4);
  store<u64>(cpu, load<u64>(cpu, VCPU_EFER), TLB_EFER);
  store<u64>(cpu, load<u64>(cpu, SVM_NCR3), TLB_NCR3);
}

/** INVLPGA: a page of one ASID. Drops all of the guest's translations if they belong to that ASID. */
export function flushAsid(asid: u32): void {
  if (load<u32>(cpu, TLB_ASID) == asid) dropGuestTlb(cpu);
}
