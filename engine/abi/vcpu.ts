/**
 * The vCPU record: byte offsets of every field of one vCPU's state in linear memory. Compiled by both tsc and asc.
 * Little-endian; u64 unless the comment says otherwise. The record is the whole state of a vCPU: saving it alone
 * saves the vCPU. TLB and decoded code are caches, which a restore drops.
 */

/**
 * Version of this record in files and links. Raise it when a field moves or changes its meaning, so that older records are refused or converted. A
 * new field for which 0 is right needs no new version.
 */
export const VCPU_RECORD_VERSION = 1;

/** rax rcx rdx rbx rsp rbp rsi rdi r8..r15, in the manual's encoding order, 8 bytes each. */
export const VCPU_GPR = 0x000;
export const VCPU_RAX = VCPU_GPR + 0;
export const VCPU_RCX = VCPU_GPR + 8;
export const VCPU_RDX = VCPU_GPR + 16;
export const VCPU_RBX = VCPU_GPR + 24;
export const VCPU_RSP = VCPU_GPR + 32;
export const VCPU_RBP = VCPU_GPR + 40;
export const VCPU_RSI = VCPU_GPR + 48;
export const VCPU_RDI = VCPU_GPR + 56;
export const VCPU_R11 = VCPU_GPR + 88;
/** Pseudo register that is always 0: a record without base or index points here. */
export const VCPU_ZERO = 0x080;
export const VCPU_RIP = 0x088;
/** Flags. The core's lazy form lies in [VCPU_FLAGS, +0x30) and is private to it: read and write RFLAGS only with getRflags / setRflags. */
export const VCPU_FLAGS = 0x090;

/** Segment records, VCPU_SEG_SIZE bytes each: base u64, limit u32 (in bytes, granularity applied), selector u16,
 *  attributes u16 (type 0-3, S 4, DPL 5-6, P 7, AVL 8, L 9, D/B 10, G 11; 0 = unusable). */
export const VCPU_SEG = 0x0c0;
export const VCPU_SEG_SIZE = 16;
export const SEG_BASE = 0;
export const SEG_LIMIT = 8;
export const SEG_SELECTOR = 12;
export const SEG_ATTR = 14;
export const SEG_ES = 0;
export const SEG_CS = 1;
export const SEG_SS = 2;
export const SEG_DS = 3;
export const SEG_FS = 4;
export const SEG_GS = 5;
export const SEG_LDTR = 6;
export const SEG_TR = 7;

export const VCPU_GDT_BASE = 0x140;
export const VCPU_GDT_LIMIT = 0x148; // u32
export const VCPU_IDT_BASE = 0x150;
export const VCPU_IDT_LIMIT = 0x158; // u32

export const VCPU_CR0 = 0x160;
export const VCPU_CR2 = 0x168;
export const VCPU_CR3 = 0x170;
export const VCPU_CR4 = 0x178;
/** Task priority (CR8). The local APIC's TPR is this << 4; the APIC device reads and writes it here. */
export const VCPU_CR8 = 0x180;
export const VCPU_EFER = 0x188;
export const VCPU_DR0 = 0x190; // DR0..DR3, DR6, DR7: 6 x 8
export const VCPU_DR6 = 0x1b0;
export const VCPU_DR7 = 0x1b8;

export const VCPU_STAR = 0x1c0;
export const VCPU_LSTAR = 0x1c8;
export const VCPU_CSTAR = 0x1d0;
export const VCPU_SFMASK = 0x1d8;
export const VCPU_KERNEL_GS_BASE = 0x1e0;
export const VCPU_SYSENTER_CS = 0x1e8;
export const VCPU_SYSENTER_ESP = 0x1f0;
export const VCPU_SYSENTER_EIP = 0x1f8;
export const VCPU_PAT = 0x200;
export const VCPU_TSC_AUX = 0x208;
export const VCPU_APIC_BASE = 0x210;
export const VCPU_MISC_ENABLE = 0x218;
/** Added to the clock to give the TSC (WRMSR TSC, TSC_ADJUST). */
export const VCPU_TSC_OFFSET = 0x220;
export const VCPU_TSC_DEADLINE = 0x228;
/**
 * u64: the latest guest time (ns) that any vCPU's TSC has shown. The executor passes it on from turn to turn: vCPUs run in turns through the same
 * stretch of guest time, so otherwise the next one's TSC would be behind values already in memory. 0: the only vCPU.
 */
export const VCPU_TSC_SHOWN = 0x230;

/** u32 each from here. */
export const VCPU_CPL = 0x280;
/** The core's digest of CR0/CR4/EFER/CS, private to it. */
export const VCPU_MODE = 0x284;
/** 1 while an interrupt controller has a vector for this vCPU; the core then calls `ackInterrupt` when IF allows. */
export const VCPU_IRQ_PENDING = 0x288;
export const VCPU_NMI_PENDING = 0x28c;
/** 1 after HLT until an interrupt; 2 = waiting for SIPI; 3 = shut down. */
export const VCPU_HALTED = 0x290;
/** SHADOW_* for the one instruction after STI, or after MOV SS or POP SS; else 0. */
export const VCPU_INTR_SHADOW = 0x294;
export const SHADOW_STI = 1;
/** The shadow also holds back a single-step trap (SDM 3A 6.8.3). */
export const SHADOW_MOV_SS = 2;
/** Set by JS in an MMIO/PIO handler or between slices: leave `run` after this instruction (EXIT_REQUESTED). */
export const VCPU_EXIT_REQUEST = 0x298;
/** Address space: 0 normal, 1 SMM. */
export const VCPU_AS_ID = 0x29c;

