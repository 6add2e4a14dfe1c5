/** Bytes, labels and a Multiboot header: enough to write small 32-bit guests in a test. Instructions are given as bytes. */

const MULTIBOOT_MAGIC = 0x1badb002;
/** The header itself gives the load address of the image (Multiboot 1, 3.1.3). */
const MULTIBOOT_ADDRESSES = 0x10000;
export const LOAD_AT = 0x100000;

export class Assembler {
  private readonly bytes: number[] = [];
  private readonly labels = new Map<string, number>();
  private readonly fixups: { at: number; label: string; relative: boolean }[] = [];

  constructor(readonly base = LOAD_AT) {}

  get here(): number {
    return this.base + this.bytes.length;
  }

  /** Raw bytes. */
  b(...bytes: number[]): this {
    this.bytes.push(...bytes);
    return this;
  }

  /** 32-bit value. */
  d(...values: number[]): this {
    for (const value of values) this.b(value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24);
    return this;
  }

  label(name: string): this {
    this.labels.set(name, this.here);
    return this;
  }

  /** 32-bit absolute address of a label. */
  at(label: string): this {
    this.fixups.push({ at: this.bytes.length, label, relative: false });
    return this.d(0);
  }

  /** 32-bit distance to a label, from the end of this field. */
  to(label: string): this {
    this.fixups.push({ at: this.bytes.length, label, relative: true });
    return this.d(0);
  }

  call(label: string): this {
    return this.b(0xe8).to(label);
  }

  jmp(label: string): this {
    return this.b(0xe9).to(label);
  }

  align(to: number): this {
    while (this.here % to !== 0) this.b(0x90);
    return this;
  }

  finish(): Uint8Array {
    const image = Uint8Array.from(this.bytes);
    const view = new DataView(image.buffer);
    for (const { at, label, relative } of this.fixups) {
      const target = this.labels.get(label);
      if (target === undefined) throw new Error(`no label ${label}`);
      view.setUint32(at, (relative ? target - (this.base + at + 4) : target) >>> 0, true);
    }
    return image;
  }
}

/** An image that starts at the code's first byte in 32-bit protected mode, interrupts off, paging off, flat segments 0x10 and 0x18. */
export function multibootImage(write: (asm: Assembler) => void): Uint8Array {
  const asm = new Assembler();
  asm.d(MULTIBOOT_MAGIC, MULTIBOOT_ADDRESSES, -(MULTIBOOT_MAGIC + MULTIBOOT_ADDRESSES));
  // header, load, load end (0: the file's), end of bss (0: none), entry
  asm.d(LOAD_AT, LOAD_AT, 0, 0).at('entry');
  asm.label('entry');
  write(asm);
  return asm.finish();
}
