/**
 * The memory map of the core, compiled by both tsc and asc: the only place that assigns addresses. Each part begins
 * where the one before it ends. Only plain integer constants, and sums of them, may be used here: both compilers read this file.
 *
 *   0          ASC_DATA_END   static data of the core's wasm instance
 *   VCPU_BASE  VCPU_END       vCPU: one block each, with all that a running vCPU writes except guest memory and decoded code
 *   MACHINE_*                 machine: what all vCPUs share
 *   INSTANCE_*                instance: what one wasm instance makes of guest code, for all vCPUs that it runs
 *   HOST_BASE                 host memory: what memslots are backed by. An hva is a byte offset into this memory
 */

/** AssemblyScript's own static data lies in [0, ASC_DATA_END). Checked at build time. */
export const ASC_DATA_END = 0x100000;

// --- vCPU -----------------------------------------------------------------------------------------------------------------------------

/** MAX_VCPUS blocks of VCPU_BLOCK_SIZE bytes. The offsets below are within a block, so a block's address is all that a vCPU needs. */
export const VCPU_BASE = ASC_DATA_END;
export const MAX_VCPUS = 8;

/** The record: the whole state of a vCPU (vcpu.ts). The rest of the block is working storage and caches. */
export const VCPU_RECORD_SIZE = 0x1000;

