/**
 * AMD's virtualization (SVM): its fields in the vCPU record, the layout of a VMCB, exit codes. AMD64 Architecture Programmer's Manual,
 * volume 2, chapter 15 and appendices B (VMCB) and C (exit codes). Compiled by both tsc and asc.
 */

/** The processor that CPUID describes, u32: CPU_MODEL_*. The machine sets it once; a reset keeps it and the words behind it. */
export const VCPU_CPU_MODEL = 0x800;
export const CPU_MODEL_LAB64 = 0;
/** AuthenticAMD, with SVM. */
export const CPU_MODEL_LAB64_SVM = 1;
/** u32 each: CPUID bits that are hidden (`-cpu lab64,-popcnt`): leaf 1 ECX, EDX, leaf 7 EBX, 0x80000001 ECX, EDX, 0x8000000A EDX. */
export const VCPU_CPUID_HIDDEN = 0x804;
export const CPUID_HIDDEN_WORDS = 6;
export const HIDDEN_1_ECX = VCPU_CPUID_HIDDEN;
export const HIDDEN_1_EDX = VCPU_CPUID_HIDDEN + 4;
export const HIDDEN_7_EBX = VCPU_CPUID_HIDDEN + 8;
export const HIDDEN_X1_ECX = VCPU_CPUID_HIDDEN + 12;
export const HIDDEN_X1_EDX = VCPU_CPUID_HIDDEN + 16;
export const HIDDEN_SVM = VCPU_CPUID_HIDDEN + 20;
/** Offset of the end of the configuration. */
export const VCPU_CONFIG_END = VCPU_CPUID_HIDDEN + CPUID_HIDDEN_WORDS * 4;

/** CPUID 0x80000001 ECX. */
export const CPUID_SVM = 1 << 2;
/** CPUID 0x8000000A EDX: nested paging, NRIP save, flush by ASID, decode assists. */
export const SVM_FEATURE_NP = 1;
export const SVM_FEATURE_NRIPS = 1 << 3;
export const SVM_FEATURE_FLUSH_BY_ASID = 1 << 6;
export const SVM_FEATURE_DECODE_ASSISTS = 1 << 7;
/** Number of ASIDs, 0x8000000A EBX. It includes the host's 0. */
export const SVM_ASIDS = 64;

/** u32 1: the global interrupt flag is clear, so a zeroed record has it set. */
export const SVM_GIF_CLEAR = 0x820;
/** u32 1: a guest of this vCPU runs (guest mode, between VMRUN and #VMEXIT). */
export const SVM_GUEST = 0x824;
/** u64 MSRs VM_CR and VM_HSAVE_PA. The host's state itself is kept in this record: software must not rely on the save area's contents. */
export const SVM_VM_CR = 0x828;
export const SVM_HSAVE_PA = 0x830;
/** u64 gpa of the VMCB that runs. */
export const SVM_VMCB = 0x838;

// Loaded by VMRUN from the VMCB's control area. The processor uses these copies, whatever is stored into the VMCB meanwhile.
/** u32: CR reads in bits 15:0, writes in 31:16; the same for DRs; exceptions; three words of other intercepts. */
export const SVM_INTERCEPT_CR = 0x840;
export const SVM_INTERCEPT_DR = 0x844;
export const SVM_INTERCEPT_EXCEPTIONS = 0x848;
export const SVM_INTERCEPT_3 = 0x84c;
export const SVM_INTERCEPT_4 = 0x850;
/** u32 */
export const SVM_ASID = 0x854;
/** u64 */
export const SVM_IOPM = 0x858;
export const SVM_MSRPM = 0x860;
export const SVM_GUEST_TSC_OFFSET = 0x868;
/** u64 as in the VMCB: V_TPR 7:0, V_IRQ 8, V_INTR_PRIO 19:16, V_IGN_TPR 20, V_INTR_MASKING 24, V_INTR_VECTOR 39:32. */
export const SVM_VINTR = 0x870;
/** u32 1: nested paging. */
export const SVM_NESTED = 0x878;
/** u64: RIP after the instruction whose software interrupt VMRUN injects (VCPU_EVENT), for the frame. */
export const SVM_INJECTED_RIP = 0x880;
/** u64 */
export const SVM_NCR3 = 0x888;

