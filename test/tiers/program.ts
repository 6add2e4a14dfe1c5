/**
 * Random programs for both tiers: blocks of random instructions, joined by loops, calls, computed jumps and forward branches, over a small
 * data area in pages that the test remaps, protects, or makes devices of. The same seed gives the same program.
 */
import { Random } from '../support/random';

export const CODE = 0x10000;
export const DATA = 0x200000;
/** Pages of data, from DATA; each has a page table entry of its own. */
export const DATA_PAGES = 16;
export const STACK = DATA + 0xf000;

/** Registers that random instructions do not touch: the stack pointer, the counter of the outer loop (R15), the base of data (R14). */
const FREE = [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13] as const;
const R14 = 14;

const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);
/** [prefix, opcode, has an immediate byte] of SSE and SSE2 instructions. */
const VECTORS: readonly (readonly [prefix: number, opcode: number, immediate: boolean])[] = [
  ...[0x10, 0x11, 0x28, 0x29, 0x14, 0x15, 0x54, 0x55, 0x56, 0x57].flatMap(
    (opcode) =>
      [
        [0, opcode, false],
        [0x66, opcode, false],
      ] as const,
  ),
  ...[0x51, 0x58, 0x59, 0x5c, 0x5e, 0x58, 0x59, 0x5c, 0x5d, 0x5f].flatMap((opcode) =>
    [0, 0x66, 0xf2, 0xf3].map((prefix) => [prefix, opcode, false] as const),
  ),
  ...[0x10, 0x11].flatMap((opcode) => [0xf2, 0xf3].map((prefix) => [prefix, opcode, false] as const)),
  ...[
    ...range(0x60, 0x6d),
    ...range(0x74, 0x76),
    0x6f,
    0x7f,
    0x6e,
    0x7e,
    0xd4,
    0xd5,
    0xd6,
    0xd7,
    ...range(0xd8, 0xe5),
    ...range(0xe8, 0xef),
  ].map((opcode) => [0x66, opcode, false] as const),
  ...range(0xf4, 0xf6).map((opcode) => [0x66, opcode, false] as const),
  ...range(0xf8, 0xfe).map((opcode) => [0x66, opcode, false] as const),
  [0xf3, 0x6f, false],
  [0xf3, 0x7f, false],
  [0xf3, 0x7e, false],
  ...[0x66, 0xf2, 0xf3].map((prefix) => [prefix, 0x70, true] as const),
  ...[0x71, 0x72, 0x73].map((opcode) => [0x66, opcode, true] as const),
  [0, 0xc6, true],
  [0x66, 0xc6, true],
  [0, 0x50, false],
  [0x66, 0x50, false],
];

/** Ending instructions that code in ring 3 may run, IOPL being 3. */
const UNPRIVILEGED = [0, 1, 2, 3, 7, 10] as const;

/** What the code being written may do: anything (ring 0); what is allowed in every ring; or that, and SYSCALL from ring 3. */
type Rights = 'all' | 'any ring' | 'ring 3';

export class ProgramWriter {
  readonly bytes: number[] = [];
  rights: Rights = 'all';
  private readonly fixups: { at: number; label: string }[] = [];
  private readonly labels = new Map<string, number>();

  constructor(private readonly random: Random) {}

  emit(...bytes: number[]): void {
    for (const byte of bytes) this.bytes.push(byte & 255);
  }
  d32(value: number): void {
    this.emit(value, value >> 8, value >> 16, value >> 24);
  }
  label(name: string): void {
    this.labels.set(name, this.bytes.length);
  }
  relative(name: string): void {
    this.fixups.push({ at: this.bytes.length, label: name });
    this.d32(0);
  }
  finish(): Uint8Array {
    for (const { at, label } of this.fixups) {
      const distance = this.labels.get(label)! - at - 4;
      for (let i = 0; i < 4; i++) this.bytes[at + i] = (distance >> (8 * i)) & 255;
    }
    return Uint8Array.from(this.bytes);
  }

  private register(): number {
    return this.random.of(FREE);
  }

