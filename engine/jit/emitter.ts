/**
 * Base of the writers of all operations. One emitter writes one region. Flags, frame, memory and x87 are in the classes that it extends; this one
 * adds calls of the core's handlers, and the checks of vector instructions.
 */

import { VCPU_FAR, VCPU_LEFT } from '../abi/layout';
import { X87Emitter } from './emit-x87';
import { CODE, COLD, EA, END, EXACT, FAR, LEFT_LOCAL, PAGE, Reason, VCPU, VECTORS, VERIFIED } from './locals';
import { type Instruction, VREG_EA } from './records';

export class Emitter extends X87Emitter {
  private vectorsTested = false;

  /** Starts a block: nothing is known yet. */
  beginBlock(): void {
    this.forgetTests();
    this.ordinary.clear();
    this.vectorsTested = false;
  }

  /** Calls an out-of-line handler; exits if it faults or requests a stop. */
  callCold(at: Instruction): void {
    this.storePage();
    this.forgetTests();
    const { code } = this;
    this.toRecord(at);
    code.i32Const(at.at);
    code.callHelper(COLD);
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
    this.ordinary.clear();
    this.flagsInRecord();
  }

  /**
   * Runs an out-of-line instruction that ends its block. Leaves the region unless execution continues at `next`, whose page has this bit and host
   * page (0: the next block is outside).
   */
  runEnd(at: Instruction, next: number, bit: number, hostPage: number): void {
    const { code } = this;
    this.storePage();
    this.toRecord(at);
    code.i32Const(at.at);
    code.get(PAGE);
    code.i64Const(next);
    code.i64Add();
    code.i32Const(hostPage);
    code.callHelper(END);
    code.set(CODE);
    if (hostPage !== 0) {
      code.get(CODE);
      code.i32Const(1);
      code.i32Ne();
      code.if();
    }
    // The instruction is the reason, unless the region was left by a jump.
    code.get(CODE);
    code.i32Const(at.number);
    code.i32Const(0);
    code.get(CODE);
    code.i32Const(Reason.jump);
    code.i32Ne();
    code.select();
    code.i32Or();
    code.return();
    if (hostPage === 0) return;
    code.end();
    // The other pages may no longer be executed from the host pages where they were.
    code.i32Const(bit);
    code.set(VERIFIED);
    code.get(VCPU);
    code.i32Load(VCPU_LEFT);
    code.set(LEFT_LOCAL);
    this.reload();
    this.flagsInRecord();
  }

  /** Exits after a block, for the core to run its last instruction, a far transfer. */
  exitFar(at: Instruction): void {
    const { code } = this;
    this.storePage();
    this.storeAddress(at);
    code.get(VCPU);
    code.i32Const(at.at);
    code.i32Store(VCPU_FAR);
    this.exitDone(at.number | FAR);
  }

  /** Everything that the instruction's handler may need. */
  private toRecord(at: Instruction): void {
    this.spill();
    this.storeAddress(at);
  }

  private storeAddress(at: Instruction): void {
    if (at.base !== VREG_EA) return;
    const { code } = this;
    code.get(VCPU);
    code.get(EA);
    code.i64Store(VREG_EA);
  }

  /** Exits if vector instructions raise exceptions. Once per block, since only instructions that exit change that. */
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
