/**
 * What every operation is written with: guest registers in locals, flags, memory operands behind a TLB probe, exits. One emitter writes
 * one region. Everything that leaves a region does so in front of an instruction, by `exit`.
 */

import { VCPU_LEFT, VCPU_MISS, VCPU_MISS_VA, VCPU_TLB, VCPU_WINDOWS } from '../abi/layout';
import {
  MISS_BYTES_SHIFT,
  MISS_WRITABLE,
  MISS_WRITES,
  TLB_ADDEND,
  TLB_TAG_READ,
  TLB_TAG_WRITE,
  WINDOW_FIRST,
  WINDOW_HOST,
  WINDOW_LENGTH,
  WINDOW_MARGIN,
  WINDOW_SIZE,
} from '../abi/tlb';
import { VCPU_CR0, VCPU_CR4, VCPU_GPR, VCPU_MXCSR, VCPU_RIP, VCPU_XMM, VCPU_ZERO } from '../abi/vcpu';
import { type Access, GROUPS, type Group, type Plan } from './accesses';
import { Code, I32, I64, V128 } from './encoder';
import { type Flags, IN_RECORD, Kind, wordOf } from './flag-kinds';
import type { FunctionType, Import, Locals } from './module';
import { type Instruction, type Size, VREG_EA, VREG_PAGE } from './records';

// Parameters of a region.
const VCPU = 0;
export const ENTRY = 1;
/** Instructions left of the slice, those of the running block taken off. */
const LEFT_LOCAL = 2;
/** RIP of the start of the region's first page. */
export const PAGE = 3;
const TLB = 4;
/** Bits of the region's pages that are known to be executed from the host pages that it was made of. */
const VERIFIED = 5;
export const REGION_TYPE: FunctionType = { parameters: [I32, I32, I32, I64, I32, I32], results: [I32] };

// 64-bit locals.
const GPR0 = 6;
/** Operands of the last operation that set flags: for conditions, and (`KEPT`) for exits. */
const FIRST = 22;
const SECOND = 23;
const RESULT = 24;
const KEPT = 25;
/** The linear address of an access, and what address records made. */
export const VA = 26;
const EA = 27;
/** Scratch of the operations. */
export const X = 28;
export const Y = 29;
export const Z = 30;
export const RIP = 31;
// 32-bit locals.
const KIND = 32;
const TLB_ENTRY = 33;
export const A = 34;
export const B = 35;
export const R = 36;
export const T = 37;
/** What the region returns. */
const CODE = 38;
// Vectors, and scratch for them.
const XMM0 = 39;
export const V0 = 55;
export const V1 = 56;
export const V2 = 57;
/** May vector instructions run, and does MXCSR stay as it is whatever ordinary arithmetic does? */
const VECTORS = 58;
const EXACT = 59;
/** Host address of the access at hand, and those of the lowest bytes of tested groups. */
const HOST = 60;
const GROUP0 = 61;
/** 0, or the rotation that set CF and OF last (1 left, 2 right | (bits - 1) << 8), and its result. */
const TURNED = GROUP0 + GROUPS;
const TURNED_TO = TURNED + 1;
/** How far into its window an access lies. */
const DISTANCE = TURNED_TO + 1;
export const LOCALS: Locals = [
  [26, I64],
  [7, I32],
  [19, V128],
  [2 + 1 + GROUPS + 1, I32],
  [2, I64],
];
/** CR0.EM and TS must be clear, CR4.OSFXSR set. */
const CR0_NO_VECTORS = 0xc;
const CR4_OSFXSR = 0x200;
/** MXCSR without the flags below PE: PE, all masks, rounding to nearest, neither DAZ nor FTZ. */
const MXCSR_SETTLED = 0x1fa0;
const MXCSR_MASK = 0xffe0;

export const FILL = 0;
export const FETCH = 1;
export const COLD = 2;
export const FLAGS = 3;
export const CARRY = 4;
export const CONDITION = 5;
export const ROTATED = 6;
export const X87 = 7;
const type = (parameters: number[], results: number[]): FunctionType => ({ parameters, results });
export const IMPORTS: readonly Import[] = [
  { name: 'jitFill', type: type([I64, I32, I32], [I32]) },
  { name: 'jitFetch', type: type([I64, I32, I32], [I32]) },
  { name: 'jitCold', type: type([I32], [I32]) },
  { name: 'jitFlags', type: type([I32, I64, I64, I64], []) },
  { name: 'jitCarry', type: type([], [I32]) },
  { name: 'jitCondition', type: type([I32], [I32]) },
  { name: 'jitRotated', type: type([I32, I64], []) },
  { name: 'jitX87', type: type([I32, I64], [I32]) },
];

