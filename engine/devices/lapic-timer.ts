/**
 * The timer of a local APIC (SDM 3A 11.5.4): one-shot, periodic and TSC-deadline, on guest time. It counts at 1 GHz before
 * the divider, so CPUID leaf 0x15 must name a 1 GHz crystal. A period below 1 us is stretched to 1 us, so that a guest's
 * mistake costs the host no more than that.
 */
import type { Timer, VirtualClock } from './bus';
import { count, flag, type Schema, u32 } from './state';

/** 0: one shot. */
export const TIMER_PERIODIC = 1;
export const TIMER_DEADLINE = 2;
const SHORTEST_PERIOD_NS = 1000;

export interface LapicTimerState {
  /** Divide configuration register. */
  divide: number;
  initial: number;
  /** The counter is not 0. */
  running: boolean;
  /** Guest ns at which the counter held `initial`. */
  start: number;
  /** IA32_TSC_DEADLINE, low and high half; 0: disarmed. */
  deadlineLow: number;
  deadlineHigh: number;
}

export const lapicTimerSchema: Schema<LapicTimerState> = {
  divide: u32,
  initial: u32,
  running: flag,
  start: count,
  deadlineLow: u32,
  deadlineHigh: u32,
};

export function lapicTimerPowerOn(): LapicTimerState {
  return { divide: 0, initial: 0, running: false, start: 0, deadlineLow: 0, deadlineHigh: 0 };
}

export interface LapicTimerOptions {
  name: string;
  clock: VirtualClock;
  /** TSC minus guest ns. */
  tscOffset: () => number;
  /** The timer's LVT entry delivers; not called while `masked`. */
  fire: () => void;
  mode: () => number;
  masked: () => boolean;
}

export class LapicTimer {
  s = lapicTimerPowerOn();
  private readonly timer: Timer;

  constructor(private readonly options: LapicTimerOptions) {
    this.timer = options.clock.timer(options.name, () => this.changed());
  }

  /** Initial count register; ignored in deadline mode. */
  setInitial(value: number): void {
    if (this.options.mode() === TIMER_DEADLINE) return;
    this.expire();
    this.s.initial = value;
    this.s.running = value !== 0;
    this.s.start = this.options.clock.now();
    this.arm();
  }

  /** Current count register. */
  current(): number {
    const { s } = this;
    if (this.options.mode() === TIMER_DEADLINE || !s.running) return 0;
    const passed = this.options.clock.now() - s.start;
    const counted = Math.floor((this.options.mode() === TIMER_PERIODIC ? passed % this.length : passed) / this.divisor);
    return Math.max(0, s.initial - counted);
  }

  /** Divide configuration register: a running count continues from its current value. */
  setDivide(value: number): void {
    this.expire();
    const left = this.current();
    this.s.divide = value & 0x0b;
    if (this.s.running) {
      const counted = this.s.initial - left;
      this.s.start = this.options.clock.now() - counted * this.divisor;
      // In the new unit the start of the count may lie before power-on; only the rest counts.
      if (this.s.start < 0) this.restartWith(left);
    }
    this.arm();
  }

  setDeadline(low: number, high: number): void {
    if (this.options.mode() !== TIMER_DEADLINE) return;
    this.s.deadlineLow = low;
    this.s.deadlineHigh = high;
    this.changed();
  }

  /** The LVT entry changes from or to deadline mode: disarms the timer. */
  disarm(): void {
    this.s.running = false;
    this.s.deadlineLow = 0;
    this.s.deadlineHigh = 0;
  }

  /** The LVT entry or TSC offset changed, or the time has come. */
  changed(): void {
    this.expire();
    this.arm();
  }

  /** Delivers what is due. Call before a change of the LVT entry. */
  expire(): void {
    const { s } = this;
    const now = this.options.clock.now();
    const due = this.due();
    if (due === undefined || due > now) return;
    if (this.options.mode() === TIMER_DEADLINE) {
      s.deadlineLow = 0;
      s.deadlineHigh = 0;
    } else if (this.options.mode() === TIMER_PERIODIC) {
      s.start += Math.floor((now - s.start) / this.length) * this.length;
    } else {
      s.running = false;
    }
    if (!this.options.masked()) this.options.fire();
  }

  private get divisor(): number {
    const { divide } = this.s;
    const code = ((divide >> 1) & 4) | (divide & 3);
    return code === 7 ? 1 : 2 << code;
  }

  /** ns from `initial` to 0. */
  private get length(): number {
    const ns = this.s.initial * this.divisor;
    return this.options.mode() === TIMER_PERIODIC ? Math.max(ns, SHORTEST_PERIOD_NS) : ns;
  }

  private restartWith(left: number): void {
    this.s.initial = left;
    this.s.start = this.options.clock.now();
    this.s.running = left !== 0;
  }

  private due(): number | undefined {
    const { s } = this;
    if (this.options.mode() === TIMER_DEADLINE) {
      if (s.deadlineLow === 0 && s.deadlineHigh === 0) return undefined;
      return s.deadlineHigh * 2 ** 32 + s.deadlineLow - this.options.tscOffset();
    }
    return s.running ? s.start + this.length : undefined;
  }

  /** A masked timer counts, but needs no wake-up. */
  arm(): void {
    const due = this.options.masked() ? undefined : this.due();
    this.timer.set(due === undefined || due > Number.MAX_SAFE_INTEGER ? undefined : Math.max(0, due));
  }
}