/** i32 instructions of the slice that no entered block has claimed yet. */
export const VCPU_LEFT = VCPU_RECORD_SIZE;
/** u32 entries of the fill log. */
export const VCPU_FILL_COUNT = VCPU_LEFT + 4;
/** u32 1: the frame cache holds something. */
export const VCPU_FRAMES_USED = VCPU_FILL_COUNT + 4;
/** u64 instruction count at which `run` must stop. */
export const VCPU_STOP_AT = VCPU_FRAMES_USED + 8;
/** Arguments and results too wide for a wasm<->JS call (i64 across that border is slow): u64 as two u32, low then high. */
export const VCPU_MAILBOX = VCPU_STOP_AT + 8;
/** The second value of calls that return two (translate: the gpa). */
export const VCPU_MAILBOX2 = VCPU_MAILBOX + 8;
/** u32 32 bits by va >> 30: linear GiB that had pages of 1 GiB since the last full flush. */
export const VCPU_HUGE_FILTER = VCPU_MAILBOX2 + 8;
/** 1024 bits by va >> 22: linear 4 MiB that had pages of 2 or 4 MiB since then. */
export const VCPU_LARGE_FILTER = VCPU_HUGE_FILTER + 8;
/** The first bytes of an instruction at a page's end, with those of the next page. */
export const VCPU_STITCH = VCPU_LARGE_FILTER + 128;
/** Buffers of SIMD (simd/buffers.ts): a memory operand, a result, two rows of lanes, two operands side by side. */
export const VCPU_OPERAND = VCPU_STITCH + 32;
export const VCPU_RESULT = VCPU_OPERAND + 32;
export const VCPU_LANES = VCPU_RESULT + 32;
export const VCPU_SIDE_BY_SIDE = VCPU_LANES + 32;
/** Table entries used by the last page walk (mmu-walk.ts): at most 5 levels of 24 bytes. */
export const VCPU_WALK = VCPU_SIDE_BY_SIDE + 64;
/** 32 numbers of 32 bytes (fpu/bigfloat.ts). */
export const VCPU_BIGFLOAT = VCPU_WALK + 128;
/** u64 each: instruction count and RIP at which `run` left for a breakpoint of the debugger. There, that breakpoint is passed. All ones: nowhere. */
export const VCPU_PASS_COUNT = VCPU_BIGFLOAT + 0x400;
export const VCPU_PASS_RIP = VCPU_PASS_COUNT + 8;
/** The last access that its window did not hold: u64 address; u32 MISS_* (tlb.ts). */
export const VCPU_MISS_VA = VCPU_PASS_RIP + 8;
export const VCPU_MISS = VCPU_MISS_VA + 8;
/** u32 entries of the list of windows. */
export const VCPU_WINDOW_COUNT = VCPU_MISS + 4;
/** i32 withheld from VCPU_LEFT, so that the next block entry finds too little there and stops; else 0. */
export const VCPU_WITHHELD = VCPU_WINDOW_COUNT + 4;
/** u32 1: stop after the running instruction (engine/cpu/stops.ts). */
export const VCPU_STOP_BEHIND = VCPU_WITHHELD + 4;
/** u32 1 while compiled code looks up a page that the interpreter will look up again: such a `lookup` does not count as a retry of the guest. */
export const VCPU_PROBING = VCPU_STOP_BEHIND + 4;
/** u32 address of the record of the instruction whose count is in VCPU_ICOUNT, by which a trace names the code; 0: between two blocks. */
export const VCPU_RECORD_AT = VCPU_PROBING + 4;
/** u32 address of the record of the far transfer that left compiled code (engine/cpu/regions.ts). */
export const VCPU_FAR = VCPU_RECORD_AT + 4;
/** u32 1: the user table has no tags for reads and writes, since alignment is checked (MODE_ALIGN). A guest under SVM has its own. */
export const VCPU_ALIGNED = VCPU_FAR + 4;
/** Copy of the records of an instruction after which the interpreter stops, followed by OP_STOP. */
export const VCPU_LAST = VCPU_ALIGNED + 4;
export const VCPU_LAST_RECORDS = 6;
export const VCPU_CELLS_USED = VCPU_LAST + VCPU_LAST_RECORDS * 32;
/** Room for new cells lies before it. */
export const VCPU_CELLS_END = 0x2000;
/** A block of decoded code that runs once. */
export const VCPU_SCRATCH = VCPU_CELLS_END;
export const VCPU_SCRATCH_SIZE = 0x1000;
/** Cache of gfn -> lookup answer: FRAME_CACHE_ENTRIES of 8 bytes, twice as many as the TLB has entries (engine/cpu/frames.ts). */
export const VCPU_FRAME_CACHE = VCPU_SCRATCH + VCPU_SCRATCH_SIZE;
export const FRAME_CACHE_ENTRIES = 16384;
export const FRAME_CACHE_SHIFT = 14;
/** Entries filled since the last flush: FILL_LOG_CAPACITY u16 entry numbers (the user table's follow the supervisor table's). */
export const VCPU_FILL_LOG = VCPU_FRAME_CACHE + FRAME_CACHE_ENTRIES * 8;
export const FILL_LOG_CAPACITY = 4096;
/** One u8 for each TLB entry of both tables: NOTE_* (tlb.ts). */
export const VCPU_TLB_NOTES = VCPU_FILL_LOG + FILL_LOG_CAPACITY * 2;
/** Windows filled since the last drop: WINDOW_LIST_CAPACITY u16 cell numbers (bit 12: user table). */
export const VCPU_WINDOW_LIST = VCPU_TLB_NOTES + 16384;
export const WINDOW_LIST_CAPACITY = 2048;
/**
 * One u32 for each TLB entry of both tables: a copy of its TLB_GFN (tlb.ts), maybe out of date if the entry is empty. Side by side they are faster to
 * scan for a range of gfns.
 */
export const VCPU_TLB_GFNS = VCPU_WINDOW_LIST + WINDOW_LIST_CAPACITY * 2;
/** One u8 for each TLB entry of both tables: low bits of the number of its host page, right if the entry has a write tag. For scans like that. */
export const VCPU_TLB_HOSTS = VCPU_TLB_GFNS + 65536;
export const VCPU_CACHES_END = VCPU_TLB_HOSTS + 16384;
/** Software TLBs: two tables (supervisor, user) of TLB_ENTRIES entries (tlb.ts). */
export const VCPU_TLB_SIZE = 0x80000;
export const VCPU_TLB = 0x40000;
/** Windows of compiled code (tlb.ts): two tables as far apart as the TLB's, so compiled code reaches both from one address. */
export const VCPU_WINDOWS = VCPU_TLB + VCPU_TLB_SIZE;
/**
 * A guest under SVM has translations of its own: its TLB, windows, notes, lists, filters and fill log lie this far behind the host's. Cells of its
 * own lie at the beginning.
 */