const TLB_MASK = 0x1ffe0;
/** Added to a reason: the interpreter must run the next instruction itself. */
export const INTERPRET = 0x10000;
/** VCPU_MISS says which window did not hold the access. */
const MISSED = 0x80000;
/** The cells lie as far behind the TLB that a region uses. */
const CELLS = VCPU_WINDOWS - VCPU_TLB;
/** Reasons to leave that are no operation's number. */
export const Reason = { jump: 0xf00, slice: 0xf01, memory: 0xf02, page: 0xf03, outOfLine: 0xf04, window: 0xf05 } as const;

export const isGpr = (offset: number): boolean => offset < VCPU_ZERO;

export class Emitter {
  readonly code = new Code();
  /** Bits of the general registers that the region has in locals, and those that it may have changed. */
  used = 0;
  dirty = 0;
  /** The same of XMM registers. */
  vectors = 0;
  /** XMM registers (offsets) of whose lanes all are known to be ordinary numbers, in this block. */
  readonly ordinary = new Map<number, 'single' | 'double'>();
  private vectorsTested = false;
  flags: Flags;
  /** Linear distance of the block's page from the first page. */
  pageDelta = 0;
  /** Nobody will look at the flags of this instruction. */
  flagsDead = false;
  /** The accesses of the block at hand; the windows' cells, by name. */
  plan: Plan = new Map();
  cells: ReadonlyMap<string, number> = new Map();
  /** Some instruction of the region rotates. */
  rotates = false;
  /** Distance of the access at hand from the host address that `host` pushes. */
  at = 0;
  private hostLocal = HOST;
  /** Groups whose test was written, and nothing since that can change translations. */
  private readonly tested = new Set<Group>();
  private exitDepth = 0;

  // Region

  /** Loads registers, writes the body, and what every exit goes through. */
  region(body: () => void): void {
    const { code } = this;
    code.i32Const(Kind.RECORD);
    code.set(KIND);
    this.reload();
    code.block();
    this.exitDepth = code.depth;
    body();
    code.unreachable();
    code.end();
    this.spill();
    code.get(VCPU);
    code.get(RIP);
    code.i64Store(VCPU_RIP);
    code.get(CODE);
  }

  private forEach(bits: number, act: (register: number) => void): void {
    for (let register = 0; register < 16; register++) if ((bits >> register) & 1) act(register);
  }

  private reload(): void {
    const { code } = this;
    this.forEach(this.used, (register) => {
      code.get(VCPU);
      code.i64Load(VCPU_GPR + register * 8);
      code.set(GPR0 + register);
    });
    if (this.vectors === 0) return;
    this.forEach(this.vectors, (register) => {
      code.get(VCPU);
      code.v128Load(VCPU_XMM + register * 16);
      code.set(XMM0 + register);
    });
    code.get(VCPU);
    code.i32Load(VCPU_MXCSR);
    code.i32Const(MXCSR_MASK);
    code.i32And();
    code.i32Const(MXCSR_SETTLED);
    code.i32Eq();
    code.set(EXACT);
    code.get(VCPU);
    code.i32Load(VCPU_CR0);
    code.i32Const(CR0_NO_VECTORS);
    code.i32And();
    code.i32Eqz();
    code.get(VCPU);
    code.i32Load(VCPU_CR4);
    code.i32Const(CR4_OSFXSR);
    code.i32And();
    code.i32Const(0);
    code.i32Ne();
    code.i32And();
    code.set(VECTORS);
  }

  /** A block begins: nothing is known from before. */
  beginBlock(): void {
    this.tested.clear();
    this.ordinary.clear();
    this.vectorsTested = false;
  }

