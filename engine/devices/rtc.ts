/**
 * MC146818 real-time clock with 128 bytes of CMOS (Motorola data sheet MC146818A), ports 0x70 (index) and 0x71 (data).
 * The time is a start date plus guest time, so it is as deterministic as the guest.
 *
 * Periodic, alarm and update-ended interrupts; BCD or binary, 12 or 24 hours; century at 0x32. UIP is 1 for
 * the 244 us before the registers change, which they do at once. A guest may set the time, with or without SET.
 *
 * Not implemented: daylight saving (the bit is kept), square wave output, the divider chain's reset (register A's divider bits
 * are kept), the NMI mask in bit 7 of port 0x70, loss of battery (register D always says valid).
 */
import type { BusDevice, DeviceState, IrqLine, Timer, VirtualClock } from './bus';
import { type CivilTime, fromSeconds, toSeconds } from './calendar';
import { Rate } from './rate';
import { copyFields, count, int, list, readFields, type Schema, u8 } from './state';

const SECONDS = 0x00;
const ALARM_SECONDS = 0x01;
const MINUTES = 0x02;
const ALARM_MINUTES = 0x03;
const HOURS = 0x04;
const ALARM_HOURS = 0x05;
const WEEKDAY = 0x06;
const DAY = 0x07;
const MONTH = 0x08;
const YEAR = 0x09;
const REG_A = 0x0a;
const REG_B = 0x0b;
const REG_C = 0x0c;
const REG_D = 0x0d;
const CENTURY = 0x32;

const B_SET = 0x80;
const B_BINARY = 0x04;
const B_24H = 0x02;
const FLAG_IRQ = 0x80;
const FLAG_PERIODIC = 0x40;
const FLAG_ALARM = 0x20;
const FLAG_UPDATE = 0x10;
const DATA_VALID = 0x80;
const PM = 0x80;

const A_UPDATING = 0x80;
const SECOND_NS = 1e9;
/** How long UIP announces an update: 8 ticks of the crystal. */
const ANNOUNCED_NS = 244_141;
const CRYSTAL_HZ = 32_768;
const TIME_REGISTERS = new Set([SECONDS, MINUTES, HOURS, WEEKDAY, DAY, MONTH, YEAR, CENTURY]);
/** An alarm in a gap longer than a day has certainly matched, if it can match at all. */
const ALARM_SEARCH = 86_400;

export interface RtcOptions {
  clock: VirtualClock;
  irq: IrqLine;
  /** Time at guest time 0, ms since 1970-01-01 UTC. */
  start: number;
}

interface State {
  index: number;
  /** All 128 bytes; the time registers count only while SET is on. */
  cmos: number[];
  /** Seconds since 1970 at guest time 0, and the ns into that second. */
  base: number;
  phase: number;
  /** Guest time up to which register C is complete. */
  seen: number;
}
const schema: Schema<State> = {
  index: int(0, 127),
  cmos: list(u8, 128),
  base: int(-1e12, 1e12),
  phase: int(0, SECOND_NS - 1),
  seen: count,
};

export class Rtc implements BusDevice {
  readonly name = 'rtc';
  private readonly crystal = new Rate(CRYSTAL_HZ);
  private readonly timer: Timer;
  private s: State;

  constructor(private readonly options: RtcOptions) {
    this.timer = options.clock.timer('rtc', () => this.update());
    const base = Math.floor(options.start / 1000);
    const phase = Math.floor((options.start - base * 1000) * 1e6);
    this.s = { index: 0, cmos: new Array<number>(128).fill(0), base, phase, seen: options.clock.now() };
    this.setCmos(REG_A, 0x26);
    this.setCmos(REG_B, B_24H);
    // Equipment byte: a coprocessor, no diskette, no display adapter of its own.
    this.setCmos(0x14, 0x02);
  }

  /** A CMOS byte that firmware would set for the guest. */
  setCmos(index: number, value: number): void {
    this.s.cmos[index & 0x7f] = value & 0xff;
  }

