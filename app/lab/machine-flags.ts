/** The flags of a machine, as in QEMU: `-m 192M,slots=8,maxmem=4T`, `-smp 2`, `-accel jit,memslot-index=rbtree`. */
import type { MachineConfig } from '../../engine/worker/protocol';
import { MiB } from '../shared/format';

/** Linux' COMMAND_LINE_SIZE on x86 without the final zero. */
const LONGEST_APPEND = 2047;

export const DEFAULT_MEMORY = '192M,slots=8,maxmem=4T';

export const DEFAULT_CPU = 'lab64';

export type IndexKind = NonNullable<MachineConfig['index']>;
export type Accel = MachineConfig['accel'];
export const ACCELS = ['jit', 'interp'] as const satisfies readonly Accel[];
export const DEFAULT_ACCEL: Accel = 'jit';
export const INDEX_KINDS: readonly IndexKind[] = ['array', 'rbtree', 'btree'];
export const DEFAULT_INDEX: IndexKind = 'btree';
/** Entries of a dirty ring: powers of two, as KVM has them. */
export const RING_SIZES: readonly number[] = [256, 512, 1024, 2048, 4096, 8192, 16384, 32768, 65536];
const MOST_CPUS = 8;

/** Absent: the default. */
export interface MachineFlags {
  /** -m */
  memory: string;
  smp?: number | undefined;
  /** -cpu; unchecked: the engine reads it */
  cpu?: string | undefined;
  /** -append; the guest's own when absent */
  append?: string | undefined;
  /** "-object ... -device ...", unchecked: the engine reads it */
  devices?: string | undefined;
  /** -accel: what runs the guest's code */
  accel?: Accel | undefined;
  /** -accel jit,memslot-index= */
  index?: IndexKind | undefined;
  /** -accel jit,dirty-ring-size= */
  dirtyRing?: number | undefined;
  /** -S */
  paused?: boolean | undefined;
}

const SUFFIX: Record<string, number> = { K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

/** Bytes; a bare number counts MiB, as QEMU's -m does. undefined: not a size. */
function memorySize(text: string): number | undefined {
  const match = /^(\d+)([KMGT])?$/i.exec(text);
  if (!match) return undefined;
  return Number(match[1]) * (SUFFIX[match[2]?.toUpperCase() ?? 'M'] ?? 0);
}

/** Throws one line that names the value at fault. */
export function parseMemory(text: string): Pick<MachineConfig, 'ram' | 'slots' | 'maxmem'> {
  const [size = '', ...rest] = text.trim().split(',');
  const ram = memorySize(size.replace(/^size=/, ''));
  if (!ram || ram % MiB || ram < 2 * MiB) throw new Error(`-m ${size}: not a size of whole MiB. Use 192M or 1G.`);
  let slots = 0;
  let maxmem = ram;
  for (const part of rest) {
    const [key, value = ''] = part.split('=');
    if (key === 'slots') {
      slots = Number(value);
      if (!/^\d+$/.test(value) || slots > 32) throw new Error(`slots=${value}: 0 to 32 DIMM slots are possible.`);
    } else if (key === 'maxmem') {
      const parsed = memorySize(value);
      if (parsed === undefined || parsed < ram) throw new Error(`maxmem=${value}: a size of at least ${size} is needed.`);
      maxmem = parsed;
    } else throw new Error(`-m knows size, slots and maxmem, not "${part}".`);
  }
  if (maxmem > ram && slots === 0) throw new Error('maxmem needs slots=, 1 to 32: without a DIMM slot nothing can be plugged.');
  return { ram, slots, maxmem };
}

/** QEMU's -smp. Throws one line that names the value at fault. */
export function parseSmp(text: string): number {
  const cpus = /^(?:cpus=)?(\d{1,9})$/.exec(text.trim())?.[1];
  if (cpus === undefined) throw new Error(`-smp ${text}: not a number of vCPUs. Use 1 to ${MOST_CPUS}.`);
  if (Number(cpus) < 1 || Number(cpus) > MOST_CPUS) throw new Error(`-smp ${text}: this machine has 1 to ${MOST_CPUS} vCPUs.`);
  return Number(cpus);
}

/** As `lab` takes it, always with the index, since that is the subject of the lab. */
export const formatAccel = ({
  accel = DEFAULT_ACCEL,
  index = DEFAULT_INDEX,
  dirtyRing,
}: Pick<MachineFlags, 'accel' | 'index' | 'dirtyRing'>): string =>
  `-accel ${accel},memslot-index=${index}${dirtyRing === undefined ? '' : `,dirty-ring-size=${dirtyRing}`}`;

const short = (bytes: number): string => {
  const suffix = ['T', 'G', 'M'].find((letter) => bytes % (SUFFIX[letter] ?? 1) === 0);
  return suffix ? `${bytes / (SUFFIX[suffix] ?? 1)}${suffix}` : `${bytes}`;
};

/** The -object and -device flags of the machine; '' without them. The engine parses such flags, the page only writes them. */
export function formatDevices({ objects = [], virtio = [] }: Pick<MachineConfig, 'objects' | 'virtio'>): string {
  const flags = objects.map(({ id, size }) => `-object memory-backend-ram,id=${id},size=${short(size)}`);
  for (const device of virtio) {
    const { driver, id } = device;
    let flag = `-device ${driver}${id ? `,id=${id}` : ''}`;
    if (driver === 'virtio-mem') {
      const { memdev, requested, addr } = device;
      flag += `,memdev=${memdev}`;
      if (requested) flag += `,requested-size=${short(requested)}`;
      if (addr !== undefined) flag += `,memaddr=0x${addr.toString(16)}`;
    }
    flags.push(flag);
  }
  return flags.join(' ');
}

export function formatMemory(config: Pick<MachineConfig, 'ram' | 'slots' | 'maxmem'>): string {
  return config.slots ? `${short(config.ram)},slots=${config.slots},maxmem=${short(config.maxmem)}` : short(config.ram);
}

/** QEMU's -append: checks that a kernel can take it as its command line. Throws one line that names the fault. */
export function parseAppend(text: string): string {
  const odd = /[^\x20-\x7e]/.exec(text);
  if (odd)
    throw new Error(`-append: character ${odd.index + 1} (U+${(odd[0].codePointAt(0) ?? 0).toString(16).padStart(4, '0')}) is not ASCII.`);
  if (text.length > LONGEST_APPEND) throw new Error(`-append has ${text.length} characters, a kernel takes at most ${LONGEST_APPEND}.`);
  return text.trim();
}