  /** Registers, flags and the count go to the record. */
  private spill(): void {
    const { code } = this;
    this.forEach(this.dirty, (register) => {
      code.get(VCPU);
      code.get(GPR0 + register);
      code.i64Store(VCPU_GPR + register * 8);
    });
    this.forEach(this.vectors, (register) => {
      code.get(VCPU);
      code.get(XMM0 + register);
      code.v128Store(VCPU_XMM + register * 16);
    });
    code.get(VCPU);
    code.get(LEFT_LOCAL);
    code.i32Store(VCPU_LEFT);
    this.storeFlags();
  }

  private storeFlags(): void {
    const { code } = this;
    code.get(KIND);
    code.get(KEPT);
    code.get(SECOND);
    code.get(RESULT);
    code.call(FLAGS);
    if (!this.rotates) return;
    code.get(TURNED);
    code.if();
    code.get(TURNED);
    code.get(TURNED_TO);
    code.call(ROTATED);
    code.end();
  }

  /** The record has all flags. */
  private flagsInRecord(): void {
    const { code } = this;
    code.i32Const(Kind.RECORD);
    code.set(KIND);
    this.notTurned();
    this.flags = IN_RECORD;
  }

  private notTurned(): void {
    if (!this.rotates) return;
    this.code.i32Const(0);
    this.code.set(TURNED);
  }

  /** CF and OF are a rotation's, with this result; the other flags stay as they are. */
  turned(left: boolean, size: Size, result: number): void {
    const { code } = this;
    code.i32Const((left ? 1 : 2) | (((8 << size) - 1) << 8));
    code.set(TURNED);
    code.get(result);
    if (size < 3) code.i64ExtendI32U();
    code.set(TURNED_TO);
    this.flags = undefined;
  }

  /** Leaves in front of the instruction at `delta` from the first page's start, of whose block `remaining` instructions have not run. */
  exit(delta: number, remaining: number, reason: number): void {
    const { code } = this;
    code.get(PAGE);
    code.i64Const(delta);
    code.i64Add();
    code.set(RIP);
    this.exitTo(remaining, reason);
  }

  /** The same with the address in RIP. */
  exitTo(remaining: number, reason: number): void {
    const { code } = this;
    if (remaining !== 0) {
      code.get(LEFT_LOCAL);
      code.i32Const(remaining);
      code.i32Add();
      code.set(LEFT_LOCAL);
    }
    code.i32Const(reason);
    code.set(CODE);
    code.br(code.depth - this.exitDepth);
  }

  /** Leaves in front of this instruction, which is then the interpreter's. */
  exitBefore(at: Instruction, reason: number): void {
    this.exit(this.pageDelta + at.offset, at.after, reason | INTERPRET);
  }

  /** Takes the block's instructions from what is left, or leaves. */
  claim(delta: number, count: number): void {
    const { code } = this;
    code.get(LEFT_LOCAL);
    code.i32Const(count);
    code.i32Sub();
    code.tee(LEFT_LOCAL);
    code.i32Const(0);
    code.i32LtS();
    code.unlikelyIf();
    this.exit(delta, count, Reason.slice);
    code.end();
  }

  /** Goes on only if the page with this bit is executed from `hostPage`; else leaves for `target`. */
  verify(bit: number, pageDelta: number, hostPage: number, target: number): void {
    const { code } = this;
    code.get(VERIFIED);
    code.i32Const(bit);
    code.i32And();
    code.i32Eqz();
    code.unlikelyIf();
    code.get(PAGE);
    code.i64Const(pageDelta);
    code.i64Add();
    code.i32Const(hostPage);
    code.get(LEFT_LOCAL);
    code.call(FETCH);
    code.i32Eqz();
    code.if();
    this.exit(target, 0, Reason.page);
    code.end();
    code.get(VERIFIED);
    code.i32Const(bit);
    code.i32Or();
    code.set(VERIFIED);
    code.end();
  }

  /**
   * RIP holds a computed target: goes to `dispatch` with ENTRY set if it is an entry in a verified page, else leaves. The table has
   * 8-byte cells {i32 distance from the first page, u16 entry, u16 page bits}, found by a perfect hash.
   */
  computedJump(table: { address: number; multiplier: number; shift: number }, dispatch: () => void): void {
    const { code } = this;
    code.get(RIP);
    code.get(PAGE);
    code.i64Sub();
    code.tee(X);
    code.i32WrapI64();
    code.i32Const(table.multiplier);
    code.i32Mul();
    code.i32Const(table.shift);
    code.i32ShrU();
    code.i32Const(3);
    code.i32Shl();
    code.tee(T);
    code.i64Load32S(table.address);
    code.get(X);
    code.i64Eq();
    code.if();
    code.get(T);
    code.i32Load16U(table.address + 6);
    code.get(VERIFIED);
    code.i32And();
    code.if();
    code.get(T);
    code.i32Load16U(table.address + 4);
    code.set(ENTRY);
    dispatch();
    code.end();
    code.end();
    this.exitTo(0, Reason.jump);
  }

