/**
 * virtio-mem (virtio 1.2, 5.15): memory that the guest plugs and unplugs itself, in blocks of 2 MiB, up to the size that the host
 * requests. Unplugged blocks have no memslot, so a driver must accept UNPLUGGED_INACCESSIBLE.
 *
 * Requests: plug, unplug, unplug all, state; answers ACK, NACK (more than requested), BUSY (the layout cannot be changed right now) and
 * ERROR. The usable region reaches 256 MiB beyond the requested size, as QEMU's does, and shrinks only when everything is unplugged. A
 * machine reset unplugs everything; a driver's reset of the device does not.
 *
 * Not implemented: other block sizes, ACPI_PXM (there is one node), prealloc.
 */
import type { DeviceState, VirtualClock } from '../bus';
import { type Check, int, list, object, u32 } from '../state';
import { EventGate, type GateState, gateSchema } from './event-gate';
import type { VirtioFunction } from './mmio';
import { BrokenQueue } from './queue';

export const MEM_BLOCK = 0x200000;

const DEVICE_TYPE = 24;
const UNPLUGGED_INACCESSIBLE = 1 << 1;
const QUEUE_SIZE = 128;
const REQUEST_BYTES = 24;
const RESPONSE_BYTES = 10;
const USABLE_EXTENT = 0x10000000;
const Ask = { plug: 0, unplug: 1, unplugAll: 2, state: 3 } as const;
const Answer = { ack: 0, nack: 1, busy: 2, error: 3 } as const;
const BlockState = { plugged: 0, unplugged: 1, mixed: 2 } as const;

/** Offsets into the device's memory, bytes. */
export interface MemRange {
  offset: number;
  size: number;
}

/** `refused`: not now, and not before the host changes something. */
export type MemOutcome = 'done' | 'busy' | 'refused';

export interface VirtioMemOptions {
  name: string;
  clock: VirtualClock;
  /** gpa, bytes */
  addr: number;
  /** bytes; a multiple of the block size */
  size: number;
  node: number;
  /** bytes */
  requested: number;
  /** Maps or unmaps the range; all or nothing. */
  plug: (range: MemRange) => MemOutcome;
  unplug: (ranges: readonly MemRange[]) => MemOutcome;
  /** Bytes plugged now; at most once a second of guest time. */
  sizeChanged: (size: number) => void;
}

interface State {
  addr: number;
  regionSize: number;
  requested: number;
  usable: number;
  /** A bit per block, 32 in each. */
  plugged: number[];
  event: GateState;
}

export class VirtioMem implements VirtioFunction<State> {
  readonly type = DEVICE_TYPE;
  readonly features = UNPLUGGED_INACCESSIBLE;
  readonly required = UNPLUGGED_INACCESSIBLE;
  readonly queues = [QUEUE_SIZE];
  readonly mostRequest = 64;
  readonly check: Check<State>;
  private s: Omit<State, 'event'>;
  private readonly gate: EventGate;

  constructor(private readonly options: VirtioMemOptions) {
    const { addr, size, requested, clock, name } = options;
    const blocks = size / MEM_BLOCK;
    const words = Math.ceil(blocks / 32);
    this.gate = new EventGate(clock, name, options.sizeChanged);
    this.s = { addr, regionSize: size, requested, usable: 0, plugged: new Array<number>(words).fill(0) };
    this.s.usable = this.usableFor(requested);
    const fields = object<State>({
      addr: int(addr, addr),
      regionSize: int(size, size),
      requested: wholeBlocks(size),
      usable: wholeBlocks(size),
      plugged: list(u32, words),
      event: object(gateSchema),
    });
    this.check = (value) => {
      const state = fields(value);
      if (blocks % 32 !== 0 && state.plugged.at(-1)! >= 2 ** (blocks % 32)) throw new Error(`plugged has a block beyond its ${blocks}`);
      return state;
    };
  }

  /** Bytes plugged. */
  get size(): number {
    return this.count(0, this.s.regionSize / MEM_BLOCK) * MEM_BLOCK;
  }

  get requested(): number {
    return this.s.requested;
  }

  /** Bytes, whole blocks, at most the device's size; the transport must notify the driver. */
  resize(size: number): void {
    this.s.requested = size;
    this.s.usable = Math.max(this.s.usable, this.usableFor(size));
  }

