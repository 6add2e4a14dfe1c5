/**
 * The frame of a region: registers from the record into locals and back, the instruction count, and the exits. A region always exits before an
 * instruction, through `exit`.
 */
import { VCPU_LEFT, VCPU_MISS, VCPU_MISS_VA } from '../abi/layout';
import { VCPU_CR0, VCPU_CR4, VCPU_GPR, VCPU_MXCSR, VCPU_RIP, VCPU_XMM } from '../abi/vcpu';
import { FlagsEmitter } from './emit-flags';
import { EXIT_DELTA, EXIT_MISS, EXIT_REMAINING, EXIT_SHIFT, EXIT_WORD, Exits } from './exits';
import { Kind } from './flag-kinds';
import {
  CODE,
  ENTRY,
  EXACT,
  FETCH,
  GPR0,
  INTERPRET,
  KIND,
  LEFT_LOCAL,
  MISSED,
  PAGE,
  Reason,
  RIP,
  T,
  VA,
  VCPU,
  VECTORS,
  VERIFIED,
  X,
  X87_FDP,
  X87_FIP,
  X87_FOP,
  X87_NOTE,
  X87_STATE,
  X87_STATUS,
  XMM0,
} from './locals';
import { type Instruction, immediateOf, isShort, type Size, VREG_PAGE } from './records';

/** CR0.EM and TS must be clear, CR4.OSFXSR set. */
const CR0_NO_VECTORS = 0xc;
const CR4_OSFXSR = 0x200;
/** MXCSR without the flags below PE: PE, all masks, rounding to nearest, neither DAZ nor FTZ. */
const MXCSR_SETTLED = 0x1fa0;
const MXCSR_MASK = 0xffe0;

export class FrameEmitter extends FlagsEmitter {
  /** Bits of the general registers that the region has in locals, and of those that it may have changed. */
  used = 0;
  dirty = 0;
  /** The same for XMM registers. */
  vectors = 0;
  /** It has x87 instructions. */
  x87 = false;
  /** XMM registers (offsets) known in this block to hold only ordinary numbers in their lanes. */
  readonly ordinary = new Map<number, 'single' | 'double'>();
  /** Linear distance of the block's page from the first page. */
  pageDelta = 0;
  /** Its exits. Each has a row, except computed jumps. */
  readonly exits = new Exits();
  private exitDepth = 0;
  private leftDepth = 0;
  /** Instructions that the current block has taken from the slice. */
  private claimed = 0;

  // Region

