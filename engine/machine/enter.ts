/** Puts vCPU 0 at a guest's entry, in the state that its boot protocol requires. The record must be in its power-on state. */
import type { CoreExports } from '../abi/core';
import * as abi from '../abi/vcpu';
import type { EntryState } from './loaders/image';
import type { Segment, Vcpu } from './vcpu';

const CR0_PE = 1n;
const CR0_ET = 0x10n;
const CR0_PG = 0x80000000n;
const CR4_PAE = 0x20n;
const EFER_LME_LMA = 0x500n;
const FLAGS_FIXED = 2;

const CODE_SELECTOR = 0x10;
const DATA_SELECTOR = 0x18;
const CODE16 = 0x09b;
const DATA16 = 0x093;
const CODE32 = 0xc9b;
const CODE64 = 0xa9b;
const DATA32 = 0xc93;
const DATA_SEGMENTS = [abi.SEG_ES, abi.SEG_SS, abi.SEG_DS, abi.SEG_FS, abi.SEG_GS];

export function enterGuest(core: CoreExports, vcpu: Vcpu, entry: EntryState): void {
  for (let register = 0; register < 16; register++) vcpu.setGpr(register, entry.gpr[register] ?? 0);
  vcpu.setCount(abi.VCPU_RIP, entry.rip);
  if (entry.mode === 'real') setSegments(vcpu, segment(0, CODE16, 0xffff), segment(0, DATA16, 0xffff));
  else
    setSegments(
      vcpu,
      segment(CODE_SELECTOR, entry.mode === 'long' ? CODE64 : CODE32, 0xffffffff),
      segment(DATA_SELECTOR, DATA32, 0xffffffff),
    );
  if (entry.gdt) {
    vcpu.setCount(abi.VCPU_GDT_BASE, entry.gdt.base);
    vcpu.setU32(abi.VCPU_GDT_LIMIT, entry.gdt.limit);
  }
  vcpu.setU64(abi.VCPU_CR0, entry.mode === 'real' ? CR0_ET : entry.mode === 'protected' ? CR0_ET | CR0_PE : CR0_PG | CR0_ET | CR0_PE);
  if (entry.mode === 'long') {
    vcpu.setU64(abi.VCPU_CR4, CR4_PAE);
    vcpu.setU64(abi.VCPU_EFER, EFER_LME_LMA);
    vcpu.setCount(abi.VCPU_CR3, entry.cr3 ?? 0);
  }
  core.setRflags(vcpu.index, FLAGS_FIXED);
  core.stateChanged(vcpu.index);
}

function segment(selector: number, attributes: number, limit: number): Segment {
  return { selector, base: 0, limit, attributes };
}

function setSegments(vcpu: Vcpu, code: Segment, data: Segment): void {
  vcpu.setSegment(abi.SEG_CS, code);
  for (const index of DATA_SEGMENTS) vcpu.setSegment(index, data);
}
