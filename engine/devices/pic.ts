/**
 * Two 8259A interrupt controllers (Intel data sheet 231468), cascaded at input 2 as in a PC, with the edge/level control
 * registers of the EISA and PIIX boards (ports 0x4d0, 0x4d1).
 *
 * Implemented: ICW1-ICW4, edge and level inputs (ICW1.LTIM or ELCR per line), fully nested priority, rotation (automatic and
 * by OCW2), specific and non-specific EOI, automatic EOI, special mask mode, special fully nested mode, poll, IRR/ISR reads, the
 * spurious vector 7 of each chip.
 *
 * Not implemented: MCS-80/85 mode (ICW4.uPM 0 behaves like 8086 mode), buffered mode (its bits are kept), a lone chip
 * (ICW1.SNGL only skips ICW3).
 */
import type { BusDevice, DeviceState, IrqLine } from './bus';
import { bit, copyFields, flag, int, readFields, type Schema, StatelessDevice, u8 } from './state';

const COMMAND = 0;
const CASCADE = 2;
const SPURIOUS = 7;

interface State {
  /** Requests. Edge: latched until acknowledged or the line falls; level: follows the line. */
  irr: number;
  isr: number;
  imr: number;
  lines: number;
  elcr: number;
  /** ICW2: vector of input 0. */
  base: number;
  icw1: number;
  icw3: number;
  icw4: number;
  /** The ICW that the data port expects: 0 none (OCW1), 2, 3 or 4. */
  expects: number;
  /** Input of the lowest priority; the next one up has the highest. */
  lowest: number;
  rotateOnAutoEoi: boolean;
  specialMask: boolean;
  readIsr: boolean;
  poll: boolean;
  /** INT output. */
  output: 0 | 1;
}

const schema: Schema<State> = {
  irr: u8,
  isr: u8,
  imr: u8,
  lines: u8,
  elcr: u8,
  base: u8,
  icw1: u8,
  icw3: u8,
  icw4: u8,
  expects: int(0, 4),
  lowest: int(0, 7),
  rotateOnAutoEoi: flag,
  specialMask: flag,
  readIsr: flag,
  poll: flag,
  output: bit,
};

function powerOn(): State {
  return {
    irr: 0,
    isr: 0,
    imr: 0,
    lines: 0,
    elcr: 0,
    base: 0,
    icw1: 0,
    icw3: 0,
    icw4: 0,
    expects: 0,
    lowest: 7,
    rotateOnAutoEoi: false,
    specialMask: false,
    readIsr: false,
    poll: false,
    output: 0,
  };
}

/** One 8259A: two ports (A0 = 0 and 1). */
export class PicChip implements BusDevice {
  private s = powerOn();

  constructor(
    readonly name: string,
    private readonly isMaster: boolean,
    /** ELCR bits that can be set: system timer, keyboard, cascade, RTC and coprocessor stay edge. */
    private readonly elcrMask: number,
    private readonly output: (level: 0 | 1) => void,
  ) {}

  setLine(input: number, level: 0 | 1): void {
    const mask = 1 << input;
    const s = this.s;
    const rose = level === 1 && (s.lines & mask) === 0;
    if (level === 1) s.lines |= mask;
    else s.lines &= ~mask;
    // An edge request withdrawn before its acknowledgement is lost: that is how IRQ 7 becomes spurious.
    if (this.isLevel(input) ? level === 1 : rose) s.irr |= mask;
    if (level === 0) s.irr &= ~mask;
    this.update();
  }

  get pending(): boolean {
    return this.s.output === 1;
  }

  /** INTA: the input to serve now, which is then in service, or -1: spurious. */
  accept(): number {
    const input = this.candidate();
    if (input >= 0) this.serve(input);
    return input;
  }

  vector(input: number): number {
    return (this.s.base & 0xf8) | input;
  }

  get elcr(): number {
    return this.s.elcr;
  }

  set elcr(value: number) {
    this.s.elcr = value & this.elcrMask;
    this.followLevels();
    this.update();
  }

  read(offset: number, size: number): number {
    const value = this.peek(offset, size);
    if (this.s.poll) {
      // A poll acknowledges like INTA does.
      this.s.poll = false;
      const input = this.candidate();
      if (input >= 0) this.serve(input);
    }
    return value;
  }

  peek(offset: number, _size: number): number {
    const s = this.s;
    if (s.poll) {
      const input = this.candidate();
      return input < 0 ? 0 : 0x80 | input;
    }
    if (offset !== COMMAND) return s.imr;
    return s.readIsr ? s.isr : s.irr;
  }

  write(offset: number, _size: number, value: number): void {
    const byte = value & 0xff;
    if (offset !== COMMAND) this.writeData(byte);
    else if ((byte & 0x10) !== 0) this.writeIcw1(byte);
    else if ((byte & 0x08) !== 0) this.writeOcw3(byte);
    else this.writeOcw2(byte);
    this.update();
  }

  reset(): void {
    const { output, lines } = this.s;
    this.s = { ...powerOn(), output, lines };
    this.update();
  }

  save(): DeviceState {
    return copyFields(this.s);
  }

  check(state: DeviceState): State {
    return readFields(this.name, schema, state);
  }

  restore(state: DeviceState): void {
    this.s = this.check(state);
  }

  private isLevel(input: number): boolean {
    return (this.s.icw1 & 0x08) !== 0 || (this.s.elcr & (1 << input)) !== 0;
  }

  private followLevels(): void {
    for (let input = 0; input < 8; input++) {
      const mask = 1 << input;
      if (this.isLevel(input) && (this.s.lines & mask) !== 0) this.s.irr |= mask;
    }
  }

