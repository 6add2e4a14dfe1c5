/**
 * The x87's registers, status and tags in a run of instructions (x87-forms.ts). Each result is written to its register in the record at once; a copy
 * stays in locals for the instructions that follow. The status word is in a local. Other changes of a run are known at compile time: exits pass them
 * to the core as a note (jitX87State), and the end of the run writes them.
 */
import { VCPU_CR0, VCPU_FCW, VCPU_FDP, VCPU_FIP, VCPU_FOP, VCPU_FPU_REGS, VCPU_FSW, VCPU_FTW, VCPU_IGNNE } from '../abi/vcpu';
import { X87_EMPTIED, X87_NOTED, X87_OPERAND, X87_RETAGGED } from '../abi/x87-ways';
import { MemoryEmitter } from './emit-memory';
import { T, VA, VCPU, X87, X87_FDP, X87_FIP, X87_FOP, X87_NOTE, X87_PLACE0, X87_SE0, X87_SIG0, X87_STATUS, X87_TOP } from './locals';
import type { Instruction } from './records';
import { type Run, Stack, type X87Form, x87Operand } from './x87-forms';

/** CR0.EM and TS. */
const CR0_NO_X87 = 0xc;
/** FCW, with FSW above it: the precision exception masked, no error pending. */
const MASKED = 0x20;
const MASKED_OR_PENDING = 0x80_0020;
const TOP = 0x3800;
export const C1 = 0x200;

/** Doubles each bit: a register's tag has two. */
const pairs = (bits: number): number => [0, 1, 2, 3, 4, 5, 6, 7].reduce((sum, i) => sum | ((bits >> i) & 1 ? 3 << (2 * i) : 0), 0);

export class X87Emitter extends MemoryEmitter {
  private stack = new Stack();
  private operands = false;
  private noted = false;
  /** Registers (from the run's first TOP) whose address is in its local, and the pair of locals with their number. */
  private placed = 0;
  private readonly copies: (number | undefined)[] = [];

  /** Starts a run before its first instruction; exits unless registers and state are as the run needs them. */
  beginX87(at: Instruction, { needsFull, needsEmpty }: Run): void {
    const { code } = this;
    this.stack = new Stack();
    this.operands = false;
    this.noted = false;
    this.placed = 0;
    this.copies.length = 0;
    code.get(VCPU);
    code.i32Load(VCPU_FCW);
    code.tee(T);
    code.i32Const(MASKED);
    code.i32Xor();
    code.i32Const(MASKED_OR_PENDING);
    code.i32And();
    code.get(VCPU);
    code.i32Load(VCPU_CR0);
    code.i32Const(CR0_NO_X87);
    code.i32And();
    code.i32Or();
    // The general handlers clear it.
    code.get(VCPU);
    code.i32Load(VCPU_IGNNE);
    code.i32Or();
    code.get(T);
    code.i32Const(16);
    code.i32ShrU();
    code.tee(X87_STATUS);
    code.i32Const(7);
    code.i32ShrU();
    code.i32Const(0x70);
    code.i32And();
    code.set(X87_TOP);
    this.tags();
    code.i32Const(pairs(needsEmpty));
    code.i32Xor();
    code.i32Const(pairs(needsFull | needsEmpty));
    code.i32And();
    code.i32Or();
    code.unlikelyIf();
    this.exitBefore(at, at.number);
    code.end();
  }

  /** The tags, from the run's first TOP on; above bit 15 they repeat. */
  private tags(): void {
    const { code } = this;
    code.get(VCPU);
    code.i32Load16U(VCPU_FTW);
    code.i32Const(0x10001);
    code.i32Mul();
    code.get(X87_TOP);
    code.i32Const(3);
    code.i32ShrU();
    code.i32ShrU();
  }

  private get note(): number {
    const { top, retagged, empty } = this.stack;
    return top | (retagged << X87_RETAGGED) | ((empty & retagged) << X87_EMPTIED) | (this.operands ? X87_OPERAND : 0) | X87_NOTED;
  }

  /** The instruction is done; VA has the address of its operand. */
  doneX87(at: Instruction, form: X87Form): void {
    const { code } = this;
    if (!this.stack.follow(form)) throw new Error(`the x87 instruction at +0x${at.offset.toString(16)} does not fit into its run`);
    for (let register = 0; register < 8; register++) if ((this.stack.empty >> register) & 1) this.copies[register] = undefined;
    this.noted = true;
    code.i32Const(((form.opcode & 7) << 8) | form.modrm);
    code.set(X87_FOP);
    code.i32Const(this.pageDelta + at.offset);
    code.set(X87_FIP);
    if (x87Operand(at) !== undefined) {
      this.operands = true;
      code.get(VA);
      code.set(X87_FDP);
    }
    code.i32Const(this.note);
    code.set(X87_NOTE);
  }

