/**
 * Layout of decoded code, compiled by both tsc and asc. An instruction is one record of 32 bytes, or several: an address record in front
 * of it computes the linear address of the memory operand in VREG_EA where a plain sum is not enough (segment bases and limits, short
 * addresses). A block is a header of 32 bytes and its records; it never leaves its page of code and holds at most BLOCK_LIMIT instructions.
 *
 *        0       2       4       6       8       10  11  12      14  15
 *      +-------+-------+-------+-------+-------+---+---+-------+---+---+
 *      | OP    | DST   | SRC   | BASE  | INDEX |SCL|LEN| OFF   |AFT|AUX|   every record
 *      +-------+-------+-------+-------+-------+---+---+-------+---+---+
 *   16 | IMM                           | DISP          |               |   operands
 *      +---------------+---------------+---------------+---------------+
 *   16 | FALL / BEHIND | TAKEN         | TARGET        | AWAY          |   near branches in line
 *      +---------------+---------------+---------------+---------------+
 *   16 | CONDITION, NUMBER, PORT, ...  | TARGET, LAST  | KIND, LEVEL,..|   out of line
 *      +-------------------------------+---------------+---------------+
 *   16 | FAR (R_EA_FAR)                | DISP          | EA_BASE / EA_SEGMENT   address records
 *      +-------------------------------+-------------------------------+
 *   16 | LOGGED (opUndefined)          | BYTES                         |
 *      +-------------------------------+-------------------------------+
 *
 * A register is named by its byte offset in the vCPU record (vcpu.ts), so AH is VCPU_GPR + 1. Only the setters in engine/cpu/record.ts
 * write records and headers.
 */

/** u16 operation number (ops/index.ts). */
export const R_OP = 0;
/** u16 register: the destination, or the ModRM.reg operand. */
export const R_DST = 2;
/** u16 register: the source, or the ModRM.rm operand when it is a register. */
export const R_SRC = 4;
/** u16 registers of the address base + (index << scale) + disp. VCPU_ZERO stands for a missing one. */
export const R_BASE = 6;
export const R_INDEX = 8;
/** u8 shift of the index. */
export const R_SCALE = 10;
/** String instructions: u8 segment of the source. */
export const R_STRING_SEGMENT = 10;
/** u8 bytes of the instruction. */
export const R_LEN = 11;
/** u16 offset of the instruction in its page. */
export const R_OFF = 12;
/** u8 instructions from this one to the end of the block, this one included. */
export const R_AFTER = 14;
/** u8 AUX_*, for what runs out of line. */
export const R_AUX = 15;

/** i64 immediate, sign-extended. Shifts: the count (-1: CL). RET: bytes to drop. */
export const R_IMM = 16;
/** u32 first record of the block after a branch, and of its target; 0: not known yet. In this order: indexed by "taken". */
export const R_FALL = 16;
export const R_TAKEN = 20;
/** u32 near CALL: what R_BEHIND is for other CALLs. */
export const R_BEHIND_NEAR = 16;
/** u32 condition code: SETcc, CMOVcc, Jcc out of line. */
export const R_CONDITION = 16;
/** u32 number of a segment, control or debug register; the vector of INT; the variant of FLAG and LOOP (ops-misc.ts, ops-branch.ts). */
export const R_NUMBER = 16;
/** i64 port of IN and OUT; -1: DX. */
export const R_PORT = 16;
/** i64 offset of a far pointer in the instruction; its selector: R_SELECTOR. */
export const R_FAR_OFFSET = 16;
/** u32 how the handler itself checks the segment: WHERE_*, segment << 8, log2 of the address size << 16. */
export const R_WHERE = 16;
/** u32 x87: opcode | ModRM << 8 | what to try first (x87-ways.ts) << 16. */
export const R_FPU = 16;
/** u64 MMX and SSE: the operation (simd/decode.ts). */
export const R_SIMD = 16;
/** i64 displacement of an address that needs more than 32 bits. */
export const R_FAR = 16;
/** u32 #UD: 1 when a log line reports the bytes. */
export const R_LOGGED = 16;

