/**
 * Local APIC of one vCPU (SDM 3A chapter 11): the xAPIC page, at 0xfee00000 until IA32_APIC_BASE moves it, and, once enabled, the x2APIC MSRs.
 *
 * IRR/ISR/TMR, task and processor priority (CR8 is the store of the TPR), EOI with broadcast to the I/O APICs, timer, LVT
 * entries, ICR with fixed, lowest-priority, NMI, INIT and SIPI messages and all shorthands, logical destinations (flat,
 * cluster, x2APIC), ESR, and LINT0 as the virtual wire of the 8259s.
 *
 * Not implemented: TPR bits 3-0 (CR8 holds only the class), a writable id, a page above a memslot (the slot answers), SMI, arbitration and
 * remote read registers (read 0), the performance and thermal entries (kept, nothing raises them), CMCI, EOI-broadcast suppression
 * (not advertised), delivery status (always idle), accesses narrower than 32 bits (writes are ignored), the spurious vector
 * (an interrupt that can no longer be taken is simply not delivered).
 */
import {
  type ApicBus,
  type ApicMessage,
  type ApicTarget,
  DELIVERY_EXTINT,
  DELIVERY_FIXED,
  DELIVERY_INIT,
  DELIVERY_LOWEST,
  DELIVERY_NMI,
  DELIVERY_SIPI,
} from './apic-bus';
import type { BusDevice, DeviceState, VirtualClock } from './bus';
import {
  APIC_BASE_BSP,
  APIC_BASE_ENABLE,
  APIC_BASE_EXTENDED,
  isReadableByMsr,
  type LapicState,
  LVT_ERROR,
  LVT_LINT0,
  LVT_LINT1,
  LVT_MASKED,
  LVT_TIMER,
  LVT_WRITABLE,
  lapicPowerOn,
  lapicSchema,
  PHYS_ADDR_BITS,
  REG,
  VERSION,
  x2apicLogicalId,
} from './lapic-state';
import { LapicTimer, TIMER_DEADLINE } from './lapic-timer';
import { copyFields, readFields } from './state';
import { addVector, hasVector, highestVector, removeVector } from './vector-set';

const MSR_APIC_BASE = 0x1b;
const MSR_TSC_DEADLINE = 0x6e0;
const MSR_X2APIC = 0x800;
const SVR_ENABLE = 0x100;
const ESR_SEND_ILLEGAL = 0x20;
const ESR_RECEIVE_ILLEGAL = 0x40;
const ESR_ILLEGAL_REGISTER = 0x80;
const SHORTHAND_SELF = 1;
const SHORTHAND_ALL = 2;

export interface LapicOptions {
  /** 0..254 */
  id: number;
  /** The boot processor: takes the 8259s' interrupts through LINT0 from power-on, as firmware leaves it. */
  bsp: boolean;
  bus: ApicBus;
  clock: VirtualClock;
  /** There is (not) a vector for the vCPU. */
  interrupt: (pending: boolean) => void;
  /** INTA to the 8259s: their vector. */
  acknowledgePic: () => number;
  nmi: () => void;
  /** INIT: the vCPU goes to wait-for-SIPI. The APIC has already reset itself. */
  init: () => void;
  /** Start-up message: a waiting vCPU starts at vector << 12. */
  sipi: (vector: number) => void;
  /** CR8, 0..15. */
  priority: { get(): number; set(value: number): void };
  /** TSC minus guest ns; default 0. */
  tscOffset?: () => number;
}

export class Lapic implements BusDevice, ApicTarget {
  readonly name: string;
  readonly id: number;
  /** Result of readMsr. */
  msrLow = 0;
  msrHigh = 0;
  private s: LapicState;
  private readonly timer: LapicTimer;