// The host's state while its guest runs, u64 each.
export const SVM_HOST_RAX = 0x890;
export const SVM_HOST_RSP = 0x898;
export const SVM_HOST_RIP = 0x8a0;
export const SVM_HOST_RFLAGS = 0x8a8;
export const SVM_HOST_CR0 = 0x8b0;
export const SVM_HOST_CR3 = 0x8b8;
export const SVM_HOST_CR4 = 0x8c0;
export const SVM_HOST_EFER = 0x8c8;
export const SVM_HOST_PAT = 0x8d0;
export const SVM_HOST_GDT_BASE = 0x8d8;
export const SVM_HOST_IDT_BASE = 0x8e0;
/** u32 each. */
export const SVM_HOST_GDT_LIMIT = 0x8e8;
export const SVM_HOST_IDT_LIMIT = 0x8ec;
export const SVM_HOST_NMI_BLOCKED = 0x8f0;
/** ES, CS, SS, DS as in the record. */
export const SVM_HOST_SEGMENTS = 0x900;
export const SVM_END = 0x940;

// The VMCB. Control area:
export const VMCB_INTERCEPT_CR = 0x00;
export const VMCB_INTERCEPT_DR = 0x04;
export const VMCB_INTERCEPT_EXCEPTIONS = 0x08;
export const VMCB_INTERCEPT_3 = 0x0c;
export const VMCB_INTERCEPT_4 = 0x10;
export const VMCB_IOPM = 0x40;
export const VMCB_MSRPM = 0x48;
export const VMCB_TSC_OFFSET = 0x50;
export const VMCB_ASID = 0x58;
/** u8 */
export const VMCB_TLB_CONTROL = 0x5c;
export const VMCB_VINTR = 0x60;
export const VMCB_INTERRUPT_SHADOW = 0x68;
export const VMCB_EXITCODE = 0x70;
export const VMCB_EXITINFO1 = 0x78;
export const VMCB_EXITINFO2 = 0x80;
export const VMCB_EXITINTINFO = 0x88;
export const VMCB_NP_ENABLE = 0x90;
export const VMCB_EVENTINJ = 0xa8;
export const VMCB_NCR3 = 0xb0;
export const VMCB_LBR_CONTROL = 0xb8;
export const VMCB_CLEAN = 0xc0;
export const VMCB_NRIP = 0xc8;
/** u8 count, then 15 bytes. */
export const VMCB_BYTES_FETCHED = 0xd0;
// State save area:
export const VMCB_ES = 0x400;
export const VMCB_CS = 0x410;
export const VMCB_SS = 0x420;
export const VMCB_DS = 0x430;
export const VMCB_FS = 0x440;
export const VMCB_GS = 0x450;
export const VMCB_GDTR = 0x460;
export const VMCB_LDTR = 0x470;
export const VMCB_IDTR = 0x480;
export const VMCB_TR = 0x490;
/** Of a segment: u16 selector, u16 attributes, u32 limit, u64 base. */
export const VMCB_SEG_SELECTOR = 0;
export const VMCB_SEG_ATTR = 2;
export const VMCB_SEG_LIMIT = 4;
export const VMCB_SEG_BASE = 8;
/** u8 */
export const VMCB_CPL = 0x4cb;
export const VMCB_EFER = 0x4d0;
export const VMCB_CR4 = 0x548;
export const VMCB_CR3 = 0x550;
export const VMCB_CR0 = 0x558;
export const VMCB_DR7 = 0x560;
export const VMCB_DR6 = 0x568;
export const VMCB_RFLAGS = 0x570;
export const VMCB_RIP = 0x578;
export const VMCB_RSP = 0x5d8;
export const VMCB_RAX = 0x5f8;
export const VMCB_STAR = 0x600;
export const VMCB_LSTAR = 0x608;
export const VMCB_CSTAR = 0x610;
export const VMCB_SFMASK = 0x618;
export const VMCB_KERNEL_GS_BASE = 0x620;
export const VMCB_SYSENTER_CS = 0x628;
export const VMCB_SYSENTER_ESP = 0x630;
export const VMCB_SYSENTER_EIP = 0x638;
export const VMCB_CR2 = 0x640;
export const VMCB_G_PAT = 0x668;