/** Retired instructions since reset (u64). Exact whenever JS code runs. */
export const VCPU_ICOUNT = 0x2a0;
/** `run` leaves with EXIT_BUDGET when ICOUNT reaches this (u64). Set by `run`; an MMIO/PIO handler may lower it. */
export const VCPU_SLICE_END = 0x2a8;
/**
 * Guest time in ns = (ICOUNT << VCPU_CLOCK_SHIFT) + CLOCK_SKEW (u64). A HLT that skips time adds to the skew. The TSC runs at 1 GHz: TSC = guest ns +
 * TSC_OFFSET.
 */
export const VCPU_CLOCK_SKEW = 0x2b0;
/** u32: log2 of the nanoseconds per instruction (3 = 8 ns, 125 M instructions per guest second). */
export const VCPU_CLOCK_SHIFT = 0x2b8;
/** u32: this vCPU's index. */
export const VCPU_INDEX = 0x2bc;
/** u64: EXIT_BREAK before the instruction with this count (all ones: never). */
export const VCPU_BREAK_ICOUNT = 0x2c0;
/** u32: 1 from the delivery of an NMI until the next IRET. */
export const VCPU_NMI_BLOCKED = 0x2c8;

/** u32: vector and error code of the exception being delivered; u64: candidate for CR2. Only the core writes them. */
export const VCPU_FAULT_VECTOR = 0x2d0;
export const VCPU_FAULT_ERROR = 0x2d4;
export const VCPU_FAULT_ADDR = 0x2d8;
/** First 16 bytes of the instruction last reported with LOG_UNIMPLEMENTED, and their count (u32). */
export const VCPU_LOG_BYTES = 0x2e0;
export const VCPU_LOG_LENGTH = 0x2f0;
/** u64 state of the RDRAND generator. The machine seeds it; since it is part of the state, replays are exact. */
export const VCPU_RDRAND = 0x2f8;

/**
 * u32: the event whose delivery met an INVALID memslot. Its delivery is retried before anything else. Laid out as VMX's VM-entry interruption
 * information (SDM 3C 25.8.3): vector in bits 7:0, EVENT_TYPE, EVENT_ERROR_CODE, EVENT_VALID. 0: none.
 */
export const VCPU_EVENT = 0x300;
/** u32: its error code. */
export const VCPU_EVENT_ERROR = 0x304;
export const EVENT_TYPE = 0x700;
export const EVENT_EXTERNAL = 0x000;
export const EVENT_NMI = 0x200;
/** An exception of class fault. */
export const EVENT_FAULT = 0x300;
/** An exception of class trap (VMX has no type of its own for it). */
export const EVENT_TRAP = 0x100;
export const EVENT_ERROR_CODE = 0x800;
export const EVENT_VALID = 0x80000000;

/** u32: 1 while IGNNE# is asserted: with CR0.NE = 0 instructions then run despite a pending x87 error. */
export const VCPU_IGNNE = 0x308;
/** u32: DR6 bits of data and I/O breakpoints that MOV SS or POP SS hit; the trap follows the next instruction (SDM 3A 6.8.3). */
export const VCPU_PENDING_DEBUG = 0x30c;

/** x87: 8 physical registers of 16 bytes (64-bit significand, 16-bit sign+exponent, padding). */
export const VCPU_FPU_REGS = 0x400;
export const VCPU_FCW = 0x480; // u16
export const VCPU_FSW = 0x482; // u16, TOP inside
export const VCPU_FTW = 0x484; // u16, full 2-bit tags
export const VCPU_FOP = 0x486; // u16
export const VCPU_FIP = 0x488;
export const VCPU_FDP = 0x490;
export const VCPU_MXCSR = 0x498; // u32
/** XMM0..15, 16 bytes each. */
export const VCPU_XMM = 0x500;

/** u32: number of device accesses of the instruction at VCPU_DONE_RIP, which met an INVALID memslot and will be retried; 0: none. */
export const VCPU_DONE_COUNT = 0x940;
export const VCPU_DONE_RIP = 0x948;
/** 16 bytes each: gpa, size << 56 and 1 << 60 for a write; value. ENTER can make the most before it meets a memslot: 30 reads. */
export const VCPU_DONE_ACCESSES = 0x950;
export const DONE_MOST = 43;

/** Counters, u64 each, never decremented. Not part of the digest. */
export const VCPU_STATS = 0xc00;
export const STAT_TLB_MISS = 0x00;
export const STAT_PAGE_WALK = 0x08;
export const STAT_ZAPPED_ENTRIES = 0x10;
export const STAT_BLOCKS_DECODED = 0x18;
export const STAT_CODE_INVALIDATED = 0x20;
export const STAT_MMIO = 0x28;
export const STAT_PIO = 0x30;
export const STAT_EXCEPTIONS = 0x38;
export const STAT_INTERRUPTS = 0x40;
export const STAT_RETRIES = 0x48;
export const STAT_TLB_FLUSH = 0x50;
export const STAT_UNIMPLEMENTED = 0x58;
/** #VMEXITs of guests under SVM. */
export const STAT_VM_EXITS = 0x60;