  private rex(size: number, reg: number, index: number, base: number, byte = false): void {
    if (size === 1) this.emit(0x66);
    const rex = (size === 3 ? 8 : 0) | (reg & 8 ? 4 : 0) | (index & 8 ? 2 : 0) | (base & 8 ? 1 : 0);
    // Sometimes without REX, so that AH CH DH BH occur.
    if (rex || (byte && this.random.below(3) > 0)) this.emit(0x40 | rex);
  }

  /** Opcode with ModRM: a register or memory near R14. */
  private modrm(size: number, opcode: number[], reg: number, memory: boolean, byte = false): void {
    if (!memory) {
      const rm = this.register();
      this.rex(size, reg, 0, rm, byte);
      this.emit(...opcode, 0xc0 | ((reg & 7) << 3) | (rm & 7));
      return;
    }
    const displacement = this.random.below(DATA_PAGES * 4096 - 4200);
    const indexed = this.random.below(3) === 0;
    const index = indexed ? this.register() : 0;
    if (indexed) {
      // Keep the index small: and index, 0xfff
      this.rex(2, 0, 0, index);
      this.emit(0x81, 0xe0 | (index & 7));
      this.d32(0xfff);
    }
    this.rex(size, reg, index, R14, byte);
    if (indexed) this.emit(...opcode, 0x84 | ((reg & 7) << 3), ((index & 7) << 3) | (this.random.below(2) << 6) | (R14 & 7));
    else this.emit(...opcode, 0x80 | ((reg & 7) << 3) | (R14 & 7));
    this.d32(displacement >> (indexed ? 1 : 0));
  }

