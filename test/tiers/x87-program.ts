/**
 * Random programs of x87 code as compilers write it: runs of loads, arithmetic, comparisons and stores on ordinary numbers, the stack of registers
 * seldom over- or underfull, the control word changed at times. The same seed gives the same program.
 */
import { Random } from '../support/random';
import { DATA, DATA_PAGES, ProgramWriter } from './program';

/** FCW: rounding and precision; the precision exception unmasked; the invalid one. */
const CONTROLS = [0x37f, 0x37f, 0x27f, 0x07f, 0x77f, 0xb7f, 0xf7f, 0x35f, 0x37e];
const LOADS = [0xd900, 0xdd00, 0xdd00, 0xdb00, 0xdf00, 0xdf05, 0xdb05] as const;
const WITH_MEMORY = [0xd8, 0xdc, 0xda, 0xde] as const;
/** Stores that pop, and those that do not. */
const STORES = [0xd903, 0xdd03, 0xdb03, 0xdf03, 0xdf07, 0xdb07, 0xdb01, 0xdd01, 0xd902, 0xdd02, 0xdb02, 0xdf02] as const;
const OPERATIONS = [0, 0, 1, 1, 4, 5, 6, 7] as const;

class X87Writer {
  private depth = 0;
  private labels = 0;

  constructor(
    private readonly random: Random,
    readonly out: ProgramWriter,
  ) {}

  /** opcode [r14 + displacement], word: opcode << 8 | ModRM.reg */
  private memory(word: number): void {
    const { random, out } = this;
    out.emit(0x41, word >> 8, 0x80 | ((word & 7) << 3) | 6);
    // A few places, so that stored numbers are loaded again.
    const page = random.below(3) === 0 ? random.below(DATA_PAGES - 1) : 0;
    out.d32(page * 4096 + 16 * random.below(12) + (random.below(20) === 0 ? 4090 : 0));
  }

  private one(): void {
    const { random, out } = this;
    const wrong = random.below(150) === 0;
    const other = wrong ? random.below(8) : random.below(Math.max(1, this.depth));
    if (this.depth < 2 || (this.depth < 7 && random.below(3) === 0)) {
      const kind = random.below(8);
      if (kind < 4) this.memory(random.of(LOADS));
      else if (kind < 6 && this.depth > 0) out.emit(0xd9, 0xc0 | other);
      else out.emit(0xd9, random.of([0xe8, 0xe8, 0xee]));
      this.depth++;
      return;
    }
    switch (random.below(14)) {
      case 0:
      case 1:
        out.emit(0xd8, 0xc0 | (random.of(OPERATIONS) << 3) | other);
        return;
      case 2:
        out.emit(0xdc, 0xc0 | (random.of(OPERATIONS) << 3) | other);
        return;
      case 3:
      case 4:
        out.emit(0xde, 0xc0 | (random.of(OPERATIONS) << 3) | Math.max(1, other));
        this.depth--;
        return;
      case 5:
      case 6:
        this.memory((random.of(WITH_MEMORY) << 8) | random.of(OPERATIONS));
        return;
      case 7:
        out.emit(0xd9, 0xc8 | other);
        return;
      case 8: {
        const word = random.of(STORES);
        this.memory(word);
        if ((word & 7) !== 2) this.depth--;
        return;
      }
      case 9:
        // The sign off before most roots.
        out.emit(0xd9, random.of([0xe1, 0xe0]));
        if (random.below(2)) out.emit(0xd9, 0xfa);
        return;
      case 10:
        out.emit(0xdd, random.below(2) ? 0xd0 | other : 0xd8 | other);
        if ((out.bytes.at(-1)! & 8) !== 0) this.depth--;
        return;
      case 11:
        this.compare(other);
        return;
      case 12:
        out.emit(
          ...random.of([
            [0xdf, 0xe0],
            [0x48, 0xff, 0xc1],
            [0x49, 0x01, 0xc0],
            [0xd9, 0xe4],
            [0xd9, 0xfc],
          ] as const),
        );
        return;
      default:
        this.memory(random.of([0xd802, 0xdc02, 0xd803, 0xdc03]));
        if ((out.bytes.at(-5)! & 8) !== 0) this.depth--;
    }
  }

  /** FCOM, FCOMP, FUCOM, FUCOMP, FCOMPP; or FCOMI and the like, with a branch, SETcc or CMOVcc behind it. */
  private compare(other: number): void {
    const { random, out } = this;
    if (random.below(3) === 0) {
      const [opcode, reg, pops] = random.of([
        [0xd8, 2, 0],
        [0xd8, 3, 1],
        [0xdd, 4, 0],
        [0xdd, 5, 1],
      ] as const);
      out.emit(opcode, 0xc0 | (reg << 3) | other);
      this.depth -= pops;
      return;
    }
    const pops = random.below(2);
    out.emit(pops ? 0xdf : 0xdb, 0xc0 | (random.of([5, 6]) << 3) | other);
    this.depth -= pops;
    const condition = random.of([2, 3, 4, 5, 6, 7, 10, 11, 0, 8, 12, 14]);
    const what = random.below(4);
    if (what === 0) out.emit(0x0f, 0x90 | condition, 0xc3);
    else if (what === 1) out.emit(0x48, 0x0f, 0x40 | condition, 0xd1);
    else if (what === 2) {
      const label = `x${this.labels++}`;
      out.emit(0x0f, 0x80 | condition);
      out.relative(label);
      out.emit(0xd9, 0xe0);
      out.label(label);
    }
  }

  /** mov word [r14 + 0x3f0], control; fldcw */
  private control(): void {
    const { random, out } = this;
    const value = random.of(CONTROLS);
    out.emit(0x66, 0x41, 0xc7, 0x86);
    out.d32(0x3f0);
    out.emit(value, value >> 8, 0x41, 0xd9, 0xae);
    out.d32(0x3f0);
  }

  /** A loop around some instructions whose first and last depth are alike; `counter`: a register, by number. */
  loop(counter: number): void {
    const { random, out } = this;
    const label = `l${this.labels++}`;
    if (random.below(4) === 0) this.control();
    out.emit(0x49, 0xc7, 0xc0 | (counter & 7));
    out.d32(2 + random.below(40));
    out.label(label);
    const before = this.depth;
    for (let n = 3 + random.below(14); n > 0; n--) this.one();
    for (; this.depth > before; this.depth--) out.emit(0xdd, 0xd8 | random.of([0, 0, 1]));
    for (; this.depth < before; this.depth++) this.memory(random.of(LOADS));
    out.emit(0x49, 0xff, 0xc8 | (counter & 7), 0x0f, 0x85);
    out.relative(label);
  }
}

export function x87Program(seed: number): Uint8Array {
  const random = new Random(seed * 2246822519 + 7);
  const out = new ProgramWriter(random);
  const writer = new X87Writer(random, out);
  // mov r14, DATA
  out.emit(0x49, 0xc7, 0xc6);
  out.d32(DATA);
  out.label('top');
  // fninit
  out.emit(0xdb, 0xe3);
  for (let part = 0; part < 4; part++) writer.loop(12 + (part & 1));
  out.emit(0xe9);
  out.relative('top');
  return out.finish();
}
