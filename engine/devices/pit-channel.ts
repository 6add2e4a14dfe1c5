/** One counter of the 8254. Its count and OUT are computed from the tick number on demand. */
import { bit, count, flag, int, nullable, type Schema, u8, u16 } from './state';

export interface ChannelState {
  /** 0..5 */
  mode: number;
  bcd: boolean;
  /** 1 low byte, 2 high byte, 3 low then high */
  access: number;
  /** Divisor: 1..65536 (BCD: ..10000). */
  divisor: number;
  /** A count has been loaded since the control word (modes 1 and 5: and triggered). */
  running: boolean;
  /** Modes 1 and 5: a count was written, the gate may trigger. */
  armed: boolean;
  /** Tick at which the count was loaded into the counting element. */
  start: number;
  /** Ticks counted when the gate stopped the counter; null while it counts. */
  frozen: number | null;
  /** Modes 2 and 3: divisor that becomes effective at tick `nextAt`. */
  next: number | null;
  nextAt: number;
  gate: 0 | 1;
  /** First byte of a two-byte write. */
  lowByte: number | null;
  /** Two-byte read: the high byte comes next. */
  readHigh: boolean;
  latchedCount: number | null;
  latchedStatus: number | null;
}

const FAR = 2 ** 53 - 1;

export const channelSchema: Schema<ChannelState> = {
  mode: int(0, 5),
  bcd: flag,
  access: int(1, 3),
  divisor: int(1, 65536),
  running: flag,
  armed: flag,
  start: count,
  frozen: nullable(count),
  next: nullable(int(1, 65536)),
  nextAt: int(0, FAR),
  gate: bit,
  lowByte: nullable(u8),
  readHigh: flag,
  latchedCount: nullable(u16),
  latchedStatus: nullable(u8),
};

export function channelPowerOn(gate: 0 | 1): ChannelState {
  return {
    mode: 0,
    bcd: false,
    access: 3,
    divisor: 65536,
    running: false,
    armed: false,
    start: 0,
    frozen: null,
    next: null,
    nextAt: 0,
    gate,
    lowByte: null,
    readHigh: false,
    latchedCount: null,
    latchedStatus: null,
  };
}

function fromBcd(value: number): number {
  return (value >> 12) * 1000 + ((value >> 8) & 15) * 100 + ((value >> 4) & 15) * 10 + (value & 15);
}

function toBcd(value: number): number {
  return (Math.floor(value / 1000) << 12) | ((Math.floor(value / 100) % 10) << 8) | ((Math.floor(value / 10) % 10) << 4) | (value % 10);
}

/** Modes 1 and 5 start at a rising gate, the others at the count. */
const startsByGate = (mode: number): boolean => mode === 1 || mode === 5;
const isPeriodic = (mode: number): boolean => mode === 2 || mode === 3;

export class PitChannel {
  s: ChannelState;

  constructor(gate: 0 | 1) {
    this.s = channelPowerOn(gate);
  }

  /** Takes the divisor that was pending until the end of a period. */
  settle(tick: number): void {
    const s = this.s;
    if (s.next === null || tick < s.nextAt) return;
    s.start = s.nextAt;
    s.divisor = s.next;
    s.next = null;
  }

  /** Control word: mode 0..7 as written (6 and 7 are 2 and 3), access 1..3. */
  control(access: number, mode: number, bcd: boolean): void {
    this.s = {
      ...channelPowerOn(this.s.gate),
      mode: mode > 5 ? mode - 4 : mode,
      bcd,
      access,
      latchedCount: null,
      latchedStatus: null,
    };
  }

  write(byte: number, tick: number): void {
    const s = this.s;
    if (s.access === 1) this.load(byte, tick);
    else if (s.access === 2) this.load(byte << 8, tick);
    else if (s.lowByte === null) {
      s.lowByte = byte;
      // In mode 0 the first byte stops the counting and OUT stays low.
      if (s.mode === 0) s.running = false;
    } else {
      const value = s.lowByte | (byte << 8);
      s.lowByte = null;
      this.load(value, tick);
    }
  }

  setGate(gate: 0 | 1, tick: number): void {
    const s = this.s;
    if (gate === s.gate) return;
    this.settle(tick);
    s.gate = gate;
    if (gate === 0) {
      if (s.running && !startsByGate(s.mode)) s.frozen = this.elapsed(tick);
    } else if (startsByGate(s.mode)) {
      if (s.armed) {
        s.running = true;
        s.start = tick + 1;
      }
    } else if (s.frozen !== null) {
      s.start = isPeriodic(s.mode) ? tick + 1 : Math.max(0, tick - s.frozen);
      s.frozen = null;
    }
  }

