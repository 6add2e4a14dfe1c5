/**
 * A bare vCPU for tests: build/core.wasm over a flat test memory (gpa 0 up to `ramSize`, host pages in reversed order by default, so that nothing
 * works by accident on contiguous host memory), with recorded MMIO and port accesses. Needs `npm run asm` first.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CoreExports, CoreImports } from '../../engine/abi/core';
import { HOST_BASE, MAX_VCPUS, PAGE_SIZE, VCPU_BASE, VCPU_BLOCK_SIZE, VCPU_MAILBOX, VCPU_MAILBOX2 } from '../../engine/abi/layout';
import * as abi from '../../engine/abi/vcpu';
import { Jit, type JitOptions } from '../../engine/jit/index';

export const GPR_NAMES = [
  'rax',
  'rcx',
  'rdx',
  'rbx',
  'rsp',
  'rbp',
  'rsi',
  'rdi',
  'r8',
  'r9',
  'r10',
  'r11',
  'r12',
  'r13',
  'r14',
  'r15',
] as const;
export type Gpr = (typeof GPR_NAMES)[number];

export interface Access {
  kind: 'mmioRead' | 'mmioWrite' | 'ioRead' | 'ioWrite';
  address: number;
  size: number;
  value: bigint;
  icount: bigint;
}

let compiled: WebAssembly.Module | undefined;
function coreModule(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(readFileSync(process.env.CORE_WASM ?? join(import.meta.dirname, '../../build/core.wasm')));
  return compiled;
}

export class TestCore {
  readonly memory = new WebAssembly.Memory({ initial: 1024, maximum: 65536 });
  readonly core: CoreExports;
  readonly accesses: Access[] = [];
  readonly logs: [number, number, number][] = [];
  /** Extra PAGE_* bits of `lookup` answers by gfn, and the gfns that `markDirty` named. */
  readonly pageFlags = new Map<number, number>();
  readonly dirtied: number[] = [];
  /** gfns redirected to the memory of another gfn, or (-1) to a device. */
  readonly moved = new Map<number, number>();
  /** The devices' answers; all ones by default. */
  deviceRead: (access: Access) => bigint = () => 0xffffffffffffffffn;
  deviceWrite: (access: Access) => void = () => {};
  /** vCPUs that asserted FERR#. */
  readonly ferrs: number[] = [];
  /** Vectors that the interrupt controller hands out, in order. */
  readonly vectors: number[] = [];
  view: DataView;

  readonly jit: Jit | undefined;

  /** `jit`: options of the compiler; undefined: the interpreter alone. */
  constructor(
    readonly ramSize = 0x800000,
    jit?: JitOptions,
    /** Guest pages that are adjacent are adjacent in host memory. */
    readonly forward = false,
  ) {
    if (jit)
      this.jit = new Jit(
        this.memory,
        () => 0,
        (text) => {
          throw new Error(text);
        },
        MAX_VCPUS,
        jit,
      );
    const env: CoreImports = {
      lookup: (_vcpu, gfn) => {
        const pages = this.ramSize / PAGE_SIZE;
        const place = this.moved.get(gfn) ?? gfn;
        return place >= 0 && place < pages ? this.hostPage(place) | 1 | (this.pageFlags.get(gfn) ?? 0) : 0;
      },
      markDirty: (_vcpu, gfn) => {
        this.dirtied.push(gfn);
        this.pageFlags.delete(gfn);
      },
      mmioRead: (vcpu, gpa, size) => {
        const access: Access = { kind: 'mmioRead', address: gpa, size, value: 0n, icount: this.icount };
        access.value = this.deviceRead(access);
        this.accesses.push(access);
        this.set64(VCPU_MAILBOX, access.value, vcpu);
      },
      mmioWrite: (vcpu, gpa, size) => {
        const value = this.get64(VCPU_MAILBOX, vcpu);
        const access: Access = { kind: 'mmioWrite', address: gpa, size, value, icount: this.icount };
        this.accesses.push(access);
        this.deviceWrite(access);
      },
      ioRead: (_vcpu, port, size) => {
        const access: Access = { kind: 'ioRead', address: port, size, value: 0n, icount: this.icount };
        access.value = this.deviceRead(access);
        this.accesses.push(access);
        return Number(BigInt.asIntN(32, access.value));
      },
      ioWrite: (_vcpu, port, size, value) => {
        const access: Access = { kind: 'ioWrite', address: port, size, value: BigInt(value >>> 0), icount: this.icount };
        this.accesses.push(access);
        this.deviceWrite(access);
      },
      ackInterrupt: () => {
        const vector = this.vectors.shift() ?? -1;
        if (this.vectors.length === 0) this.set32(abi.VCPU_IRQ_PENDING, 0);
        return vector;
      },
      ferr: (vcpu) => void this.ferrs.push(vcpu),
      cr8Written: () => {},
      apicMsr: () => 1,
      log: (_vcpu, code, a, b) => void this.logs.push([code, a >>> 0, b >>> 0]),
      jitHot: (_vcpu, block, low, high) => this.jit?.hot(block, low, high),
      jitDropped: (hostPage) => this.jit?.dropped(hostPage),
      jitMisses: (window) => this.jit?.misses(window),
    };
    const abort = (_message: number, _file: number, line: number, column: number): never => {
      throw new Error(`core aborted at ${line}:${column}`);
    };
    const instance = new WebAssembly.Instance(coreModule(), {
      env: { ...env, memory: this.memory, abort } as unknown as WebAssembly.ModuleImports,
    });
    this.view = new DataView(this.memory.buffer);
    this.core = instance.exports as unknown as CoreExports;
    this.core.init();
    this.core.resetVcpu(0);
    this.jit?.attach(this.core);
  }

  get64(field: number, vcpu = 0): bigint {
    return this.view.getBigUint64(VCPU_BASE + vcpu * VCPU_BLOCK_SIZE + field, true);
  }
  set64(field: number, value: bigint, vcpu = 0): void {
    this.view.setBigUint64(VCPU_BASE + vcpu * VCPU_BLOCK_SIZE + field, BigInt.asUintN(64, value), true);
  }
  get32(field: number, vcpu = 0): number {
    return this.view.getUint32(VCPU_BASE + vcpu * VCPU_BLOCK_SIZE + field, true);
  }
  set32(field: number, value: number, vcpu = 0): void {
    this.view.setUint32(VCPU_BASE + vcpu * VCPU_BLOCK_SIZE + field, value >>> 0, true);
  }
  reg(name: Gpr): bigint {
    return this.get64(abi.VCPU_GPR + 8 * GPR_NAMES.indexOf(name));
  }
  setReg(name: Gpr, value: bigint | number): void {
    this.set64(abi.VCPU_GPR + 8 * GPR_NAMES.indexOf(name), BigInt(value));
  }
  get rip(): bigint {
    return this.get64(abi.VCPU_RIP);
  }
  set rip(value: bigint) {
    this.set64(abi.VCPU_RIP, value);
  }
  get icount(): bigint {
    return this.get64(abi.VCPU_ICOUNT);
  }
  get flags(): number {
    return this.core.getRflags(0);
  }

  hva(gpa: number): number {
    return this.hostPage(Math.floor(gpa / PAGE_SIZE)) + (gpa % PAGE_SIZE);
  }
  private hostPage(gfn: number): number {
    return HOST_BASE + (this.forward ? gfn : this.ramSize / PAGE_SIZE - 1 - gfn) * PAGE_SIZE;
  }
  /** Writes guest-physical memory as a device would (decoded code is dropped). */
  poke(gpa: number, bytes: Uint8Array | readonly number[] | string): void {
    const data = typeof bytes === 'string' ? hex(bytes) : bytes;
    data.forEach((byte, i) => {
      const at = this.hva(gpa + i);
      this.view.setUint8(at, byte);
      this.core.invalidateCode(at, 1);
    });
  }
  poke64(gpa: number, value: bigint): void {
    for (let i = 0; i < 8; i++) this.view.setUint8(this.hva(gpa + i), Number((value >> BigInt(8 * i)) & 255n));
  }
  peek(gpa: number, size: number): bigint {
    let value = 0n;
    for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.view.getUint8(this.hva(gpa + i)));
    return value;
  }

  segment(seg: number, selector: number, base: bigint, limit: number, attr: number): void {
    const at = abi.VCPU_SEG + seg * abi.VCPU_SEG_SIZE;
    this.set64(at + abi.SEG_BASE, base);
    this.set32(at + abi.SEG_LIMIT, limit);
    this.set32(at + abi.SEG_SELECTOR, selector | (attr << 16));
  }

  /** 64-bit mode, CPL 0, paging with 2 MiB pages over [0, 1 GiB) one to one; tables at gpa 0x1000..0x3fff. */
  longMode(rip: number): void {
    this.poke64(0x1000, 0x2007n);
    this.poke64(0x2000, 0x3007n);
    for (let i = 0; i < 512; i++) this.poke64(0x3000 + 8 * i, BigInt(i * 0x200000) | 0x87n);
    this.segment(abi.SEG_CS, 8, 0n, 0xffffffff, 0xa9b);
    for (const seg of [abi.SEG_SS, abi.SEG_DS, abi.SEG_ES, abi.SEG_FS, abi.SEG_GS]) this.segment(seg, 16, 0n, 0xffffffff, 0xc93);
    this.set64(abi.VCPU_CR0, 0x80000011n);
    this.set64(abi.VCPU_CR3, 0x1000n);
    this.set64(abi.VCPU_CR4, 0x20n);
    this.set64(abi.VCPU_EFER, 0x500n);
    this.rip = BigInt(rip);
    this.core.stateChanged(0);
  }

  /**
   * A gate with DPL 3 for each of 48 vectors, through the code segment at selector 8, to separate handlers that halt, 16 bytes each, starting at
   * `handlers`.
   */
  haltingHandlers(wide: boolean, idt: number, handlers: number): void {
    this.gates(wide, idt, handlers, 16, () => 'f4');
  }

  /** The same, 128 bytes each; the handlers return at once except those in `own`. The #UD handler skips two bytes. */
  returningHandlers(wide: boolean, idt: number, handlers: number, own: Readonly<Record<number, string>>): void {
    const back = wide ? '48cf' : 'cf';
    const skip = wide ? '4883042402 48cf' : '83042402 cf';
    this.gates(wide, idt, handlers, 128, (vector) => own[vector] ?? (vector === 6 ? skip : back));
  }

  private gates(wide: boolean, idt: number, handlers: number, bytes: number, codeOf: (vector: number) => string): void {
    const size = wide ? 16 : 8;
    for (let vector = 0; vector < 48; vector++) {
      const at = handlers + bytes * vector;
      this.poke(at, codeOf(vector));
      this.poke64(idt + size * vector, BigInt(at & 0xffff) | 0x80000n | (0xee00n << 32n) | (BigInt(at >>> 16) << 48n));
      if (wide) this.poke64(idt + 8 + size * vector, 0n);
    }
    this.set64(abi.VCPU_IDT_BASE, BigInt(idt));
    this.set32(abi.VCPU_IDT_LIMIT, 48 * size - 1);
  }

  /** 32-bit flat protected mode without paging, CPL 0. */
  flat32(eip: number): void {
    this.segment(abi.SEG_CS, 8, 0n, 0xffffffff, 0xc9b);
    for (const seg of [abi.SEG_SS, abi.SEG_DS, abi.SEG_ES, abi.SEG_FS, abi.SEG_GS]) this.segment(seg, 16, 0n, 0xffffffff, 0xc93);
    this.set64(abi.VCPU_CR0, 0x11n);
    this.rip = BigInt(eip);
    this.core.stateChanged(0);
  }

  /** Real mode, all segments 0. */
  real(ip: number): void {
    this.segment(abi.SEG_CS, 0, 0n, 0xffff, 0x93);
    this.rip = BigInt(ip);
    this.core.stateChanged(0);
  }

  /** Runs up to `budget` instructions in slices of `slice`; the last exit. */
  run(budget: number, slice = budget): number {
    let left = budget;
    let exit = 0;
    while (left > 0) {
      const before = this.icount;
      exit = this.core.run(0, Math.min(slice, left));
      left -= Number(this.icount - before);
      if (exit !== 0) return exit;
    }
    return exit;
  }

  /** The guest-visible state of the vCPU, as text. */
  state(): string {
    const regs = GPR_NAMES.map((name) => `${name}=${this.reg(name).toString(16)}`).join(' ');
    return `${regs} rip=${this.rip.toString(16)} flags=${this.flags.toString(16)} icount=${this.icount} cr2=${this.get64(abi.VCPU_CR2).toString(16)}`;
  }
  /** gpa stored by the last `translate`. */
  get translated(): bigint {
    return this.get64(VCPU_MAILBOX2);
  }
}

/** "48 89 c3" -> bytes. Text after a ';' is a comment. */
export function hex(text: string): Uint8Array {
  const digits = text.replaceAll(/;[^\n]*/g, '').replaceAll(/\s+/g, '');
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
