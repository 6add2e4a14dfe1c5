/**
 * Split virtqueue (virtio 1.2, 2.7): descriptor table, driver area (available ring) and device area (used ring) in guest memory.
 *
 * Nothing in it is trusted: indexes, addresses, lengths and chains are checked before they are followed, and anything invalid
 * throws BrokenQueue, which the transport turns into DEVICE_NEEDS_RESET. Work is bounded: a chain has at most as many descriptors as the
 * queue, and at most `most` bytes of it are read.
 *
 * Not implemented: indirect descriptors, event indexes, packed rings and in-order use (none of these features is offered).
 */
import { flag, list, type Schema, u16, u32 } from '../state';

/** Guest-physical memory for devices, through the memslots. */
export interface GuestMemory {
  /** A copy; undefined if a byte is not backed by a memslot. */
  read(gpa: number, length: number): Uint8Array | undefined;
  /** false, with nothing written, if a byte is not backed or its memslot is read-only. */
  write(gpa: number, bytes: Uint8Array): boolean;
}

/** The driver put something invalid into its queue. */
export class BrokenQueue extends Error {}

export interface QueueState {
  /** Entries, as the driver set it. */
  size: number;
  ready: boolean;
  /** gpas of the three areas: low and high half. */
  descriptors: number[];
  driver: number[];
  device: number[];
  /** Requests taken so far, modulo 2^16. */
  taken: number;
  /** Requests returned so far, modulo 2^16. */
  given: number;
}

export const queueSchema: Schema<QueueState> = {
  size: u32,
  ready: flag,
  descriptors: list(u32, 2),
  driver: list(u32, 2),
  device: list(u32, 2),
  taken: u16,
  given: u16,
};

export const emptyQueue = (): QueueState => ({
  size: 0,
  ready: false,
  descriptors: [0, 0],
  driver: [0, 0],
  device: [0, 0],
  taken: 0,
  given: 0,
});

export interface Request {
  /** Index of the chain's first descriptor. */
  head: number;
  /** The bytes that the driver wrote. */
  bytes: Uint8Array;
  /** Where to write the answer. */
  room: { gpa: number; length: number }[];
}

const NEXT = 1;
const WRITE = 2;
const INDIRECT = 4;
const NO_INTERRUPT = 1;
const DESCRIPTOR_SIZE = 16;
/** All guest-physical addresses are below this, and numbers up to here are exact. */
const MAX_GPA = 2 ** 52;

/** The next request of the queue; undefined if there is none. `most`: most bytes of a request. */
export function takeRequest(queue: QueueState, most: number, max: number, memory: GuestMemory): Request | undefined {
  const size = checkedSize(queue, max);
  const driver = area('driver area', queue.driver, 2);
  const waiting = (read16(memory, driver + 2) - queue.taken) & 0xffff;
  if (waiting === 0) return undefined;
  if (waiting > size) throw new BrokenQueue(`${waiting} requests are available in a queue of ${size}`);
  const head = read16(memory, driver + 4 + 2 * (queue.taken % size));
  const request = readChain(queue, head, most, memory);
  queue.taken = (queue.taken + 1) & 0xffff;
  return request;
}

/** Returns a request with its answer; true if the driver wants an interrupt for it. */
export function giveBack(queue: QueueState, request: Request, answer: Uint8Array, memory: GuestMemory): boolean {
  let done = 0;
  for (const { gpa, length } of request.room) {
    const piece = answer.subarray(done, done + length);
    if (piece.length === 0) break;
    if (!memory.write(gpa, piece))
      throw new BrokenQueue(`no memory that can be written at ${hex(gpa)} for ${piece.length} bytes of answer`);
    done += piece.length;
  }
  if (done < answer.length) throw new BrokenQueue(`the request has room for ${done} of ${answer.length} bytes of answer`);
  const device = area('device area', queue.device, 4);
  const element = new Uint8Array(8);
  const view = new DataView(element.buffer);
  view.setUint32(0, request.head, true);
  view.setUint32(4, answer.length, true);
  const given = (queue.given + 1) & 0xffff;
  const index = Uint8Array.of(given & 0xff, given >> 8);
  if (!memory.write(device + 4 + 8 * (queue.given % queue.size), element) || !memory.write(device + 2, index))
    throw new BrokenQueue(`no memory that can be written at ${hex(device)}, the device area`);
  queue.given = given;
  return (read16(memory, area('driver area', queue.driver, 2)) & NO_INTERRUPT) === 0;
}

function readChain(queue: QueueState, head: number, most: number, memory: GuestMemory): Request {
  const table = area('descriptor area', queue.descriptors, 16);
  const room: Request['room'] = [];
  const pieces: Uint8Array[] = [];
  let length = 0;
  let index = head;
  for (let steps = 0; ; steps++) {
    if (index >= queue.size) throw new BrokenQueue(`descriptor ${index} of a queue of ${queue.size}`);
    if (steps >= queue.size) throw new BrokenQueue(`the chain at descriptor ${head} has no end`);
    const descriptor = readDescriptor(memory, table + index * DESCRIPTOR_SIZE);
    if ((descriptor.flags & INDIRECT) !== 0) throw new BrokenQueue(`descriptor ${index} is indirect, which was not negotiated`);
    if ((descriptor.flags & WRITE) !== 0) room.push(descriptor);
    else if (room.length > 0) throw new BrokenQueue(`descriptor ${index} is to be read but follows one to be written`);
    else {
      length += descriptor.length;
      if (length > most) throw new BrokenQueue(`a request of more than ${most} bytes`);
      pieces.push(readBytes(memory, descriptor.gpa, descriptor.length));
    }
    if ((descriptor.flags & NEXT) === 0) break;
    index = descriptor.next;
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return { head, bytes, room };
}

function readDescriptor(memory: GuestMemory, at: number): { gpa: number; length: number; flags: number; next: number } {
  const bytes = readBytes(memory, at, DESCRIPTOR_SIZE);
  const view = new DataView(bytes.buffer, bytes.byteOffset, DESCRIPTOR_SIZE);
  const gpa = address(`the address in the descriptor at ${hex(at)}`, view.getUint32(0, true), view.getUint32(4, true));
  return { gpa, length: view.getUint32(8, true), flags: view.getUint16(12, true), next: view.getUint16(14, true) };
}

function checkedSize({ size }: QueueState, max: number): number {
  if (size === 0 || size > max || (size & (size - 1)) !== 0)
    throw new BrokenQueue(`a queue of ${size} entries: a power of two up to ${max} is possible`);
  return size;
}

function area(name: string, [low = 0, high = 0]: readonly number[], alignment: number): number {
  const gpa = address(`the ${name}`, low, high);
  if (gpa % alignment !== 0) throw new BrokenQueue(`the ${name} at ${hex(gpa)} is not aligned to ${alignment} bytes`);
  return gpa;
}

function address(what: string, low: number, high: number): number {
  const gpa = high * 2 ** 32 + low;
  if (gpa >= MAX_GPA) throw new BrokenQueue(`${what} is beyond physical memory`);
  return gpa;
}

function readBytes(memory: GuestMemory, gpa: number, length: number): Uint8Array {
  const bytes = memory.read(gpa, length);
  if (!bytes) throw new BrokenQueue(`no memory at ${hex(gpa)} for ${length} bytes`);
  return bytes;
}

function read16(memory: GuestMemory, gpa: number): number {
  const bytes = readBytes(memory, gpa, 2);
  return bytes[0]! | (bytes[1]! << 8);
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
