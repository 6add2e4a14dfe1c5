/** Bits of page-table entries and of #PF error codes (SDM 3A 4), and the results of a walk. */

/** MAXPHYADDR 46 (CPUID 0x80000008). */
export const PHYS_BITS = 46;
export const PHYS_MASK: u64 = 0x00003ffffffff000;
/** Physical-address bits above MAXPHYADDR: reserved in every wide entry. */
export const RSVD_PHYS: u64 = 0x000fc00000000000;
/** In PAE tables bits 62:52 are reserved too. */
export const RSVD_PAE: u64 = 0x7fffc00000000000;
/** Reserved bits of a PAE PDPTE (SDM 3A table 4-8). */
export const PAE_PDPTE_RESERVED: u64 = 0xffffc00000000000 | 0x1e6;

export const PTE_P: u64 = 1;
export const PTE_RW: u64 = 2;
export const PTE_US: u64 = 4;
export const PTE_A: u64 = 0x20;
export const PTE_D: u64 = 0x40;
export const PTE_PS: u64 = 0x80;
export const PTE_G: u64 = 0x100;
export const PTE_NX: u64 = 0x8000000000000000;

/** Bits of a #PF error code. */
export const PF_P: u32 = 1;
export const PF_W: u32 = 2;
export const PF_U: u32 = 4;
export const PF_RSVD: u32 = 8;
export const PF_I: u32 = 16;

/** Answers of a walk. */
export const WALK_OK: i32 = 0;
export const WALK_NOT_PRESENT: i32 = 1;
export const WALK_RESERVED: i32 = 2;
/** A table is in an INVALID memslot. */
export const WALK_RETRY: i32 = 3;
/** A #VMEXIT was requested: the guest has no translation for a table's address (svm/nested.ts). */
export const WALK_EXIT: i32 = 4;
