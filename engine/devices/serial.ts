/**
 * 16550A UART (National Semiconductor PC16550D data sheet), as a PC's COM port.
 *
 * Transmission takes no guest time: a byte written to THR is passed on at once, so THRE and TEMT always read 1. Received
 * bytes wait in a queue (1 MiB; the return value says how many were accepted) and move into the 16-byte FIFO (one byte without FIFO) when it has
 * room, so nothing is lost to overrun. A FIFO filled below its trigger level reports the character timeout at once.
 *
 * Not implemented: baud rate timing (the divisor is only kept), word length and parity on the wire (8 bits always pass), line
 * errors and overrun (never happen), DMA modes (the FCR bit is ignored), break on the wire, changes of the modem inputs
 * outside loopback (DCD, DSR and CTS are always on), the gate of the interrupt through OUT2 (QEMU has none either).
 */
import type { BusDevice, DeviceState, IrqLine } from './bus';
import { copyFields, flag, list, readFields, type Schema, u8 } from './state';

// Register offsets. With LCR.DLAB, 0 and 1 are the divisor.
const DATA = 0;
const IER = 1;
const IIR_FCR = 2;
const LCR = 3;
const MCR = 4;
const LSR = 5;
const MSR = 6;
const SCR = 7;

const IER_RDI = 0x01;
const IER_THRI = 0x02;
const IER_MSI = 0x08;
const IIR_NONE = 0x01;
const IIR_MODEM = 0x00;
const IIR_THRE = 0x02;
const IIR_DATA = 0x04;
const IIR_TIMEOUT = 0x0c;
const IIR_FIFO_ENABLED = 0xc0;
const FCR_ENABLE = 0x01;
const FCR_CLEAR_RX = 0x02;
const FCR_CLEAR_TX = 0x04;
const LCR_DLAB = 0x80;
const MCR_LOOP = 0x10;
const LSR_DATA = 0x01;
const LSR_THRE = 0x20;
const LSR_TEMT = 0x40;
/** DCD, DSR and CTS on, RI off. */
const MODEM_PRESENT = 0xb0;
const FIFO_SIZE = 16;
const TRIGGER_LEVELS = [1, 4, 8, 14] as const;
/** Most bytes in the queue. */
const QUEUE_LIMIT = 1 << 20;

export interface SerialOptions {
  irq: IrqLine;
  /** A byte from the guest. */
  output: (byte: number) => void;
  /** Half of the queue is free again after input was not accepted in full. */
  room?: () => void;
}

interface State {
  ier: number;
  fcr: number;
  lcr: number;
  mcr: number;
  scr: number;
  dll: number;
  dlm: number;
  /** Modem inputs (high nibble) and their changes since the last read (low nibble). */
  msr: number;
  /** THRE interrupt not yet acknowledged by an IIR read or a write to THR. */
  thrPending: boolean;
  /** Receiver FIFO, oldest first. */
  fifo: number[];
  /** Bytes not yet in the FIFO. */
  queue: number[];
}

const schema: Schema<State> = {
  ier: u8,
  fcr: u8,
  lcr: u8,
  mcr: u8,
  scr: u8,
  dll: u8,
  dlm: u8,
  msr: u8,
  thrPending: flag,
  fifo: list(u8, 0, FIFO_SIZE),
  queue: list(u8, 0, QUEUE_LIMIT),
};

function powerOn(): State {
  return { ier: 0, fcr: 0, lcr: 0, mcr: 0, scr: 0, dll: 12, dlm: 0, msr: MODEM_PRESENT, thrPending: false, fifo: [], queue: [] };
}

export class Serial implements BusDevice {
  readonly name = 'serial';
  private s = powerOn();
  /** Index of the first unread byte of `queue`. */
  private queueHead = 0;
  /** Input was not accepted in full, and `room` has not been called since. */
  private refused = false;

  constructor(private readonly options: SerialOptions) {}

  /** Bytes for the guest, queued until its FIFO takes them. Returns how many were accepted, from the first on. */
  input(bytes: Uint8Array): number {
    const taken = bytes.subarray(0, QUEUE_LIMIT - (this.s.queue.length - this.queueHead));
    for (const byte of taken) this.s.queue.push(byte);
    if (taken.length < bytes.length) this.refused = true;
    this.refill();
    this.update();
    return taken.length;
  }

  /** Bytes that the guest has not yet read. */
  get queued(): number {
    return this.s.queue.length - this.queueHead + this.s.fifo.length;
  }

  read(offset: number, size: number): number {
    const value = this.peek(offset, size);
    if (offset === DATA && !this.divisorLatch) {
      this.s.fifo.shift();
      this.refill();
      this.update();
    } else if (offset === IIR_FCR && (value & 0x0f) === IIR_THRE) {
      this.s.thrPending = false;
      this.update();
    } else if (offset === MSR) {
      this.s.msr &= 0xf0;
      this.update();
    }
    return value;
  }

  peek(offset: number, _size: number): number {
    const s = this.s;
    switch (offset) {
      case DATA:
        return this.divisorLatch ? s.dll : (s.fifo[0] ?? 0);
      case IER:
        return this.divisorLatch ? s.dlm : s.ier;
      case IIR_FCR:
        return this.cause() | (this.fifoEnabled ? IIR_FIFO_ENABLED : 0);
      case LCR:
        return s.lcr;
      case MCR:
        return s.mcr;
      case LSR:
        return LSR_THRE | LSR_TEMT | (s.fifo.length > 0 ? LSR_DATA : 0);
      case MSR:
        return s.msr;
      case SCR:
        return s.scr;
      default:
        return 0xff;
    }
  }

