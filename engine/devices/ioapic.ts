/**
 * I/O APIC with 24 pins (Intel 82093AA data sheet; version 0x20 with the EOI register of the later ICHs): index at +0, data at
 * +0x10, EOI at +0x40.
 *
 * Edge and level triggered pins with remote IRR; delivery modes fixed, lowest priority, NMI, INIT, ExtINT. As the data sheet
 * says, an edge on a masked pin is lost.
 *
 * Not implemented: SMI delivery (the bus has no taker), pin polarity (kept; a line's level 1 always means asserted), the
 * delivery status bit (always idle), accesses other than 32 bits wide to the data register (narrow writes are ignored).
 */
import type { ApicBus } from './apic-bus';
import type { BusDevice, DeviceState, IrqLine } from './bus';
import { copyFields, int, list, object, readFields, type Schema, u8, u32 } from './state';

export const IOAPIC_PIN_COUNT = 24;
const VERSION = 0x170020;
const INDEX = 0x00;
const DATA = 0x10;
const EOI = 0x40;
const REG_ID = 0;
const REG_VERSION = 1;
const REG_ARBITRATION = 2;
const REG_REDIRECTION = 0x10;

const LOGICAL = 1 << 11;
const REMOTE_IRR = 1 << 14;
const LEVEL = 1 << 15;
const MASKED = 1 << 16;
const WRITABLE = 0x1afff;

interface Redirection {
  low: number;
  high: number;
}

interface State {
  index: number;
  id: number;
  /** Bits: input levels, and requests that have not been sent. */
  lines: number;
  requests: number;
  entries: Redirection[];
}

const pins = int(0, 0xffffff);
const schema: Schema<State> = {
  index: u8,
  id: int(0, 15),
  lines: pins,
  requests: pins,
  entries: list(object<Redirection>({ low: int(0, 0x1ffff), high: u32 }), IOAPIC_PIN_COUNT),
};

export interface IoApicOptions {
  bus: ApicBus;
  /** 0..15 */
  id?: number;
}

export class IoApic implements BusDevice {
  readonly name = 'ioapic';
  private readonly bus: ApicBus;
  private readonly powerOnId: number;
  private s: State;

  constructor(options: IoApicOptions) {
    this.bus = options.bus;
    this.powerOnId = options.id ?? 0;
    this.s = this.powerOn(0);
    this.bus.ioapics.push(this);
  }

  /** pin 0..23 */
  line(pin: number): IrqLine {
    if (!Number.isInteger(pin) || pin < 0 || pin >= IOAPIC_PIN_COUNT) throw new RangeError(`no I/O APIC pin ${pin}: 0 to 23`);
    return (level) => this.setLine(pin, level);
  }

  /** EOI of `vector` by a local APIC. */
  endOfInterrupt(vector: number): void {
    for (const [pin, entry] of this.s.entries.entries()) {
      if ((entry.low & 0xff) !== vector || (entry.low & (LEVEL | REMOTE_IRR)) !== (LEVEL | REMOTE_IRR)) continue;
      entry.low &= ~REMOTE_IRR;
      this.service(pin);
    }
  }

  read(offset: number, size: number): number {
    return this.peek(offset, size);
  }

  peek(offset: number, size: number): number {
    if (offset === INDEX) return this.s.index;
    if (offset !== DATA) return 0;
    const value = this.register(this.s.index);
    return size >= 4 ? value : value % 2 ** (8 * size);
  }

  write(offset: number, size: number, value: number): void {
    if (offset === INDEX) this.s.index = value & 0xff;
    else if (offset === DATA && size === 4) this.writeRegister(this.s.index, value);
    else if (offset === EOI) this.endOfInterrupt(value & 0xff);
  }

  reset(): void {
    this.s = this.powerOn(this.s.lines);
  }

  save(): DeviceState {
    return copyFields(this.s);
  }

  /** For the monitor; changes nothing. `irr`: waiting requests, and asserted lines of level pins. */
  inspect(): { version: number; id: number; select: number; entries: bigint[]; irr: number } {
    const { id, index: select, entries, lines, requests } = this.s;
    const levels = entries.reduce((bits, { low }, pin) => (low & LEVEL ? bits | (1 << pin) : bits), 0);
    const words = entries.map(({ low, high }) => (BigInt(high) << 32n) | BigInt(low));
    return { version: VERSION & 0xff, id, select, entries: words, irr: requests | (lines & levels) };
  }

  check(state: DeviceState): State {
    return readFields(this.name, schema, state);
  }

  restore(state: DeviceState): void {
    this.s = this.check(state);
  }

  private powerOn(lines: number): State {
    const entries = Array.from({ length: IOAPIC_PIN_COUNT }, () => ({ low: MASKED, high: 0 }));
    return { index: 0, id: this.powerOnId, lines, requests: 0, entries };
  }

  private setLine(pin: number, level: 0 | 1): void {
    const mask = 1 << pin;
    const entry = this.s.entries[pin]!;
    const rose = level === 1 && (this.s.lines & mask) === 0;
    if (level === 1) this.s.lines |= mask;
    else this.s.lines &= ~mask;
    if ((entry.low & LEVEL) !== 0) {
      this.service(pin);
    } else if (rose && (entry.low & MASKED) === 0) {
      this.s.requests |= mask;
      this.service(pin);
    }
  }

  private service(pin: number): void {
    const mask = 1 << pin;
    const entry = this.s.entries[pin]!;
    if ((entry.low & MASKED) !== 0) return;
    const level = (entry.low & LEVEL) !== 0;
    const wanted = level ? (this.s.lines & mask) !== 0 && (entry.low & REMOTE_IRR) === 0 : (this.s.requests & mask) !== 0;
    if (!wanted) return;
    this.s.requests &= ~mask;
    const destination = entry.high >>> 24;
    const logical = (entry.low & LOGICAL) !== 0;
    const delivery = (entry.low >> 8) & 7;
    // Remote IRR first: the acceptance may end with an EOI before `send` returns.
    if (level) entry.low |= REMOTE_IRR;
    const broadcast = destination === 0xff;
    const taken = this.bus.send({ delivery, vector: entry.low & 0xff, level, logical, destination, broadcast });
    if (level && !taken) entry.low &= ~REMOTE_IRR;
  }

  private register(index: number): number {
    if (index === REG_ID || index === REG_ARBITRATION) return this.s.id * 0x1000000;
    if (index === REG_VERSION) return VERSION;
    const entry = this.s.entries[(index - REG_REDIRECTION) >> 1];
    if (entry === undefined) return 0;
    return (index & 1) === 0 ? entry.low : entry.high;
  }

  private writeRegister(index: number, value: number): void {
    if (index === REG_ID) this.s.id = (value >>> 24) & 15;
    const pin = (index - REG_REDIRECTION) >> 1;
    const entry = this.s.entries[pin];
    if (entry === undefined) return;
    if ((index & 1) === 1) {
      entry.high = value >>> 0;
      return;
    }
    const remote = (value & LEVEL) !== 0 ? entry.low & REMOTE_IRR : 0;
    entry.low = (value & WRITABLE) | remote;
    this.service(pin);
  }
}