  /** Runs an out-of-line handler; leaves when it does not simply go on. */
  callCold(at: Instruction): void {
    this.storePage();
    this.runCold(at);
    this.ordinary.clear();
    this.flagsInRecord();
  }

  /**
   * Runs the short way of an x87 instruction, with registers and flags where they are; where that does not do, the handler. `setsFlags`:
   * it is FCOMI or its like.
   */
  callX87(at: Instruction, setsFlags: boolean): void {
    const { code } = this;
    this.storePage();
    code.i32Const(at.at);
    this.address(at, true);
    code.call(X87);
    code.i32Eqz();
    code.unlikelyIf();
    this.runCold(at);
    code.end();
    if (setsFlags) this.flagsInRecord();
  }

  private storePage(): void {
    const { code } = this;
    code.get(VCPU);
    code.get(PAGE);
    code.i64Const(this.pageDelta);
    code.i64Add();
    code.i64Store(VREG_PAGE);
  }

  /** Calls the handler with everything in the record, and takes up again what it leaves there but the flags. VREG_PAGE is good. */
  private runCold(at: Instruction): void {
    this.tested.clear();
    const { code } = this;
    this.spill();
    if (at.base === VREG_EA) {
      code.get(VCPU);
      code.get(EA);
      code.i64Store(VREG_EA);
    }
    code.i32Const(at.at);
    code.call(COLD);
    code.tee(CODE);
    code.i32Const(1);
    code.i32Ne();
    code.unlikelyIf();
    code.get(CODE);
    code.i32Const(Reason.outOfLine);
    code.i32Or();
    code.return();
    code.end();
    this.reload();
  }

  // Vectors

  xmm(offset: number): number {
    return XMM0 + ((offset - VCPU_XMM) >> 4);
  }

  /** From the stack; `type`: all its lanes are ordinary numbers. */
  setXmm(offset: number, type?: 'single' | 'double'): void {
    this.code.set(this.xmm(offset));
    if (type === undefined) this.ordinary.delete(offset);
    else this.ordinary.set(offset, type);
  }

  /** Leaves if vector instructions raise exceptions; once in a block, since only instructions that leave change that. */
  needVectors(at: Instruction): void {
    if (this.vectorsTested) return;
    this.vectorsTested = true;
    const { code } = this;
    code.get(VECTORS);
    code.i32Eqz();
    code.unlikelyIf();
    this.exitBefore(at, at.number);
    code.end();
  }

  /** An i32 on the stack says whether the host's result is what the guest's would be and MXCSR stays; else leaves. */
  unlessExact(at: Instruction): void {
    const { code } = this;
    code.i32Const(0);
    code.i32Ne();
    code.get(EXACT);
    code.i32And();
    code.i32Eqz();
    code.unlikelyIf();
    this.exitBefore(at, at.number);
    code.end();
  }

  // Registers. i32 for 8, 16 and 32 bits (zero-extended), i64 for 64.

  gpr(offset: number): number {
    return GPR0 + (offset >> 3);
  }

  readRegister(offset: number, size: Size): void {
    const { code } = this;
    code.get(this.gpr(offset));
    if (size === 3) return;
    code.i32WrapI64();
    if (size === 2) return;
    if (offset & 1) {
      code.i32Const(8);
      code.i32ShrU();
    }
    code.i32Const(size === 0 ? 0xff : 0xffff);
    code.i32And();
  }

  /** From the stack, as readRegister leaves it. 32 bits clear the upper half, 8 and 16 keep the rest. */
  writeRegister(offset: number, size: Size): void {
    const { code } = this;
    const register = this.gpr(offset);
    if (size < 2) {
      const high = (offset & 1) !== 0;
      code.i64ExtendI32U();
      if (high) {
        code.i64Const(8);
        code.i64Shl();
      }
      code.get(register);
      code.i64Const(size === 1 ? -0x10000 : high ? -0xff01 : -0x100);
      code.i64And();
      code.i64Or();
    } else if (size === 2) code.i64ExtendI32U();
    code.set(register);
  }

