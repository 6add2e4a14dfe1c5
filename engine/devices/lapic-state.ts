/** Registers of a local APIC (SDM 3A table 11-1) and their power-on values. */
import { type LapicTimerState, lapicTimerPowerOn, lapicTimerSchema } from './lapic-timer';
import { flag, int, list, object, type Schema, u32 } from './state';

/** Register numbers: offset in the page / 16, and MSR number - 0x800. */
export const REG = {
  id: 0x02,
  version: 0x03,
  tpr: 0x08,
  ppr: 0x0a,
  eoi: 0x0b,
  ldr: 0x0d,
  dfr: 0x0e,
  svr: 0x0f,
  isr: 0x10,
  tmr: 0x18,
  irr: 0x20,
  esr: 0x28,
  icrLow: 0x30,
  icrHigh: 0x31,
  /** Timer, thermal, performance, LINT0, LINT1, error. */
  lvt: 0x32,
  initialCount: 0x38,
  currentCount: 0x39,
  divide: 0x3e,
  selfIpi: 0x3f,
} as const;

/** Six LVT entries, version 0x14, as QEMU and KVM report. */
export const VERSION = 0x50014;

export const LVT_TIMER = 0;
export const LVT_LINT0 = 3;
export const LVT_LINT1 = 4;
export const LVT_ERROR = 5;
export const LVT_MASKED = 0x10000;
export const LVT_WRITABLE = [0x700ff, 0x107ff, 0x107ff, 0x1a7ff, 0x1a7ff, 0x100ff] as const;

const APIC_PAGE = 0xfee00000;
/** MAXPHYADDR, as in CPUID: bounds the address in IA32_APIC_BASE. */
export const PHYS_ADDR_BITS = 46;
export const APIC_BASE_BSP = 0x100;
export const APIC_BASE_EXTENDED = 0x400;
export const APIC_BASE_ENABLE = 0x800;

export interface LapicState {
  /** IA32_APIC_BASE. */
  base: number;
  /** 256 bits each, bit n of word m is vector 32 m + n. */
  irr: number[];
  isr: number[];
  tmr: number[];
  lvt: number[];
  ldr: number;
  dfr: number;
  svr: number;
  /** The errors that a read returns, and those since the last write. */
  esr: number;
  errors: number;
  icrLow: number;
  icrHigh: number;
  /** An ExtINT message is pending. */
  extInt: boolean;
  /** LINT0. */
  picLine: boolean;
  /** What was last reported to the vCPU. */
  output: boolean;
  timer: LapicTimerState;
}

const vectors = list(u32, 8);

export const lapicSchema: Schema<LapicState> = {
  base: int(0, 2 ** PHYS_ADDR_BITS - 1),
  irr: vectors,
  isr: vectors,
  tmr: vectors,
  lvt: list(u32, LVT_WRITABLE.length),
  ldr: u32,
  dfr: u32,
  svr: u32,
  esr: u32,
  errors: u32,
  icrLow: u32,
  icrHigh: u32,
  extInt: flag,
  picLine: flag,
  output: flag,
  timer: object(lapicTimerSchema),
};

export function lapicPowerOn(bsp: boolean): LapicState {
  const none = (): number[] => new Array<number>(8).fill(0);
  const lvt = new Array<number>(LVT_WRITABLE.length).fill(LVT_MASKED);
  // Virtual wire: no firmware runs on this board to set it up, so the boot processor starts with it, as under QEMU.
  if (bsp) lvt[LVT_LINT0] = 0x700;
  return {
    base: (APIC_PAGE | APIC_BASE_ENABLE | (bsp ? APIC_BASE_BSP : 0)) >>> 0,
    irr: none(),
    isr: none(),
    tmr: none(),
    lvt,
    ldr: 0,
    dfr: 0xffffffff,
    svr: 0xff,
    esr: 0,
    errors: 0,
    icrLow: 0,
    icrHigh: 0,
    extInt: false,
    picLine: false,
    output: false,
    timer: lapicTimerPowerOn(),
  };
}

/** Cluster in the upper half, one bit in the lower (SDM 11.12.10.2). */
export function x2apicLogicalId(id: number): number {
  return ((id >> 4) * 0x10000 + 2 ** (id & 15)) >>> 0;
}

const READABLE: readonly number[] = [
  REG.id,
  REG.version,
  REG.tpr,
  REG.ppr,
  REG.ldr,
  REG.svr,
  REG.esr,
  REG.icrLow,
  REG.initialCount,
  REG.currentCount,
  REG.divide,
];

/** RDMSR of 0x800 + index does not fault (SDM 3A table 11-6). */
export function isReadableByMsr(index: number): boolean {
  if (index >= REG.isr && index < REG.irr + 8) return true;
  return (index >= REG.lvt && index < REG.lvt + LVT_WRITABLE.length) || READABLE.includes(index);
}