  /** Registers are bytes: of a wider write only the low byte counts. */
  write(offset: number, _size: number, value: number): void {
    const byte = value & 0xff;
    switch (offset) {
      case DATA:
        if (this.divisorLatch) this.s.dll = byte;
        else this.transmit(byte);
        break;
      case IER:
        if (this.divisorLatch) this.s.dlm = byte;
        else this.writeIer(byte & 0x0f);
        break;
      case IIR_FCR:
        this.writeFcr(byte);
        break;
      case LCR:
        this.s.lcr = byte;
        break;
      case MCR:
        this.writeMcr(byte & 0x1f);
        break;
      case SCR:
        this.s.scr = byte;
        break;
    }
  }

  reset(): void {
    const waiting = this.s.queue.slice(this.queueHead);
    this.s = { ...powerOn(), queue: waiting };
    this.queueHead = 0;
    this.refill();
    this.update();
  }

  save(): DeviceState {
    return { ...copyFields(this.s), queue: this.s.queue.slice(this.queueHead) };
  }

  check(state: DeviceState): State {
    return readFields(this.name, schema, state);
  }

  restore(state: DeviceState): void {
    this.s = this.check(state);
    this.queueHead = 0;
    this.tellRoom();
  }

  private get divisorLatch(): boolean {
    return (this.s.lcr & LCR_DLAB) !== 0;
  }

  private get fifoEnabled(): boolean {
    return (this.s.fcr & FCR_ENABLE) !== 0;
  }

  private get loopback(): boolean {
    return (this.s.mcr & MCR_LOOP) !== 0;
  }

  private transmit(byte: number): void {
    // THR is full for an instant: the interrupt line falls, then rises again.
    this.s.thrPending = false;
    this.update();
    if (this.loopback) this.receive(byte);
    else this.options.output(byte);
    this.s.thrPending = true;
    this.update();
  }

  /** A byte in loopback; a full receiver drops it, as the chip overruns. */
  private receive(byte: number): void {
    if (this.s.fifo.length < (this.fifoEnabled ? FIFO_SIZE : 1)) this.s.fifo.push(byte);
  }

  private writeIer(value: number): void {
    // Enabling the THRE interrupt while THR is empty raises it (data sheet 8.6.6; drivers rely on it to start sending).
    if ((value & IER_THRI) !== 0 && (this.s.ier & IER_THRI) === 0) this.s.thrPending = true;
    if ((value & IER_THRI) === 0) this.s.thrPending = false;
    this.s.ier = value;
    this.update();
  }

  private writeFcr(value: number): void {
    const toggled = ((value ^ this.s.fcr) & FCR_ENABLE) !== 0;
    // Changing the enable bit empties the FIFOs; the other bits count only together with it.
    if (toggled || (value & FCR_CLEAR_RX) !== 0) this.s.fifo.length = 0;
    // An emptied transmitter becomes ready again, as in QEMU.
    if (toggled || (value & FCR_CLEAR_TX) !== 0) this.s.thrPending = true;
    this.s.fcr = (value & FCR_ENABLE) !== 0 ? value & 0xc9 : 0;
    this.refill();
    this.update();
  }

  private writeMcr(value: number): void {
    this.s.mcr = value;
    const inputs = this.loopback
      ? ((value & 0x02) << 3) | ((value & 0x01) << 5) | ((value & 0x04) << 4) | ((value & 0x08) << 4) // RTS-CTS, DTR-DSR, OUT1-RI, OUT2-DCD
      : MODEM_PRESENT;
    const before = this.s.msr;
    const changed = (before ^ inputs) & 0xf0;
    // RI counts only its falling edge.
    const ringEnded = (before & 0x40) !== 0 && (inputs & 0x40) === 0 ? 0x04 : 0;
    this.s.msr = inputs | (before & 0x0f) | ((changed >> 4) & 0x0b) | ringEnded;
    this.refill();
    this.update();
  }

  private refill(): void {
    if (this.loopback) return;
    const room = this.fifoEnabled ? FIFO_SIZE : 1;
    const { fifo, queue } = this.s;
    while (fifo.length < room && this.queueHead < queue.length) fifo.push(queue[this.queueHead++]!);
    if (this.queueHead === queue.length) {
      queue.length = 0;
      this.queueHead = 0;
    } else if (this.queueHead >= 4096) {
      queue.splice(0, this.queueHead);
      this.queueHead = 0;
    }
    this.tellRoom();
  }

  private tellRoom(): void {
    if (!this.refused || this.s.queue.length - this.queueHead > QUEUE_LIMIT / 2) return;
    this.refused = false;
    this.options.room?.();
  }

  /** IIR bits 3-0: the pending interrupt of the highest priority. */
  private cause(): number {
    const { ier, fifo, fcr, msr } = this.s;
    if ((ier & IER_RDI) !== 0 && fifo.length > 0) {
      if (!this.fifoEnabled) return IIR_DATA;
      return fifo.length >= TRIGGER_LEVELS[(fcr >> 6) as 0 | 1 | 2 | 3] ? IIR_DATA : IIR_TIMEOUT;
    }
    if ((ier & IER_THRI) !== 0 && this.s.thrPending) return IIR_THRE;
    if ((ier & IER_MSI) !== 0 && (msr & 0x0f) !== 0) return IIR_MODEM;
    return IIR_NONE;
  }

  private update(): void {
    this.options.irq(this.cause() === IIR_NONE ? 0 : 1);
  }
}
