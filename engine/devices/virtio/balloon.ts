/**
 * Traditional memory balloon (virtio 1.2, 5.5): the host requests a number of pages, and the guest's driver takes
 * them from its free memory and reports them. A page in the balloon is zeroed: host memory of this machine never shrinks (a
 * WebAssembly memory cannot), but a zero page costs nothing in a snapshot.
 *
 * A request names at most 1,024 pages (Linux: 256), so that no driver keeps the machine busy for long. Pages that are not writable memory
 * are skipped, as in QEMU.
 *
 * Not implemented: statistics, deflate on out-of-memory, free page hinting and reporting, page poisoning (none is offered).
 */
import type { DeviceState, VirtualClock } from '../bus';
import { type Check, object, u32 } from '../state';
import { EventGate, type GateState, gateSchema } from './event-gate';
import type { VirtioFunction } from './mmio';

const DEVICE_TYPE = 5;
const QUEUE_SIZE = 16;
const PAGE = 4096;
const MOST_PAGES = 1024;
const ACTUAL = 4;
const INFLATE = 0;

export interface VirtioBalloonOptions {
  name: string;
  clock: VirtualClock;
  /** Zeroes the page at gpa if it is writable memory. */
  discard: (gpa: number) => void;
  /** Bytes in the balloon now; at most once a second of guest time. */
  changed: (size: number) => void;
}

interface State {
  /** Pages that the host requests, and pages in the balloon according to the guest. */
  wanted: number;
  actual: number;
  event: GateState;
}

export class VirtioBalloon implements VirtioFunction<State> {
  readonly type = DEVICE_TYPE;
  readonly features = 0;
  readonly required = 0;
  readonly queues = [QUEUE_SIZE, QUEUE_SIZE];
  readonly mostRequest = MOST_PAGES * 4;
  readonly check: Check<State> = object<State>({ wanted: u32, actual: u32, event: object(gateSchema) });
  private wanted = 0;
  private actual = 0;
  private readonly gate: EventGate;

  constructor(private readonly options: VirtioBalloonOptions) {
    this.gate = new EventGate(options.clock, options.name, options.changed);
  }

  /** Bytes in the balloon, according to the guest. */
  get size(): number {
    return this.actual * PAGE;
  }

  /** Bytes, whole pages; the transport must notify the driver. */
  resize(size: number): void {
    this.wanted = size / PAGE;
  }

  config(): Uint8Array {
    const bytes = new Uint8Array(8);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, this.wanted, true);
    view.setUint32(ACTUAL, this.actual, true);
    return bytes;
  }

  writeConfig(offset: number, size: number, value: number): void {
    if (offset !== ACTUAL || size !== 4 || value === this.actual) return;
    this.actual = value;
    this.gate.offer(this.size);
  }

  request(queue: number, bytes: Uint8Array): Uint8Array {
    if (queue === INFLATE) {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      for (let at = 0; at + 4 <= bytes.length; at += 4) this.options.discard(view.getUint32(at, true) * PAGE);
    }
    return new Uint8Array();
  }

  /** The new guest gets the old one's pages; the host's request stays, as in QEMU. */
  reset(): void {
    this.actual = 0;
    this.gate.reset();
  }

  save(): DeviceState {
    const { wanted, actual } = this;
    return { wanted, actual, event: this.gate.save() };
  }

  load({ wanted, actual, event }: State): void {
    this.wanted = wanted;
    this.actual = actual;
    this.gate.load(event);
  }
}
