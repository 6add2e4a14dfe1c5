/** Numbers of a region's parameters and locals, of the core's functions that it calls, and of its exit reasons. */
import { VCPU_ZERO } from '../abi/vcpu';
import { GROUPS } from './accesses';
import { I32, I64, V128 } from './encoder';
import type { Callees, FunctionType, Locals } from './module';

// Parameters of a region.
export const VCPU = 0;
export const ENTRY = 1;
/** Instructions left of the slice, without those of the running block. */
export const LEFT_LOCAL = 2;
/** RIP of the start of the region's first page. */
export const PAGE = 3;
export const TLB = 4;
/** Bits of the region's pages that are verified to be executed from the host pages that it was compiled from. */
export const VERIFIED = 5;
export const REGION_TYPE: FunctionType = { parameters: [I32, I32, I32, I64, I32, I32], results: [I32] };

// 64-bit locals.
export const GPR0 = 6;
/** Operands of the last operation that set flags: for conditions, and (`KEPT`) for exits. */
export const FIRST = 22;
export const SECOND = 23;
export const RESULT = 24;
export const KEPT = 25;
/** The linear address of an access, and the result of address records. */
export const VA = 26;
export const EA = 27;
/** Scratch of the operations. */
export const X = 28;
export const Y = 29;
export const Z = 30;
export const RIP = 31;
// 32-bit locals.
export const KIND = 32;
export const TLB_ENTRY = 33;
export const A = 34;
export const B = 35;
export const R = 36;
export const T = 37;
/** What the region returns. */
export const CODE = 38;
// Vectors, and scratch for them.
export const XMM0 = 39;
export const V0 = 55;
export const V1 = 56;
export const V2 = 57;
/** Vector instructions may run, and ordinary arithmetic does not change MXCSR. */
export const VECTORS = 58;
export const EXACT = 59;
/** Host address of the current access, and of the lowest bytes of tested groups. */
export const HOST = 60;
export const GROUP0 = 61;
/** 0, or the rotation that last set CF and OF (1 left, 2 right | (bits - 1) << 8), and its result. */
export const TURNED = GROUP0 + GROUPS;
export const TURNED_TO = TURNED + 1;
/** Offset in its window of an access */
export const DISTANCE = TURNED_TO + 1;
// x87 instructions (emit-x87.ts).
export const X87_STATUS = DISTANCE + 1;
/** 16 times the first TOP of the run. */
export const X87_TOP = X87_STATUS + 1;
/** What the run has changed, for the core (abi/x87-ways.ts); 0: nothing. Of the last instruction: its opcode, its offset from the first page. */
export const X87_NOTE = X87_STATUS + 2;
export const X87_FOP = X87_STATUS + 3;
export const X87_FIP = X87_STATUS + 4;
/** Sign and exponent of a memory operand. */
export const X87_SE = X87_STATUS + 5;
/** Addresses of registers, and copies of numbers. */
export const X87_PLACE0 = X87_STATUS + 6;
export const X87_SE0 = X87_PLACE0 + 8;
export const X87_SIG0 = X87_SE0 + 8;
/** Address of the last operand. */
export const X87_FDP = X87_SIG0 + 8;
export const LOCALS: Locals = [
  [26, I64],
  [7, I32],
  [19, V128],
  [2 + 1 + GROUPS + 1, I32],
  [2, I64],
];
/** These follow in regions with x87 instructions. */
export const X87_LOCALS: Locals = [
  [22, I32],
  [9, I64],
];

/** Helpers of the core, by their places in the table. */
export const FILL = 0;
export const FETCH = 1;
export const COLD = 2;
export const END = 3;
export const FLAGS = 4;
export const CARRY = 5;
export const CONDITION = 6;
export const ROTATED = 7;
export const X87 = 8;
export const X87_STATE = 9;
export const X87_ADD = 10;
export const X87_MULTIPLY = 11;
export const X87_DIVIDE = 12;
export const X87_ROOT = 13;
export const X87_RELATION = 14;
export const X87_STORE = 15;
const type = (parameters: number[], results: number[]): FunctionType => ({ parameters, results });
const ARITHMETIC = type([I32, I64, I32, I64, I32], [I32]);
/** In the order of REGION_HELPERS (engine/abi/core.ts), as above. */
const HELPERS: readonly FunctionType[] = [
  type([I64, I32, I32], [I32]),
  type([I64, I32, I32], [I32]),
  type([I32], [I32]),
  type([I32, I64, I32], [I32]),
  type([I32, I64, I64, I64], []),
  type([], [I32]),
  type([I32], [I32]),
  type([I32, I64], []),
  type([I32, I64], [I32]),
  type([I32, I32, I32, I64, I64], []),
  ARITHMETIC,
  ARITHMETIC,
  ARITHMETIC,
  type([I32, I64, I32], [I32]),
  type([I64, I32, I64, I32], [I32]),
  type([I32, I64, I32, I32, I32], [I32]),
];
export const CALLEES: Callees = { imports: [], helpers: HELPERS };

/** Added to a reason: the interpreter must run the next instruction itself. */
export const INTERPRET = 0x10000;
/** VCPU_MISS names the window that did not hold the access. */
export const MISSED = 0x80000;
/** The core must run the far transfer whose record is in VCPU_FAR. */
export const FAR = 0x200000;
/** Exit reasons other than the number of an operation. */
export const Reason = { jump: 0xf00, slice: 0xf01, memory: 0xf02, page: 0xf03, outOfLine: 0xf04, window: 0xf05 } as const;

export const isGpr = (offset: number): boolean => offset < VCPU_ZERO;