  /** Ends the run: updates the record. */
  endX87(): void {
    const { code } = this;
    const { top, retagged, empty } = this.stack;
    code.get(VCPU);
    code.get(X87_STATUS);
    if (top !== 0) {
      code.i32Const(~TOP);
      code.i32And();
      code.get(X87_STATUS);
      code.i32Const(top << 11);
      code.i32Add();
      code.i32Const(TOP);
      code.i32And();
      code.i32Or();
    }
    code.i32Store16(VCPU_FSW);
    if (retagged !== 0) {
      code.get(VCPU);
      this.tags();
      code.i32Const(0xffff & ~pairs(retagged));
      code.i32And();
      code.i32Const(pairs(retagged & empty));
      code.i32Or();
      code.i32Const(0x10001);
      code.i32Mul();
      code.get(X87_TOP);
      code.i32Const(3);
      code.i32ShrU();
      code.i32Shl();
      code.i32Const(16);
      code.i32ShrU();
      code.i32Store16(VCPU_FTW);
    }
    code.get(VCPU);
    code.get(X87_FOP);
    code.i32Store16(VCPU_FOP);
    code.get(VCPU);
    this.x87Pointer();
    code.i64Store(VCPU_FIP);
    if (this.operands) {
      code.get(VCPU);
      code.get(X87_FDP);
      code.i64Store(VCPU_FDP);
    }
    code.i32Const(0);
    code.set(X87_NOTE);
  }

  /** Calls the core for the short path of the instruction, whose operand's address is in VA; exits if there is none. Copies do not change. */
  slowX87(at: Instruction): void {
    const { code } = this;
    if (this.noted) this.passNote();
    this.storePage();
    code.i32Const(at.at);
    if (x87Operand(at) === undefined) code.i64Const(0);
    else code.get(VA);
    code.callHelper(X87);
    code.i32Eqz();
    code.unlikelyIf();
    code.i32Const(0);
    code.set(X87_NOTE);
    this.exitBefore(at, at.number);
    code.end();
    code.get(VCPU);
    code.i32Load16U(VCPU_FSW);
    code.i32Const(~TOP);
    code.i32And();
    code.get(X87_TOP);
    code.i32Const(7);
    code.i32Shl();
    code.i32Or();
    code.set(X87_STATUS);
  }

  /** Number of ST(i) from the run's first TOP. */
  stackRegister(i: number): number {
    return this.stack.register(i);
  }

  /** Loads the register's address into its local. Call it before a branch that uses the address. */
  locate(register: number): void {
    const { code } = this;
    if ((this.placed >> register) & 1) return;
    this.placed |= 1 << register;
    code.get(X87_TOP);
    if (register !== 0) {
      code.i32Const(register << 4);
      code.i32Add();
      code.i32Const(0x70);
      code.i32And();
    }
    code.get(VCPU);
    code.i32Add();
    code.set(X87_PLACE0 + register);
  }

  /** Pushes the register's address less VCPU_FPU_REGS, which the access adds as its offset. */
  place(register: number): void {
    this.locate(register);
    this.code.get(X87_PLACE0 + register);
  }

  /** Loads the register's number into locals, and returns them. */
  number(register: number): { sig: number; se: number } {
    const { code } = this;
    const known = this.copies[register];
    if (known !== undefined) return { sig: X87_SIG0 + known, se: X87_SE0 + known };
    const { sig, se } = this.copyOf(register);
    this.place(register);
    code.i64Load(VCPU_FPU_REGS);
    code.set(sig);
    this.place(register);
    code.i32Load16U(VCPU_FPU_REGS + 8);
    code.set(se);
    return { sig, se };
  }

  /** Locals for a new number of the register. */
  copyOf(register: number): { sig: number; se: number } {
    this.copies[register] = undefined;
    let free = 0;
    while (this.copies.includes(free)) free++;
    this.copies[register] = free;
    return { sig: X87_SIG0 + free, se: X87_SE0 + free };
  }

  /** The register has a new number, in the record only. */
  forgetCopy(register: number): void {
    this.copies[register] = undefined;
  }

  /** Both registers now have the same number. */
  shareCopy(from: number, to: number): void {
    this.copies[to] = this.copies[from];
  }
  swapCopies(a: number, b: number): void {
    const kept = this.copies[a];
    this.copies[a] = this.copies[b];
    this.copies[b] = kept;
  }

  /** Writes the number in the locals to the register. */
  toRegister(register: number, { sig, se }: { sig: number; se: number }): void {
    const { code } = this;
    this.place(register);
    code.get(sig);
    code.i64Store(VCPU_FPU_REGS);
    this.place(register);
    code.get(se);
    code.i32Store16(VCPU_FPU_REGS + 8);
  }

  /** STATUS = (STATUS without `mask`) | what `bits` pushes. */
  setStatus(mask: number, bits?: () => void): void {
    const { code } = this;
    code.get(X87_STATUS);
    code.i32Const(~mask);
    code.i32And();
    if (bits !== undefined) {
      bits();
      code.i32Or();
    }
    code.set(X87_STATUS);
  }
}