  /** low, high: bytes of RAM below and above 4 GiB, as PC firmware records them (0x15-0x18, 0x30, 0x31, 0x34, 0x35, 0x5b-0x5d). */
  setMemorySize(low: number, high: number): void {
    const put16 = (index: number, value: number): void => {
      const clamped = Math.min(Math.max(Math.floor(value), 0), 0xffff);
      this.setCmos(index, clamped);
      this.setCmos(index + 1, clamped >> 8);
    };
    const MIB = 0x100000;
    put16(0x15, Math.min(low / 1024, 640));
    put16(0x17, (low - MIB) / 1024);
    put16(0x30, (low - MIB) / 1024);
    put16(0x34, (low - 16 * MIB) / 65536);
    const units = Math.floor(high / 65536);
    put16(0x5b, units % 65536);
    this.setCmos(0x5d, Math.floor(units / 65536));
  }

  read(offset: number, size: number): number {
    const value = this.peek(offset, size);
    if (offset === 1 && this.s.index === REG_C) {
      this.catchUp();
      this.setCmos(REG_C, 0);
      this.drive();
      this.arm();
    }
    return value;
  }

  peek(offset: number, _size: number): number {
    if (offset !== 1) return 0xff;
    const { index, cmos } = this.s;
    if (index === REG_A) return cmos[REG_A]! | (this.updateComes ? A_UPDATING : 0);
    if (index === REG_C) return this.flagsNow();
    if (index === REG_D) return DATA_VALID;
    if (TIME_REGISTERS.has(index) && (this.b & B_SET) === 0) return this.timeRegister(index, fromSeconds(this.secondAt(this.now)));
    return cmos[index]!;
  }

  write(offset: number, _size: number, value: number): void {
    const byte = value & 0xff;
    if (offset !== 1) this.s.index = byte & 0x7f;
    else this.writeRegister(this.s.index, byte);
  }

  /** RESET: interrupt enables and flags go off; time, CMOS and the interrupt rate stay. */
  reset(): void {
    this.s.index = 0;
    this.setCmos(REG_B, this.b & ~0x78);
    this.setCmos(REG_C, 0);
    this.s.seen = this.now;
    this.options.irq(0);
    this.arm();
  }

  save(): DeviceState {
    this.catchUp();
    return copyFields(this.s);
  }

  check(state: DeviceState): State {
    return readFields(this.name, schema, state);
  }

  restore(state: DeviceState): void {
    this.s = this.check(state);
    this.arm();
  }

  private get now(): number {
    return this.options.clock.now();
  }

  private get b(): number {
    return this.s.cmos[REG_B]!;
  }

  private get updateComes(): boolean {
    return (this.b & B_SET) === 0 && (this.now + this.s.phase) % SECOND_NS >= SECOND_NS - ANNOUNCED_NS;
  }

  private secondAt(ns: number): number {
    return this.s.base + Math.floor((ns + this.s.phase) / SECOND_NS);
  }

  private writeRegister(index: number, byte: number): void {
    if (index === REG_C || index === REG_D) return;
    this.catchUp();
    if (TIME_REGISTERS.has(index)) {
      this.writeTime(index, byte);
    } else if (index === REG_A) {
      this.setCmos(index, byte & 0x7f);
    } else if (index === REG_B) {
      this.writeB(byte);
    } else {
      this.setCmos(index, byte);
    }
    this.update();
  }

  private writeTime(index: number, byte: number): void {
    if ((this.b & B_SET) === 0) this.latchTime();
    this.setCmos(index, byte);
    if ((this.b & B_SET) === 0) this.takeTime();
  }

  private writeB(byte: number): void {
    const before = this.b;
    // SET switches the update-ended interrupt off.
    const next = (byte & B_SET) !== 0 ? byte & ~FLAG_UPDATE : byte;
    if ((before & B_SET) === 0 && (next & B_SET) !== 0) this.latchTime();
    // Registers written under SET are read in the format that is in force when it ends.
    this.setCmos(REG_B, next);
    if ((before & B_SET) !== 0 && (next & B_SET) === 0) this.takeTime();
  }

  private latchTime(): void {
    const time = fromSeconds(this.secondAt(this.now));
    for (const index of TIME_REGISTERS) this.setCmos(index, this.timeRegister(index, time));
  }

  private takeTime(): void {
    const field = (index: number): number => this.decode(this.s.cmos[index]!);
    const seconds = toSeconds({
      year: field(CENTURY) * 100 + field(YEAR),
      month: field(MONTH),
      day: field(DAY),
      hour: this.decodeHour(this.s.cmos[HOURS]!),
      minute: field(MINUTES),
      second: field(SECONDS),
    });
    this.s.base += seconds - this.secondAt(this.now);
  }

