/**
 * CPUID, the only place where features are advertised. A bit is set only if everything that it promises works. SDM 2, CPUID. Leaves beyond the
 * highest return zeros.
 *
 * `lab64`: Intel, family 6, model 0x36, stepping 1 ("Cedarview"): an in-order core, which guests rightly believe free of speculation bugs, so none of
 * them spends time on mitigations. `lab64-svm`: AMD with SVM, family 4 for the same reason (Linux trusts any vendor's).
 */
import { MAX_VCPUS, VCPU_APIC_BASE, VCPU_INDEX, VCPU_RAX, VCPU_RBX, VCPU_RCX, VCPU_RDX } from '../../abi/index';
import {
  CPU_MODEL_LAB64_SVM,
  CPUID_SVM,
  HIDDEN_1_ECX,
  HIDDEN_1_EDX,
  HIDDEN_7_EBX,
  HIDDEN_SVM,
  HIDDEN_X1_ECX,
  HIDDEN_X1_EDX,
  SVM_ASIDS,
  SVM_FEATURE_DECODE_ASSISTS,
  SVM_FEATURE_FLUSH_BY_ASID,
  SVM_FEATURE_NP,
  SVM_FEATURE_NRIPS,
  VCPU_CPU_MODEL,
} from '../../abi/svm';
import { PHYS_BITS } from '../page-bits';
import { cpu } from '../state';

/** Family, model, stepping; also in EDX after reset. */
const INTEL_SIGNATURE: u32 = 0x00030661;
const AMD_SIGNATURE: u32 = 0x000004f4;

const MAX_BASIC: u32 = 0x16;
const MAX_BASIC_AMD: u32 = 0xb;
const MAX_EXTENDED: u32 = 0x80000008;
const MAX_EXTENDED_AMD: u32 = 0x8000000a;

/** Leaf 1 EDX: PSE TSC MSR PAE CX8 SEP PGE CMOV PAT PSE36. APIC (bit 9) follows IA32_APIC_BASE. */
const LEAF1_EDX: u32 = (1 << 3) | (1 << 4) | (1 << 5) | (1 << 6) | (1 << 8) | (1 << 11) | (1 << 13) | (1 << 15) | (1 << 16) | (1 << 17);
/** Leaf 1 EDX: FPU CLFSH MMX FXSR SSE SSE2. */
const LEAF1_EDX_FPU: u32 = 1 | (1 << 19) | (1 << 23) | (1 << 24) | (1 << 25) | (1 << 26);
const LEAF1_APIC: u32 = 1 << 9;
/** Leaf 1 ECX: SSE3 SSSE3 CX16 SSE4.1 SSE4.2 POPCNT (with LAHF below: x86-64-v2), TSC_DEADLINE, RDRAND. */
const LEAF1_ECX: u32 = 1 | (1 << 9) | (1 << 13) | (1 << 19) | (1 << 20) | (1 << 23) | (1 << 24) | (1 << 30);
/** Leaf 6 EAX: ARAT, the local APIC's timer never stops. */
const LEAF6_EAX: u32 = 1 << 2;
/** Leaf 7 EBX: TSC_ADJUST, ERMS, x87 selectors are not saved. */
const LEAF7_EBX: u32 = (1 << 1) | (1 << 9) | (1 << 13);
/** Leaf 0x80000001 EDX: SYSCALL NX 1G-pages RDTSCP LM; ECX: LAHF in 64-bit mode. */
const EXT1_EDX: u32 = (1 << 11) | (1 << 20) | (1 << 26) | (1 << 27) | (1 << 29);
const EXT1_ECX: u32 = 1;
/**
 * AMD: all vCPUs are cores of one package, whose APIC ids have three bits for the core (leaf 1 EDX: HTT, 0x80000001 ECX: CMP_LEGACY, 0x80000008
 * ECX). With one package per vCPU, Linux would compare each vCPU's TSC with the first one's and trust neither, since vCPUs run in turns.
 */
const AMD_HTT: u32 = 1 << 28;
const AMD_CMP_LEGACY: u32 = 1 << 1;
const AMD_CORES: u32 = (3 << 12) | (MAX_VCPUS - 1);
/** Leaf 0x8000000A: SVM revision 1; nested paging, NRIP save, flush by ASID. */
const SVM_REVISION: u32 = 1;
const SVM_EDX: u32 = SVM_FEATURE_NP | SVM_FEATURE_NRIPS | SVM_FEATURE_FLUSH_BY_ASID | SVM_FEATURE_DECODE_ASSISTS;
/** Leaf 0x80000007 EDX: the TSC runs at one rate in all states. */
const EXT7_EDX: u32 = 1 << 8;
const TSC_MHZ: u32 = 1000;
/** The local APIC timer counts at this rate before its divider (leaf 0x15 ECX). */
const CRYSTAL_HZ: u32 = 1000000000;