  immediate(at: Instruction, size: Size): void {
    if (size === 3) this.code.i64Const(at.immediate);
    else this.code.i32Const(Number(BigInt.asIntN(32, size === 2 ? at.immediate : BigInt.asUintN(8 << size, at.immediate))));
  }

  // Memory

  /** base + (index << scale) + displacement, on the stack. */
  address(at: Instruction, indexed: boolean, displacement: number | bigint = at.displacement): void {
    const { code } = this;
    let pushed = false;
    const plus = (): void => {
      if (pushed) code.i64Add();
      pushed = true;
    };
    let constant = BigInt(displacement);
    if (isGpr(at.base)) {
      code.get(this.gpr(at.base));
      plus();
    } else if (at.base === VREG_EA) {
      code.get(EA);
      plus();
    } else if (at.base === VREG_PAGE) {
      code.get(PAGE);
      plus();
      constant += BigInt(this.pageDelta);
    }
    if (indexed && isGpr(at.index)) {
      code.get(this.gpr(at.index));
      if (at.scale > 0) {
        code.i64Const(at.scale);
        code.i64Shl();
      }
      plus();
    }
    if (constant !== 0n || !pushed) {
      code.i64Const(constant);
      plus();
    }
  }

  setEffective(): void {
    this.code.set(EA);
  }

  /** u64 field of the record. */
  recordField(offset: number): void {
    this.code.get(VCPU);
    this.code.i64Load(offset);
  }

  /**
   * The instruction's next memory operand, number `which`: leaves before the instruction unless the access is plain memory. Then `host`
   * and `at` say where. `aligned`: it must be a multiple of 16, or faults.
   */
  operand(at: Instruction, which = 0, aligned = false): void {
    const { code } = this;
    const access = this.plan.get(at)![which]!;
    const { group } = access;
    if (group !== undefined && !access.first) {
      if (!this.tested.has(group)) throw new Error(`the access at +0x${at.offset.toString(16)} was not tested`);
      this.hostLocal = GROUP0 + group.local;
      this.at = access.distance - group.low;
      if (aligned) {
        // Pages keep their offsets.
        this.host();
        code.i32Const(this.at);
        code.i32Add();
        this.unlessAligned(at);
      }
      return;
    }
    this.addressOf(at, access);
    code.set(VA);
    if (aligned) {
      code.get(VA);
      code.i32WrapI64();
      this.unlessAligned(at);
    }
    if (group === undefined) this.probe(at, access);
    else this.window(at, access);
  }

  /** Leaves if the address on the stack, an i32, is no multiple of 16. */
  private unlessAligned(at: Instruction): void {
    const { code } = this;
    code.i32Const(15);
    code.i32And();
    code.unlikelyIf();
    this.exitBefore(at, at.number);
    code.end();
  }

  private addressOf(at: Instruction, { place, indexed }: Access): void {
    const { code } = this;
    if (place === 'record') {
      this.address(at, indexed);
      return;
    }
    code.get(GPR0 + (place === 'frame' ? 5 : 4));
    if (place !== 'push') return;
    code.i64Const(-8);
    code.i64Add();
  }

