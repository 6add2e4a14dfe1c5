/**
 * virtio-mmio (virtio 1.2, 4.2), version 2: registers of 32 bits at +0, the device's configuration at +0x100.
 *
 *   0x000 magic "virt"     0x020/024 driver features, selector    0x060/064 interrupt status, acknowledge
 *   0x004 version 2        0x030 queue selector                   0x070 status; 0 resets
 *   0x008 device id        0x034/038 queue size: largest, set     0x080 descriptor, 0x090 driver, 0x0a0 device area (low, high)
 *   0x00c vendor id        0x044 queue ready                      0x0fc configuration generation
 *   0x010/014 features     0x050 queue notify
 *
 * The line is level triggered: up while an interrupt status bit is set. A driver with an invalid queue gets
 * DEVICE_NEEDS_RESET and one line in the log; its queues stop until it resets the device. A notification is handled before the
 * end of the instruction that made it, at most one round of the queue.
 *
 * Not implemented: the legacy version 1, shared memory regions, queue reset, notification data, accesses to registers other than 32 bits
 * wide (reads return 0, writes are ignored).
 */
import type { BusDevice, DeviceState, IrqLine } from '../bus';
import { allOnes, type Check, copyFields, list, object, readFields, type Schema, u8, u32 } from '../state';
import { BrokenQueue, emptyQueue, type GuestMemory, giveBack, type QueueState, queueSchema, takeRequest } from './queue';

export const VIRTIO_MMIO_LENGTH = 0x200;

const MAGIC = 0x74726976;
const VERSION = 2;
/** "LABM" */
const VENDOR = 0x4d42414c;
const CONFIG = 0x100;
const ACKNOWLEDGEABLE = 3;
const USED_BUFFER = 1;
const CONFIG_CHANGE = 2;
const STATUS_DRIVER_OK = 4;
const STATUS_FEATURES_OK = 8;
const STATUS_NEEDS_RESET = 0x40;
/** The part that the driver writes. */
const STATUS_DRIVER = 0x8f;
/** In the second feature word: VIRTIO_F_VERSION_1, bit 32. */
const VERSION_1 = 1;
/** Errors of one driver that are logged between two resets of the machine. */
const LOG_LIMIT = 8;

/** A device type behind the transport. */
export interface VirtioFunction<S = unknown> {
  /** Virtio device id. */
  readonly type: number;
  /** Feature bits 0 to 31 that it offers, and those of them that a driver must accept. */
  readonly features: number;
  readonly required: number;
  /** Largest size of each queue. */
  readonly queues: readonly number[];
  /** Most bytes of a request. */
  readonly mostRequest: number;
  /** The current configuration, little-endian. */
  config(): Uint8Array;
  writeConfig(offset: number, size: number, value: number): void;
  /** Executes a request of the driver and returns the answer. Throws BrokenQueue if it is not a request. */
  request(queue: number, bytes: Uint8Array): Uint8Array;
  /** The machine was reset; a reset of the device by its driver changes nothing here. */
  reset(): void;
  save(): DeviceState;
  readonly check: Check<S>;
  load(state: S): void;
}

interface State {
  status: number;
  featuresSelector: number;
  driverSelector: number;
  driverFeatures: number[];
  queueSelector: number;
  queues: QueueState[];
  interrupts: number;
  generation: number;
}

export interface VirtioMmioOptions {
  /** Name on the bus and in snapshots. */
  name: string;
  irq: IrqLine;
  memory: GuestMemory;
  log: (text: string) => void;
}

export class VirtioMmio<S> implements BusDevice {
  readonly name: string;
  private s: State;
  private readonly schema: Schema<State & { function: S }>;
  private complaints = 0;

  constructor(
    private readonly options: VirtioMmioOptions,
    private readonly behind: VirtioFunction<S>,
  ) {
    this.name = options.name;
    this.s = this.powerOn();
    this.schema = {
      status: u8,
      featuresSelector: u32,
      driverSelector: u32,
      driverFeatures: list(u32, 2),
      queueSelector: u32,
      queues: list(object(queueSchema), behind.queues.length),
      interrupts: u8,
      generation: u32,
      function: behind.check,
    };
  }

  /** Notifies the driver that the configuration changed. */
  configChanged(): void {
    this.s.generation = (this.s.generation + 1) >>> 0;
    if ((this.s.status & STATUS_DRIVER_OK) !== 0) this.interrupt(CONFIG_CHANGE);
  }

  read(offset: number, size: number): number {
    return this.peek(offset, size);
  }

  peek(offset: number, size: number): number {
    if (offset >= CONFIG) return littleEndian(this.behind.config(), offset - CONFIG, size);
    return size === 4 ? this.register(offset) >>> 0 : 0;
  }

  write(offset: number, size: number, value: number): void {
    if (offset >= CONFIG) this.behind.writeConfig(offset - CONFIG, size, value);
    else if (size === 4) this.writeRegister(offset, value >>> 0);
  }

  reset(): void {
    this.behind.reset();
    this.resetDriver();
    this.complaints = 0;
  }

  save(): DeviceState {
    return { ...copyFields(this.s), function: this.behind.save() };
  }

  check(state: DeviceState): State & { function: S } {
    return readFields(this.name, this.schema, state);
  }