  private encode(value: number): number {
    return (this.b & B_BINARY) !== 0 ? value : (Math.floor(value / 10) << 4) | (value % 10);
  }

  private decode(value: number): number {
    return (this.b & B_BINARY) !== 0 ? value : (value >> 4) * 10 + (value & 15);
  }

  private encodeHour(hour: number): number {
    if ((this.b & B_24H) !== 0) return this.encode(hour);
    return this.encode(hour % 12 === 0 ? 12 : hour % 12) | (hour >= 12 ? PM : 0);
  }

  private decodeHour(value: number): number {
    if ((this.b & B_24H) !== 0) return this.decode(value);
    return (this.decode(value & 0x7f) % 12) + ((value & PM) !== 0 ? 12 : 0);
  }

  private timeRegister(index: number, time: CivilTime): number {
    switch (index) {
      case SECONDS:
        return this.encode(time.second);
      case MINUTES:
        return this.encode(time.minute);
      case HOURS:
        return this.encodeHour(time.hour);
      case WEEKDAY:
        return this.encode(time.weekday + 1);
      case DAY:
        return this.encode(time.day);
      case MONTH:
        return this.encode(time.month);
      case YEAR:
        return this.encode(((time.year % 100) + 100) % 100);
      default:
        return this.encode(Math.min(Math.max(Math.floor(time.year / 100), 0), 99));
    }
  }

  /** Ticks of the 32,768 Hz crystal between periodic interrupts; 0: none. */
  private get period(): number {
    const rate = this.s.cmos[REG_A]! & 0x0f;
    if (rate === 0) return 0;
    return rate <= 2 ? 1 << (rate + 6) : 1 << (rate - 1);
  }

  private alarmMatches(second: number): boolean {
    const time = fromSeconds(second);
    const matches = (alarm: number, value: number): boolean => {
      const set = this.s.cmos[alarm]!;
      return set >= 0xc0 || set === value;
    };
    return (
      matches(ALARM_SECONDS, this.encode(time.second)) &&
      matches(ALARM_MINUTES, this.encode(time.minute)) &&
      matches(ALARM_HOURS, this.encodeHour(time.hour))
    );
  }

  /** The value that a read of register C would return now. */
  private flagsNow(): number {
    const { seen } = this.s;
    const { now } = this;
    let flags = this.s.cmos[REG_C]! & 0x70;
    const { period } = this;
    if (period !== 0 && Math.floor(this.crystal.ticksAt(now) / period) > Math.floor(this.crystal.ticksAt(seen) / period)) {
      flags |= FLAG_PERIODIC;
    }
    const last = this.secondAt(now);
    const first = this.secondAt(seen) + 1;
    if ((this.b & B_SET) === 0 && last >= first) {
      flags |= FLAG_UPDATE;
      if ((flags & FLAG_ALARM) === 0 && this.alarmIn(Math.max(first, last - ALARM_SEARCH), last)) flags |= FLAG_ALARM;
    }
    return (flags & this.b & 0x70) !== 0 ? flags | FLAG_IRQ : flags;
  }

  private alarmIn(first: number, last: number): boolean {
    for (let second = first; second <= last; second++) if (this.alarmMatches(second)) return true;
    return false;
  }

  private catchUp(): void {
    this.setCmos(REG_C, this.flagsNow());
    this.s.seen = this.now;
  }

  private update(): void {
    this.catchUp();
    this.drive();
    this.arm();
  }

  private drive(): void {
    this.options.irq((this.s.cmos[REG_C]! & FLAG_IRQ) !== 0 ? 1 : 0);
  }

  /** Sets a timer for the next event that can interrupt. Without an enabled interrupt, flags are computed when they are read. */
  private arm(): void {
    const enabled = this.b & ~this.s.cmos[REG_C]! & 0x70;
    let at: number | undefined;
    const { now, period } = this;
    if ((enabled & FLAG_PERIODIC) !== 0 && period !== 0) {
      at = this.crystal.nsAt((Math.floor(this.crystal.ticksAt(now) / period) + 1) * period);
    }
    if ((enabled & (FLAG_ALARM | FLAG_UPDATE)) !== 0 && (this.b & B_SET) === 0) {
      const second = now - ((now + this.s.phase) % SECOND_NS) + SECOND_NS;
      if (at === undefined || second < at) at = second;
    }
    this.timer.set(at);
  }
}
