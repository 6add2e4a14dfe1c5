/** A vCPU in TypeScript: typed access to its record (abi/vcpu.ts) in the core's memory, and its clock. */
import type { CoreExports } from '../abi/core';
import { VCPU_BASE, VCPU_BLOCK_SIZE } from '../abi/layout';
import * as abi from '../abi/vcpu';
import type { VcpuRegisters } from './api';
import type { HostMemory } from './host-memory';

const TWO_32 = 0x100000000;

export interface Segment {
  selector: number;
  base: number;
  /** bytes, granularity applied */
  limit: number;
  /** type 0-3, S 4, DPL 5-6, P 7, AVL 8, L 9, D/B 10, G 11 */
  attributes: number;
}

/** VCPU_HALTED values. */
export const Halted = { no: 0, halted: 1, waitForSipi: 2, shutdown: 3 } as const;

export class Vcpu {
  private readonly base: number;

  constructor(
    readonly index: number,
    private readonly host: HostMemory,
    private readonly core: CoreExports,
  ) {
    this.base = VCPU_BASE + index * VCPU_BLOCK_SIZE;
  }

  u32(offset: number): number {
    return this.host.words[(this.base + offset) >>> 2]!;
  }

  /** A u16 at an address of the core's memory, in the form of the record's cells. */
  halfAt(address: number): number {
    return this.host.view.getUint16(address, true);
  }

  setU32(offset: number, value: number): void {
    this.host.words[(this.base + offset) >>> 2] = value;
  }

  /** A u64 field that stays below 2^53: counts, times, physical addresses. */
  count(offset: number): number {
    const word = (this.base + offset) >>> 2;
    return this.host.words[word]! + this.host.words[word + 1]! * TWO_32;
  }

  setCount(offset: number, value: number): void {
    const word = (this.base + offset) >>> 2;
    this.host.words[word] = value % TWO_32;
    this.host.words[word + 1] = Math.floor(value / TWO_32);
  }

  u64(offset: number): bigint {
    return this.host.view.getBigUint64(this.base + offset, true);
  }

  setU64(offset: number, value: bigint): void {
    this.host.view.setBigUint64(this.base + offset, value, true);
  }

  /** Retired instructions since power-on. */
  get icount(): number {
    return this.count(abi.VCPU_ICOUNT);
  }

  /** Guest time of this vCPU, ns. */
  now(): number {
    return this.count(abi.VCPU_ICOUNT) * 2 ** this.u32(abi.VCPU_CLOCK_SHIFT) + this.count(abi.VCPU_CLOCK_SKEW);
  }

  /** A halted vCPU sleeps until `at` (ns of guest time). */
  sleepUntil(at: number): void {
    const now = this.now();
    if (at > now) this.setCount(abi.VCPU_CLOCK_SKEW, this.count(abi.VCPU_CLOCK_SKEW) + (at - now));
  }

  /** Instructions from now until guest time `at`: the smallest count at which it is not earlier. */
  instructionsUntil(at: number): number {
    return Math.max(0, Math.ceil((at - this.now()) / 2 ** this.u32(abi.VCPU_CLOCK_SHIFT)));
  }

  /** Lowers the end of the running slice so that a timer at `at` fires on time. */
  endSliceBy(at: number): void {
    const end = this.icount + this.instructionsUntil(at);
    if (end < this.count(abi.VCPU_SLICE_END)) this.setCount(abi.VCPU_SLICE_END, end);
  }

  requestExit(): void {
    this.setU32(abi.VCPU_EXIT_REQUEST, 1);
  }

  get halted(): number {
    return this.u32(abi.VCPU_HALTED);
  }

  get nmiPending(): boolean {
    return this.u32(abi.VCPU_NMI_PENDING) !== 0;
  }

  /** RFLAGS */
  get flags(): number {
    return this.core.getRflags(this.index) >>> 0;
  }

  /** An event that ends a HLT is pending. */
  get wakeUp(): boolean {
    return this.u32(abi.VCPU_IRQ_PENDING) !== 0 || this.nmiPending;
  }

