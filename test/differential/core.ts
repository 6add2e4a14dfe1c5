/**
 * The core's side: the same cases in a bare user-mode setting in long mode, with Linux's selectors. Code and data are mapped where the native runner
 * has them; every vector has a gate to a separate HLT, so the halted RIP identifies the vector and the stack holds the frame.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { CoreExports } from '../../engine/abi/core';
import * as abi from '../../engine/abi/index';
import { JIT_DEFAULTS, Jit } from '../../engine/jit/index';
import { type Case, CODE, DATA, DATA_SIZE, type Mode, type Outcome } from './case';
import { dataPattern } from './pattern';
import { FS_BASE, GDT, GS_BASE, LDT, LDT_ENTRIES, USER_DATA, USER32_CODE, USER64_CODE } from './segments';

/** Supervisor page with IDT, GDT, TSS, handlers and stack. */
const SYSTEM = 0x30000000;
const PHYS = { pml4: 0x1000, pdpt: 0x2000, pd: 0x3000, tables: 0x4000, pdptes: 0x8000, code: 0x100000, data: 0x101000, system: 0x110000 };
const AT = { idt: 0, idt32: 0x400, gdt: 0x1000, tss: 0x1100, ldt: 0x1200, tss32: 0x1300, handlers: 0x2000, stackTop: 0x4000 };
/** Linux's kernel code; its handlers run here. Outside long mode: 32-bit kernel code and kernel data. */
const KERNEL_CODE = 0x10n;
const KERNEL_CODE32 = 0x08n;
const KERNEL_DATA = 0x18;
const GDT_LIMIT = 8 * GDT.length - 1;
const VECTORS_WITH_ERROR = new Set([8, 10, 11, 12, 13, 14, 17]);