  constructor(private readonly options: LapicOptions) {
    this.id = options.id;
    this.name = `lapic${options.id}`;
    this.s = lapicPowerOn(options.bsp);
    this.timer = new LapicTimer({
      name: this.name,
      clock: options.clock,
      tscOffset: options.tscOffset ?? (() => 0),
      fire: () => this.accept(this.local(this.s.lvt[LVT_TIMER]!)),
      mode: () => (this.s.lvt[LVT_TIMER]! >> 17) & 3,
      masked: () => (this.s.lvt[LVT_TIMER]! & LVT_MASKED) !== 0,
    });
    options.bus.lapics.push(this);
  }

  /** IA32_APIC_BASE. */
  get apicBase(): number {
    return this.s.base;
  }

  /** Hardware enable (IA32_APIC_BASE bit 11). */
  get enabled(): boolean {
    return (this.s.base & APIC_BASE_ENABLE) !== 0;
  }

  get x2apic(): boolean {
    return (this.s.base & APIC_BASE_EXTENDED) !== 0;
  }

  /** gpa of the page. */
  get page(): number {
    return this.s.base - (this.s.base % 4096);
  }

  /** Does the page answer? */
  get mmioVisible(): boolean {
    return this.enabled && !this.x2apic;
  }

  get pending(): boolean {
    return this.s.output;
  }

  /** The vector to deliver now: it is in service afterwards. -1: none. */
  acknowledge(): number {
    const vector = this.deliverable();
    if (vector >= 0) {
      removeVector(this.s.irr, vector);
      addVector(this.s.isr, vector);
      this.update();
      return vector;
    }
    if (!this.externalPending()) return -1;
    this.s.extInt = false;
    const external = this.options.acknowledgePic();
    this.update();
    return external;
  }

  /** CR8 was written. */
  priorityChanged(): void {
    this.update();
  }

  /** The TSC offset changed: moves a deadline with it. */
  tscChanged(): void {
    this.timer.changed();
  }

  /** INT output of the 8259s, on LINT0. */
  setPicLine(pending: boolean): void {
    const rose = pending && !this.s.picLine;
    this.s.picLine = pending;
    if (rose) this.localEdge(LVT_LINT0);
    this.update();
  }

  /** An edge on LINT1, a PC's NMI. */
  pulseLint1(): void {
    this.localEdge(LVT_LINT1);
  }

  // Messages

  matches(message: ApicMessage): boolean {
    const { destination } = message;
    if (!message.logical) return destination === this.id;
    if (this.x2apic) {
      const own = x2apicLogicalId(this.id);
      return destination >>> 16 === own >>> 16 && (destination & own & 0xffff) !== 0;
    }
    const own = this.s.ldr >>> 24;
    if (this.s.dfr >>> 28 === 0xf) return (destination & own) !== 0;
    return (destination >> 4 === 0xf || destination >> 4 === own >> 4) && (destination & own & 0xf) !== 0;
  }

  get processorPriority(): number {
    const task = this.options.priority.get() << 4;
    const service = highestVector(this.s.isr);
    return service < 0 ? task : Math.max(task, service & 0xf0);
  }

  accept(message: ApicMessage): boolean {
    switch (message.delivery) {
      case DELIVERY_FIXED:
      case DELIVERY_LOWEST:
        return this.request(message.vector, message.level);
      case DELIVERY_NMI:
        this.options.nmi();
        return true;
      case DELIVERY_INIT:
        this.initReset();
        this.options.init();
        return true;
      case DELIVERY_SIPI:
        this.options.sipi(message.vector);
        return true;
      case DELIVERY_EXTINT:
        this.s.extInt = true;
        this.update();
        return true;
      default:
        return false;
    }
  }

  // The page. Registers are 32 bits wide, 16 bytes apart.

  read(offset: number, size: number): number {
    return this.peek(offset, size);
  }

  peek(offset: number, size: number): number {
    const within = offset % 16;
    if (within >= 4) return 0;
    const value = Math.floor(this.register(offset >> 4) / 2 ** (8 * within));
    return size >= 4 ? value : value % 2 ** (8 * size);
  }