export const VCPU_GUEST_CONTEXT = VCPU_WINDOWS + VCPU_TLB_SIZE;
export const VCPU_BLOCK_SIZE = VCPU_GUEST_CONTEXT + VCPU_WINDOWS + VCPU_TLB_SIZE;
export const VCPU_END = VCPU_BASE + MAX_VCPUS * VCPU_BLOCK_SIZE;

// --- machine --------------------------------------------------------------------------------------------------------------------------

/** One u32 per host page of 4 KiB: the page's decoded code (0: none). The meaning is the core's own. */
export const CODE_PAGES = VCPU_END;
export const CODE_PAGES_SIZE = 0x400000;
/** One bit per host page: set when some TLB entry may hold a write tag for it. Decoding a page without it needs no scan of the TLBs. */
export const WRITTEN_PAGES = CODE_PAGES + CODE_PAGES_SIZE;
export const WRITTEN_PAGES_SIZE = 0x20000;
/** What the debugger watches, and the hits (watch.ts). */
export const WATCHES = WRITTEN_PAGES + WRITTEN_PAGES_SIZE;
export const WATCHES_SIZE = 0x1000;
/** One bit per host page: written since `trackWrites(1)`. */
export const CHANGED_PAGES = WATCHES + WATCHES_SIZE;
export const CHANGED_PAGES_SIZE = 0x20000;

// --- instance -------------------------------------------------------------------------------------------------------------------------

/** Hash of blocks by host address: HASH_SIZE u32. */
export const HASH = CHANGED_PAGES + CHANGED_PAGES_SIZE;
export const HASH_SIZE = 0x20000;
/** One u32 for each 8 bytes of stack, by its address, of 512: the cell in the record of the CALL whose return address lies there (returns.ts). */
export const RETURN_SLOTS = HASH + HASH_SIZE * 4;
/** Byte offset of the slot of a stack address: (va >> 1) & RETURN_MASK. */
export const RETURN_MASK = 0x7fc;
/** The cell of no CALL. */
export const RETURN_NONE = RETURN_SLOTS + 0x800;
/** Counters of a --profile build, one u32 per operation. */
export const PROFILE_COUNTERS = RETURN_SLOTS + 0x1000;
export const PROFILE_SIZE = 0x10000;
/** Decoded records and block descriptors. */
export const ARENA_BASE = PROFILE_COUNTERS + PROFILE_SIZE;
export const ARENA_END = 0x2800000;
/** For the JIT: one u32 per reason to leave a region, JIT_REASONS of them, counting how often; then tables of compiled regions. */
export const JIT_EXITS = ARENA_END;
export const JIT_REASONS = 0x1000;
/** u64: instructions that compiled code has run. u32: windows filled, and dropped. */
export const JIT_RAN = JIT_EXITS + JIT_REASONS * 4;
export const JIT_WINDOWS_FILLED = JIT_RAN + 8;
export const JIT_WINDOWS_DROPPED = JIT_WINDOWS_FILLED + 4;
/** u32 jumps from one region into another. */
export const JIT_LINKED = JIT_WINDOWS_DROPPED + 4;
export const JIT_TABLES = JIT_EXITS + 0x10000;
export const JIT_TABLES_END = 0x2a00000;

// --- host memory ----------------------------------------------------------------------------------------------------------------------

/** First legal hva. */
export const HOST_BASE = JIT_TABLES_END;

export const PAGE_SIZE = 4096;