export class CoreRunner {
  #memory = new WebAssembly.Memory({ initial: 1024, maximum: 65536 });
  #view = new DataView(this.#memory.buffer);
  #bytes = new Uint8Array(this.#memory.buffer);
  #core: CoreExports;
  #pattern = dataPattern();
  #cpu = abi.VCPU_BASE;
  /** Compiles only on request. */
  #jit = new Jit(
    this.#memory,
    () => 0,
    (text) => {
      throw new Error(text);
    },
    1,
    { ...JIT_DEFAULTS, quantum: 0, thrashing: Number.POSITIVE_INFINITY },
  );

  constructor(wasm = readFileSync(resolve(import.meta.dirname, '../../build/core.wasm'))) {
    const lookup = (_vcpu: number, gfn: number) => (gfn < 0x200 ? abi.HOST_BASE + gfn * 4096 + abi.PAGE_PRESENT : 0);
    const none = () => 0;
    const env = {
      memory: this.#memory,
      lookup,
      markDirty: none,
      mmioRead: none,
      mmioWrite: none,
      ioRead: () => 0xffffffff,
      ioWrite: none,
      ackInterrupt: () => -1,
      ferr: () => {},
      cr8Written: none,
      apicMsr: () => 1,
      log: none,
      jitHot: none,
      jitDropped: (hostPage: number) => this.#jit.dropped(hostPage),
      jitMisses: (window: number) => this.#jit.misses(window),
      abort: () => {
        throw new Error('the core aborted');
      },
    };
    const instance = new WebAssembly.Instance(new WebAssembly.Module(wasm), { env });
    this.#core = instance.exports as unknown as CoreExports;
    this.#core.init();
    this.#core.resetVcpu(0);
    this.#jit.attach(this.#core);
    this.#layOut();
  }

  #physical(address: number): number {
    return abi.HOST_BASE + address;
  }
  #u64(physical: number, value: bigint): void {
    this.#view.setBigUint64(this.#physical(physical), value, true);
  }

  #map(va: number, physical: number, pages: number, flags: bigint, table: number): void {
    this.#u64(PHYS.pd + (va >>> 21) * 8, BigInt(table) | 7n);
    for (let i = 0; i < pages; i++) this.#u64(table + (((va >>> 12) & 511) + i) * 8, BigInt(physical + 4096 * i) | flags);
  }

  #layOut(): void {
    this.#u64(PHYS.pml4, BigInt(PHYS.pdpt) | 7n);
    this.#u64(PHYS.pdpt, BigInt(PHYS.pd) | 7n);
    const noExecute = 1n << 63n;
    this.#map(CODE, PHYS.code, 1, 0x67n, PHYS.tables);
    this.#map(DATA, PHYS.data, DATA_SIZE / 4096, 0x67n | noExecute, PHYS.tables + 0x1000);
    this.#map(SYSTEM, PHYS.system, 4, 0x63n, PHYS.tables + 0x2000);

    GDT.forEach((value, n) => {
      this.#u64(PHYS.system + AT.gdt + 8 * n, value);
    });
    LDT_ENTRIES.forEach((value, n) => {
      this.#u64(PHYS.system + AT.ldt + 8 * n, value);
    });
    this.#u64(PHYS.system + AT.tss + 4, BigInt(SYSTEM + AT.stackTop));
    // I/O map base beyond the limit: no port is allowed at CPL 3.
    this.#view.setUint16(this.#physical(PHYS.system + AT.tss + 0x66), 0x68, true);
    for (let vector = 0; vector < 32; vector++) {
      const handler = BigInt(SYSTEM + AT.handlers + vector * 16);
      // INT3 and INTO may come from user code.
      const type = vector === 3 || vector === 4 ? 0xeen : 0x8en;
      const gate = (handler & 0xffffn) | (KERNEL_CODE << 16n) | (type << 40n) | (((handler >> 16n) & 0xffffn) << 48n);
      this.#u64(PHYS.system + AT.idt + vector * 16, gate);
      this.#u64(PHYS.system + AT.idt + vector * 16 + 8, handler >> 32n);
      this.#u64(PHYS.system + AT.idt32 + vector * 8, (gate & ~0xffff0000n) | (KERNEL_CODE32 << 16n));
      this.#bytes[this.#physical(PHYS.system + AT.handlers + vector * 16)] = 0xf4;
    }
    this.#u64(PHYS.pdptes, BigInt(PHYS.pd) | 1n);
    this.#u64(PHYS.system + AT.tss32 + 4, BigInt(SYSTEM + AT.stackTop) | (BigInt(KERNEL_DATA) << 32n));
    this.#view.setUint16(this.#physical(PHYS.system + AT.tss32 + 0x66), 0x68, true);
  }

  #segment(index: number, selector: number, attributes: number, base: number, limit: number): void {
    const at = this.#cpu + abi.VCPU_SEG + index * abi.VCPU_SEG_SIZE;
    this.#view.setBigUint64(at + abi.SEG_BASE, BigInt(base), true);
    this.#view.setUint32(at + abi.SEG_LIMIT, limit, true);
    this.#view.setUint16(at + abi.SEG_SELECTOR, selector, true);
    this.#view.setUint16(at + abi.SEG_ATTR, attributes, true);
  }

  #field(offset: number, value: bigint): void {
    this.#view.setBigUint64(this.#cpu + offset, value, true);
  }

  #load(c: Case, long: boolean): void {
    this.#loadState(c, long);
    this.#core.invalidateCode(this.#physical(PHYS.code), 4096);
    this.#core.stateChanged(0);
  }

  /** Resets memory and registers; decoded and compiled code and the TLB stay. */
  #loadState(c: Case, long: boolean): void {
    const view = this.#view;
    const code = this.#physical(PHYS.code);
    this.#bytes.fill(0xcc, code, code + 4096);
    this.#bytes.set(c.code, code + c.offset);
    this.#bytes.set(this.#pattern, this.#physical(PHYS.data));
    if (c.frame) this.#bytes.set(c.frame.bytes, this.#physical(PHYS.data + c.frame.at));
    for (let i = 0; i < 16; i++) this.#field(abi.VCPU_GPR + 8 * i, c.gpr[i]!);
    this.#field(abi.VCPU_RIP, BigInt(c.mode === 16 ? c.offset : CODE + c.offset));
    this.#loadSegments(c.mode);
    this.#segment(abi.SEG_LDTR, 0x50, 0x82, SYSTEM + AT.ldt, 8 * LDT_ENTRIES.length - 1);
    this.#segment(abi.SEG_TR, 0x40, 0x8b, SYSTEM + (long ? AT.tss : AT.tss32), 0x67);
    this.#field(abi.VCPU_GDT_BASE, BigInt(SYSTEM + AT.gdt));
    view.setUint32(this.#cpu + abi.VCPU_GDT_LIMIT, GDT_LIMIT, true);
    this.#field(abi.VCPU_IDT_BASE, BigInt(SYSTEM + (long ? AT.idt : AT.idt32)));
    view.setUint32(this.#cpu + abi.VCPU_IDT_LIMIT, 0x1ff, true);
    this.#field(abi.VCPU_CR0, 0x80050033n);
    this.#field(abi.VCPU_CR3, BigInt(long ? PHYS.pml4 : PHYS.pdptes));
    this.#field(abi.VCPU_CR4, 0x6a8n);
    this.#field(abi.VCPU_EFER, long ? 0xd01n : 0x801n);
    view.setUint32(this.#cpu + abi.VCPU_CPL, 3, true);
    view.setUint32(this.#cpu + abi.VCPU_HALTED, 0, true);
    view.setUint32(this.#cpu + abi.VCPU_INTR_SHADOW, 0, true);
    this.#loadFx(c.fx);
    this.#core.setRflags(0, c.flags);
  }

  #loadSegments(mode: Mode): void {
    const flat = 0xffffffff;
    if (mode === 64) {
      this.#segment(abi.SEG_CS, USER64_CODE, 0xafb, 0, flat);
      this.#segment(abi.SEG_SS, USER_DATA, 0xcf3, 0, flat);
      for (const index of [abi.SEG_ES, abi.SEG_DS]) this.#segment(index, 0, 0, 0, 0);
      this.#segment(abi.SEG_FS, 0, 0, FS_BASE, 0);
      this.#segment(abi.SEG_GS, 0, 0, GS_BASE, 0);
      return;
    }
    if (mode === 32) {
      this.#segment(abi.SEG_CS, USER32_CODE, 0xcfb, 0, flat);
      for (const index of [abi.SEG_ES, abi.SEG_SS, abi.SEG_DS]) this.#segment(index, USER_DATA, 0xcf3, 0, flat);
    } else {
      this.#segment(abi.SEG_CS, LDT.code16, 0x0fb, CODE, 0xfff);
      for (const index of [abi.SEG_ES, abi.SEG_DS]) this.#segment(index, LDT.data16, 0x0f3, DATA, 0x1fff);
      this.#segment(abi.SEG_SS, LDT.stack16, 0x0f3, DATA, 0x1fff);
    }
    this.#segment(abi.SEG_FS, LDT.fs, 0xcf3, FS_BASE, flat);
    this.#segment(abi.SEG_GS, LDT.gs, 0xcf3, GS_BASE, 0x20000fff);
  }

  #selector(index: number): number {
    return this.#view.getUint16(this.#cpu + abi.VCPU_SEG + index * abi.VCPU_SEG_SIZE + abi.SEG_SELECTOR, true);
  }

  #loadFx(fx: Uint8Array): void {
    const view = this.#view;
    const from = new DataView(fx.buffer, fx.byteOffset, 512);
    const top = (from.getUint16(2, true) >> 11) & 7;
    view.setUint16(this.#cpu + abi.VCPU_FCW, from.getUint16(0, true), true);
    view.setUint16(this.#cpu + abi.VCPU_FSW, from.getUint16(2, true), true);
    let tags = 0xffff;
    for (let i = 0; i < 8; i++) {
      // The image is in stack order, the record in register order; tags of full registers are worked out from the value.
      const physical = (top + i) & 7;
      const full = (fx[4]! >> physical) & 1;
      const at = this.#cpu + abi.VCPU_FPU_REGS + physical * 16;
      this.#bytes.set(fx.subarray(32 + 16 * i, 48 + 16 * i), at);
      if (full) {
        const exponent = view.getUint16(at + 8, true) & 0x7fff;
        const significand = view.getBigUint64(at, true);
        const tag =
          exponent === 0x7fff || (exponent !== 0 && significand >> 63n === 0n) ? 2 : exponent === 0 ? (significand === 0n ? 1 : 2) : 0;
        tags &= ~(3 << (2 * physical));
        tags |= tag << (2 * physical);
      }
    }
    view.setUint16(this.#cpu + abi.VCPU_FTW, tags, true);
    view.setUint32(this.#cpu + abi.VCPU_MXCSR, from.getUint32(24, true), true);
    this.#bytes.set(fx.subarray(160, 160 + 256), this.#cpu + abi.VCPU_XMM);
  }

  #saveFx(): Uint8Array {
    const fx = new Uint8Array(512);
    const to = new DataView(fx.buffer);
    const view = this.#view;
    const status = view.getUint16(this.#cpu + abi.VCPU_FSW, true);
    const tags = view.getUint16(this.#cpu + abi.VCPU_FTW, true);
    to.setUint16(0, view.getUint16(this.#cpu + abi.VCPU_FCW, true), true);
    to.setUint16(2, status, true);
    to.setUint32(24, view.getUint32(this.#cpu + abi.VCPU_MXCSR, true), true);
    for (let i = 0; i < 8; i++) {
      const physical = (((status >> 11) & 7) + i) & 7;
      if (((tags >> (2 * physical)) & 3) !== 3) fx[4]! |= 1 << physical;
      const at = this.#cpu + abi.VCPU_FPU_REGS + physical * 16;
      fx.set(this.#bytes.subarray(at, at + 10), 32 + 16 * i);
    }
    fx.set(this.#bytes.subarray(this.#cpu + abi.VCPU_XMM, this.#cpu + abi.VCPU_XMM + 256), 160);
    return fx;
  }

  /** In long mode, or (32- and 16-bit code) in protected mode with PAE. */
  run(c: Case, long = true): Outcome {
    this.#load(c, long);
    return this.#outcome(c, long);
  }

  /**
   * Runs the case in the interpreter, compiles it, and runs it twice more, first without and then (if possible) with a window on its memory. `see` is
   * called for each of the two. Returns the number of instructions that compiled code ran; 0: the case was left to the interpreter.
   */
  runCompiled(c: Case, see: (outcome: Outcome) => void): number {
    this.run(c);
    if (c.mode !== 64) return 0;
    const block = this.#core.jitBlock(this.#physical(PHYS.code + c.offset));
    if (block === 0) return 0;
    this.#jit.hot(block, CODE, 0);
    const before = this.#jit.figures().ran;
    for (let n = 0; n < 2; n++) {
      this.#loadState(c, true);
      see(this.#outcome(c, true));
    }
    return this.#jit.figures().ran - before;
  }

  #outcome(c: Case, long: boolean): Outcome {
    const exit = this.#core.run(0, 1000);
    const view = this.#view;
    const rip = view.getBigUint64(this.#cpu + abi.VCPU_RIP, true);
    if (exit !== abi.EXIT_HLT) throw new Error(`${c.name}: the core left with exit ${exit} at rip 0x${rip.toString(16)}`);
    const vector = (Number(rip) - 1 - SYSTEM - AT.handlers) / 16;
    const gpr = new BigUint64Array(16);
    for (let i = 0; i < 16; i++) gpr[i] = view.getBigUint64(this.#cpu + abi.VCPU_GPR + 8 * i, true);
    const slot = long ? 8 : 4;
    let frame = this.#physical(PHYS.system) + Number(gpr[4]! - BigInt(SYSTEM));
    let error = 0;
    if (VECTORS_WITH_ERROR.has(vector)) {
      error = view.getUint32(frame, true);
      frame += slot;
    }
    const word = (n: number) => (long ? view.getBigUint64(frame + 8 * n, true) : BigInt(view.getUint32(frame + 4 * n, true)));
    gpr[4] = word(3);
    const [cs, ss] = [Number(word(1) & 0xffffn), Number(word(4) & 0xffffn)];
    const data = this.#physical(PHYS.data);
    return {
      gpr,
      rip: word(0),
      flags: Number(word(2)),
      vector,
      error,
      cr2: vector === 14 ? view.getBigUint64(this.#cpu + abi.VCPU_CR2, true) : 0n,
      segments: [this.#selector(abi.SEG_ES), cs, ss, ...[abi.SEG_DS, abi.SEG_FS, abi.SEG_GS].map((index) => this.#selector(index))],
      fx: this.#saveFx(),
      data: this.#bytes.subarray(data, data + DATA_SIZE),
    };
  }
}
