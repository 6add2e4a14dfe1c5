/** Bits of the mode, and the key of decoded code. Compiled by both tsc and asc. */

/** Bits of VCPU_MODE: what decoded code and address arithmetic depend on. */
/** CR0.PE. */
export const MODE_PROT = 1;
/** EFER.LMA: long mode is active (64-bit or compatibility). */
export const MODE_LONG = 2;
/** 64-bit mode: LMA and CS.L. */
export const MODE_64 = 4;
/** Default operand and address size is 32 bits (CS.D, outside 64-bit mode). */
export const MODE_32 = 8;
/** Default stack size is 32 bits (SS.B, outside 64-bit mode). */
export const MODE_STACK32 = 16;
/** CPL is 3. */
export const MODE_USER = 32;
/** 32-bit protected mode with all of CS, SS and DS from 0 to 4 GiB: their accesses need no base and no checks. */
export const MODE_FLAT = 64;
/** The same outside long mode. No address above 4 GiB can be in the TLB there: a sum that overflows misses, and the slow path cuts it to 32 bits. */
export const MODE_NARROW = 128;
/**
 * Alignment is checked: CR0.AM, RFLAGS.AC and CPL 3 (SDM 3A 6.15, interrupt 17). While it is set, the user TLB has no tags for reads and writes, so
 * every access takes the slow path, which checks. All other code pays nothing.
 */
export const MODE_ALIGN = 256;
/** Outside 64-bit mode with a CS limit below 4 GiB: each instruction fetch and branch must check it. */
export const MODE_LIMITED = 512;
/** Instructions with XMM registers may run: CR4.OSFXSR, and neither CR0.EM nor CR0.TS. Not in the key: the handlers check it. */
export const MODE_XMM = 1024;

/** A guest of this vCPU runs under SVM: instructions that its host can intercept have a guard (engine/cpu/svm). */
export const MODE_GUEST = 1 << 14;

/** The key is (mode >> KEY_SHIFT) & KEY_MASK: what decoded code depends on besides its bytes. Its bits are the MODE_* of the same names. */
export const KEY_SHIFT = 2;
export const KEY_64 = MODE_64 >> KEY_SHIFT;
export const KEY_32 = MODE_32 >> KEY_SHIFT;
export const KEY_STACK32 = MODE_STACK32 >> KEY_SHIFT;
export const KEY_FLAT = MODE_FLAT >> KEY_SHIFT;
export const KEY_NARROW = MODE_NARROW >> KEY_SHIFT;
export const KEY_ALIGN = MODE_ALIGN >> KEY_SHIFT;
export const KEY_LIMITED = MODE_LIMITED >> KEY_SHIFT;
export const KEY_GUEST = MODE_GUEST >> KEY_SHIFT;
export const KEY_MASK = KEY_64 | KEY_32 | KEY_STACK32 | KEY_FLAT | KEY_NARROW | KEY_ALIGN | KEY_LIMITED | KEY_GUEST;
/** In the key of decoded code only: the code is from a page with breakpoints, and blocks end before each of them (engine/cpu/watch.ts). */
export const KEY_WATCHED = 0x10000;