  /** The group's window must hold the address in VA, and with it all of the group. */
  private window(at: Instruction, { group, distance, bytes, writes }: Access): void {
    const { code } = this;
    const { low, high, local, window } = group!;
    const cell = this.cells.get(window)!;
    const field = CELLS + cell * WINDOW_SIZE;
    const length = (): void => {
      code.get(TLB);
      code.i64Load(field + WINDOW_LENGTH);
    };
    code.get(VA);
    if (distance !== low) {
      code.i64Const(low - distance);
      code.i64Add();
    }
    code.get(TLB);
    code.i64Load(field + WINDOW_FIRST);
    code.i64Sub();
    code.tee(DISTANCE);
    length();
    code.i64GeU();
    if (high - low > WINDOW_MARGIN + 1) {
      code.get(DISTANCE);
      code.i64Const(high - low - WINDOW_MARGIN - 1);
      code.i64Add();
      length();
      code.i64GeU();
      code.i32Or();
    }
    code.unlikelyIf();
    code.get(VCPU);
    code.get(VA);
    code.i64Store(VCPU_MISS_VA);
    code.get(VCPU);
    code.i32Const(cell | (bytes << MISS_BYTES_SHIFT) | (writes ? MISS_WRITES : 0) | (group!.writes ? MISS_WRITABLE : 0));
    code.i32Store(VCPU_MISS);
    this.exitBefore(at, Reason.window | MISSED);
    code.end();
    code.get(DISTANCE);
    code.i32WrapI64();
    code.get(TLB);
    code.i32Load(field + WINDOW_HOST);
    code.i32Add();
    this.tested.add(group!);
    code.set(GROUP0 + local);
    this.hostLocal = GROUP0 + local;
    this.at = distance - low;
  }

  /** The address in VA is looked up in the TLB. */
  private probe(at: Instruction, { bytes, writes }: Access): void {
    this.tested.clear();
    const { code } = this;
    code.get(VA);
    code.i64Const(7);
    code.i64ShrU();
    code.get(VA);
    code.i64Const(19);
    code.i64ShrU();
    code.i64Xor();
    code.i32WrapI64();
    code.i32Const(TLB_MASK);
    code.i32And();
    code.get(TLB);
    code.i32Add();
    code.tee(TLB_ENTRY);
    code.i64Load(writes ? TLB_TAG_WRITE : TLB_TAG_READ);
    code.get(VA);
    if (bytes > 1) {
      code.i64Const(bytes - 1);
      code.i64Add();
    }
    code.i64Const(-4096);
    code.i64And();
    code.i64Ne();
    code.unlikelyIf();
    code.get(VA);
    code.i32Const(bytes | (writes ? 0x100 : 0));
    code.get(LEFT_LOCAL);
    code.i32Const(at.after);
    code.i32Add();
    code.call(FILL);
    code.i32Eqz();
    code.if();
    this.exitBefore(at, Reason.memory);
    code.end();
    code.end();
    code.get(VA);
    code.i32WrapI64();
    code.get(TLB_ENTRY);
    code.i32Load(TLB_ADDEND);
    code.i32Add();
    code.set(HOST);
    this.hostLocal = HOST;
    this.at = 0;
  }

  /** Host address of the operand at hand, which lies `at` bytes behind it. */
  host(): void {
    this.code.get(this.hostLocal);
  }

  loadSized(size: Size): void {
    const { code, at } = this;
    if (size === 3) code.i64Load(at);
    else if (size === 2) code.i32Load(at);
    else if (size === 1) code.i32Load16U(at);
    else code.i32Load8U(at);
  }
  storeSized(size: Size): void {
    const { code, at } = this;
    if (size === 3) code.i64Store(at);
    else if (size === 2) code.i32Store(at);
    else if (size === 1) code.i32Store16(at);
    else code.i32Store8(at);
  }

  /** Value of the instruction's memory operand. */
  load(at: Instruction, size: Size): void {
    this.operand(at);
    this.host();
    this.loadSized(size);
  }

  // Flags

  /** The operation set flags: a, b and r push its operands and result (32-bit ones are extended here). */
  setFlags(kind: number, size: Size, a: (() => void) | undefined, b: (() => void) | undefined, r: (() => void) | undefined): void {
    if (this.flagsDead) {
      this.flags = undefined;
      return;
    }
    const { code } = this;
    const put = (value: (() => void) | undefined, local: number): void => {
      if (value === undefined) code.i64Const(0);
      else {
        value();
        if (size < 3) code.i64ExtendI32U();
      }
      code.set(local);
    };
    // An exit needs `first` of few kinds; for the others it must not keep a register busy.
    const exitNeedsFirst = kind === Kind.COMPARE || kind >= Kind.ADC;
    put(a, FIRST);
    if (exitNeedsFirst) code.get(FIRST);
    else code.i64Const(0);
    code.set(KEPT);
    put(b, SECOND);
    put(kind === Kind.COMPARE ? undefined : r, RESULT);
    code.i32Const(wordOf(kind, size));
    code.set(KIND);
    this.notTurned();
    this.flags = { kind, size };
  }

