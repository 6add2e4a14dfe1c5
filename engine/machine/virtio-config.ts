/** The devices of a configuration on the virtio-mmio bus: checked and placed. Error texts are QEMU's. */
import { MEM_BLOCK } from '../devices/virtio/mem';
import { type MachineConfig, MachineError, type VirtioConfig } from './api';
import { VIRTIO_COUNT } from './board';

export type MemConfig = Extract<VirtioConfig, { driver: 'virtio-mem' }>;

/** A virtio-mem device with its place in guest memory. */
export interface PlacedMem {
  driver: 'virtio-mem';
  id: string;
  memdev: string;
  node: number;
  /** gpa, bytes */
  addr: number;
  size: number;
  /** Requested on the command line, bytes. */
  requested: number;
}

export interface PlacedBalloon {
  driver: 'virtio-balloon-device';
  id: string;
}

/** In the order of the bus. */
export type PlacedVirtio = PlacedMem | PlacedBalloon;

type Place = (id: string, size: number, addr: number | undefined) => number;

/** `place` finds room in guest memory or refuses. MachineError that names the device at fault. */
export function placeVirtio({ objects = [], virtio = [] }: MachineConfig, place: Place): PlacedVirtio[] {
  checkObjects(objects);
  if (virtio.length > VIRTIO_COUNT)
    throw new MachineError(`${virtio.length} virtio devices: the board's virtio-mmio bus has ${VIRTIO_COUNT} places`);
  const placed: PlacedVirtio[] = [];
  for (const device of virtio) {
    const id = device.id ?? '';
    const at = `-device ${device.driver}${id === '' ? '' : `,id=${id}`}: `;
    if (id !== '' && placed.some((other) => other.id === id)) throw new MachineError(`${at}Duplicate device ID '${id}'`);
    try {
      placed.push(device.driver === 'virtio-mem' ? placeMem(device, objects, placed, place) : placeBalloon(id, placed));
    } catch (error) {
      throw error instanceof MachineError ? new MachineError(at + error.message) : error;
    }
  }
  return placed;
}

function checkObjects(objects: readonly { id: string; size: number }[]): void {
  const seen = new Set<string>();
  for (const { id, size } of objects) {
    if (seen.has(id)) throw new MachineError(`-object memory-backend-ram,id=${id}: attempt to add duplicate property '${id}' to object`);
    if (!Number.isSafeInteger(size) || size <= 0)
      throw new MachineError(`-object memory-backend-ram,id=${id}: property 'size' of memory-backend-ram doesn't take value '${size}'`);
    seen.add(id);
  }
}

function placeBalloon(id: string, placed: readonly PlacedVirtio[]): PlacedBalloon {
  if (placed.some(({ driver }) => driver === 'virtio-balloon-device')) throw new MachineError('Only one balloon device is supported');
  return { driver: 'virtio-balloon-device', id };
}

function placeMem(
  { id, memdev, addr, requested = 0, node = 0 }: MemConfig,
  objects: readonly { id: string; size: number }[],
  placed: readonly PlacedVirtio[],
  place: Place,
): PlacedMem {
  if (id === '') throw new MachineError("'id' property must be set: the monitor names the device by it");
  const backend = objects.find((object) => object.id === memdev);
  if (!backend) throw new MachineError(`Device '${memdev}' not found: -object memory-backend-ram,id=${memdev},size=SIZE makes it`);
  if (placed.some((other) => other.driver === 'virtio-mem' && other.memdev === memdev))
    throw new MachineError(`'memdev' property specifies a busy memdev: ${memdev}`);
  if (node !== 0) throw new MachineError(`'node' property has value '${node}', which exceeds the number of numa nodes: 1`);
  checkRequested(requested, backend.size, "'requested-size' property");
  if (addr !== undefined && addr % MEM_BLOCK !== 0)
    throw new MachineError(`address must be aligned to ${hex(MEM_BLOCK)} bytes${nearest(addr)}`);
  if (backend.size % MEM_BLOCK !== 0)
    throw new MachineError(`backend memory size must be multiple of ${hex(MEM_BLOCK)}${nearest(backend.size)}`);
  return { driver: 'virtio-mem', id, memdev, node, addr: place(id, backend.size, addr), size: backend.size, requested };
}

/** `what`: the property, as in the text. */
export function checkRequested(requested: number, size: number, what: string): void {
  if (requested > size) throw new MachineError(`${what} cannot exceed the memory backend size(${hex(size)})`);
  if (requested % MEM_BLOCK !== 0)
    throw new MachineError(`${what} has to be multiples of 'block-size' (${hex(MEM_BLOCK)})${nearest(requested)}`);
}

const nearest = (value: number): string => ` (nearest: ${hex(Math.max(1, Math.round(value / MEM_BLOCK)) * MEM_BLOCK)})`;

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