  /** Loads registers, writes the body and the common exit code. */
  region(body: () => void): void {
    const { code } = this;
    code.i32Const(Kind.RECORD);
    code.set(KIND);
    this.reload();
    code.block();
    this.leftDepth = code.depth;
    code.block();
    this.exitDepth = code.depth;
    body();
    code.unreachable();
    code.end();
    this.lookUpExit();
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

  protected reload(): void {
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

  /** Writes registers, flags and the count to the record. */
  protected spill(): void {
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
    if (!this.x87) return;
    code.get(X87_NOTE);
    code.if();
    this.passNote();
    code.end();
  }

  /** Passes the note of a run of x87 instructions to the core, after the run or before leaving it. */
  protected passNote(): void {
    const { code } = this;
    code.get(X87_NOTE);
    code.get(X87_STATUS);
    code.get(X87_FOP);
    this.x87Pointer();
    code.get(X87_FDP);
    code.callHelper(X87_STATE);
  }

  /** Address of the last x87 instruction. */
  protected x87Pointer(): void {
    const { code } = this;
    code.get(PAGE);
    code.get(X87_FIP);
    code.i64ExtendI32S();
    code.i64Add();
  }

  protected storePage(): void {
    const { code } = this;
    code.get(VCPU);
    code.get(PAGE);
    code.i64Const(this.pageDelta);
    code.i64Add();
    code.i64Store(VREG_PAGE);
  }

  /** Exits before the instruction at `delta` from the first page's start; `remaining` instructions of its block have not run. */
  exit(delta: number, remaining: number, reason: number): void {
    this.checkRemaining(remaining);
    this.leave(this.exits.add(delta, remaining, reason), this.exitDepth);
  }

  /** Exits before the instruction because its access, whose address is in VA, missed; `miss` goes to VCPU_MISS. */
  exitMissed(at: Instruction, miss: number): void {
    this.checkRemaining(at.after);
    this.leave(this.exits.addMiss(this.pageDelta + at.offset, at.after, miss), this.exitDepth);
  }

  /** Exits after a block, with this result. RIP is where execution continues, unless the result says that it is not known yet. */
  exitDone(result: number): void {
    this.leave(result, this.leftDepth);
  }

  private checkRemaining(remaining: number): void {
    if (remaining > this.claimed) throw new Error(`an exit gives back ${remaining} instructions of ${this.claimed}`);
  }

  private leave(word: number, depth: number): void {
    const { code } = this;
    code.i32Const(word);
    code.set(CODE);
    code.br(code.depth - depth);
  }

  /** CODE is the number of an exit: takes RIP, the remaining instructions, the missed window and the reason from its row of the table. */
  private lookUpExit(): void {
    const { code } = this;
    code.get(CODE);
    code.i32Const(3);
    code.i32Shl();
    code.set(T);
    const address = this.exits.place();
    code.get(PAGE);
    code.get(T);
    code.i64Load32S(address + EXIT_DELTA);
    code.i64Add();
    code.set(RIP);
    code.get(T);
    code.i32Load(address + EXIT_WORD);
    code.tee(T);
    code.i32Const(EXIT_REMAINING);
    code.i32And();
    code.get(LEFT_LOCAL);
    code.i32Add();
    code.set(LEFT_LOCAL);
    code.get(T);
    code.i32Const(EXIT_SHIFT);
    code.i32ShrU();
    code.set(CODE);
    code.get(T);
    code.i32Const(0);
    code.i32LtS();
    code.if();
    code.get(VCPU);
    code.get(VA);
    code.i64Store(VCPU_MISS_VA);
    code.get(VCPU);
    code.get(CODE);
    code.i32Const(EXIT_MISS);
    code.i32And();
    code.i32Store(VCPU_MISS);
    code.i32Const(Reason.window | MISSED | INTERPRET);
    code.set(CODE);
    code.end();
  }

  /** Exits before this instruction, which the interpreter then runs. */
  exitBefore(at: Instruction, reason: number): void {
    this.exit(this.pageDelta + at.offset, at.after, reason | INTERPRET);
  }

  /** Takes the block's instructions from the slice, or exits. */
  claim(delta: number, count: number): void {
    this.claimed = count;
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

  /** Continues only if the page with this bit is executed from `hostPage`; else exits to `target`. */
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
    code.callHelper(FETCH);
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
   * RIP is a computed target. If it is an entry in a verified page, goes to `dispatch` with ENTRY set; otherwise does `otherwise` and exits. The
   * table has 8-byte cells {i32 distance from the first page, u16 entry, u16 page bits}, found by a perfect hash.
   */
  computedJump(table: { address: number; multiplier: number; shift: number }, dispatch: () => void, otherwise: () => void): void {
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
    otherwise();
    this.exitDone(Reason.jump);
  }

  /** Is the address in RIP the one at this distance from the first page? */
  ripIs(delta: number): void {
    const { code } = this;
    code.get(RIP);
    code.get(PAGE);
    code.i64Const(delta);
    code.i64Add();
    code.i64Eq();
  }

  gpr(offset: number): number {
    const register = offset >> 3;
    if (!((this.used >> register) & 1)) throw new Error(`register ${register} is read, and was not loaded`);
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

  /** Pops a value in readRegister's form. A 32-bit write clears the upper half; 8 and 16 bits keep the rest. */
  writeRegister(offset: number, size: Size): void {
    const { code } = this;
    const register = this.gpr(offset);
    if (!((this.dirty >> (offset >> 3)) & 1)) throw new Error(`register ${offset >> 3} is written, and no exit stores it`);
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
    const { code } = this;
    if (size === 3) code.i64Const(isShort(at) ? at.low : immediateOf(at));
    else code.i32Const(size === 2 ? at.low : at.low & (size === 1 ? 0xffff : 0xff));
  }

  xmm(offset: number): number {
    const register = (offset - VCPU_XMM) >> 4;
    if (!((this.vectors >> register) & 1)) throw new Error(`xmm${register} is used, and was not loaded`);
    return XMM0 + register;
  }

  /** Pops a value. `type`: set if all its lanes are ordinary numbers. */
  setXmm(offset: number, type?: 'single' | 'double'): void {
    this.code.set(this.xmm(offset));
    if (type === undefined) this.ordinary.delete(offset);
    else this.ordinary.set(offset, type);
  }

  /** u64 field of the record. */
  recordField(offset: number): void {
    this.code.get(VCPU);
    this.code.i64Load(offset);
  }
}
