/** A guest's side of virtio-mmio for tests: it negotiates, keeps one queue in a small flat memory and puts requests into it. */
import type { BusDevice } from '../bus';
import type { GuestMemory } from './queue';

const TABLE = 0x1000;
const DRIVER = 0x2000;
const DEVICE = 0x3000;
const BUFFERS = 0x4000;

export class FlatMemory implements GuestMemory {
  readonly bytes = new Uint8Array(0x10000);
  readonly view = new DataView(this.bytes.buffer);
  /** Writes from here on fail. */
  readOnlyFrom = this.bytes.length;

  read(gpa: number, length: number): Uint8Array | undefined {
    return gpa + length <= this.bytes.length ? this.bytes.slice(gpa, gpa + length) : undefined;
  }

  write(gpa: number, bytes: Uint8Array): boolean {
    if (gpa + bytes.length > this.readOnlyFrom) return false;
    this.bytes.set(bytes, gpa);
    return true;
  }
}

export class TestDriver {
  size = 8;
  private sent = 0;

  constructor(
    readonly device: BusDevice,
    readonly memory: FlatMemory,
  ) {}

  get(register: number): number {
    return this.device.read(register, 4);
  }

  set(register: number, value: number): void {
    this.device.write(register, 4, value);
  }

  /** Up to DRIVER_OK. `features`: bits 0 to 31. */
  start(features: number, queues = 1): void {
    this.set(0x70, 0);
    this.sent = 0;
    this.set(0x70, 3);
    for (const [word, bits] of [features, 1].entries()) {
      this.set(0x24, word);
      this.set(0x20, bits);
    }
    this.set(0x70, 11);
    for (let queue = 0; queue < queues; queue++) {
      this.set(0x30, queue);
      this.set(0x38, this.size);
      this.set(0x80, TABLE);
      this.set(0x90, DRIVER);
      this.set(0xa0, DEVICE);
      this.set(0x44, 1);
    }
    this.memory.bytes.fill(0, DRIVER, BUFFERS);
    this.set(0x70, 15);
  }

  /** Flags: 1 more follow (`next`), 2 the device writes it, 4 indirect. */
  describe(index: number, gpa: number, length: number, flags: number, next = 0): void {
    const { view } = this.memory;
    const at = TABLE + 16 * index;
    view.setBigUint64(at, BigInt(gpa), true);
    view.setUint32(at + 8, length, true);
    view.setUint16(at + 12, flags, true);
    view.setUint16(at + 14, next, true);
  }

  /** Makes the chain at `head` available and notifies the device. */
  offer(head: number, queue = 0): void {
    const { view } = this.memory;
    view.setUint16(DRIVER + 4 + 2 * (this.sent % this.size), head, true);
    this.sent += 1;
    view.setUint16(DRIVER + 2, this.sent, true);
    this.set(0x50, queue);
  }

  /** The driver asks for no interrupts. */
  silence(): void {
    this.memory.view.setUint16(DRIVER, 1, true);
  }

  /** The answer to a request, or undefined if the device returned none. */
  ask(bytes: Uint8Array, room = 16, queue = 0): Uint8Array | undefined {
    this.memory.bytes.set(bytes, BUFFERS);
    this.memory.bytes.fill(0xee, BUFFERS + 0x800, BUFFERS + 0x800 + room);
    this.describe(0, BUFFERS, bytes.length, room > 0 ? 1 : 0, 1);
    this.describe(1, BUFFERS + 0x800, room, 2);
    const before = this.given;
    this.offer(0, queue);
    if (this.given === before) return undefined;
    const element = DEVICE + 4 + 8 * (before % this.size);
    const length = this.memory.view.getUint32(element + 4, true);
    return this.memory.bytes.slice(BUFFERS + 0x800, BUFFERS + 0x800 + length);
  }

  /** Index of the used ring. */
  get given(): number {
    return this.memory.view.getUint16(DEVICE + 2, true);
  }
}
