/** Identifies a file before it is used, so that an import refuses a damaged one at once. Touches no machine. */
import type { SavedDevices } from '../machine/index';
import { checkDevices } from '../machine/index';
import { isContainer, Refused } from './container';
import { type Replay, readReplay } from './journal';
import { linkKind, unpackBytesLink } from './link';
import { readDescription, readMeta } from './machine-file';
import { MAX_LAYOUT_TEXT, parseLayout } from './parse';
import { isReplayFile, unpackReplayFile } from './replay-file';
import type { MachineSpec } from './spec';
import { readStateLink } from './state-link';

/** -m, -smp, -object and -device of the machine in a snapshot: bytes and counts. */
export interface MachineShape {
  ram: number;
  slots: number;
  maxmem: number;
  smp: number;
  cpu?: string;
  objects?: SavedDevices['objects'];
  virtio?: SavedDevices['virtio'];
}

export type InspectedFile =
  | { kind: 'machine'; size: number; date: number; vmClockNs: number; icount: number; shape: MachineShape; guest: string }
  | { kind: 'layout'; text: string }
  | ({ kind: 'replay' } & InspectedReplay);

/** The machine that a link is for, so that its guest can be fetched. A layout suits any. */
export type InspectedLink = { kind: 'layout' } | { kind: 'state'; spec: MachineSpec } | ({ kind: 'replay' } & InspectedReplay);

interface InspectedReplay {
  spec: MachineSpec;
  inputs: number;
  /** from its start to its end */
  instructions: number;
}

const replayView = ({ spec, entries, start, end }: Replay): InspectedReplay => ({
  spec,
  inputs: entries.length,
  instructions: end.instructions - start.instructions,
});

/** Throws an Error with the reason, one line. */
export async function inspectLink(fragment: string): Promise<InspectedLink> {
  const kind = linkKind(fragment);
  if (!kind) throw new Refused('it is not a share link');
  if (kind === 'l') return { kind: 'layout' };
  const unpacked = await unpackBytesLink(kind, fragment);
  if (!unpacked.ok) throw new Refused(unpacked.reason);
  return kind === 's'
    ? { kind: 'state', spec: readStateLink(unpacked.bytes).spec }
    : { kind: 'replay', ...replayView(readReplay(unpacked.bytes)) };
}

/** Throws an Error with the reason, one line, if it is not a complete machine snapshot, layout or replay. */
export async function inspectFile(bytes: Uint8Array): Promise<InspectedFile> {
  if (bytes.length === 0) throw new Refused('the file is empty');
  // '{' or a blank before it: JSON.
  if (/^\s*\{/.test(String.fromCharCode(...bytes.subarray(0, 64)))) return inspectLayout(bytes);
  if (isReplayFile(bytes)) return { kind: 'replay', ...replayView(readReplay(await unpackReplayFile(bytes))) };
  if (!isContainer(bytes)) throw new Refused('it is not a machine snapshot, layout or replay');
  // Its RAM stays packed: it may be gigabytes, and loading it checks each page anyway.
  const { saved, machine } = await readDescription(bytes);
  const meta = readMeta(bytes, bytes.length);
  if (!meta) throw new Refused('section meta: it has no date');
  return {
    kind: 'machine',
    ...meta,
    shape: {
      ...saved.config,
      ...cpuOf((machine as { config: { cpu?: string } }).config),
      ...devicesOf((machine as { config: unknown }).config),
    },
    guest: saved.guest,
  };
}

function inspectLayout(bytes: Uint8Array): InspectedFile {
  if (bytes.length > MAX_LAYOUT_TEXT) throw new Refused(`a layout of ${bytes.length} bytes, at most ${MAX_LAYOUT_TEXT} are read`);
  const text = new TextDecoder().decode(bytes);
  const parsed = parseLayout(text);
  if (!parsed.ok) throw new Refused(parsed.reason);
  return { kind: 'layout', text };
}

/** The description was checked already. */
const cpuOf = ({ cpu }: { cpu?: string }): { cpu?: string } => (cpu === undefined ? {} : { cpu });

function devicesOf(config: unknown): SavedDevices | undefined {
  try {
    return checkDevices(config);
  } catch (error) {
    throw new Refused((error as Error).message);
  }
}
