/** Memory operands of a region, after a test of a window or of the TLB. An access to anything but plain memory exits. */
import { VCPU_TLB, VCPU_WINDOWS } from '../abi/layout';
import {
  MISS_BYTES_SHIFT,
  MISS_WRITABLE,
  MISS_WRITES,
  TLB_ADDEND,
  TLB_MASK,
  TLB_TAG_READ,
  TLB_TAG_WRITE,
  WINDOW_FIRST,
  WINDOW_HOST,
  WINDOW_LENGTH,
  WINDOW_MARGIN,
  WINDOW_SIZE,
} from '../abi/tlb';
import type { Access } from './access';
import { FrameEmitter } from './emit-frame';
import { DISTANCE, EA, FILL, GPR0, GROUP0, HOST, isGpr, LEFT_LOCAL, PAGE, Reason, TLB, TLB_ENTRY, VA } from './locals';
import { type Instruction, type Size, VREG_EA, VREG_PAGE } from './records';

/** Distance from the TLB to the cells that a region uses. */
const CELLS = VCPU_WINDOWS - VCPU_TLB;

export class MemoryEmitter extends FrameEmitter {
  /** The windows' cells, by name. */
  cells: ReadonlyMap<string, number> = new Map();
  /** Distance of the current access from the host address that `host` pushes. */
  at = 0;
  private hostLocal = HOST;
  /** Counts the places where earlier tests become invalid: translations may have changed. */
  private stretch = 1;

  /** base + (index << scale) + displacement, on the stack. */
  address(at: Instruction, indexed: boolean, displacement: number | bigint = at.displacement): void {
    const { code } = this;
    let pushed = true;
    let constant = displacement;
    if (isGpr(at.base)) code.get(this.gpr(at.base));
    else if (at.base === VREG_EA) code.get(EA);
    else if (at.base === VREG_PAGE) {
      code.get(PAGE);
      constant = typeof constant === 'number' ? constant + this.pageDelta : constant + BigInt(this.pageDelta);
    } else pushed = false;
    if (indexed && isGpr(at.index)) {
      code.get(this.gpr(at.index));
      if (at.scale > 0) {
        code.i64Const(at.scale);
        code.i64Shl();
      }
      if (pushed) code.i64Add();
      pushed = true;
    }
    if (!pushed || (constant !== 0 && constant !== 0n)) {
      code.i64Const(constant);
      if (pushed) code.i64Add();
    }
  }

  protected forgetTests(): void {
    this.stretch++;
  }

  setEffective(): void {
    this.code.set(EA);
  }

  /**
   * The instruction's next memory operand, number `which`: exits before the instruction unless the access is plain memory. Afterwards `host` and `at`
   * locate it. `aligned`: an address that is not a multiple of 16 faults.
   */
  operand(at: Instruction, which = 0, aligned = false): void {
    const { code } = this;
    const access = at.accesses[which]!;
    const { group } = access;
    if (group !== undefined && !access.first) {
      if (group.tested !== this.stretch) throw new Error(`the access at +0x${at.offset.toString(16)} was not tested`);
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

  /** Exits if the address on the stack, an i32, is not a multiple of 16. */
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

  /** Tests that the group's window holds the address in VA, and with it the whole group. */
  private window(at: Instruction, { group, distance, bytes, writes }: Access): void {
    const { code } = this;
    const { low, high, local, window } = group!;
    const cell = this.cells.get(window)!;
    const field = CELLS + cell * WINDOW_SIZE;
    code.get(VA);
    if (distance !== low) {
      code.i64Const(low - distance);
      code.i64Add();
    }
    code.get(TLB);
    code.i64Load(field + WINDOW_FIRST);
    code.i64Sub();
    code.tee(DISTANCE);
    code.get(TLB);
    code.i64Load(field + WINDOW_LENGTH);
    code.i64GeU();
    if (high - low > WINDOW_MARGIN + 1) {
      code.get(DISTANCE);
      code.i64Const(high - low - WINDOW_MARGIN - 1);
      code.i64Add();
      code.get(TLB);
      code.i64Load(field + WINDOW_LENGTH);
      code.i64GeU();
      code.i32Or();
    }
    code.unlikelyIf();
    this.exitMissed(at, cell | (bytes << MISS_BYTES_SHIFT) | (writes ? MISS_WRITES : 0) | (group!.writes ? MISS_WRITABLE : 0));
    code.end();
    code.get(DISTANCE);
    code.i32WrapI64();
    code.get(TLB);
    code.i32Load(field + WINDOW_HOST);
    code.i32Add();
    group!.tested = this.stretch;
    code.set(GROUP0 + local);
    this.hostLocal = GROUP0 + local;
    this.at = distance - low;
  }

  /** Finds the address in VA in the TLB, or exits. */
  private probe(at: Instruction, { bytes, writes }: Access): void {
    this.forgetTests();
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
    code.callHelper(FILL);
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

  /** Host address from which the current operand is `at` bytes on. */
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
}
