/**
 * System instructions, one function each. Functions that answer i32: 1 = done, 0 = a fault is pending. Privilege is checked inside.
 */
export {
  clts,
  hlt,
  invlpg,
  lgdt,
  lidt,
  lmsw,
  readCr,
  readDr,
  requireCpl0,
  smsw,
  swapgs,
  wbinvd,
  writeCr,
  writeDr,
  xgetbv,
} from './system/control';
export { cpuid } from './system/cpuid';
export { arpl, lar, lldt, lsl, ltr, sldt, str, systemValue, systemZf, verify } from './system/descriptors';
export { rdmsr, rdpmc, rdrand, rdtsc, rdtscp, readTsc, wrmsr } from './system/msr';
export { resetVcpu, stateChanged } from './system/reset';
