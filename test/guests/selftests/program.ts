/** Guest programs of the kernel selftests: a small assembler for 64-bit code, and an image that the board starts in long mode. */

export const Reg = { rax: 0, rcx: 1, rdx: 2, rbx: 3, rsi: 6, rdi: 7, r8: 8, r9: 9, r10: 10, r11: 11 } as const;
export type RegName = keyof typeof Reg;

/** Where the program lies (gpa = gva: the boot tables map the first 4 GiB onto themselves), and memory of its own behind it. */
export const CODE = 0x100000;
export const DATA = 0x180000;
const IMAGE_END = 0x1c0000;

type Condition = 'e' | 'ne' | 'b' | 'ae';
const CONDITIONS: Record<Condition, number> = { e: 4, ne: 5, b: 2, ae: 3 };

export class Program {
  private readonly bytes: number[] = [];
  private readonly labels = new Map<string, number>();
  private readonly jumps: { at: number; to: string }[] = [];

  label(name: string): this {
    this.labels.set(name, this.bytes.length);
    return this;
  }

  /** gpa of a label. */
  at(name: string): number {
    return CODE + this.labels.get(name)!;
  }

  set(to: RegName, value: number | bigint): this {
    const r = Reg[to];
    this.bytes.push(r > 7 ? 0x49 : 0x48, 0xb8 + (r & 7));
    for (let bits = 0n; bits < 64n; bits += 8n) this.bytes.push(Number((BigInt(value) >> bits) & 0xffn));
    return this;
  }

  /** mov to, [address] */
  load(to: RegName, address: RegName): this {
    return this.modrm([0x8b], Reg[to], Reg[address], 0);
  }

  /** mov [address], from */
  store(address: RegName, from: RegName): this {
    return this.modrm([0x89], Reg[from], Reg[address], 0);
  }

  move(to: RegName, from: RegName): this {
    return this.modrm([0x89], Reg[from], Reg[to], 3);
  }

  add(to: RegName, from: RegName): this {
    return this.modrm([0x01], Reg[from], Reg[to], 3);
  }

  compare(left: RegName, right: RegName): this {
    return this.modrm([0x39], Reg[right], Reg[left], 3);
  }

  multiply(to: RegName, by: RegName): this {
    return this.modrm([0x0f, 0xaf], Reg[to], Reg[by], 3);
  }

  addValue(to: RegName, value: number): this {
    return this.modrm([0x81], 0, Reg[to], 3).word(value);
  }

  compareValue(left: RegName, value: number): this {
    return this.modrm([0x81], 7, Reg[left], 3).word(value);
  }

  shiftRight(to: RegName, by: number): this {
    this.modrm([0xc1], 5, Reg[to], 3).bytes.push(by);
    return this;
  }

  shiftLeft(to: RegName, by: number): this {
    this.modrm([0xc1], 4, Reg[to], 3).bytes.push(by);
    return this;
  }

  /** rep stosq: rcx qwords of rax to rdi */
  fill(): this {
    this.bytes.push(0xf3, 0x48, 0xab);
    return this;
  }

  /** lidt [address] */
  loadIdt(address: RegName): this {
    this.bytes.push(0x0f, 0x01, 0x18 | Reg[address]);
    return this;
  }

  /** mov ss, ax: #GP if ax is not a valid selector. */
  loadSs(): this {
    this.bytes.push(0x8e, 0xd0);
    return this;
  }

  jump(to: string): this {
    this.bytes.push(0xe9);
    return this.target(to);
  }

  jumpIf(condition: Condition, to: string): this {
    this.bytes.push(0x0f, 0x80 + CONDITIONS[condition]);
    return this.target(to);
  }

  /** A 64-bit ELF executable at CODE, with zeroed memory up to IMAGE_END. */
  image(): Uint8Array<ArrayBuffer> {
    const code = Uint8Array.from(this.bytes);
    const words = new DataView(code.buffer);
    for (const { at, to } of this.jumps) words.setInt32(at, this.labels.get(to)! - (at + 4), true);
    const header = 64 + 56;
    const file = new Uint8Array(header + code.length);
    const view = new DataView(file.buffer);
    const quad = (at: number, value: number) => view.setBigUint64(at, BigInt(value), true);
    file.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
    view.setUint16(16, 2, true); // ET_EXEC
    view.setUint16(18, 62, true); // EM_X86_64
    view.setUint32(20, 1, true);
    quad(24, CODE);
    quad(32, 64);
    view.setUint16(52, 64, true);
    view.setUint16(54, 56, true);
    view.setUint16(56, 1, true);
    view.setUint32(64, 1, true); // PT_LOAD
    view.setUint32(68, 7, true);
    quad(72, header);
    quad(80, CODE);
    quad(88, CODE);
    quad(96, code.length);
    quad(104, IMAGE_END - CODE);
    file.set(code, header);
    return file;
  }

  private modrm(opcode: number[], reg: number, rm: number, mod: 0 | 3): this {
    this.bytes.push(0x48 | (reg > 7 ? 4 : 0) | (rm > 7 ? 1 : 0), ...opcode, (mod << 6) | ((reg & 7) << 3) | (rm & 7));
    return this;
  }

  private word(value: number): this {
    for (let byte = 0; byte < 4; byte++) this.bytes.push((value >>> (8 * byte)) & 0xff);
    return this;
  }

  private target(to: string): this {
    this.jumps.push({ at: this.bytes.length, to });
    return this.word(0);
  }
}
