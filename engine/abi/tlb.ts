/** Layout of a software TLB entry (32 bytes). Compiled by both tsc and asc. */

/** The entry of a page: ((va >> 12) ^ (va >> 24)) % TLB_ENTRIES. Streams a power of two apart do not share one. */
export const TLB_ENTRIES = 4096;
export const TLB_ENTRY_SIZE = 32;
/** u64 tags: the guest-virtual page address that may be read / written / executed through this entry, or -1. */
export const TLB_TAG_READ = 0;
export const TLB_TAG_WRITE = 8;
export const TLB_TAG_EXEC = 16;
/** u32: hva = u32(gva) + addend. */
export const TLB_ADDEND = 24;
/** u32: low 32 bits of the gfn, for zaps by gfn range (a false match only drops an entry too many). */
export const TLB_GFN = 28;
/** Byte offset of the user table inside a vCPU's TLB; the supervisor table lies at 0. */
export const TLB_USER = 0x20000;
