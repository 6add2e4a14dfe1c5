/**
 * Layout of decoded code. One instruction is one 32-byte record, or a few (an address record that fills VREG_EA first, for segment
 * bases, limits and short addresses). A block is a 32-byte header followed by its records; it never leaves its page, and holds at most
 * BLOCK_LIMIT instructions. Registers are named by their byte offset in the vCPU record, so AH is VCPU_GPR + 1.
 */

/** u16 handler number (generated/ops.ts). */
export const R_OP: usize = 0;
/** u16 register offset: destination, or the ModRM.reg operand. */
export const R_DST: usize = 2;
/** u16 register offset: source, or the ModRM.rm operand when it is a register. */
export const R_SRC: usize = 4;
/** u16 register offsets of the address: base + (index << scale) + disp. A missing part is VCPU_ZERO. */
export const R_BASE: usize = 6;
export const R_INDEX: usize = 8;
/** u8 shift of the index. */
export const R_SCALE: usize = 10;
/** u8 length of the instruction in bytes. */
export const R_LEN: usize = 11;
/** u16 offset of the instruction in its page. */
export const R_OFF: usize = 12;
/** u8 instructions from this one to the block's end, this one included. */
export const R_AFTER: usize = 14;
/** u8 AUX_* for the generic handlers. */
export const R_AUX: usize = 15;
/** i64 immediate. */
export const R_IMM: usize = 16;
/** Branches: u32 first record of the next block / of the target, once known (0: not yet). In this order: indexed by "taken". */
export const R_FALL: usize = 16;
export const R_TAKEN: usize = 20;
/** i32 displacement. Branches: the target as an offset from the start of this page. */
export const R_DISP: usize = 24;
/** u32 spare: segment of an address record, second immediate. */
export const R_EXTRA: usize = 28;
export const RECORD_SIZE: usize = 32;

/** log2 of the operand size in bytes. */
export const AUX_SIZE: u32 = 3;
/** The ModRM.rm operand lies in memory. */
export const AUX_MEMORY: u32 = 4;
/** REP / REPNE in front of a string instruction. */
export const AUX_REPNE: u32 = 8;
export const AUX_REP: u32 = 16;
/** log2 of the address size in bytes << 5 (string instructions, LOOP). */
export const AUX_ASIZE_SHIFT: u32 = 5;

/** Block header, at first record - 32. */
export const H_HVA: usize = 0; // u32 host address of the first byte
export const H_MODE: usize = 4; // u32 mode key
export const H_COUNT: usize = 8; // i32 instructions
export const H_NEXT: usize = 12; // u32 next block of the hash bucket
export const H_PAGE_NEXT: usize = 16; // u32 next block of the page
export const H_CACHED: usize = 20; // u32 1: in the cache (0: scratch block, used once)
export const H_LENGTH: usize = 24; // u32 bytes of guest code
export const H_ENTRY: usize = 28; // u32 how regions of the JIT contain the block (regions.ts); 0: none does
export const HEADER_SIZE: usize = 32;

export const BLOCK_LIMIT: i32 = 64;

/** Pseudo registers in the vCPU record. They live within one instruction (EA, T0) or one page of code (PAGE). */
/** Linear address made by an address record. */
export const VREG_EA: usize = 0xe00;
/** RIP of the start of the current code page: RIP-relative operands use it as their base. */
export const VREG_PAGE: usize = 0xe08;
export const VREG_T0: usize = 0xe10;

/** Fixed cells of the interpreter. */
/** i32 instructions of the slice that no entered block has claimed. */
export const LEFT: usize = 0x10e000;
/** u64 instruction count at which `run` must stop. */
export const STOP_AT: usize = 0x10e008;
/** The first bytes of an instruction at a page's end, and a block that runs once. */
export const STITCH: usize = 0x10e100;
export const SCRATCH: usize = 0x10f000;
/** Hash of blocks: HASH_SIZE u32. */
export const HASH: usize = 0x150000;
export const HASH_SIZE: usize = 0x20000;
