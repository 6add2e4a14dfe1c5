/** The fields of an instruction, read in order: prefixes, REX, ModRM, SIB, displacement, immediates. It knows no opcodes. */

export type Bits = 16 | 32 | 64;

/** Longest instruction of the architecture. */
export const MAX_LENGTH = 15;

/** Thrown if the bytes end before the instruction does. */
export class EndOfBytes extends Error {}

const SEGMENT_PREFIX: Record<number, string> = { 38: 'es', 46: 'cs', 54: 'ss', 62: 'ds', 100: 'fs', 101: 'gs' };

export class Fields {
  at = 0;
  segment: string | undefined;
  lock = false;
  /** 66 */
  operand66 = false;
  /** 67 */
  address67 = false;
  /** The last of F2 and F3, 0: neither */
  repeat = 0;
  /** 0: no REX prefix */
  rex = 0;
  opcode = 0;
  modrm = 0;

  constructor(
    private readonly bytes: Uint8Array,
    readonly bits: Bits,
  ) {
    this.readPrefixes();
  }

  get mod(): number {
    return this.modrm >> 6;
  }
  /** ModRM.reg, without REX.R */
  get digit(): number {
    return (this.modrm >> 3) & 7;
  }
  get reg(): number {
    return this.digit | ((this.rex & 4) << 1);
  }
  get rm(): number {
    return (this.modrm & 7) | ((this.rex & 1) << 3);
  }
  get wide(): boolean {
    return (this.rex & 8) !== 0;
  }

  /** bits */
  get operandSize(): Bits {
    if (this.wide) return 64;
    return (this.bits === 16) === this.operand66 ? 32 : 16;
  }
  /** Instructions that use the stack: 64 in 64-bit mode. */
  get stackSize(): Bits {
    return this.bits === 64 && !this.operand66 ? 64 : this.operandSize;
  }
  get addressSize(): Bits {
    if (!this.address67) return this.bits;
    return this.bits === 32 ? 16 : 32;
  }

  /** The next byte, which stays unread. */
  peek(): number {
    if (this.at >= this.bytes.length) throw new EndOfBytes();
    return this.bytes[this.at]!;
  }
  byte(): number {
    const value = this.peek();
    this.at++;
    return value;
  }

  /** Little-endian, unsigned. */
  unsigned(bytes: number): bigint {
    let value = 0n;
    for (let index = 0; index < bytes; index++) value |= BigInt(this.byte()) << BigInt(8 * index);
    return value;
  }
  signed(bytes: number): bigint {
    return BigInt.asIntN(8 * bytes, this.unsigned(bytes));
  }

  private readPrefixes(): void {
    for (;;) {
      const byte = this.byte();
      if (this.bits === 64 && (byte & 0xf0) === 0x40) {
        this.rex = byte;
        continue;
      }
      if (byte in SEGMENT_PREFIX) this.segment = SEGMENT_PREFIX[byte]!;
      else if (byte === 0xf0) this.lock = true;
      else if (byte === 0x66) this.operand66 = true;
      else if (byte === 0x67) this.address67 = true;
      else if (byte === 0xf2 || byte === 0xf3) this.repeat = byte;
      else {
        this.opcode = byte;
        break;
      }
      // REX counts only right before the opcode.
      this.rex = 0;
    }
    if (this.opcode !== 0x0f) return;
    this.opcode = 0x0f00 | this.byte();
    if (this.opcode === 0x0f38 || this.opcode === 0x0f3a) this.opcode = (this.opcode << 8) | this.byte();
  }
}