  segment(index: number): Segment {
    const at = abi.VCPU_SEG + index * abi.VCPU_SEG_SIZE;
    const { view } = this.host;
    return {
      selector: view.getUint16(this.base + at + abi.SEG_SELECTOR, true),
      base: this.count(at + abi.SEG_BASE),
      limit: this.u32(at + abi.SEG_LIMIT),
      attributes: view.getUint16(this.base + at + abi.SEG_ATTR, true),
    };
  }

  setSegment(index: number, segment: Segment): void {
    const at = abi.VCPU_SEG + index * abi.VCPU_SEG_SIZE;
    const { view } = this.host;
    this.setCount(at + abi.SEG_BASE, segment.base);
    this.setU32(at + abi.SEG_LIMIT, segment.limit);
    view.setUint16(this.base + at + abi.SEG_SELECTOR, segment.selector, true);
    view.setUint16(this.base + at + abi.SEG_ATTR, segment.attributes, true);
  }

  setGpr(index: number, value: number): void {
    this.setCount(abi.VCPU_GPR + index * 8, value);
  }

  /** All of the record that is state: the statistics follow it. */
  recordBytes(): Uint8Array {
    return this.host.bytes.subarray(this.base, this.base + abi.VCPU_STATS);
  }

  /** The counters of STAT_*. */
  stat(offset: number): number {
    return this.count(abi.VCPU_STATS + offset);
  }

  registers(): VcpuRegisters {
    const { view } = this.host;
    const at = (offset: number) => this.base + offset;
    const each = <T>(length: number, read: (index: number) => T): T[] => Array.from({ length }, (_unused, index) => read(index));
    return {
      gpr: each(16, (i) => this.u64(abi.VCPU_GPR + i * 8)),
      rip: this.u64(abi.VCPU_RIP),
      rflags: this.core.getRflags(this.index) >>> 0,
      cpl: this.u32(abi.VCPU_CPL),
      halted: this.halted !== Halted.no,
      segments: each(8, (i) => {
        const { selector, limit, attributes } = this.segment(i);
        return { selector, base: this.u64(abi.VCPU_SEG + i * abi.VCPU_SEG_SIZE + abi.SEG_BASE), limit, attributes };
      }),
      gdt: { base: this.u64(abi.VCPU_GDT_BASE), limit: this.u32(abi.VCPU_GDT_LIMIT) },
      idt: { base: this.u64(abi.VCPU_IDT_BASE), limit: this.u32(abi.VCPU_IDT_LIMIT) },
      cr0: this.u64(abi.VCPU_CR0),
      cr2: this.u64(abi.VCPU_CR2),
      cr3: this.u64(abi.VCPU_CR3),
      cr4: this.u64(abi.VCPU_CR4),
      cr8: this.u64(abi.VCPU_CR8),
      efer: this.u64(abi.VCPU_EFER),
      kernelGsBase: this.u64(abi.VCPU_KERNEL_GS_BASE),
      dr: each(6, (i) => this.u64(abi.VCPU_DR0 + i * 8)),
      fcw: view.getUint16(at(abi.VCPU_FCW), true),
      fsw: view.getUint16(at(abi.VCPU_FSW), true),
      ftw: view.getUint16(at(abi.VCPU_FTW), true),
      fop: view.getUint16(at(abi.VCPU_FOP), true),
      fip: this.u64(abi.VCPU_FIP),
      fdp: this.u64(abi.VCPU_FDP),
      mxcsr: this.u32(abi.VCPU_MXCSR),
      fpr: each(8, (i) => ({
        significand: this.u64(abi.VCPU_FPU_REGS + i * 16),
        exponent: view.getUint16(at(abi.VCPU_FPU_REGS + i * 16 + 8), true),
      })),
      xmm: each(16, (i) => ({ low: this.u64(abi.VCPU_XMM + i * 16), high: this.u64(abi.VCPU_XMM + i * 16 + 8) })),
    };
  }
}
