/**
 * Random code for segment corners: accesses through every segment with addresses near limits, loads of segment registers, near and far
 * transfers, stack and string instructions. It is written for one default size and decodes differently in code of another size.
 */
import type { Random } from '../support/random';

/** Numbers that are near a limit or a wrap-around, or point into the data. */
export const EDGES: readonly number[] = [
  0, 1, 2, 4, 7, 8, 0xf, 0x10, 0xfe, 0xff, 0x100, 0x7f8, 0x800, 0xff0, 0xff8, 0xffc, 0xffd, 0xffe, 0xfff, 0x1000, 0x1ffe, 0x2000, 0x3ffc,
  0x8000, 0xfff8, 0xfffc, 0xfffe, 0xffff, 0x10000, 0x2fffe, 0x30000, 0x30ffd, 0x31000, 0x38800, 0x7fffffff, 0x80000000, 0xfffffff0,
  0xfffffffc, 0xfffffffe, 0xffffffff,
];

const SEGMENT_PREFIXES = [0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65] as const;
/** [opcode bytes, reg field or -1 for a random one, bytes of an immediate]. */
const MEMORY_FORMS: readonly (readonly [opcode: readonly number[], reg: number, immediate: number])[] = [
  [[0x8b], -1, 0],
  [[0x89], -1, 0],
  [[0x8a], -1, 0],
  [[0x88], -1, 0],
  [[0x01], -1, 0],
  [[0x33], -1, 0],
  [[0x39], -1, 0],
  [[0x87], -1, 0],
  [[0x84], -1, 0],
  [[0x8d], -1, 0],
  [[0xc6], 0, 1],
  [[0x80], 4, 1],
  [[0xfe], 0, 0],
  [[0xff], 1, 0],
  [[0xff], 2, 0],
  [[0xff], 3, 0],
  [[0xff], 4, 0],
  [[0xff], 5, 0],
  [[0xff], 6, 0],
  [[0x8f], 0, 0],
  [[0x0f, 0xb6], -1, 0],
  [[0x0f, 0xbf], -1, 0],
  [[0x0f, 0xa3], -1, 0],
  [[0x0f, 0xab], -1, 0],
  [[0x0f, 0xb1], -1, 0],
  [[0x0f, 0xc7], 1, 0],
  [[0x0f, 0x10], -1, 0],
  [[0x0f, 0x11], -1, 0],
  [[0x0f, 0x6f], -1, 0],
  [[0xd9], 0, 0],
  [[0xdd], 0, 0],
  [[0xdd], 3, 0],
  [[0xdf], 7, 0],
  [[0xc4], -1, 0],
  [[0xc5], -1, 0],
  [[0x0f, 0xb2], -1, 0],
  [[0x0f, 0xb4], -1, 0],
  [[0x0f, 0xb5], -1, 0],
  [[0x8e], 0, 0],
  [[0x8e], 3, 0],
  [[0x8c], 2, 0],
  [[0x0f, 0x02], -1, 0],
  [[0x0f, 0x03], -1, 0],
  [[0x62], -1, 0],
  [[0x0f, 0x01], 0, 0],
];
const STRINGS = [0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf] as const;
const SHORT_BRANCHES = [0xeb, 0xe2, 0xe3, 0x74, 0x75, 0x72, 0x7d] as const;
const ONE_BYTE = [0x90, 0x98, 0x99, 0x9c, 0x9d, 0xc9, 0xc3, 0xcb, 0xcf, 0xd7, 0xcc, 0xce, 0x60, 0x61, 0xf4, 0xfc, 0xfd] as const;
/** ES, SS, DS, FS, GS as the reg field of MOV, and the bytes of their POP. */
const SEGMENTS: readonly (readonly [reg: number, pop: readonly number[]])[] = [
  [0, [0x07]],
  [2, [0x17]],
  [3, [0x1f]],
  [4, [0x0f, 0xa1]],
  [5, [0x0f, 0xa9]],
];

export interface SegmentProgram {
  bytes: Uint8Array;
  /** Offsets of instruction starts. */
  starts: readonly number[];
}

export interface ProgramOptions {
  /** 16, 32 or 64. */
  width: number;
  /** Bytes. */
  length: number;
  /** No loads of segment registers and no far transfers, so that loops run long enough to be compiled. */
  quiet: boolean;
  /** A selector, and the offset of some code in the segment that it names. */
  target: () => { selector: number; offset: number };
}