  private get autoEoi(): boolean {
    return (this.s.icw4 & 0x02) !== 0;
  }

  /** In order of priority, the first input of `set`, or -1. */
  private highest(set: number): number {
    for (let step = 1; step <= 8; step++) {
      const input = (this.s.lowest + step) & 7;
      if ((set & (1 << input)) !== 0) return input;
    }
    return -1;
  }

  private rank(input: number): number {
    return input < 0 ? 8 : (input - this.s.lowest - 1) & 7;
  }

  /** The request to serve now, or -1. */
  private candidate(): number {
    const s = this.s;
    const request = this.highest(s.irr & ~s.imr);
    if (request < 0) return -1;
    // Special mask: a masked input in service does not block others.
    let holding = s.specialMask ? s.isr & ~s.imr : s.isr;
    // Special fully nested (master): the slave's input in service does not block further requests of the slave.
    if (this.isMaster && (s.icw4 & 0x10) !== 0) holding &= ~(1 << CASCADE);
    return this.rank(request) < this.rank(this.highest(holding)) ? request : -1;
  }

  /** The acknowledge cycle: INT falls during it, so that a request still pending is a new edge for the master. */
  private serve(input: number): void {
    const s = this.s;
    if (this.autoEoi) {
      if (s.rotateOnAutoEoi) s.lowest = input;
    } else {
      s.isr |= 1 << input;
    }
    if (!this.isLevel(input)) s.irr &= ~(1 << input);
    this.drive(0);
    this.update();
  }

  private writeIcw1(byte: number): void {
    const { lines, elcr, output, base, icw3 } = this.s;
    this.s = { ...powerOn(), lines, elcr, output, base, icw3, icw1: byte, expects: 2 };
    this.followLevels();
  }

  private writeData(byte: number): void {
    const s = this.s;
    if (s.expects === 2) {
      s.base = byte & 0xf8;
      s.expects = (s.icw1 & 0x02) === 0 ? 3 : (s.icw1 & 0x01) !== 0 ? 4 : 0;
    } else if (s.expects === 3) {
      s.icw3 = byte;
      s.expects = (s.icw1 & 0x01) !== 0 ? 4 : 0;
    } else if (s.expects === 4) {
      s.icw4 = byte;
      s.expects = 0;
    } else {
      s.imr = byte;
    }
  }

  private writeOcw2(byte: number): void {
    const s = this.s;
    const rotate = (byte & 0x80) !== 0;
    const specific = (byte & 0x40) !== 0;
    const eoi = (byte & 0x20) !== 0;
    if (!eoi) {
      if (specific) {
        if (rotate) s.lowest = byte & 7;
      } else {
        s.rotateOnAutoEoi = rotate;
      }
      return;
    }
    const input = specific ? byte & 7 : this.highest(s.specialMask ? s.isr & ~s.imr : s.isr);
    if (input < 0) return;
    s.isr &= ~(1 << input);
    if (rotate) s.lowest = input;
  }

  private writeOcw3(byte: number): void {
    const s = this.s;
    if ((byte & 0x40) !== 0) s.specialMask = (byte & 0x20) !== 0;
    if ((byte & 0x04) !== 0) s.poll = true;
    if ((byte & 0x02) !== 0) s.readIsr = (byte & 0x01) !== 0;
  }

  private update(): void {
    this.drive(this.candidate() >= 0 ? 1 : 0);
  }

  private drive(level: 0 | 1): void {
    if (level === this.s.output) return;
    this.s.output = level;
    this.output(level);
  }
}

/** Ports 0x4d0 and 0x4d1: one bit per IRQ, 1 = level. Its state lies in the chips. */
export class EdgeLevelControl extends StatelessDevice {
  readonly name = 'elcr';

  constructor(private readonly chips: readonly [PicChip, PicChip]) {
    super();
  }

  read(offset: number, size: number): number {
    return this.peek(offset, size);
  }

  peek(offset: number, _size: number): number {
    return this.chips[offset === 0 ? 0 : 1].elcr;
  }

  write(offset: number, _size: number, value: number): void {
    this.chips[offset === 0 ? 0 : 1].elcr = value & 0xff;
  }

  override reset(): void {
    for (const chip of this.chips) chip.elcr = 0;
  }
}

export interface PicPairOptions {
  /** The master's INT output. */
  interrupt: (pending: boolean) => void;
}

export class PicPair {
  readonly master: PicChip;
  readonly slave: PicChip;
  readonly elcr: EdgeLevelControl;

  constructor(options: PicPairOptions) {
    this.master = new PicChip('pic-master', true, 0xf8, (level) => options.interrupt(level === 1));
    this.slave = new PicChip('pic-slave', false, 0xde, (level) => this.master.setLine(CASCADE, level));
    this.elcr = new EdgeLevelControl([this.master, this.slave]);
  }

  /** irq 0..15; 2 is the cascade and is not offered. */
  line(irq: number): IrqLine {
    if (!Number.isInteger(irq) || irq < 0 || irq > 15 || irq === CASCADE) throw new RangeError(`no PIC input ${irq}: 0 to 15 without 2`);
    const chip = irq < 8 ? this.master : this.slave;
    return (level) => chip.setLine(irq & 7, level);
  }

  get pending(): boolean {
    return this.master.pending;
  }

  /** INTA cycle: the vector to deliver. If there is nothing to serve, the spurious vector (input 7), which is not in service. */
  acknowledge(): number {
    const input = this.master.accept();
    if (input < 0) return this.master.vector(SPURIOUS);
    if (input !== CASCADE) return this.master.vector(input);
    const slaveInput = this.slave.accept();
    return this.slave.vector(slaveInput < 0 ? SPURIOUS : slaveInput);
  }
}