  /** OUT at `tick`. */
  out(tick: number): boolean {
    const s = this.s;
    this.settle(tick);
    if (!s.running) return s.mode !== 0;
    const elapsed = this.elapsed(tick);
    switch (s.mode) {
      case 0:
        return elapsed >= s.divisor;
      case 1:
        return tick < s.start || elapsed >= s.divisor;
      case 2:
        return s.frozen !== null || elapsed % s.divisor !== s.divisor - 1;
      case 3:
        return s.frozen !== null || elapsed % s.divisor < Math.ceil(s.divisor / 2);
      default:
        return elapsed !== s.divisor;
    }
  }

  /** The next tick after `tick` at which OUT rises or falls (mode 2: only where it rises again), or undefined. */
  nextEdge(tick: number): number | undefined {
    const s = this.s;
    this.settle(tick);
    if (!s.running || s.frozen !== null) return undefined;
    if (tick < s.start) return s.start + this.firstEdge();
    const elapsed = tick - s.start;
    if (s.mode === 2) return tick + s.divisor - (elapsed % s.divisor);
    if (s.mode === 3) {
      const phase = elapsed % s.divisor;
      const half = Math.ceil(s.divisor / 2);
      return tick + (phase < half ? half : s.divisor) - phase;
    }
    if (elapsed < s.divisor) return s.start + s.divisor;
    return s.mode >= 4 && elapsed === s.divisor ? tick + 1 : undefined;
  }

  latchCount(tick: number): void {
    if (this.s.latchedCount === null) this.s.latchedCount = this.current(tick);
  }

  latchStatus(tick: number): void {
    if (this.s.latchedStatus === null) this.s.latchedStatus = this.status(tick);
  }

  read(tick: number): number {
    const value = this.peek(tick);
    const s = this.s;
    if (s.latchedStatus !== null) {
      s.latchedStatus = null;
    } else if (s.access === 3) {
      if (s.readHigh) s.latchedCount = null;
      s.readHigh = !s.readHigh;
    } else {
      s.latchedCount = null;
    }
    return value;
  }

  peek(tick: number): number {
    const s = this.s;
    if (s.latchedStatus !== null) return s.latchedStatus;
    const value = s.latchedCount ?? this.current(tick);
    const high = s.access === 2 || (s.access === 3 && s.readHigh);
    return high ? value >> 8 : value & 0xff;
  }

  private firstEdge(): number {
    return this.s.mode === 3 ? Math.ceil(this.s.divisor / 2) : this.s.divisor;
  }

  private elapsed(tick: number): number {
    return this.s.frozen ?? Math.max(0, tick - this.s.start);
  }

  private load(value: number, tick: number): void {
    const s = this.s;
    this.settle(tick);
    const divisor = (s.bcd ? fromBcd(value) : value) || (s.bcd ? 10000 : 65536);
    if (isPeriodic(s.mode) && s.running && s.frozen === null) {
      const periods = Math.floor(this.elapsed(tick) / s.divisor) + 1;
      s.next = divisor;
      s.nextAt = s.start + periods * s.divisor;
      return;
    }
    s.divisor = divisor;
    s.next = null;
    if (startsByGate(s.mode)) {
      s.armed = true;
      return;
    }
    s.running = true;
    s.start = tick + 1;
    s.frozen = s.gate === 0 ? 0 : null;
  }

  /** The counting element, as it reads: 16 bits, BCD if so set. */
  private current(tick: number): number {
    const s = this.s;
    this.settle(tick);
    const modulus = s.bcd ? 10000 : 65536;
    let value = s.divisor;
    if (s.running) {
      const elapsed = this.elapsed(tick);
      if (s.mode === 2) value = s.divisor - (elapsed % s.divisor);
      else if (s.mode === 3) value = this.squareCount(elapsed);
      else value = s.divisor - elapsed;
    }
    value = ((value % modulus) + modulus) % modulus;
    return s.bcd ? toBcd(value) : value;
  }

  /** Mode 3 counts down by two, twice a period; an odd count starts from the even number below. */
  private squareCount(elapsed: number): number {
    const { divisor } = this.s;
    const half = Math.ceil(divisor / 2);
    const phase = elapsed % divisor;
    const even = divisor - (divisor % 2);
    return even - 2 * (phase < half ? phase : phase - half);
  }

  private status(tick: number): number {
    const s = this.s;
    const out = this.out(tick) ? 0x80 : 0;
    const empty = !s.running || tick < s.start || s.next !== null ? 0x40 : 0;
    return out | empty | (s.access << 4) | (s.mode << 1) | (s.bcd ? 1 : 0);
  }
}
