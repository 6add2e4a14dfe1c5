/** Layouts, links and machine snapshots. */
import type { Machine } from '../machine/api';
import { applyLayout } from './apply';
import { captureLayout, layoutText } from './layout';
import { packLink } from './link';
import { loadMachine, saveMachine } from './machine-file';
import { parseLayout } from './parse';

export { applyLayout } from './apply';
export { type InspectedFile, inspectFile, type MachineShape } from './inspect';
export { captureLayout, type Layout, layoutText } from './layout';
export { isLayoutLink, MAX_INFLATED, packLink, type UnpackedLink, unpackLink } from './link';
export { loadMachine, META_BYTES, readMeta, type SnapshotMeta, saveMachine } from './machine-file';
export { MAX_LAYOUT_TEXT, type ParsedLayout, parseLayout } from './parse';

/** For the monitor, which must not import this folder. */
export const layoutFormat = {
  capture: (machine: Machine): string => layoutText(captureLayout(machine)),
  load: loadLayout,
  link: packLink,
};

/** For the monitor too. */
export const snapshotFormat = { save: saveMachine, load: loadMachine };

/** Parses and applies a layout from text; the reason when it is refused. */
export async function loadLayout(machine: Machine, text: string): Promise<string | undefined> {
  const parsed = parseLayout(text);
  return parsed.ok ? applyLayout(machine, parsed.layout) : parsed.reason;
}
