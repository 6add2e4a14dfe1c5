/**
 * Flags of a region: the last operation's kind and operands in locals (flag-kinds.ts), conditions computed from those, and what an exit passes to
 * the core.
 */
import { Code } from './encoder';
import { type Flags, IN_RECORD, Kind, wordOf } from './flag-kinds';
import { CARRY, CONDITION, FIRST, FLAGS, KEPT, KIND, RESULT, ROTATED, SECOND, TURNED, TURNED_TO } from './locals';
import type { Size } from './records';

/** Flags as in RFLAGS. */
const CF = 1;
/** The flags that even conditions test when the flags are given; other conditions compare two flags. */
const GIVEN: Readonly<Record<number, number>> = { 0: 0x800, 2: CF, 4: 0x40, 6: 0x40 | CF, 8: 0x80, 10: 4 };

/** Only one region is written at a time: the buffer is reused. */
const CODE = new Code(0x4000);

export class FlagsEmitter {
  readonly code = CODE;
  flags: Flags;
  /** Nothing reads the flags of this instruction. */
  flagsDead = false;
  /** Some instruction of the region rotates. */
  rotates = false;

  constructor() {
    this.code.clear();
  }

  protected storeFlags(): void {
    const { code } = this;
    code.get(KIND);
    code.get(KEPT);
    code.get(SECOND);
    code.get(RESULT);
    code.callHelper(FLAGS);
    if (!this.rotates) return;
    code.get(TURNED);
    code.if();
    code.get(TURNED);
    code.get(TURNED_TO);
    code.callHelper(ROTATED);
    code.end();
  }

  /** The record has all flags. */
  protected flagsInRecord(): void {
    const { code } = this;
    code.i32Const(Kind.RECORD);
    code.set(KIND);
    this.notTurned();
    this.flags = IN_RECORD;
  }

  protected notTurned(): void {
    if (!this.rotates) return;
    this.code.i32Const(0);
    this.code.set(TURNED);
  }

  /** CF and OF come from a rotation with this result; the other flags do not change. */
  turned(left: boolean, size: Size, result: number): void {
    const { code } = this;
    code.i32Const((left ? 1 : 2) | (((8 << size) - 1) << 8));
    code.set(TURNED);
    code.get(result);
    if (size < 3) code.i64ExtendI32U();
    code.set(TURNED_TO);
    this.flags = undefined;
  }

  /** The operation set flags: a, b and r push its operands and result (32-bit ones are extended here). */
  setFlags(kind: number, size: Size, a: (() => void) | undefined, b: (() => void) | undefined, r: (() => void) | undefined): void {
    if (this.flagsDead) {
      this.flags = undefined;
      return;
    }
    const { code } = this;
    // Few kinds need `first` at an exit; for the others it must not occupy a register.
    const exitNeedsFirst = kind === Kind.COMPARE || kind >= Kind.ADC;
    this.put(size, a, FIRST);
    if (exitNeedsFirst) code.get(FIRST);
    else code.i64Const(0);
    code.set(KEPT);
    this.put(size, b, SECOND);
    this.put(size, kind === Kind.COMPARE ? undefined : r, RESULT);
    code.i32Const(wordOf(kind, size));
    code.set(KIND);
    this.notTurned();
    this.flags = { kind, size };
  }

  /** Stores the 64-bit value that `value` pushes, or 0, in a local. */
  private put(size: Size, value: (() => void) | undefined, local: number): void {
    const { code } = this;
    if (value === undefined) code.i64Const(0);
    else {
      value();
      if (size < 3) code.i64ExtendI32U();
    }
    code.set(local);
  }

  /** Writes the flags to the record for the core. */
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
      case Kind.GIVEN:
        this.given(CF);
        return;
      case Kind.INC:
      case Kind.DEC:
        code.get(SECOND);
        code.i32WrapI64();
        return;
      default:
        this.materialize();
        code.callHelper(CARRY);
    }
  }

  /** Condition code 0..15 (SDM 1, appendix B), as i32 0 or 1. */
  condition(wanted: number): void {
    const { code, flags } = this;
    if (flags === undefined || !this.compared(wanted & ~1, flags.kind, flags.size)) {
      this.materialize();
      code.i32Const(wanted & ~1);
      code.callHelper(CONDITION);
    }
    if (wanted & 1) code.i32Eqz();
  }

  /** Is one of these flags set, where RESULT has the flags? */
  private given(bits: number): void {
    const { code } = this;
    code.get(RESULT);
    code.i32WrapI64();
    code.i32Const(bits);
    code.i32And();
    code.i32Const(0);
    code.i32Ne();
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

  /** An even condition computed from the operands; false: this kind does not allow it. */
  private compared(wanted: number, kind: number, size: Size): boolean {
    const { code } = this;
    const wide = size === 3;
    if (kind === Kind.RECORD) return false;
    if (kind === Kind.GIVEN) {
      const bits = GIVEN[wanted];
      if (bits !== undefined) this.given(bits);
      return bits !== undefined;
    }
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