/** i32 displacement of an address. */
export const R_DISP = 24;
/** i32 target of a near branch, as an offset from the start of this page. */
export const R_TARGET = 24;
/** u32 first record of the block that a far transfer last went to; 0: none. That block may have been dropped since (engine/cpu/far-targets.ts). */
export const R_LAST = 24;
/** 8 first bytes of an invalid instruction. */
export const R_BYTES = 24;

/** u32 near branches: first record of the block that it last led to outside its page; 0: none. A guess: the block may have been dropped since. */
export const R_AWAY = 28;
/** u32 CALL through a register or memory: first record of the block after it; 0: not known. A guess (engine/cpu/returns.ts). */
export const R_BEHIND = 28;
/** u32 address records of 64-bit and flat code: register whose value is added. */
export const R_EA_BASE = 28;
/** u32 address records with checks: segment, log2 of the address size << 8, bytes << 16, write << 31. */
export const R_EA_SEGMENT = 28;
/** u32 which of a group: shifts and bit tests by ModRM.reg, string instructions by opcode, INT3 and INT1, IMUL with an immediate. */
export const R_KIND = 28;
/** u32 nesting level of ENTER. */
export const R_LEVEL = 28;
/** u32 selector of a far pointer in the instruction. */
export const R_SELECTOR = 28;
/** u32 segment of the operand: XLAT; MASKMOV: 0xff none, log2 of the address size << 8. */
export const R_SEGMENT = 28;
export const RECORD_SIZE = 32;

/** R_AUX: log2 of the operand size in bytes. */
export const AUX_SIZE = 3;
/** The ModRM.rm operand lies in memory. */
export const AUX_MEMORY = 4;
/** REP and REPNE in front of a string instruction. */
export const AUX_REPNE = 8;
export const AUX_REP = 16;
/** log2 of the address size in bytes << 5: string instructions, LOOP, LEA, XLAT. */
export const AUX_ASIZE_SHIFT = 5;

/** R_WHERE: the address wraps at 4 GiB. */
export const WHERE_WRAPS = 1;
/** The segment and the address size stand in the word. */
export const WHERE_SEGMENT = 2;

/**
 * Header of a block, in the 32 bytes before its first record. A block is named by the address of its first record.
 *
 *        0               4               8               12
 *      +---------------+---------------+---------------+---------------+
 *      | HVA           | MODE          | COUNT         | NEXT          |
 *      +---------------+---------------+---------------+---------------+
 *   16 | PAGE_NEXT     | CACHED        | LENGTH        | ENTRY         |
 *      +---------------+---------------+---------------+---------------+
 */
/** u32 host address of the first byte. */
export const H_HVA = 0;
/** u32 mode key (mode.ts) that the code was decoded for. */
export const H_MODE = 4;
/** i32 instructions. */
export const H_COUNT = 8;
/** u32 next block of the hash bucket. */
export const H_NEXT = 12;
/** u32 next block of the page. */
export const H_PAGE_NEXT = 16;
/** u32 1: in the cache. 0: dropped, or a scratch block that runs once. */
export const H_CACHED = 20;
/** u32 bytes of guest code. */
export const H_LENGTH = 24;
/** u32 how compiled regions contain the block (engine/cpu/regions.ts); 0: none does. The descriptor of the page counts how hot the code is. */
export const H_ENTRY = 28;
export const HEADER_SIZE = 32;

export const BLOCK_LIMIT = 64;

/** Pseudo registers in the vCPU record. They are valid during one instruction (EA) or one page of code (PAGE). */
/** u64 linear address computed by an address record. */
export const VREG_EA = 0xe00;
/** u64 RIP of the start of the current page of code: RIP-relative operands use it as their base. */
export const VREG_PAGE = 0xe08;
