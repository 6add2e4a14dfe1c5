/**
 * WebAssembly code, byte by byte: one line per instruction (WebAssembly core specification 2.0, 5.4, and 5.4.8 for SIMD). A `Code` is one
 * function's body without its locals. Labels are counted from the innermost block, as `br` counts them.
 */

export const I32 = 0x7f;
export const I64 = 0x7e;
export const V128 = 0x7b;
const EMPTY = 0x40;

/** A growing run of bytes with the number formats of 5.2. */
export class Bytes {
  private data: Uint8Array<ArrayBuffer>;
  length = 0;

  /** `room`: expected number of bytes. */
  constructor(room = 64) {
    this.data = new Uint8Array(room);
  }

  byte(value: number): void {
    if (this.length === this.data.length) this.grow(1);
    this.data[this.length++] = value;
  }
  /** LEB128, unsigned, below 2^32. */
  u32(value: number): void {
    let rest = value >>> 0;
    while (rest >= 128) {
      this.byte((rest & 127) | 128);
      rest >>>= 7;
    }
    this.byte(rest);
  }
  /** LEB128, signed, 32 bits. */
  s32(value: number): void {
    let rest = value | 0;
    for (;;) {
      const low = rest & 127;
      rest >>= 7;
      if ((rest === 0 && !(low & 64)) || (rest === -1 && low & 64)) {
        this.byte(low);
        return;
      }
      this.byte(low | 128);
    }
  }
  /** LEB128, signed, 64 bits. */
  s64(value: bigint): void {
    let rest = BigInt.asIntN(64, value);
    for (;;) {
      const low = Number(rest & 127n);
      rest >>= 7n;
      if ((rest === 0n && !(low & 64)) || (rest === -1n && low & 64)) {
        this.byte(low);
        return;
      }
      this.byte(low | 128);
    }
  }
  text(value: string): void {
    const bytes = new TextEncoder().encode(value);
    this.u32(bytes.length);
    this.append(bytes);
  }
  append(bytes: Uint8Array): void {
    if (this.length + bytes.length > this.data.length) this.grow(bytes.length);
    this.data.set(bytes, this.length);
    this.length += bytes.length;
  }
  /** Valid until more is written. */
  view(): Uint8Array<ArrayBuffer> {
    return this.data.subarray(0, this.length);
  }
  clear(): void {
    this.length = 0;
  }
  private grow(by: number): void {
    const larger = new Uint8Array(Math.max(this.data.length * 2, this.length + by));
    larger.set(this.data);
    this.data = larger;
  }
}

/** A branch hint: the offset of its `if` or `br_if` in the code, and whether it is taken. */
export interface Hint {
  offset: number;
  likely: boolean;
}

// biome-ignore format: one line per instruction
export class Code extends Bytes {
  /** Open blocks. */
  depth = 0;
  readonly hints: Hint[] = [];

  override clear(): void {
    super.clear();
    this.depth = 0;
    this.hints.length = 0;
  }

  // Control
  block(): void { this.byte(0x02); this.byte(EMPTY); this.depth++; }
  loop(): void { this.byte(0x03); this.byte(EMPTY); this.depth++; }
  if(): void { this.byte(0x04); this.byte(EMPTY); this.depth++; }
  /** An `if` that is rarely entered: engines place its body out of the way. */
  unlikelyIf(): void { this.hints.push({ offset: this.length, likely: false }); this.if(); }
  else(): void { this.byte(0x05); }
  end(): void { this.byte(0x0b); this.depth--; }
  br(label: number): void { this.byte(0x0c); this.u32(label); }
  brIf(label: number): void { this.byte(0x0d); this.u32(label); }
  brTable(labels: readonly number[], otherwise: number): void {
    this.byte(0x0e);
    this.u32(labels.length);
    for (const label of labels) this.u32(label);
    this.u32(otherwise);
  }
  return(): void { this.byte(0x0f); }
  call(fn: number): void { this.byte(0x10); this.u32(fn); }
  /** Of type `index`, in place `index` of the first table. */
  callHelper(index: number): void { this.i32Const(index); this.byte(0x11); this.u32(index); this.u32(0); }
  unreachable(): void { this.byte(0x00); }

  // Locals
  get(local: number): void { this.byte(0x20); this.u32(local); }
  set(local: number): void { this.byte(0x21); this.u32(local); }
  tee(local: number): void { this.byte(0x22); this.u32(local); }
  drop(): void { this.byte(0x1a); }
  select(): void { this.byte(0x1b); }

  // Memory. Guests align as they like, so accesses promise no alignment (log2 is 0).
  private memory(opcode: number, offset: number): void { this.byte(opcode); this.byte(0); this.u32(offset); }
  i32Load(offset: number): void { this.memory(0x28, offset); }
  i64Load(offset: number): void { this.memory(0x29, offset); }
  i32Load8U(offset: number): void { this.memory(0x2d, offset); }
  i32Load8S(offset: number): void { this.memory(0x2c, offset); }
  i32Load16S(offset: number): void { this.memory(0x2e, offset); }
  i32Load16U(offset: number): void { this.memory(0x2f, offset); }
  i64Load8S(offset: number): void { this.memory(0x30, offset); }
  i64Load8U(offset: number): void { this.memory(0x31, offset); }
  i64Load16S(offset: number): void { this.memory(0x32, offset); }
  i64Load16U(offset: number): void { this.memory(0x33, offset); }
  i64Load32S(offset: number): void { this.memory(0x34, offset); }
  i64Load32U(offset: number): void { this.memory(0x35, offset); }
  i32Store(offset: number): void { this.memory(0x36, offset); }
  i64Store(offset: number): void { this.memory(0x37, offset); }
  i32Store8(offset: number): void { this.memory(0x3a, offset); }
  i32Store16(offset: number): void { this.memory(0x3b, offset); }
  i64Store8(offset: number): void { this.memory(0x3c, offset); }
  i64Store16(offset: number): void { this.memory(0x3d, offset); }
  i64Store32(offset: number): void { this.memory(0x3e, offset); }