  restore(state: DeviceState): void {
    const { function: behind, ...s } = this.check(state);
    this.s = s;
    this.behind.load(behind);
  }

  private powerOn(): State {
    return {
      ...{ status: 0, featuresSelector: 0, driverSelector: 0, driverFeatures: [0, 0], queueSelector: 0 },
      ...{ queues: this.behind.queues.map(emptyQueue), interrupts: 0, generation: 0 },
    };
  }

  private resetDriver(): void {
    // The generation changes, so that a driver that has read half of the configuration notices.
    this.s = { ...this.powerOn(), generation: this.s.generation };
    this.options.irq(0);
  }

  private get queue(): QueueState | undefined {
    return this.s.queues[this.s.queueSelector];
  }

  private register(offset: number): number {
    const { s } = this;
    switch (offset) {
      case 0x00:
        return MAGIC;
      case 0x04:
        return VERSION;
      case 0x08:
        return this.behind.type;
      case 0x0c:
        return VENDOR;
      case 0x10:
        return [this.behind.features, VERSION_1][s.featuresSelector] ?? 0;
      case 0x34:
        return this.behind.queues[s.queueSelector] ?? 0;
      case 0x44:
        return this.queue?.ready ? 1 : 0;
      case 0x60:
        return s.interrupts;
      case 0x70:
        return s.status;
      // There is no shared memory region: its length reads as all ones.
      case 0xb0:
      case 0xb4:
      case 0xb8:
      case 0xbc:
        return allOnes(4);
      case 0xfc:
        return s.generation;
      default:
        return 0;
    }
  }

  private writeRegister(offset: number, value: number): void {
    const { s } = this;
    switch (offset) {
      case 0x14:
        s.featuresSelector = value;
        break;
      case 0x20:
        if (s.driverSelector < 2 && (s.status & STATUS_FEATURES_OK) === 0) s.driverFeatures[s.driverSelector] = value;
        break;
      case 0x24:
        s.driverSelector = value;
        break;
      case 0x30:
        s.queueSelector = value;
        break;
      case 0x50:
        this.serve(value);
        break;
      case 0x64:
        s.interrupts &= ~value & ACKNOWLEDGEABLE;
        this.options.irq(s.interrupts === 0 ? 0 : 1);
        break;
      case 0x70:
        this.writeStatus(value);
        break;
      default:
        this.writeQueueRegister(offset, value);
    }
  }

  private writeQueueRegister(offset: number, value: number): void {
    const { queue } = this;
    if (!queue) return;
    if (offset === 0x44) {
      queue.ready = (value & 1) !== 0;
      if (queue.ready) Object.assign(queue, { taken: 0, given: 0 });
      return;
    }
    // A queue in use does not change.
    if (queue.ready) return;
    if (offset === 0x38) queue.size = value;
    else if (offset === 0x80 || offset === 0x84) queue.descriptors[(offset - 0x80) >> 2] = value;
    else if (offset === 0x90 || offset === 0x94) queue.driver[(offset - 0x90) >> 2] = value;
    else if (offset === 0xa0 || offset === 0xa4) queue.device[(offset - 0xa0) >> 2] = value;
  }

  private writeStatus(value: number): void {
    const { s } = this;
    if (value === 0) {
      this.resetDriver();
      return;
    }
    let status = (value & STATUS_DRIVER) | (s.status & STATUS_NEEDS_RESET);
    if ((s.status & STATUS_FEATURES_OK) === 0 && !this.featuresFit) status &= ~STATUS_FEATURES_OK;
    s.status = status;
  }

  private get featuresFit(): boolean {
    const [low = 0, high = 0] = this.s.driverFeatures;
    const { features, required } = this.behind;
    return (low & ~features) === 0 && (low & required) === required && high === VERSION_1;
  }

  private serve(index: number): void {
    const { s } = this;
    const queue = s.queues[index];
    if (!queue?.ready || (s.status & (STATUS_DRIVER_OK | STATUS_NEEDS_RESET)) !== STATUS_DRIVER_OK) return;
    const { behind, options } = this;
    try {
      for (let round = 0; round === 0 || round < queue.size; round++) {
        const request = takeRequest(queue, behind.mostRequest, behind.queues[index]!, options.memory);
        if (!request) return;
        const answer = behind.request(index, request.bytes);
        if (giveBack(queue, request, answer, options.memory)) this.interrupt(USED_BUFFER);
      }
    } catch (error) {
      if (!(error instanceof BrokenQueue)) throw error;
      this.broken(`queue ${index}: ${error.message}`);
    }
  }

  private broken(reason: string): void {
    this.s.status |= STATUS_NEEDS_RESET;
    this.interrupt(CONFIG_CHANGE);
    this.complaints += 1;
    if (this.complaints <= LOG_LIMIT) this.options.log(`${this.name}: the driver must reset it: ${reason}`);
  }

  private interrupt(cause: number): void {
    this.s.interrupts |= cause;
    this.options.irq(1);
  }
}

/** Reads beyond the end of the configuration return 0. */
function littleEndian(bytes: Uint8Array, offset: number, size: number): number {
  let value = 0;
  for (let byte = size - 1; byte >= 0; byte--) value = value * 256 + (bytes[offset + byte] ?? 0);
  return value;
}
