/** The machine that a link is for: its flags, and the guest by its name and the hash of its image. Links contain no images. */
import { MAX_VCPUS } from '../abi/layout';
import type { GuestImage, Machine, MachineConfig, SavedDevices } from '../machine/index';
import { checkDevices, DEFAULT_CPU, devicesOf, parseCpu } from '../machine/index';
import { sha256, sha256Hex } from '../machine/sha256';
import { Refused } from './container';

export interface MachineSpec {
  guest: string;
  append: string;
  /** The beginning of the SHA-256 of kernel and initrd, hex. */
  image: string;
  /** bytes */
  ram: number;
  slots: number;
  maxmem: number;
  smp: number;
  /** -cpu; absent: lab64 */
  cpu?: string;
  index?: 'array' | 'rbtree' | 'btree';
  /** The program that created it, if known, 12 hex digits: a different version may behave differently. */
  program?: string;
  /** -object and -device */
  devices?: SavedDevices;
}

/** Most boot RAM that a link may request, bytes. */
export const MAX_LINK_RAM = 2 ** 30;
const MAX_APPEND = 2047;
const MAX_GPA = 2 ** 46;
const IMAGE_DIGITS = 16;
const MAX_CPU = 400;
const INDEXES = ['array', 'rbtree', 'btree'] as const;

/** `program`: this one. */
export async function specOf(machine: Machine, program?: string): Promise<MachineSpec> {
  const { ram, slots, maxmem, smp, cpu, index } = machine.config;
  const { guest } = machine;
  if (!guest) throw new Refused('the machine has no guest that could be named');
  const spec = {
    guest: guest.name,
    append: guest.append ?? '',
    image: await imageOf(guest),
    ram,
    slots,
    maxmem,
    smp,
    ...(cpu ? { cpu } : {}),
  };
  const { objects = [] } = machine.config;
  const devices = devicesOf(machine.config) ?? (objects.length > 0 ? { objects, virtio: [] } : undefined);
  return { ...spec, ...(index ? { index } : {}), ...(devices ? { devices } : {}), ...(program ? { program } : {}) };
}

/** The options to create the machine with. */
export function configOf({ ram, slots, maxmem, smp, cpu, index, devices }: MachineSpec): Omit<MachineConfig, 'accel'> {
  return { ram, slots, maxmem, smp, ...(cpu ? { cpu } : {}), ...(index ? { index } : {}), ...devices };
}

/** Throws Refused that names the member at fault. */
export function checkSpec(value: unknown): MachineSpec {
  const raw = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>;
  const text = (name: string, pattern: RegExp): string => {
    const found = raw[name];
    if (typeof found !== 'string' || !pattern.test(found))
      throw new Refused(`${name} is no ${name === 'append' ? 'command line' : 'name'}`);
    return found;
  };
  const number = (name: string, low: number, high: number): number => {
    const found = raw[name];
    if (typeof found !== 'number' || !Number.isSafeInteger(found) || found < low || found > high)
      throw new Refused(`${name} is not a whole number from ${low} to ${high}`);
    return found;
  };
  if (typeof raw.ram === 'number' && raw.ram > MAX_LINK_RAM)
    throw new Refused(`it asks for ${raw.ram} bytes of boot RAM, at most ${MAX_LINK_RAM} are allowed for a link`);
  const spec: MachineSpec = {
    guest: text('guest', /^[ -~]{1,64}$/),
    append: text('append', new RegExp(`^[ -~]{0,${MAX_APPEND}}$`)),
    image: text('image', new RegExp(`^[0-9a-f]{${IMAGE_DIGITS}}$`)),
    ram: number('ram', 2 ** 21, MAX_LINK_RAM),
    slots: number('slots', 0, 32),
    maxmem: number('maxmem', 0, MAX_GPA),
    smp: number('smp', 1, MAX_VCPUS),
  };
  const cpu = cpuIn(raw.cpu);
  const index = INDEXES.find((each) => each === raw.index);
  if (raw.index !== undefined && !index) throw new Refused('index is none of array, rbtree and btree');
  const devices = devicesIn(raw);
  const program = raw.program === undefined ? undefined : text('program', /^[0-9a-f]{12}$/);
  return {
    ...spec,
    ...(cpu ? { cpu } : {}),
    ...(index ? { index } : {}),
    ...(devices ? { devices } : {}),
    ...(program ? { program } : {}),
  };
}

function cpuIn(raw: unknown): string | undefined {
  if (raw === undefined) return undefined;
  if (typeof raw !== 'string' || raw.length > MAX_CPU) throw new Refused('cpu is not a processor');
  try {
    const { name } = parseCpu(raw);
    return name === DEFAULT_CPU ? undefined : name;
  } catch (error) {
    throw new Refused((error as Error).message);
  }
}

function devicesIn(raw: Record<string, unknown>): SavedDevices | undefined {
  try {
    return checkDevices(raw);
  } catch (error) {
    throw new Refused((error as Error).message);
  }
}

/** Why this guest is not the right one. */
export async function otherGuest(spec: MachineSpec, guest: GuestImage | undefined): Promise<string | undefined> {
  if (guest?.name !== spec.guest) return `it is for the guest '${spec.guest}', not '${guest?.name ?? ''}'`;
  if ((guest.append ?? '') !== spec.append) return `it is for ${spec.guest} with a different command line`;
  if ((await imageOf(guest)) !== spec.image) return `it was made with a different build of ${spec.guest} than the one here`;
  return undefined;
}

async function imageOf({ kernel, initrd }: GuestImage): Promise<string> {
  const hashes = await Promise.all([kernel, initrd ?? new Uint8Array(0)].map((file) => sha256(file)));
  const both = new Uint8Array(64);
  hashes.forEach((hash, index) => {
    both.set(hash, index * 32);
  });
  return (await sha256Hex(both)).slice(0, IMAGE_DIGITS);
}