  write(offset: number, size: number, value: number): void {
    if (size !== 4 || offset % 16 !== 0) return;
    const index = offset >> 4;
    if (index === REG.icrHigh) this.s.icrHigh = value >>> 0;
    else if (index === REG.icrLow) this.sendIpi(value >>> 0, this.s.icrHigh >>> 24);
    else if (!this.writeRegister(index, value >>> 0)) this.report(ESR_ILLEGAL_REGISTER);
  }

  // MSRs

  /** IA32_APIC_BASE, IA32_TSC_DEADLINE and, in x2APIC mode, 0x800-0x8ff; the value goes to msrLow/msrHigh. false: #GP. */
  readMsr(index: number): boolean {
    this.msrHigh = 0;
    if (index === MSR_APIC_BASE) {
      this.msrLow = this.s.base >>> 0;
      this.msrHigh = Math.floor(this.s.base / 2 ** 32);
      return true;
    }
    if (index === MSR_TSC_DEADLINE) {
      this.timer.expire();
      this.msrLow = this.timer.s.deadlineLow;
      this.msrHigh = this.timer.s.deadlineHigh;
      return true;
    }
    const register = index - MSR_X2APIC;
    if (!this.x2apic || !isReadableByMsr(register)) return false;
    this.msrLow = this.register(register);
    if (register === REG.icrLow) this.msrHigh = this.s.icrHigh;
    return true;
  }

  /** low, high: halves of the value. false: #GP, nothing was changed. */
  writeMsr(index: number, low: number, high: number): boolean {
    const value = low >>> 0;
    if (index === MSR_APIC_BASE) return this.writeBase(value, high >>> 0);
    if (index === MSR_TSC_DEADLINE) {
      this.timer.setDeadline(value, high >>> 0);
      return true;
    }
    if (!this.x2apic) return false;
    const register = index - MSR_X2APIC;
    if (register === REG.icrLow) {
      this.s.icrHigh = high >>> 0;
      this.sendIpi(value, high >>> 0);
      return true;
    }
    if (high !== 0) return false;
    if (register === REG.selfIpi) return value <= 0xff && this.sendSelf(value);
    if ((register === REG.eoi || register === REG.esr) && value !== 0) return false;
    if (register === REG.ldr || register === REG.dfr) return false;
    return this.writeRegister(register, value);
  }

  // State

  reset(): void {
    const { picLine, output } = this.s;
    this.s = { ...lapicPowerOn(this.options.bsp), picLine, output };
    this.timer.s = this.s.timer;
    this.timer.arm();
    this.options.priority.set(0);
    this.update();
  }

  /** INIT: as reset, but IA32_APIC_BASE stays. */
  initReset(): void {
    const { base } = this.s;
    this.reset();
    this.s.base = base;
    this.update();
  }

  save(): DeviceState {
    return copyFields({ ...this.s, timer: this.timer.s });
  }

  check(state: DeviceState): LapicState {
    const next = readFields(this.name, lapicSchema, state);
    if (next.timer.running && next.timer.initial === 0) throw new Error(`${this.name}: timer running must not be true with initial 0`);
    return next;
  }

  restore(state: DeviceState): void {
    const next = this.check(state);
    this.s = next;
    this.timer.s = next.timer;
    this.timer.arm();
  }

  private writeBase(value: number, high: number): boolean {
    const bsp = this.s.base & APIC_BASE_BSP;
    const mode = value & (APIC_BASE_ENABLE | APIC_BASE_EXTENDED);
    const page = value & ~0xfff;
    const reserved = value & 0xfff & ~(mode | APIC_BASE_BSP);
    if (high >= 2 ** (PHYS_ADDR_BITS - 32) || reserved !== 0 || mode === APIC_BASE_EXTENDED) return false;
    // Out of x2APIC mode only through "disabled", into it only from xAPIC mode (SDM figure 11-27).
    if (this.x2apic && mode === APIC_BASE_ENABLE) return false;
    if (!this.enabled && (mode & APIC_BASE_EXTENDED) !== 0) return false;
    if (this.enabled && mode === 0) this.reset();
    this.s.base = high * 2 ** 32 + ((page | bsp | mode) >>> 0);
    this.update();
    return true;
  }

