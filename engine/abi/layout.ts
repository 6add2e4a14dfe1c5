/**
 * Where things lie in the core's linear memory, compiled by both tsc and asc.
 *
 * One wasm memory32 holds the core's own state below HOST_BASE and "host memory" (what memslots are backed by) from
 * HOST_BASE up. An hva is a byte offset into this memory, so no legal hva is below HOST_BASE.
 * Only plain integer constants may stand here: both compilers read this file.
 */

/** AssemblyScript's own static data lies in [0, ASC_DATA_END). Checked at build time. */
export const ASC_DATA_END = 0x100000;

/** vCPU records, VCPU_STRIDE bytes each, MAX_VCPUS of them. Offsets: vcpu.ts. */
export const VCPU_BASE = 0x100000;
export const VCPU_STRIDE = 0x1000;
export const MAX_VCPUS = 8;

/** Arguments and results too wide for a wasm<->JS call (i64 across that border is slow): two u32, low then high. */
export const MAILBOX = 0x110000;
export const MAILBOX_HI = 0x110004;
/** Second value of calls that return two (translate: the gpa; low, high). */
export const MAILBOX2 = 0x110008;
export const MAILBOX2_HI = 0x11000c;

// The core's private tables between the records and the TLBs; nobody else reads or writes them:
//   [0x10e000, 0x110000) interpreter cells      [0x120000, 0x150000) MMU, FPU and SIMD scratch
//   [0x150000, 0x1d0000) block hash             [0x1f0000, 0x200000) handler counters of a --profile build

/** Software TLBs: per vCPU two tables (supervisor, user) of TLB_ENTRIES entries. Entry layout: tlb.ts. */
export const TLB_BASE = 0x200000;
export const TLB_STRIDE = 0x40000;

/** One u32 per host page of 4 KiB: the page's decoded code (0: none). The meaning is the core's own. */
export const CODE_PAGES = 0x400000;

/** Decoded records and block descriptors: the core's arena. */
export const ARENA_BASE = 0x800000;
export const ARENA_END = 0x1e00000;

/** The JIT's: one u32 per reason to leave a region, how often it happened, JIT_REASONS of them; then tables of compiled regions. */
export const JIT_EXITS = 0x1e00000;
export const JIT_REASONS = 0x1000;
/** u32: 1 while compiled code asks for a page that the interpreter will ask for again: a `lookup` then is no retry of the guest's. */
export const JIT_PROBING = 0x1e04000;
export const JIT_TABLES = 0x1e10000;
export const JIT_TABLES_END = 0x2000000;

/** First legal hva. */
export const HOST_BASE = 0x2000000;

export const PAGE_SIZE = 4096;