  config(): Uint8Array {
    const { addr, regionSize, usable, requested } = this.s;
    const bytes = new Uint8Array(56);
    const view = new DataView(bytes.buffer);
    const put = (at: number, value: number) => view.setBigUint64(at, BigInt(value), true);
    put(0, MEM_BLOCK);
    view.setUint16(8, this.options.node, true);
    put(16, addr);
    put(24, regionSize);
    put(32, usable);
    put(40, this.size);
    put(48, requested);
    return bytes;
  }

  writeConfig(): void {}

  request(_queue: number, bytes: Uint8Array): Uint8Array {
    if (bytes.length < REQUEST_BYTES) throw new BrokenQueue(`a request of ${bytes.length} bytes, it has ${REQUEST_BYTES}`);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const type = view.getUint16(0, true);
    if (type === Ask.unplugAll) return answer(this.unplugAll());
    const first = (view.getUint32(8, true) + view.getUint32(12, true) * 2 ** 32 - this.s.addr) / MEM_BLOCK;
    const count = view.getUint16(16, true);
    const fits = Number.isInteger(first) && first >= 0 && count > 0 && (first + count) * MEM_BLOCK <= this.s.usable;
    if (!fits || type > Ask.state) return answer(Answer.error);
    if (type === Ask.state) return answer(Answer.ack, this.stateOf(first, count));
    return answer(this.change(type === Ask.plug, first, count));
  }

  reset(): void {
    // Memory that cannot be unmapped now stays plugged, and so does the region that the guest may use.
    this.unplugAll();
    this.gate.reset();
  }

  save(): DeviceState {
    return structuredClone({ ...this.s, event: this.gate.save() }) as unknown as DeviceState;
  }

  load({ event, ...s }: State): void {
    this.s = s;
    this.gate.load(event);
  }

  private change(plug: boolean, first: number, count: number): number {
    const size = count * MEM_BLOCK;
    if (plug && this.size + size > this.s.requested) return Answer.nack;
    if (this.count(first, count) !== (plug ? 0 : count)) return Answer.error;
    const range = { offset: first * MEM_BLOCK, size };
    const outcome = plug ? this.options.plug(range) : this.options.unplug([range]);
    if (outcome === 'refused' && plug) return Answer.nack;
    if (outcome !== 'done') return Answer.busy;
    for (let block = first; block < first + count; block++) this.mark(block, plug);
    this.gate.offer(this.size);
    return Answer.ack;
  }

  private unplugAll(): number {
    const ranges = this.pluggedRanges();
    if (ranges.length > 0) {
      if (this.options.unplug(ranges) !== 'done') return Answer.busy;
      this.s.plugged.fill(0);
      this.gate.offer(0);
    }
    this.s.usable = this.usableFor(this.s.requested);
    return Answer.ack;
  }

  private pluggedRanges(): MemRange[] {
    const ranges: MemRange[] = [];
    for (let block = 0; block < this.s.regionSize / MEM_BLOCK; block++) {
      if (!this.isPlugged(block)) continue;
      const offset = block * MEM_BLOCK;
      const last = ranges.at(-1);
      if (last && last.offset + last.size === offset) last.size += MEM_BLOCK;
      else ranges.push({ offset, size: MEM_BLOCK });
    }
    return ranges;
  }

  private usableFor(requested: number): number {
    return requested === 0 ? 0 : Math.min(requested + USABLE_EXTENT, this.s.regionSize);
  }

  private stateOf(first: number, count: number): number {
    const plugged = this.count(first, count);
    return plugged === 0 ? BlockState.unplugged : plugged === count ? BlockState.plugged : BlockState.mixed;
  }

  private isPlugged(block: number): boolean {
    return ((this.s.plugged[block >>> 5]! >>> (block & 31)) & 1) !== 0;
  }

  private mark(block: number, plugged: boolean): void {
    const bit = 1 << (block & 31);
    const word = this.s.plugged[block >>> 5]!;
    this.s.plugged[block >>> 5] = (plugged ? word | bit : word & ~bit) >>> 0;
  }

  private count(first: number, count: number): number {
    let plugged = 0;
    for (let block = first; block < first + count; block++) if (this.isPlugged(block)) plugged += 1;
    return plugged;
  }
}

function answer(type: number, state = 0): Uint8Array {
  const bytes = new Uint8Array(RESPONSE_BYTES);
  bytes[0] = type;
  bytes[8] = state;
  return bytes;
}

function wholeBlocks(most: number): Check<number> {
  const within = int(0, most);
  return (value) => {
    const size = within(value);
    if (size % MEM_BLOCK !== 0) throw new Error(`must be a multiple of ${MEM_BLOCK}, not ${size}`);
    return size;
  };
}