/** Bits of VMCB_INTERCEPT_3; exit code SVM_EXIT_INTR + bit. */
export const INTERCEPT_INTR = 0;
export const INTERCEPT_NMI = 1;
export const INTERCEPT_VINTR = 4;
export const INTERCEPT_CR0_SELECTIVE = 5;
export const INTERCEPT_INVLPGA = 26;
export const INTERCEPT_IOIO = 27;
export const INTERCEPT_MSR = 28;
export const INTERCEPT_SHUTDOWN = 31;

export const SVM_EXIT_READ_CR0 = 0x00;
export const SVM_EXIT_WRITE_CR0 = 0x10;
export const SVM_EXIT_READ_DR0 = 0x20;
export const SVM_EXIT_WRITE_DR0 = 0x30;
export const SVM_EXIT_EXCEPTION = 0x40;
export const SVM_EXIT_INTR = 0x60;
export const SVM_EXIT_NMI = 0x61;
export const SVM_EXIT_VINTR = 0x64;
export const SVM_EXIT_CR0_SEL_WRITE = 0x65;
export const SVM_EXIT_IDTR_READ = 0x66;
export const SVM_EXIT_GDTR_READ = 0x67;
export const SVM_EXIT_LDTR_READ = 0x68;
export const SVM_EXIT_TR_READ = 0x69;
export const SVM_EXIT_IDTR_WRITE = 0x6a;
export const SVM_EXIT_GDTR_WRITE = 0x6b;
export const SVM_EXIT_LDTR_WRITE = 0x6c;
export const SVM_EXIT_TR_WRITE = 0x6d;
export const SVM_EXIT_RDTSC = 0x6e;
export const SVM_EXIT_RDPMC = 0x6f;
export const SVM_EXIT_PUSHF = 0x70;
export const SVM_EXIT_POPF = 0x71;
export const SVM_EXIT_CPUID = 0x72;
export const SVM_EXIT_IRET = 0x74;
export const SVM_EXIT_SWINT = 0x75;
export const SVM_EXIT_INVD = 0x76;
export const SVM_EXIT_PAUSE = 0x77;
export const SVM_EXIT_HLT = 0x78;
export const SVM_EXIT_INVLPG = 0x79;
export const SVM_EXIT_INVLPGA = 0x7a;
export const SVM_EXIT_IOIO = 0x7b;
export const SVM_EXIT_MSR = 0x7c;
export const SVM_EXIT_TASK_SWITCH = 0x7d;
export const SVM_EXIT_FERR_FREEZE = 0x7e;
export const SVM_EXIT_SHUTDOWN = 0x7f;
export const SVM_EXIT_VMRUN = 0x80;
export const SVM_EXIT_VMMCALL = 0x81;
export const SVM_EXIT_VMLOAD = 0x82;
export const SVM_EXIT_VMSAVE = 0x83;
export const SVM_EXIT_STGI = 0x84;
export const SVM_EXIT_CLGI = 0x85;
export const SVM_EXIT_SKINIT = 0x86;
export const SVM_EXIT_RDTSCP = 0x87;
export const SVM_EXIT_ICEBP = 0x88;
export const SVM_EXIT_WBINVD = 0x89;
export const SVM_EXIT_NPF = 0x400;

/** EXITINFO1 of a nested page fault, beside the bits of a #PF error code: in the final translation, or in the walk of a guest's table. */
export const NPF_FINAL = 0x100000000;
export const NPF_TABLE = 0x200000000;

/** EVENTINJ and EXITINTINFO: types in bits 10:8. Interrupt, NMI and exception are numbered as EVENT_* (vcpu.ts) has them. */
export const EVENT_SOFTWARE = 0x400;
