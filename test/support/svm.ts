/** A core whose 64-bit program runs a guest by VMRUN: the VMCB is written and read from TypeScript. */
import { expect } from 'vitest';
import { EXIT_HLT } from '../../engine/abi/exits';
import * as svm from '../../engine/abi/svm';
import * as abi from '../../engine/abi/vcpu';
import type { JitOptions } from '../../engine/jit/index';
import { TestCore } from './core';

/** VMRUN; HLT. */
const HOST = 0x10000;
export const GUEST = 0x30000;
export const GUEST_STACK = 0x38000;
/** The targets of the guest's gates: vector 0 here, each next one 16 bytes further, each a HLT. */
export const GUEST_HANDLERS = 0x50000;
export const IDT = 0x52000;
export const VMCB = 0x100000;
const GDT = 0x53000;
const HOST_STACK = 0x80000;
export const IOPM = 0x104000;
export const MSRPM = 0x108000;
const HLT = 0x78;

export const INTERCEPT = { cr: 0, dr: 4, exceptions: 8, third: 0xc, fourth: 0x10 } as const;

export interface Exit {
  code: bigint;
  info1: bigint;
  info2: bigint;
  event: bigint;
  nrip: bigint;
  rip: bigint;
}

export class SvmCore extends TestCore {
  /** The guest: 64-bit, CPL 0, on the host's own page tables, its RIP at GUEST. HLT, shutdown and VMRUN are intercepted. */
  constructor(ramSize = 0x800000, jit?: JitOptions) {
    super(ramSize, jit);
    this.set32(svm.VCPU_CPU_MODEL, svm.CPU_MODEL_LAB64_SVM);
    this.core.resetVcpu(0);
    this.longMode(HOST);
    this.set64(abi.VCPU_EFER, 0x1500n);
    this.setReg('rsp', HOST_STACK);
    this.poke64(GDT + 8, 0x00af9b000000ffffn);
    this.poke64(GDT + 16, 0x00cf93000000ffffn);
    this.set64(abi.VCPU_GDT_BASE, BigInt(GDT));
    this.set32(abi.VCPU_GDT_LIMIT, 0x17);
    this.poke(HOST, '0f01d8 f4');
    for (let vector = 0; vector < 256; vector++) {
      this.poke(GUEST_HANDLERS + 16 * vector, 'f4');
      this.poke64(IDT + 16 * vector, (BigInt(16 * vector) & 0xffffn) | 0x80000n | (0x8e00n << 32n) | (5n << 48n));
    }
    this.intercept('third', (1 << 24) | (1 << 31));
    this.intercept('fourth', 1);
    this.put(svm.VMCB_ASID, 1n);
    this.put(svm.VMCB_IOPM, BigInt(IOPM));
    this.put(svm.VMCB_MSRPM, BigInt(MSRPM));
    this.put(svm.VMCB_G_PAT, 0x0007040600070406n);
    this.putSegment(svm.VMCB_CS, 8, 0xa9b, 0xffffffff, 0n);
    for (const at of [svm.VMCB_SS, svm.VMCB_DS, svm.VMCB_ES]) this.putSegment(at, 16, 0xc93, 0xffffffff, 0n);
    this.putSegment(svm.VMCB_GDTR, 0, 0, 0x17, BigInt(GDT));
    this.putSegment(svm.VMCB_IDTR, 0, 0, 0xfff, BigInt(IDT));
    this.put(svm.VMCB_EFER, 0x1500n);
    this.put(svm.VMCB_CR0, 0x80000031n);
    this.put(svm.VMCB_CR3, 0x1000n);
    this.put(svm.VMCB_CR4, 0x620n);
    this.put(svm.VMCB_DR6, 0xffff0ff0n);
    this.put(svm.VMCB_DR7, 0x400n);
    this.put(svm.VMCB_RFLAGS, 2n);
    this.put(svm.VMCB_RIP, BigInt(GUEST));
    this.put(svm.VMCB_RSP, BigInt(GUEST_STACK));
    this.core.stateChanged(0);
  }

  put(field: number, value: bigint): void {
    this.poke64(VMCB + field, BigInt.asUintN(64, value));
  }
  get(field: number): bigint {
    return this.peek(VMCB + field, 8);
  }
  putSegment(at: number, selector: number, attr: number, limit: number, base: bigint): void {
    this.put(at, BigInt(selector) | (BigInt(attr) << 16n) | (BigInt(limit) << 32n));
    this.put(at + 8, base);
  }
  /** Adds intercept bits. */
  intercept(word: keyof typeof INTERCEPT, bits: number): void {
    const at = VMCB + INTERCEPT[word];
    const next = (Number(this.peek(at, 4)) | bits) >>> 0;
    this.poke(at, [next & 255, (next >>> 8) & 255, (next >>> 16) & 255, next >>> 24]);
  }
  /** Real mode at GUEST, segments 0. */
  realGuest(): void {
    this.putSegment(svm.VMCB_CS, GUEST >> 4, 0x9b, 0xffff, BigInt(GUEST));
    for (const at of [svm.VMCB_SS, svm.VMCB_DS, svm.VMCB_ES]) this.putSegment(at, 0, 0x93, 0xffff, 0n);
    this.putSegment(svm.VMCB_IDTR, 0, 0, 0x3ff, 0n);
    this.put(svm.VMCB_EFER, 0x1000n);
    this.put(svm.VMCB_CR0, 0x10n);
    this.put(svm.VMCB_CR4, 0n);
    this.put(svm.VMCB_RIP, 0n);
    this.put(svm.VMCB_RSP, 0x7000n);
  }

  /** VMRUN with RAX at the VMCB; runs until the host halts after the exit. */
  enter(budget = 10_000): Exit {
    this.rip = BigInt(HOST);
    this.setReg('rax', VMCB);
    this.set32(abi.VCPU_HALTED, 0);
    // As hypervisors do: nothing can interrupt the host.
    this.set32(svm.SVM_GIF_CLEAR, 1);
    expect(this.run(budget)).toBe(EXIT_HLT);
    expect(this.get32(svm.SVM_GUEST), 'the host halted').toBe(0);
    expect(this.rip).toBe(BigInt(HOST + 4));
    return this.exit();
  }
  exit(): Exit {
    return {
      code: this.get(svm.VMCB_EXITCODE),
      info1: this.get(svm.VMCB_EXITINFO1),
      info2: this.get(svm.VMCB_EXITINFO2),
      event: this.get(svm.VMCB_EXITINTINFO),
      nrip: this.get(svm.VMCB_NRIP),
      rip: this.get(svm.VMCB_RIP),
    };
  }
  /** Puts code at GUEST and runs it up to the first exit. */
  guest(code: string): Exit {
    this.poke(GUEST, `${code} f4`);
    return this.enter();
  }
  /** Ended by the HLT that `guest` appends to the code. */
  done(exit: Exit): boolean {
    return exit.code === BigInt(HLT);
  }
}