  private register(index: number): number {
    const { s } = this;
    // The three vector sets follow each other.
    if (index >= REG.isr && index < REG.irr + 8) return [s.isr, s.tmr, s.irr][(index - REG.isr) >> 3]![index & 7]!;
    if (index >= REG.lvt && index < REG.lvt + s.lvt.length) return s.lvt[index - REG.lvt]!;
    switch (index) {
      case REG.id:
        return this.x2apic ? this.id : this.id * 0x1000000;
      case REG.version:
        return VERSION;
      case REG.tpr:
        return this.options.priority.get() << 4;
      case REG.ppr:
        return this.processorPriority;
      case REG.ldr:
        return this.x2apic ? x2apicLogicalId(this.id) : s.ldr;
      case REG.dfr:
        return s.dfr;
      case REG.svr:
        return s.svr;
      case REG.esr:
        return s.esr;
      case REG.icrLow:
        return s.icrLow;
      case REG.icrHigh:
        return s.icrHigh;
      case REG.initialCount:
        return this.timer.s.initial;
      case REG.currentCount:
        return this.timer.current();
      case REG.divide:
        return this.timer.s.divide;
      default:
        return 0;
    }
  }

  /** false: no such register, or a read-only one. */
  private writeRegister(index: number, value: number): boolean {
    const { s } = this;
    if (index >= REG.lvt && index < REG.lvt + s.lvt.length) {
      this.writeLvt(index - REG.lvt, value);
      return true;
    }
    switch (index) {
      case REG.tpr:
        this.options.priority.set((value >> 4) & 15);
        this.update();
        return true;
      case REG.eoi:
        this.endOfInterrupt();
        return true;
      case REG.ldr:
        s.ldr = (value & 0xff000000) >>> 0;
        return true;
      case REG.dfr:
        s.dfr = (value | 0x0fffffff) >>> 0;
        return true;
      case REG.svr:
        this.writeSvr(value);
        return true;
      case REG.esr:
        s.esr = s.errors;
        s.errors = 0;
        return true;
      case REG.initialCount:
        this.timer.setInitial(value);
        return true;
      case REG.divide:
        this.timer.setDivide(value);
        return true;
      default:
        // Guests do write the id; such writes are silently ignored.
        return index === REG.id;
    }
  }

  private writeSvr(value: number): void {
    this.s.svr = value & 0x3ff;
    // Software disable masks every entry, and they stay masked.
    if ((value & SVR_ENABLE) === 0) {
      this.timer.expire();
      this.s.lvt = this.s.lvt.map((entry) => (entry | LVT_MASKED) >>> 0);
      this.timer.changed();
    }
    this.update();
  }

  private writeLvt(entry: number, value: number): void {
    const { lvt } = this.s;
    this.timer.expire();
    const before = lvt[entry]!;
    const forced = (this.s.svr & SVR_ENABLE) === 0 ? LVT_MASKED : 0;
    const next = ((value & LVT_WRITABLE[entry]!) | forced) >>> 0;
    const deadline = (word: number): boolean => ((word >> 17) & 3) === TIMER_DEADLINE;
    if (entry === LVT_TIMER && deadline(before) !== deadline(next)) this.timer.disarm();
    lvt[entry] = next;
    if (entry === LVT_TIMER) this.timer.changed();
    this.update();
  }

  private endOfInterrupt(): void {
    const vector = highestVector(this.s.isr);
    if (vector < 0) return;
    removeVector(this.s.isr, vector);
    const level = hasVector(this.s.tmr, vector);
    this.update();
    if (level) this.options.bus.eoi(vector);
  }

