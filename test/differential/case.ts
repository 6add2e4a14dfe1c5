/**
 * A differential case: one instruction and the whole state that it starts from, and what a processor made of it.
 * The binary layouts are native.c's.
 */

/** Guest-virtual addresses, the same on the host processor and on the core. */
export const CODE = 0x10000000;
export const CODE_SIZE = 0x1000;
export const DATA = 0x20000000;
export const DATA_SIZE = 0x2000;

/** Bytes of the longest frame. */
export const FRAME_SIZE = 40;
export const INPUT_SIZE = 16 + 128 + 8 + 8 + 16 + 512 + FRAME_SIZE;
export const OUTPUT_SIZE = 128 + 8 * 8 + 512 + DATA_SIZE;

export const FLAG = { CF: 1, PF: 4, AF: 0x10, ZF: 0x40, SF: 0x80, DF: 0x400, OF: 0x800, NT: 0x4000, AC: 0x40000 } as const;
export const STATUS_FLAGS = FLAG.CF | FLAG.PF | FLAG.AF | FLAG.ZF | FLAG.SF | FLAG.OF;
/** All that is compared: the status flags, TF, IF, DF, IOPL, NT, AC and ID. RF depends on how the state was captured. */
export const ALL_FLAGS = STATUS_FLAGS | 0x100 | 0x200 | FLAG.DF | 0x3000 | FLAG.NT | FLAG.AC | 0x200000;

/** Bits of the code: 64-bit mode, or 32 or 16 bits in compatibility mode. */
export type Mode = 64 | 32 | 16;

/** Vectors that both sides report; 3 means: the instruction completed and met the int3 behind it. */
export const COMPLETED = 3;

/** What lies on the stack of a case that needs something special there. */
export interface Frame {
  /** Offset in the data pages. */
  at: number;
  bytes: Uint8Array;
}

/**
 * What processors do each in their own way, by name. makers.ts takes it out of what is compared.
 * - `two-operands`: when neither operand of CMPS or MOVS can be reached or is aligned, which fault comes is the processor's choice. Of CMPS and SCAS
 *   with REP, Intel restores the flags on a fault (SDM 2, REP), AMD leaves those of the last iteration.
 * - `short-string`: with REP, 32-bit addresses and nothing done yet, Intel clears the upper halves of RCX, RSI and RDI and AMD does not.
 * - `any-byte`: MASKMOVDQU, FXSAVE, RETF and their like: which byte of several words faults, and so CR2, is the processor's choice.
 * - `mmx-memory`: on a fault of an MMX instruction's operand, Intel has already made the x87 registers MMX registers (TOP 0, tags valid).
 * - `below-stack`: Intel's CALL writes the return address below the stack pointer before it faults for the target, its PUSHA all registers
 *   before the one that finds no room.
 * - `partial-store`: of a 10-byte operand that reaches into a page that cannot be written, Intel stores the first 8 bytes.
 * - `partial-pop`: Intel's POPA has loaded the registers before the one that cannot be read.
 * - `privileged`: an operand outside its segment beside a lack of privilege: which is told is the processor's choice.
 */
export type MakerRule =
  | 'two-operands'
  | 'short-string'
  | 'any-byte'
  | 'mmx-memory'
  | 'below-stack'
  | 'partial-pop'
  | 'partial-store'
  | 'privileged';

export interface Case {
  /** Name of the form, for messages. */
  name: string;
  code: Uint8Array; // 16 bytes, padded with int3
  gpr: BigUint64Array; // encoding order
  flags: number;
  /** Where in the code page the instruction starts. */
  offset: number;
  fx: Uint8Array; // FXSAVE image, 512 bytes
  /** Laid over the data pages. */
  frame?: Frame;
  /** RFLAGS bits that the manual leaves undefined after this instruction. */
  undefinedFlags: number;
  /** Compare x87/SSE state. */
  usesFpu: boolean;
  /** Bits of the x87 status word that the manual leaves undefined. */
  undefinedFsw: number;
  mode: Mode;
  /** 64-bit code reads or writes through FS. */
  usesFs: boolean;
  /** Half-open ranges of the data pages that the manual leaves undefined or that only the processor knows. */
  undefinedData: readonly (readonly [number, number])[];
  /** Processors round it each in their own way: ST(0) and ST(1) to within 1 ulp, or this XMM register within what RCP and RSQRT may be off. */
  approximate?: 'x87' | number;
  /** What processors do each in their own way, by name. */
  makers: readonly MakerRule[];
}

export interface Outcome {
  gpr: BigUint64Array;
  rip: bigint;
  flags: number;
  vector: number;
  error: number;
  cr2: bigint;
  /** ES CS SS DS FS GS */
  segments: number[];
  fx: Uint8Array;
  data: Uint8Array;
}

export function encodeInput(c: Case, to: Uint8Array): void {
  const view = new DataView(to.buffer, to.byteOffset, INPUT_SIZE);
  to.set(c.code, 0);
  for (let i = 0; i < 16; i++) view.setBigUint64(16 + 8 * i, c.gpr[i]!, true);
  view.setBigUint64(144, BigInt(c.flags), true);
  view.setBigUint64(152, BigInt(c.offset), true);
  view.setUint32(160, c.mode, true);
  view.setUint32(164, c.usesFs ? 1 : 0, true);
  view.setUint32(168, c.frame?.at ?? 0, true);
  view.setUint32(172, c.frame?.bytes.length ?? 0, true);
  to.set(c.fx, 176);
  to.fill(0, 688, INPUT_SIZE);
  if (c.frame) to.set(c.frame.bytes, 688);
}

export function decodeOutput(from: Uint8Array): Outcome {
  const view = new DataView(from.buffer, from.byteOffset, OUTPUT_SIZE);
  const gpr = new BigUint64Array(16);
  for (let i = 0; i < 16; i++) gpr[i] = view.getBigUint64(8 * i, true);
  return {
    gpr,
    rip: view.getBigUint64(128, true),
    flags: view.getUint32(136, true),
    vector: view.getUint32(144, true),
    error: view.getUint32(152, true),
    cr2: view.getBigUint64(160, true),
    segments: Array.from({ length: 6 }, (_, i) => view.getUint16(168 + 2 * i, true)),
    fx: from.subarray(192, 192 + 512),
    data: from.subarray(192 + 512, OUTPUT_SIZE),
  };
}
