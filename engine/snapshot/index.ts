/** Layouts, links and machine snapshots. */
import type { Machine } from '../machine/index';
import type { MemoryRegion } from '../memory/types';
import { applyLayout, layoutRegions } from './apply';
import { captureLayout, layoutText } from './layout';
import { packLink } from './link';
import { loadMachine, saveMachine } from './machine-file';
import { parseLayout } from './parse';

export { applyLayout } from './apply';
export { Refused } from './container';
export { type InspectedFile, type InspectedLink, inspectFile, inspectLink, type MachineShape } from './inspect';
export {
  fitsJournal,
  type JournalEntry,
  type JournalInput,
  MAX_INPUTS,
  MAX_JOURNAL,
  packReplay,
  type Replay,
  readReplay,
  type StageLike,
  sizeOf,
} from './journal';
export { captureLayout, type Layout, layoutText } from './layout';
export {
  isLayoutLink,
  type LinkKind,
  linkKind,
  MAX_INFLATED,
  MAX_LINK,
  packBytesLink,
  packLink,
  type UnpackedLink,
  unpackBytesLink,
  unpackLink,
} from './link';
export { loadMachine, META_BYTES, packMachine, readMeta, readState, saveMachine } from './machine-file';
export { MAX_LAYOUT_TEXT, type ParsedLayout, parseLayout } from './parse';
export { isReplayFile, packReplayFile, unpackReplayFile } from './replay-file';
export { configOf, MAX_LINK_RAM, type MachineSpec, otherGuest, specOf } from './spec';
export { freshState, MAX_SCREEN, packState, readStateLink, type StateLink, unpackState } from './state-link';

/** For the monitor, which must not import this folder. */
export const layoutFormat = {
  capture: (machine: Machine, breakpoints?: readonly string[]): string => layoutText(captureLayout(machine, breakpoints)),
  parts: (text: string): { memory: string; breakpoints: readonly string[] } | undefined => {
    const parsed = parseLayout(text);
    if (!parsed.ok) return undefined;
    const { breakpoints = [], ...memory } = parsed.layout;
    return { memory: layoutText(memory), breakpoints };
  },
  load: loadLayout,
  regions: (machine: Machine, text: string): MemoryRegion[] | undefined => {
    const parsed = parseLayout(text);
    return parsed.ok ? layoutRegions(machine, parsed.layout) : undefined;
  },
  link: packLink,
};

/** Also for the monitor. */
export const snapshotFormat = { save: saveMachine, load: loadMachine };

/** Parses and applies a layout from text; returns the reason if it is refused. */
export async function loadLayout(machine: Machine, text: string): Promise<string | undefined> {
  const parsed = parseLayout(text);
  return parsed.ok ? applyLayout(machine, parsed.layout) : parsed.reason;
}
