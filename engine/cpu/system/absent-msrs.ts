/**
 * MSRs of features that this processor lacks, but that kernels and test suites access without asking CPUID. They read as on a processor whose feature
 * is absent or idle, and ignore writes. SDM 4, tables 2-2 and 2-20.
 */

/** 0 for machine check with no banks, memory type ranges with none, idle debug and performance counters. */
const FIRST_MC_BANK: u32 = 0x400;
const LAST_MC_BANK: u32 = 0x47f;
const FEATURE_CONTROL: u32 = 0x3a;
/** IA32_FEATURE_CONTROL: locked, with VMX and SMX off. */
const LOCKED: u64 = 1;

export function isAbsentMsr(index: u32): bool {
  if (index >= FIRST_MC_BANK && index <= LAST_MC_BANK) return true;
  // IA32_MTRR_PHYSBASE0 up to PHYSMASK15, fixed ranges; IA32_PERFEVTSELn; IA32_PMCn.
  if ((index >= 0x200 && index <= 0x21f) || (index >= 0x268 && index <= 0x26f)) return true;
  if ((index >= 0x186 && index <= 0x18d) || (index >= 0xc1 && index <= 0xc8)) return true;
  switch (index) {
    case 0x0: // IA32_P5_MC_ADDR, IA32_P5_MC_TYPE
    case 0x1:
    case 0x17: // IA32_PLATFORM_ID
    case 0x2a: // EBL_CR_POWERON
    case 0x34: // MSR_SMI_COUNT
    case FEATURE_CONTROL:
    case 0x79: // IA32_BIOS_UPDT_TRIG
    case 0xce: // MSR_PLATFORM_INFO
    case 0xfe: // IA32_MTRRCAP
    case 0x11e: // BBL_CR_CTL3
    case 0x140: // MSR_MISC_FEATURE_ENABLES
    case 0x179: // IA32_MCG_CAP, IA32_MCG_STATUS, IA32_MCG_CTL
    case 0x17a:
    case 0x17b:
    case 0x198: // IA32_PERF_STATUS, IA32_PERF_CTL
    case 0x199:
    case 0x19a: // IA32_CLOCK_MODULATION, IA32_THERM_INTERRUPT, IA32_THERM_STATUS
    case 0x19b:
    case 0x19c:
    case 0x1c9: // MSR_LASTBRANCH_TOS
    case 0x1d9: // IA32_DEBUGCTL
    case 0x1db: // last branch and last exception records
    case 0x1dc:
    case 0x1dd:
    case 0x1de:
    case 0x250: // IA32_MTRR_FIX64K_00000, FIX16K_80000, FIX16K_A0000
    case 0x258:
    case 0x259:
    case 0x2ff: // IA32_MTRR_DEF_TYPE
    case 0xc0011029: // AMD's DE_CFG: LFENCE always serializes
    case 0x38d: // IA32_FIXED_CTR_CTRL, IA32_PERF_GLOBAL_STATUS, _CTRL, _OVF_CTRL
    case 0x38e:
    case 0x38f:
    case 0x390:
      return true;
    default:
      return false;
  }
}

export function absentMsr(index: u32): u64 {
  return index == FEATURE_CONTROL ? LOCKED : 0;
}

/** MSRs whose write is #GP on every processor: capabilities and states. */
export function isReadOnlyMsr(index: u32): bool {
  return index == 0xfe || index == 0x179 || index == 0x17 || index == 0x198;
}
