/**
 * A differential case: one instruction with its whole initial state, and the outcome on a processor.
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
/** The flags compared: the status flags, TF, IF, DF, IOPL, NT, AC and ID. RF depends on how the state was captured. */
export const ALL_FLAGS = STATUS_FLAGS | 0x100 | 0x200 | FLAG.DF | 0x3000 | FLAG.NT | FLAG.AC | 0x200000;

/** Bits of the code: 64-bit mode, or 32 or 16 bits in compatibility mode. */
export type Mode = 64 | 32 | 16;

/** Vectors that both sides report; 3 means that the instruction completed and reached the int3 after it. */
export const COMPLETED = 3;

/** The stack contents of a case that needs special ones. */
export interface Frame {
  /** Offset in the data pages. */
  at: number;
  bytes: Uint8Array;
}

/**
 * Behaviour that differs between processors, by name. makers.ts excludes it from the comparison.
 * - `two-operands`: when neither operand of CMPS or MOVS can be reached or is aligned, which fault is raised is the processor's choice. For
 *   CMPS and SCAS with REP, Intel restores the flags on a fault (SDM 2, REP), AMD leaves those of the last iteration.
 * - `short-string`: with REP, 32-bit addresses and nothing done yet, Intel clears the upper halves of RCX, RSI and RDI and AMD does not.
 * - `any-byte`: MASKMOVDQU, FXSAVE, RETF and similar: which byte of several words faults, and so CR2, is the processor's choice.
 * - `mmx-memory`: when the operand of an MMX instruction faults, Intel has already switched the x87 registers to MMX (TOP 0, tags valid).
 * - `below-stack`: Intel's CALL writes the return address below the stack pointer before it faults on the target; its PUSHA writes all
 *   registers before the one that does not fit.
 * - `partial-store`: Intel stores the first 8 bytes of a 10-byte operand that extends into a page that cannot be written.
 * - `partial-pop`: Intel's POPA has loaded the registers before the one that cannot be read.
 * - `privileged`: an operand outside its segment and a lack of privilege at once: which one is reported is the processor's choice.
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
  /** Processors round differently: compare ST(0) and ST(1) to within 1 ulp, or this XMM register to within the error allowed for RCP and RSQRT. */
  approximate?: 'x87' | number;
  /** Behaviour that differs between processors, by name. */
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
