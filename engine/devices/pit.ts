/**
 * 8254 programmable interval timer (Intel data sheet 231164), three counters at 1,193,182 Hz of guest time.
 * Counter 0's OUT is IRQ 0; counter 1 is free; counter 2's gate and OUT are at port 0x61 (system-control.ts).
 *
 * All six modes, BCD, counter latch and read-back. Counters 0 and 1 have their gates wired high.
 *
 * Not implemented: the single low tick that mode 2 gives on counter 0's IRQ line (the line pulses at its end), the extra clock
 * that real counters need between a write and the reload when it falls on the same edge.
 */
import type { BusDevice, DeviceState, IrqLine, Timer, VirtualClock } from './bus';
import { type ChannelState, channelPowerOn, channelSchema, PitChannel } from './pit-channel';
import { Rate } from './rate';
import { copyFields, list, object, readFields, type Schema } from './state';

export const PIT_HZ = 1_193_182;
const CONTROL = 3;

export interface PitOptions {
  clock: VirtualClock;
  /** OUT of counter 0. */
  irq: IrqLine;
}

interface State {
  channels: ChannelState[];
}
const schema: Schema<State> = { channels: list(object(channelSchema), 3) };

export class Pit implements BusDevice {
  readonly name = 'pit';
  private readonly rate = new Rate(PIT_HZ);
  private readonly channels = [new PitChannel(1), new PitChannel(1), new PitChannel(0)] as const;
  private readonly timer: Timer;

  constructor(private readonly options: PitOptions) {
    this.timer = options.clock.timer('pit', () => this.edge());
  }

  /** Gate of counter 2. */
  setGate2(on: boolean): void {
    this.channels[2].setGate(on ? 1 : 0, this.tick());
  }

  /** OUT of counter 2. */
  out2(): boolean {
    return this.channels[2].out(this.tick());
  }

  /** Gate of counter 2 as it is set. */
  get gate2(): boolean {
    return this.channels[2].s.gate === 1;
  }

  read(offset: number, _size: number): number {
    return this.channels[offset]?.read(this.tick()) ?? 0xff;
  }

  peek(offset: number, _size: number): number {
    return this.channels[offset]?.peek(this.tick()) ?? 0xff;
  }

  write(offset: number, _size: number, value: number): void {
    const byte = value & 0xff;
    const tick = this.tick();
    if (offset === CONTROL) this.control(byte, tick);
    else this.channels[offset]?.write(byte, tick);
    if (offset === 0 || offset === CONTROL) this.follow(tick);
  }

  reset(): void {
    for (const [index, channel] of this.channels.entries()) channel.s = channelPowerOn(index === 2 ? 0 : 1);
    this.options.irq(0);
    this.timer.set(undefined);
  }

  save(): DeviceState {
    const tick = this.tick();
    for (const channel of this.channels) channel.settle(tick);
    return copyFields({ channels: this.channels.map((channel) => channel.s) });
  }

  check(state: DeviceState): State {
    return readFields(this.name, schema, state);
  }

  restore(state: DeviceState): void {
    const { channels } = this.check(state);
    for (const [index, channel] of this.channels.entries()) channel.s = channels[index]!;
    this.arm(this.tick());
  }

  private tick(): number {
    return this.rate.ticksAt(this.options.clock.now());
  }

  private control(byte: number, tick: number): void {
    const select = byte >> 6;
    if (select === 3) this.readBack(byte, tick);
    else if ((byte & 0x30) === 0) this.channels[select]?.latchCount(tick);
    else this.channels[select]?.control((byte >> 4) & 3, (byte >> 1) & 7, (byte & 1) !== 0);
  }

  private readBack(byte: number, tick: number): void {
    for (const [index, channel] of this.channels.entries()) {
      if ((byte & (2 << index)) === 0) continue;
      if ((byte & 0x20) === 0) channel.latchCount(tick);
      if ((byte & 0x10) === 0) channel.latchStatus(tick);
    }
  }

  /** Counter 0 reached an edge. */
  private edge(): void {
    const tick = this.tick();
    const { mode } = this.channels[0].s;
    if (mode === 2 || mode === 4) this.options.irq(0);
    this.follow(tick);
  }

  private follow(tick: number): void {
    this.options.irq(this.channels[0].out(tick) ? 1 : 0);
    this.arm(tick);
  }

  private arm(tick: number): void {
    const next = this.channels[0].nextEdge(tick);
    this.timer.set(next === undefined ? undefined : this.rate.nsAt(next));
  }
}