  // Constants
  i32Const(value: number): void { this.byte(0x41); this.s32(value); }
  i64Const(value: bigint | number): void {
    this.byte(0x42);
    const short = Number(value);
    if ((short | 0) === short) this.s32(short);
    else this.s64(BigInt(value));
  }

  // i32
  i32Eqz(): void { this.byte(0x45); }
  i32Eq(): void { this.byte(0x46); }
  i32Ne(): void { this.byte(0x47); }
  i32LtS(): void { this.byte(0x48); }
  i32LtU(): void { this.byte(0x49); }
  i32GtS(): void { this.byte(0x4a); }
  i32GtU(): void { this.byte(0x4b); }
  i32LeS(): void { this.byte(0x4c); }
  i32LeU(): void { this.byte(0x4d); }
  i32GeS(): void { this.byte(0x4e); }
  i32GeU(): void { this.byte(0x4f); }
  i32Clz(): void { this.byte(0x67); }
  i32Ctz(): void { this.byte(0x68); }
  i32Popcnt(): void { this.byte(0x69); }
  i32Add(): void { this.byte(0x6a); }
  i32Sub(): void { this.byte(0x6b); }
  i32Mul(): void { this.byte(0x6c); }
  i32And(): void { this.byte(0x71); }
  i32Or(): void { this.byte(0x72); }
  i32Xor(): void { this.byte(0x73); }
  i32Shl(): void { this.byte(0x74); }
  i32ShrS(): void { this.byte(0x75); }
  i32ShrU(): void { this.byte(0x76); }
  i32Rotl(): void { this.byte(0x77); }
  i32Rotr(): void { this.byte(0x78); }
  i32Extend8S(): void { this.byte(0xc0); }
  i32Extend16S(): void { this.byte(0xc1); }
  i32WrapI64(): void { this.byte(0xa7); }

  // i64
  i64Eqz(): void { this.byte(0x50); }
  i64Eq(): void { this.byte(0x51); }
  i64Ne(): void { this.byte(0x52); }
  i64LtS(): void { this.byte(0x53); }
  i64LtU(): void { this.byte(0x54); }
  i64GtS(): void { this.byte(0x55); }
  i64GtU(): void { this.byte(0x56); }
  i64LeS(): void { this.byte(0x57); }
  i64LeU(): void { this.byte(0x58); }
  i64GeS(): void { this.byte(0x59); }
  i64GeU(): void { this.byte(0x5a); }
  i64Clz(): void { this.byte(0x79); }
  i64Ctz(): void { this.byte(0x7a); }
  i64Popcnt(): void { this.byte(0x7b); }
  i64Add(): void { this.byte(0x7c); }
  i64Sub(): void { this.byte(0x7d); }
  i64Mul(): void { this.byte(0x7e); }
  i64DivS(): void { this.byte(0x7f); }
  i64DivU(): void { this.byte(0x80); }
  i64RemS(): void { this.byte(0x81); }
  i64RemU(): void { this.byte(0x82); }
  i64And(): void { this.byte(0x83); }
  i64Or(): void { this.byte(0x84); }
  i64Xor(): void { this.byte(0x85); }
  i64Shl(): void { this.byte(0x86); }
  i64ShrS(): void { this.byte(0x87); }
  i64ShrU(): void { this.byte(0x88); }
  i64Rotl(): void { this.byte(0x89); }
  i64Rotr(): void { this.byte(0x8a); }
  i64ExtendI32S(): void { this.byte(0xac); }
  i64ExtendI32U(): void { this.byte(0xad); }
  i64Extend8S(): void { this.byte(0xc2); }
  i64Extend16S(): void { this.byte(0xc3); }
  i64Extend32S(): void { this.byte(0xc4); }

  // v128
  private simd(opcode: number): void { this.byte(0xfd); this.u32(opcode); }
  v128Load(offset: number): void { this.simd(0x00); this.byte(0); this.u32(offset); }
  v128Store(offset: number): void { this.simd(0x0b); this.byte(0); this.u32(offset); }
  v128Load32Zero(offset: number): void { this.simd(0x5c); this.byte(0); this.u32(offset); }
  v128Load64Zero(offset: number): void { this.simd(0x5d); this.byte(0); this.u32(offset); }
  v128Store32Lane0(offset: number): void { this.simd(0x5a); this.byte(0); this.u32(offset); this.byte(0); }
  v128Store64Lane0(offset: number): void { this.simd(0x5b); this.byte(0); this.u32(offset); this.byte(0); }
  i32x4ExtractLane0(): void { this.simd(0x1b); this.byte(0); }
  i32x4ReplaceLane0(): void { this.simd(0x1c); this.byte(0); }
  i64x2ExtractLane0(): void { this.simd(0x1d); this.byte(0); }
  i64x2ReplaceLane0(): void { this.simd(0x1e); this.byte(0); }
  /** Lanes 0-15 of the first operand, 16-31 of the second. */
  shuffle(bytes: readonly number[]): void { this.simd(0x0d); for (const byte of bytes) this.byte(byte); }
  v128Const(low: bigint, high: bigint): void {
    this.simd(0x0c);
    for (const half of [low, high]) for (let at = 0n; at < 64n; at += 8n) this.byte(Number((half >> at) & 255n));
  }
  /** Any SIMD instruction without immediate, by its number in 5.4.8. */
  lanes(opcode: number): void { this.simd(opcode); }
}
