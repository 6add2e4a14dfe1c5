/** What a file is before anything is done with it: for imports, which must refuse a damaged one at once. Touches no machine. */
import type { SavedDevices } from '../machine/api';
import { checkDevices } from '../machine/state-check';
import { Refused } from './container';
import { readMeta, readState } from './machine-file';
import { MAX_LAYOUT_TEXT, parseLayout } from './parse';

/** -m, -smp, -object and -device of the machine in a snapshot: bytes and counts. */
export interface MachineShape {
  ram: number;
  slots: number;
  maxmem: number;
  smp: number;
  objects?: SavedDevices['objects'];
  virtio?: SavedDevices['virtio'];
}

export type InspectedFile =
  | { kind: 'machine'; size: number; date: number; vmClockNs: number; icount: number; shape: MachineShape; guest: string }
  | { kind: 'layout'; text: string };

/** Throws an Error with the reason, one line, when it is neither a whole machine snapshot nor a layout. */
export async function inspectFile(bytes: Uint8Array): Promise<InspectedFile> {
  if (bytes.length === 0) throw new Refused('the file is empty');
  // '{' or a blank before it: JSON. Everything else is held against the machine format, which names what is wrong.
  if (/^\s*\{/.test(String.fromCharCode(...bytes.subarray(0, 64)))) return inspectLayout(bytes);
  const state = await readState(bytes);
  const meta = readMeta(bytes, bytes.length);
  if (!meta) throw new Refused('section meta: it tells no date');
  const { config, guest } = (state.machine ?? {}) as { config?: unknown; guest?: unknown };
  return { kind: 'machine', ...meta, shape: shapeOf(config), guest: typeof guest === 'string' ? guest.slice(0, 256) : '' };
}

function inspectLayout(bytes: Uint8Array): InspectedFile {
  if (bytes.length > MAX_LAYOUT_TEXT) throw new Refused(`a layout of ${bytes.length} bytes, at most ${MAX_LAYOUT_TEXT} are read`);
  const text = new TextDecoder().decode(bytes);
  const parsed = parseLayout(text);
  if (!parsed.ok) throw new Refused(parsed.reason);
  return { kind: 'layout', text };
}

function devicesOf(config: unknown): SavedDevices | undefined {
  try {
    return checkDevices(config);
  } catch (error) {
    throw new Refused((error as Error).message);
  }
}

function shapeOf(config: unknown): MachineShape {
  const fields = (config ?? {}) as Record<string, unknown>;
  const number = (name: string): number => {
    const value = fields[name];
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw new Refused(`machine: config.${name} is no number`);
    return value;
  };
  return { ram: number('ram'), slots: number('slots'), maxmem: number('maxmem'), smp: number('smp'), ...devicesOf(config) };
}