export function segmentProgram(random: Random, { width, length, quiet, target }: ProgramOptions): SegmentProgram {
  const bytes: number[] = [];
  const starts: number[] = [];
  const emit = (...list: readonly number[]): void => {
    for (const byte of list) bytes.push(byte & 255);
  };
  const number = (value: number, size: number): void => {
    for (let i = 0; i < size; i++) emit(i < 4 ? value >>> (8 * i) : 0);
  };
  const operand = width === 16 ? 2 : 4;
  const edge = (): number => (random.below(4) === 0 ? random.below(0x40000) : random.of(EDGES));
  const segmentPrefix = (): void => {
    if (random.below(2) === 0) emit(random.of(SEGMENT_PREFIXES));
  };

  /** Prefixes, opcode and a memory operand. */
  const memory = (opcode: readonly number[], reg: number): void => {
    segmentPrefix();
    const other = random.below(8) === 0;
    if (other) emit(0x67);
    if (random.below(8) === 0) emit(0x66);
    if (width === 64 && random.below(2) === 0) emit(0x40 | random.below(16));
    emit(...opcode);
    const addressing = other ? (width === 32 ? 16 : 32) : width;
    const mod = random.below(3);
    const rm = random.below(8);
    emit((mod << 6) | (reg << 3) | rm);
    if (addressing === 16) {
      if (mod === 1) emit(random.below(256));
      else if (mod === 2 || rm === 6) number(edge(), 2);
      return;
    }
    let base = rm;
    if (rm === 4) {
      base = random.below(8);
      emit((random.below(4) << 6) | (random.below(8) << 3) | base);
    }
    if (mod === 1) emit(random.below(256));
    else if (mod === 2 || base === 5) number(edge(), 4);
  };

  const instruction = (): void => {
    starts.push(bytes.length);
    const kind = random.below(20);
    switch (quiet && kind >= 8 && kind < 12 ? 16 : kind) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
      case 5: {
        const [opcode, reg, immediate] = random.of(MEMORY_FORMS);
        memory(opcode, reg < 0 ? random.below(8) : reg);
        for (let i = 0; i < immediate; i++) emit(random.below(256));
        return;
      }
      case 6:
      case 7: // PUSH and POP of a register; PUSH of numbers; ENTER
        if (random.below(12) === 0) emit(0xc8, random.below(64), 0, random.below(3));
        else if (random.below(3) === 0) emit(0x6a, random.below(256));
        else emit(0x50 + random.below(16));
        return;
      case 8:
      case 9: {
        // A segment register: by MOV, or by PUSH and POP
        const [reg, pop] = random.of(SEGMENTS);
        const { selector } = target();
        if (random.below(2) === 0) {
          emit(0xb8);
          number(selector, operand);
          starts.push(bytes.length);
          emit(0x8e, 0xc0 | (reg << 3));
        } else {
          emit(0x68);
          number(selector, operand);
          starts.push(bytes.length);
          emit(...pop);
        }
        return;
      }
      case 10:
      case 11: {
        // A far transfer: direct, or by RETF or IRET
        const { selector, offset } = target();
        const way = random.below(4);
        if (way < 2 && width !== 64) {
          emit(way === 0 ? 0xea : 0x9a);
          number(offset, operand);
          number(selector, 2);
          return;
        }
        const pushed = way === 2 ? [selector, offset] : [2, selector, offset];
        for (const value of pushed) {
          emit(0x68);
          number(value, operand);
        }
        if (width === 64) emit(0x48);
        emit(pushed.length === 2 ? 0xcb : 0xcf);
        return;
      }
      case 12:
      case 13:
        emit(random.of(SHORT_BRANCHES), random.below(2) === 0 ? random.below(24) : 256 - random.below(40));
        return;
      case 14:
        if (random.below(2) === 0) emit(random.below(2) === 0 ? 0xe8 : 0xe9);
        else emit(0x0f, 0x80 + random.below(16));
        number(random.below(160) - 80, operand);
        return;
      case 15:
        emit(0xb9);
        number(random.below(12), operand);
        starts.push(bytes.length);
        segmentPrefix();
        if (random.below(3) > 0) emit(0xf2 + random.below(2));
        if (random.below(6) === 0) emit(0x67);
        emit(random.of(STRINGS));
        return;
      case 16:
        emit(0xb8 + random.below(8));
        number(edge(), operand);
        return;
      case 17:
        emit(random.of([0x01, 0x29, 0x31, 0x39, 0x85, 0x89]), 0xc0 | random.below(64));
        return;
      case 18:
        emit(0x0f, 0x00, random.of([0xc0, 0xc8, 0xe0, 0xe8]) | random.below(8));
        return;
      default:
        emit(random.of(ONE_BYTE));
    }
  };
  while (bytes.length < length) instruction();
  return { bytes: Uint8Array.from(bytes.slice(0, length)), starts: starts.filter((at) => at < length) };
}
