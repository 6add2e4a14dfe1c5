/**
 * Base of all operations' writers. One emitter writes one region: flags, frame and memory are in the classes that it extends; here are the calls
 * of the core's handlers, and the checks of vector instructions.
 */
import { MemoryEmitter } from './emit-memory';
import { CODE, COLD, EA, EXACT, PAGE, Reason, VCPU, VECTORS, X87 } from './locals';
import { type Instruction, VREG_EA, VREG_PAGE } from './records';

export class Emitter extends MemoryEmitter {
  private vectorsTested = false;

  /** Begins a block: nothing is known from before. */
  beginBlock(): void {
    this.tested.clear();
    this.ordinary.clear();
    this.vectorsTested = false;
  }

  /** Calls an out-of-line handler; exits if it faults or asks for a stop. */
  callCold(at: Instruction): void {
    this.storePage();
    this.runCold(at);
    this.ordinary.clear();
    this.flagsInRecord();
  }

  /**
   * Runs the short way of an x87 instruction, with registers and flags in their locals; if that cannot do it, the handler. `setsFlags`: FCOMI and
   * the like.
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

  /** Calls the handler with everything in the record, and reloads from there all but the flags. VREG_PAGE is valid. */
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

  /** Exits if vector instructions raise exceptions; once a block, since only instructions that exit change that. */
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

  /** Pops an i32: does the host's result equal the guest's, with MXCSR unchanged? If not, exits. */
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
}