  /** destination: 8 bits in xAPIC mode, 32 in x2APIC mode. */
  private sendIpi(low: number, destination: number): void {
    this.s.icrLow = (low & 0xccfff) >>> 0;
    const delivery = (low >> 8) & 7;
    const asserted = (low & 0x4000) !== 0;
    // INIT level de-assert only synchronised arbitration ids on old processors.
    if (delivery === DELIVERY_INIT && !asserted) return;
    const vector = low & 0xff;
    if ((delivery === DELIVERY_FIXED || delivery === DELIVERY_LOWEST) && vector < 16) {
      this.report(ESR_SEND_ILLEGAL);
      return;
    }
    const broadcast = destination === (this.x2apic ? 0xffffffff : 0xff);
    const message: ApicMessage = { delivery, vector, level: false, logical: (low & 0x800) !== 0, destination, broadcast };
    const shorthand = (low >> 18) & 3;
    if (shorthand === 0) this.options.bus.send(message);
    else this.options.bus.deliver(message, this.shorthandTargets(shorthand));
  }

  private shorthandTargets(shorthand: number): readonly ApicTarget[] {
    const { lapics } = this.options.bus;
    if (shorthand === SHORTHAND_SELF) return [this];
    return shorthand === SHORTHAND_ALL ? lapics : lapics.filter((lapic) => lapic !== this);
  }

  private sendSelf(vector: number): boolean {
    this.sendIpi(0x40000 | vector, 0);
    return true;
  }

  /** The message that an LVT entry delivers. */
  private local(entry: number): ApicMessage {
    return { delivery: (entry >> 8) & 7, vector: entry & 0xff, level: false, logical: false, destination: this.id, broadcast: false };
  }

  private localEdge(index: number): void {
    const entry = this.s.lvt[index]!;
    if (!this.enabled || (entry & LVT_MASKED) !== 0) return;
    // ExtINT follows the line itself; see externalPending.
    if (((entry >> 8) & 7) !== DELIVERY_EXTINT) this.accept(this.local(entry));
  }

  private request(vector: number, level: boolean): boolean {
    if (!this.enabled || (this.s.svr & SVR_ENABLE) === 0) return false;
    if (vector < 16) {
      this.report(ESR_RECEIVE_ILLEGAL);
      return false;
    }
    addVector(this.s.irr, vector);
    if (level) addVector(this.s.tmr, vector);
    else removeVector(this.s.tmr, vector);
    this.update();
    return true;
  }

  private report(error: number): void {
    const before = this.s.errors;
    this.s.errors |= error;
    const entry = this.s.lvt[LVT_ERROR]!;
    // An illegal vector in the error entry must not report itself endlessly.
    if (before !== this.s.errors && (entry & LVT_MASKED) === 0 && (entry & 0xff) >= 16) this.request(entry & 0xff, false);
  }

  /** The requested vector that can interrupt now, or -1. */
  private deliverable(): number {
    if (!this.enabled || (this.s.svr & SVR_ENABLE) === 0) return -1;
    const vector = highestVector(this.s.irr);
    return vector >= 0 && (vector & 0xf0) > (this.processorPriority & 0xf0) ? vector : -1;
  }

  /** Do the 8259s have a vector that can reach the vCPU: through LINT0 as ExtINT, or without any APIC? */
  private externalPending(): boolean {
    if (this.s.extInt) return true;
    if (!this.s.picLine) return false;
    if (!this.enabled) return true;
    const lint0 = this.s.lvt[LVT_LINT0]!;
    return (lint0 & LVT_MASKED) === 0 && ((lint0 >> 8) & 7) === DELIVERY_EXTINT;
  }

  private update(): void {
    const output = this.deliverable() >= 0 || this.externalPending();
    if (output === this.s.output) return;
    this.s.output = output;
    this.options.interrupt(output);
  }
}