  /** Flags go to the record, so that the core can be asked. */
  materialize(): void {
    if (this.flags === IN_RECORD) return;
    this.storeFlags();
    this.flagsInRecord();
  }

  /** CF, as i32. */
  carry(): void {
    const { code, flags } = this;
    switch (flags?.kind) {
      case Kind.SUB:
      case Kind.COMPARE:
        code.get(FIRST);
        code.get(SECOND);
        code.i64LtU();
        return;
      case Kind.ADD:
        code.get(RESULT);
        code.get(FIRST);
        code.i64LtU();
        return;
      case Kind.LOGIC:
        code.i32Const(0);
        return;
      case Kind.INC:
      case Kind.DEC:
        code.get(SECOND);
        code.i32WrapI64();
        return;
      default:
        this.materialize();
        code.call(CARRY);
    }
  }

  /** Condition code 0..15 (SDM 1, appendix B), as i32 0 or 1. */
  condition(wanted: number): void {
    const { code, flags } = this;
    if (flags === undefined || !this.compared(wanted & ~1, flags.kind, flags.size)) {
      this.materialize();
      code.i32Const(wanted & ~1);
      code.call(CONDITION);
    }
    if (wanted & 1) code.i32Eqz();
  }

  /** Pushes a signed number of the operand size. */
  private signed(local: number, size: Size): void {
    const { code } = this;
    code.get(local);
    if (size === 3) return;
    code.i32WrapI64();
    if (size === 0) code.i32Extend8S();
    else if (size === 1) code.i32Extend16S();
  }

  private resultOf(kind: number): void {
    const { code } = this;
    if (kind !== Kind.COMPARE) {
      code.get(RESULT);
      return;
    }
    code.get(FIRST);
    code.get(SECOND);
    code.i64Sub();
  }

  private signOf(kind: number, size: Size): void {
    const { code } = this;
    this.resultOf(kind);
    if (size === 0) code.i64Extend8S();
    else if (size === 1) code.i64Extend16S();
    else if (size === 2) code.i64Extend32S();
    code.i64Const(0);
    code.i64LtS();
  }

  private zero(kind: number): void {
    const { code } = this;
    if (kind === Kind.COMPARE) {
      code.get(FIRST);
      code.get(SECOND);
      code.i64Eq();
    } else {
      code.get(RESULT);
      code.i64Eqz();
    }
  }

  /** An even condition from the operands; false: this kind does not tell. */
  private compared(wanted: number, kind: number, size: Size): boolean {
    const { code } = this;
    const wide = size === 3;
    if (kind === Kind.RECORD) return false;
    if (wanted === 4) {
      this.zero(kind);
      return true;
    }
    if (wanted === 8) {
      this.signOf(kind, size);
      return true;
    }
    if (wanted === 10) {
      this.resultOf(kind);
      code.i32WrapI64();
      code.i32Const(0xff);
      code.i32And();
      code.i32Popcnt();
      code.i32Const(1);
      code.i32And();
      code.i32Eqz();
      return true;
    }
    if (kind === Kind.SUB || kind === Kind.COMPARE) {
      if (wanted === 2 || wanted === 6) {
        code.get(FIRST);
        code.get(SECOND);
        if (wanted === 2) code.i64LtU();
        else code.i64LeU();
        return true;
      }
      if (wanted === 12 || wanted === 14) {
        this.signed(FIRST, size);
        this.signed(SECOND, size);
        if (wanted === 12) {
          if (wide) code.i64LtS();
          else code.i32LtS();
        } else if (wide) code.i64LeS();
        else code.i32LeS();
        return true;
      }
    }
    if (kind === Kind.LOGIC) {
      if (wanted === 0 || wanted === 2) code.i32Const(0);
      else if (wanted === 6) this.zero(kind);
      else if (wanted === 12) this.signOf(kind, size);
      else {
        this.signed(RESULT, size);
        if (wide) code.i64Const(0);
        else code.i32Const(0);
        if (wide) code.i64LeS();
        else code.i32LeS();
      }
      return true;
    }
    if (kind === Kind.ADD && (wanted === 2 || wanted === 6)) {
      this.carry();
      if (wanted === 6) {
        this.zero(kind);
        code.i32Or();
      }
      return true;
    }
    return false;
  }
}
