/** Layout of a software TLB entry (32 bytes). Compiled by both tsc and asc. */

/** The entry of a page: ((va >> 12) ^ (va >> 24)) % TLB_ENTRIES. Streams a power of two apart get different entries. */
export const TLB_ENTRIES = 8192;
export const TLB_ENTRY_SIZE = 32;
/** u64 tags: the guest-virtual page address that may be read / written / executed through this entry, or -1. */
export const TLB_TAG_READ = 0;
export const TLB_TAG_WRITE = 8;
export const TLB_TAG_EXEC = 16;
/** u32: hva = u32(gva) + addend. */
export const TLB_ADDEND = 24;
/** u32: low 32 bits of the gfn, for zaps by gfn range. A false match only drops one entry too many. */
export const TLB_GFN = 28;
/** Byte offset of the user table inside a vCPU's TLB; the supervisor table lies at 0. */
export const TLB_USER = 0x40000;
/** Byte offset of the entry of a page: ((va >> 7) ^ (va >> 19)) & TLB_MASK. */
export const TLB_MASK = 0x3ffe0;

/** VCPU_TLB_NOTES: a window holds the page of this entry; the page is global. */
export const NOTE_COVERED = 1;
export const NOTE_GLOBAL = 2;

/**
 * A window: a run of pages that are adjacent in host memory and are all in the TLB, for reading or for writing. Compiled code tests an address
 * against one cell: va - FIRST < LENGTH, unsigned. Dropping a page from the TLB drops the windows that hold it.
 */
export const WINDOW_SIZE = 32;
export const WINDOWS = 4096;
/** u64 */
export const WINDOW_FIRST = 0;
/** u64 bytes less WINDOW_MARGIN, so that an access of up to 16 bytes needs only one test; 0: the window is empty. */
export const WINDOW_LENGTH = 8;
export const WINDOW_MARGIN = 15;
/** u32 hva of FIRST */
export const WINDOW_HOST = 16;
/** u32 1: all its pages are global. */
export const WINDOW_GLOBAL = 20;
/** u32 misses since the last count, u32 low half of the instruction count then. */
export const WINDOW_MISSES = 24;
export const WINDOW_SINCE = 28;

/** VCPU_MISS: number of the cell, bytes of the access, whether it writes, whether the window is one for writing. */
export const MISS_CELL = 0xfff;
export const MISS_BYTES_SHIFT = 12;
export const MISS_WRITES = 0x20000;
export const MISS_WRITABLE = 0x40000;