  /** One instruction that changes registers, flags or data and does not branch. */
  instruction(): void {
    const { random } = this;
    const size = random.of([0, 1, 2, 2, 2, 3, 3, 3]);
    const wide = size > 0 ? 1 : 0;
    const memory = random.below(3) === 0;
    const reg = this.register();
    switch (random.below(35)) {
      case 0:
      case 1:
      case 2:
      case 3:
        this.modrm(size, [(random.below(8) << 3) | (random.below(2) << 1) | wide], reg, memory, size === 0);
        return;
      case 4:
      case 5: {
        const short = random.below(2) === 0;
        this.modrm(size, [size === 0 ? 0x80 : short ? 0x83 : 0x81], random.below(8), memory, size === 0);
        if (size === 0 || short) this.emit(random.below(256));
        else if (size === 1) this.emit(random.below(256), random.below(256));
        else this.d32(random.below(0xffffffff));
        return;
      }
      case 6:
        this.modrm(size, [0x84 | wide], reg, memory, size === 0);
        return;
      case 7:
        this.modrm(size, [0xfe | wide], random.below(2), memory, size === 0);
        return;
      case 8:
        this.modrm(size, [0xf6 | wide], 2 + random.below(2), memory, size === 0);
        return;
      case 34: {
        // Mostly by an odd number, with the dividend in RAX alone: else it may fault, which ends the program.
        const signed = random.below(2) === 1;
        const rex = random.below(2) === 1 ? 0x48 : 0x40;
        const by = random.of([1, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
        const high = by >> 3;
        if (random.below(16)) this.emit(rex | high, 0x83, 0xc8 | (by & 7), 1);
        if (random.below(16)) this.emit(rex, ...(signed ? [0x99] : [0x31, 0xd2]));
        this.emit(rex | high, 0xf7, (signed ? 0xf8 : 0xf0) | (by & 7));
        return;
      }
      case 9:
      case 10:
        this.modrm(size, [0x88 | (random.below(2) << 1) | wide], reg, memory, size === 0);
        return;
      case 11:
        this.modrm(Math.max(size, 1), [0x0f, random.of([0xb6, 0xb7, 0xbe, 0xbf])], reg, memory, true);
        return;
      case 12:
        this.modrm(3, [0x63], reg, memory);
        return;
      case 13:
        this.modrm(Math.max(size, 1), [random.of([0xc1, 0xd1, 0xd3])], random.of([0, 1, 4, 5, 7, 2, 3]), false);
        if (this.bytes.at(-2) === 0xc1) this.emit(random.below(70));
        return;
      case 14:
        this.modrm(Math.max(size, 1), [0x0f, 0xaf], reg, memory);
        return;
      case 15:
        this.modrm(Math.max(size, 1), [0x8d], reg, true);
        return;
      case 16:
        this.modrm(0, [0x0f, 0x90 | random.below(16)], 0, memory, true);
        return;
      case 17:
        this.modrm(Math.max(size, 1), [0x0f, 0x40 | random.below(16)], reg, memory);
        return;
      case 18: {
        const register = this.register();
        this.rex(random.below(2) ? 3 : 2, 0, 0, register);
        this.emit(0x0f, 0xc8 | (register & 7));
        return;
      }
      case 19:
        this.modrm(Math.max(size, 2), [0x87], reg, false);
        return;
      case 20:
        this.emit(...random.of([[0x98], [0x48, 0x98], [0x99], [0x48, 0x99], [0xf8], [0xf9], [0xf5], [0x90]]));
        return;
      case 21:
        // push, pop: balanced
        this.emit(...(reg & 8 ? [0x41] : []), 0x50 | (reg & 7));
        if (random.below(2)) this.instruction();
        {
          const to = this.register();
          this.emit(...(to & 8 ? [0x41] : []), 0x58 | (to & 7));
        }
        return;
      case 22:
        this.modrm(Math.max(size, 1), [0x0f, random.of([0xa3, 0xab, 0xb3, 0xbb])], reg, false);
        return;
      case 23:
        this.modrm(size, [0xf6 | wide], random.of([4, 5]), memory, size === 0);
        return;
      case 24:
        this.modrm(Math.max(size, 1), [0x0f, random.of([0xbc, 0xbd])], reg, memory);
        return;
      case 25:
        this.modrm(Math.max(size, 1), [0x0f, random.of([0xa5, 0xad])], reg, false);
        return;
      case 26:
      case 27:
        this.x87();
        return;
      case 28:
        this.ending();
        return;
      default:
        this.vector();
    }
  }

  /** An instruction that ends its block but is no branch: ports, flags, interrupts, translations, system registers, strings, SYSCALL. */
  private ending(): void {
    const { random } = this;
    const displacement = random.below(DATA_PAGES * 4096 - 4200);
    if (this.rights === 'ring 3' && random.below(2)) {
      // SYSCALL, and the mark with which it returns to ring 3
      this.emit(0x0f, 0x05, 0x90);
      return;
    }
    switch (this.rights === 'all' ? random.below(12) : random.of(UNPRIVILEGED)) {
      case 0:
        this.emit(random.of([0xe4, 0xe5, 0xe6, 0xe7]), random.below(256));
        return;
      case 1:
        this.emit(random.of([0xec, 0xed, 0xee, 0xef]));
        return;
      case 2:
        this.emit(0x9c, 0x9d);
        return;
      case 3:
        this.emit(0xfa);
        if (random.below(2)) this.instruction();
        this.emit(0xfb);
        return;
      case 4:
      case 5:
        // INVLPG
        this.emit(0x41, 0x0f, 0x01, 0xb8 | (R14 & 7));
        this.d32(displacement);
        return;
      case 6:
        // CR3 to RAX and back
        this.emit(0x0f, 0x20, 0xd8, 0x0f, 0x22, 0xd8);
        return;
      case 7:
        // INT 40h, the timer's
        this.emit(0xcd, 0x40);
        return;
      case 8:
        this.emit(...random.of([[0x0f, 0x06] as const, [0x0f, 0x01, 0xf8] as const]));
        return;
      case 9:
        // MSR KERNEL_GS_BASE, read and written
        this.emit(0xb9);
        this.d32(0xc0000102);
        this.emit(0x0f, 0x32, 0x0f, 0x30);
        return;
      default:
        // RCX elements to [RDI]: STOS, or MOVS from the same place
        this.emit(0xb9);
        this.d32(random.below(random.below(4) ? 20 : 600));
        this.emit(0x49, 0x8d, 0xb8 | (R14 & 7));
        this.d32(displacement);
        if (random.below(2)) this.emit(0xf3, random.of([0xaa, 0xab]));
        else this.emit(0x49, 0x8d, 0xb0 | (R14 & 7), displacement & 255, displacement >> 8, 0, 0, 0xf3, random.of([0xa4, 0xa5]));
    }
  }

  /** An x87 instruction on the data pages or the register stack; occasionally empties the stack. */
  private x87(): void {
    const { random } = this;
    switch (random.below(8)) {
      case 0:
        this.emit(0xdb, 0xe3);
        return;
      case 1:
      case 2: {
        // FLD and FILD
        const [opcode, reg] = random.of([
          [0xd9, 0],
          [0xdb, 0],
          [0xdb, 5],
          [0xdd, 0],
          [0xdf, 0],
          [0xdf, 5],
        ] as const);
        this.x87Memory(opcode, reg);
        return;
      }
      case 3: {
        const [opcode, reg] = random.of([
          [0xd9, 3],
          [0xdb, 1],
          [0xdb, 2],
          [0xdb, 7],
          [0xdd, 3],
          [0xdd, 1],
          [0xdf, 7],
          [0xdf, 6],
          [0xd9, 7],
        ] as const);
        this.x87Memory(opcode, reg);
        return;
      }
      case 4:
        this.x87Memory(random.of([0xd8, 0xda, 0xdc, 0xde]), random.below(8));
        return;
      case 5:
        this.emit(random.of([0xd8, 0xdc, 0xde]), 0xc0 | (random.of([0, 1, 4, 5, 6, 7]) << 3) | random.below(8));
        return;
      case 6: {
        // Comparisons, some of which set RFLAGS.
        const [opcode, reg] = random.of([
          [0xd8, 2],
          [0xd8, 3],
          [0xdb, 5],
          [0xdb, 6],
          [0xdd, 4],
          [0xdd, 5],
          [0xdf, 5],
          [0xdf, 6],
        ] as const);
        this.emit(opcode, 0xc0 | (reg << 3) | random.below(8));
        return;
      }
      default:
        // FLD, FXCH, FST, FCMOVcc; FCHS, FABS, FTST, FXAM, FLD1, FLDZ, FSQRT, FRNDINT, FPREM; FNSTSW AX
        if (random.below(2)) this.emit(random.of([0xd9, 0xda, 0xdb, 0xdd]), 0xc0 | (random.of([0, 1]) << 3) | random.below(8));
        else
          this.emit(
            ...random.of([
              [0xd9, 0xe0],
              [0xd9, 0xe1],
              [0xd9, 0xe4],
              [0xd9, 0xe5],
              [0xd9, 0xe8],
              [0xd9, 0xee],
              [0xd9, 0xfa],
              [0xd9, 0xfc],
              [0xd9, 0xf8],
              [0xdf, 0xe0],
            ]),
          );
    }
  }
  private x87Memory(opcode: number, reg: number): void {
    this.emit(0x41, opcode, 0x80 | (reg << 3) | (R14 & 7));
    this.d32(this.random.below(DATA_PAGES * 4096 - 4200) & (this.random.below(8) === 0 ? -1 : -8));
  }

  /** An SSE instruction: moves, integers, arithmetic; some have no compiled form. Memory operands are aligned more often than not. */
  private vector(): void {
    const { random } = this;
    const [prefix, opcode, immediate] = random.of(VECTORS);
    const memory = !(opcode >= 0x71 && opcode <= 0x73) && opcode !== 0xd7 && opcode !== 0x50 && random.below(3) === 0;
    const reg = opcode === 0x73 ? random.of([2, 3, 6, 7]) : opcode === 0x71 || opcode === 0x72 ? random.of([2, 4, 6]) : random.below(8);
    if (prefix) this.emit(prefix);
    // To and from a general register: not RSP.
    const rm = opcode === 0x6e || opcode === 0x7e ? random.of([0, 1, 2, 3, 5, 6, 7]) : random.below(8);
    const target = opcode === 0xd7 || opcode === 0x50 ? random.of([0, 1, 2, 3, 5, 6, 7]) : reg;
    if (memory) {
      const displacement = random.below(DATA_PAGES * 4096 - 4200) & (random.below(8) === 0 ? -1 : -16);
      this.emit(0x41, 0x0f, opcode, 0x80 | (target << 3) | (R14 & 7));
      this.d32(displacement);
    } else this.emit(0x0f, opcode, 0xc0 | (target << 3) | rm);
    if (immediate) this.emit(random.below(random.below(2) ? 256 : 40));
  }

  instructions(most: number): void {
    for (let n = this.random.below(most + 1); n > 0; n--) this.instruction();
  }

  /** To ring 3 by SYSRET, and back by a SYSCALL that goes on behind itself in ring 0. */
  private excursion(depth: number, functions: number): void {
    const id = `l${this.bytes.length}`;
    // lea rcx, [rip + id]; pushfq; pop r11; sysretq
    this.emit(0x48, 0x8d, 0x0d);
    this.relative(id);
    this.emit(0x9c, 0x41, 0x5b, 0x48, 0x0f, 0x07);
    this.label(id);
    this.rights = 'ring 3';
    this.structure(depth, functions);
    this.rights = 'all';
    this.emit(0x0f, 0x05, 0xf8);
  }

  /** One of the functions that the code may call: every other one may be called from every ring. */
  private callee(functions: number): string {
    const { random } = this;
    return `f${this.rights === 'all' ? random.below(functions) : 2 * random.below((functions + 1) >> 1)}`;
  }

  /** The function or program body: nested structure of `depth`. */
  structure(depth: number, functions: number): void {
    const { random } = this;
    const id = `l${this.bytes.length}`;
    switch (random.below(depth > 0 ? 7 : 1)) {
      case 0:
        this.instructions(6);
        return;
      case 1: {
        // A loop counted down on the stack: registers stay random.
        this.emit(0x6a, 1 + random.below(9));
        this.label(id);
        this.structure(depth - 1, functions);
        this.emit(0x48, 0xff, 0x0c, 0x24, 0x0f, 0x85);
        this.relative(id);
        this.emit(0x48, 0x8d, 0x64, 0x24, 0x08);
        return;
      }
      case 2:
        this.emit(0x0f, 0x80 | random.below(16));
        this.relative(id);
        this.structure(depth - 1, functions);
        this.label(id);
        return;
      case 3:
        if (functions > 0) {
          this.emit(0xe8);
          this.relative(this.callee(functions));
        }
        return;
      case 4:
        if (functions > 0) {
          // lea rax, [rip + f]; call rax
          this.emit(0x48, 0x8d, 0x05);
          this.relative(this.callee(functions));
          this.emit(0xff, 0xd0);
        }
        return;
      case 5:
        if (this.rights === 'all') this.excursion(depth - 1, functions);
        else this.instructions(6);
        return;
      default:
        this.structure(depth - 1, functions);
        this.structure(depth - 1, functions);
    }
  }
}

/** A program that never ends: an outer loop around a body, followed by some functions. */
export function randomProgram(seed: number): Uint8Array {
  const random = new Random(seed * 2654435761 + 1);
  const writer = new ProgramWriter(random);
  const functions = random.below(4);
  // mov r14, DATA
  writer.emit(0x49, 0xc7, 0xc6);
  writer.d32(DATA);
  writer.label('top');
  for (let part = 0; part < 3; part++) writer.structure(3, functions);
  writer.emit(0x49, 0xff, 0xc7, 0xe9);
  writer.relative('top');
  for (let index = 0; index < functions; index++) {
    // Some functions lie in another page.
    if (random.below(3) === 0) while ((writer.bytes.length & 4095) !== 0) writer.emit(0x90);
    writer.label(`f${index}`);
    writer.rights = index % 2 === 0 ? 'any ring' : 'all';
    writer.structure(2, index);
    writer.emit(0xc3);
  }
  return writer.finish();
}
