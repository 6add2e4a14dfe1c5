/** Converts the flags of a machine to the texts of the picker's fields, and back. */
import type { LabState } from '../../../engine/worker/protocol';
import {
  type Accel,
  DEFAULT_ACCEL,
  DEFAULT_CPU,
  DEFAULT_INDEX,
  DEFAULT_MEMORY,
  formatDevices,
  formatMemory,
  type IndexKind,
  type MachineFlags,
  parseAppend,
  parseMemory,
  parseSmp,
} from '../../lab/machine-flags';

export interface FlagTexts {
  memory: string;
  smp: string;
  cpu: string;
  append: string;
  devices: string;
  accel: Accel;
  index: IndexKind;
  /** Entries; 0: bitmaps */
  ring: number;
  paused: boolean;
}

export type FlagField = keyof FlagTexts;

/** The texts when nothing was chosen yet. */
export const textsOf = ({ memory, smp, cpu, append, devices, accel, index, dirtyRing, paused }: Partial<MachineFlags>): FlagTexts => ({
  memory: memory ?? DEFAULT_MEMORY,
  smp: String(smp ?? 1),
  cpu: cpu ?? DEFAULT_CPU,
  append: append ?? '',
  devices: devices ?? '',
  accel: accel ?? DEFAULT_ACCEL,
  index: index ?? DEFAULT_INDEX,
  ring: dirtyRing ?? 0,
  paused: paused ?? false,
});

/** Those of the running machine, except whether it waited to be started. */
export const textsOfRunning = (
  { config }: LabState,
  append: string,
  { accel, dirtyRing }: Pick<MachineFlags, 'accel' | 'dirtyRing'>,
): FlagTexts =>
  textsOf({
    memory: formatMemory(config),
    smp: config.smp,
    cpu: config.cpu,
    append,
    devices: formatDevices(config),
    accel,
    index: config.index,
    dirtyRing,
  });

/** The flags, or which field is at fault and why. */
export function readFlags(texts: FlagTexts): MachineFlags | { field: FlagField; reason: string } {
  let field: FlagField = 'memory';
  try {
    parseMemory(texts.memory);
    field = 'smp';
    const smp = parseSmp(texts.smp);
    field = 'append';
    const append = parseAppend(texts.append);
    const { memory, cpu, devices, accel, index, ring, paused } = texts;
    return { memory, smp, cpu: cpu.trim() || DEFAULT_CPU, append, devices, accel, index, paused, ...(ring ? { dirtyRing: ring } : {}) };
  } catch (error) {
    return { field, reason: (error as Error).message };
  }
}

/** Which field the machine's own refusal is about, as far as it says. */
export function fieldOf(reason: string): FlagField | undefined {
  if (/^-(?:object|device)\b|\bid=|virtio/.test(reason)) return 'devices';
  if (/CPU model|-cpu\.|Expected key=value/.test(reason)) return 'cpu';
  if (/memory size|maxmem|memory slots/i.test(reason)) return 'memory';
  return /dirty ring/.test(reason) ? 'ring' : undefined;
}