export function isAmd(): bool {
  return load<u32>(cpu, VCPU_CPU_MODEL) == CPU_MODEL_LAB64_SVM;
}
export function cpuSignature(): u32 {
  return isAmd() ? AMD_SIGNATURE : INTEL_SIGNATURE;
}
/** These bits without those that `-cpu MODEL,-feature` hides. `word`: HIDDEN_*. */
function shown(bits: u32, word: usize): u32 {
  return bits & ~load<u32>(cpu + word);
}
/** 0x80000001 ECX. */
export function extendedFeatures(): u32 {
  return shown(isAmd() ? EXT1_ECX | AMD_CMP_LEGACY | CPUID_SVM : EXT1_ECX, HIDDEN_X1_ECX);
}
/** 0x8000000A EDX; 0 without SVM. */
export function svmFeatures(): u32 {
  return extendedFeatures() & CPUID_SVM ? shown(SVM_EDX, HIDDEN_SVM) : 0;
}

let eax: u32 = 0;
let ebx: u32 = 0;
let ecx: u32 = 0;
let edx: u32 = 0;

function set(a: u32, b: u32, c: u32, d: u32): void {
  eax = a;
  ebx = b;
  ecx = c;
  edx = d;
}

/** Processor brand string, 48 bytes, as little-endian words. */
function brand(part: u32): void {
  if (part == 0)
    set(0x736d656d, 0x2d746f6c, 0x2062616c, 0x55504376); // "memslot-lab vCPU"
  else if (part == 1)
    set(0x31204020, 0x4730302e, 0x00007a48, 0); // " @ 1.00GHz"
  else set(0, 0, 0, 0);
}

function basic(leaf: u32): void {
  set(0, 0, 0, 0);
  if (leaf == 0) {
    if (isAmd())
      set(MAX_BASIC_AMD, 0x68747541, 0x444d4163, 0x69746e65); // AuthenticAMD
    else set(MAX_BASIC, 0x756e6547, 0x6c65746e, 0x49656e69); // GenuineIntel: EBX "Genu", EDX "ineI", ECX "ntel"
  } else if (leaf == 1) {
    const apic = load<u64>(cpu, VCPU_APIC_BASE) & 0x800 ? LEAF1_APIC : 0;
    // EBX: CLFLUSH line 64 bytes, logical processors of the package, initial APIC id.
    const features = shown(LEAF1_EDX | LEAF1_EDX_FPU | apic, HIDDEN_1_EDX) | (isAmd() ? AMD_HTT : 0);
    const inPackage: u32 = isAmd() ? MAX_VCPUS : 1;
    set(cpuSignature(), (load<u32>(cpu, VCPU_INDEX) << 24) | (inPackage << 16) | (8 << 8), shown(LEAF1_ECX, HIDDEN_1_ECX), features);
  } else if (leaf == 2) {
    eax = 1; // one round, no descriptor bytes: leaf 4 describes caches, and there are none
  } else if (leaf == 6) {
    eax = LEAF6_EAX;
  } else if (leaf == 0xb) {
    edx = load<u32>(cpu, VCPU_INDEX);
  } else if (leaf == 0x15) {
    set(1, 1, CRYSTAL_HZ, 0);
  } else if (leaf == 0x16) {
    set(TSC_MHZ, TSC_MHZ, 100, 0);
  }
}

function extended(leaf: u32): void {
  set(0, 0, 0, 0);
  if (leaf == 0x80000000) {
    if (isAmd()) set(MAX_EXTENDED_AMD, 0x68747541, 0x444d4163, 0x69746e65);
    else eax = MAX_EXTENDED;
  } else if (leaf == 0x80000001) set(isAmd() ? AMD_SIGNATURE : 0, 0, extendedFeatures(), shown(EXT1_EDX, HIDDEN_X1_EDX));
  else if (leaf >= 0x80000002 && leaf <= 0x80000004) brand(leaf - 0x80000002);
  else if (leaf == 0x80000007) edx = EXT7_EDX;
  else if (leaf == 0x80000008) set(PHYS_BITS | (48 << 8), 0, isAmd() ? AMD_CORES : 0, 0);
  else if (leaf == 0x8000000a && extendedFeatures() & CPUID_SVM) set(SVM_REVISION, SVM_ASIDS, 0, svmFeatures());
}

/** CPUID: EAX and ECX in, EAX EBX ECX EDX out (upper halves cleared). */
export function cpuid(): void {
  const leaf = load<u32>(cpu, VCPU_RAX);
  const subleaf = load<u32>(cpu, VCPU_RCX);
  if (leaf >= 0x80000000) extended(leaf);
  else basic(leaf);
  if (leaf == 7 && subleaf == 0) ebx = shown(LEAF7_EBX, HIDDEN_7_EBX);
  if (leaf == 0xb) ecx = subleaf & 0xff;
  store<u64>(cpu, eax, VCPU_RAX);
  store<u64>(cpu, ecx, VCPU_RCX);
  store<u64>(cpu, edx, VCPU_RDX);
  store<u64>(cpu, ebx, VCPU_RBX);
}
