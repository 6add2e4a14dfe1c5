/** Queries of the machine and typed lines that several guides share. */
import type { HistoryView, LabState, SlotView } from '../../../engine/worker/protocol';
import { freeDimmNumber } from '../../lab/dimms';
import { hex, plural, size } from '../../shared/format';
import type { Cell, Line, Live, Measure, StateStep } from './types';

export const DIMM_SIZE = 64 * 2 ** 20;

/** Slots of DIMMs that are whole and of the guides' size, by id. */
export function dimmSlots(state: LabState): SlotView[] {
  return state.slots.filter((slot) => slot.kind === 'dimm' && slot.memorySize === DIMM_SIZE).sort((a, b) => a.slot - b.slot);
}

export const contains = (slot: SlotView, gpa: number): boolean => gpa >= slot.guestPhysAddr && gpa < slot.guestPhysAddr + slot.memorySize;

/** Commits that are in force, newest first, that came after `generation`. */
export function commitsSince(state: LabState, generation: number): HistoryView[] {
  return state.history
    .slice(0, state.historyAt + 1)
    .filter((entry) => entry.generation > generation)
    .reverse();
}

/** What the history knows of one commit. */
export const measureOf = (entry: HistoryView): Measure => ({
  generation: entry.generation,
  swaps: entry.swaps,
  zapped: entry.zappedPages,
  holes: entry.holes,
});

/** `undo` in the monitor, if it would revert the measured commit. */
export function undoCommit(live: Live, measure: Measure | undefined): Line[] | undefined {
  const newest = live.state.history[live.state.historyAt];
  return measure && live.state.canUndo && newest?.generation === measure.generation ? [{ at: 'monitor', text: 'undo' }] : undefined;
}

const atPrompt = { holds: (live: Live) => live.atPrompt, else: 'The guest did not come back to its prompt.' };

/** Ends whatever the guest's shell runs. */
export function toPrompt(live: Live): Line[] {
  if (live.atPrompt) return [];
  return [{ at: 'console', text: live.watch || live.sweep !== undefined ? 'q' : '\x03', until: atPrompt }];
}

export const shell = (text: string): Line => ({ at: 'console', text: `${text}\r`, until: atPrompt });

export const watchLine = (address: number): Line => ({
  at: 'console',
  text: `watch ${hex(address)}\r`,
  until: { holds: (live) => live.watch?.address === address, else: `The guest did not start to watch ${hex(address)}.` },
});

/** The first step of most guides: a number of DIMMs of 64 MiB. */
export function plugStep(wanted: number): StateStep {
  const missing = (live: Live): number => Math.max(0, wanted - dimmSlots(live.state).length);
  return {
    id: 'plug',
    title: wanted === 1 ? 'Plug a DIMM' : `Plug ${wanted === 2 ? 'two' : wanted} DIMMs`,
    text: `${wanted === 1 ? 'One memory module' : 'Memory modules'} of 64 MiB: a backend is made, a DIMM plugged, an interrupt notifies the guest, and a memslot appears in the map.`,
    holds: (live) => missing(live) === 0,
    instead(live) {
      const found = dimmSlots(live.state).length;
      return found > 0 ? `${found} of ${wanted} is plugged.` : undefined;
    },
    blocked(live) {
      const room = live.state.config.slots - live.state.dimms.length;
      if (room >= missing(live)) return undefined;
      return `This machine has ${plural(room, 'free DIMM slot')} and the guide needs ${missing(live)}: unplug one, or start with a fresh machine.`;
    },
    lines: (live) => plugLines(live.state, missing(live)),
    undo(live, did) {
      const found = did
        ? dimmSlots(live.state).filter((slot) => did.some(({ text }) => plugText(slot) === text))
        : dimmSlots(live.state).slice(0, wanted);
      return found.length ? [...toPrompt(live), ...found.flatMap((slot) => unplugLines(live.state, slot))] : [];
    },
    makes: true,
  };
}

/** The line that has plugged the DIMM of a slot named "dimm1 (mem1)". */
const plugText = ({ name }: SlotView): string => name.replace(/^(\S+) \((\S+)\)$/, 'device_add pc-dimm,id=$1,memdev=$2');

function plugLines(state: LabState, wanted: number): Line[] {
  const used = dimmSlots(state).length;
  const numbers: number[] = [];
  for (let i = 0; i < wanted; i++) numbers.push(freeDimmNumber(state, numbers));
  return numbers.flatMap((number, index): Line[] => [
    { at: 'monitor', text: `object_add memory-backend-ram,id=mem${number},size=64M` },
    {
      at: 'monitor',
      text: `device_add pc-dimm,id=dimm${number},memdev=mem${number}`,
      until: { holds: (live) => dimmSlots(live.state).length >= used + index + 1, else: `dimm${number} did not appear in the map.` },
    },
  ]);
}

function unplugLines(state: LabState, slot: SlotView): Line[] {
  const dimm = state.dimms.find((each) => slot.name === `${each.id} (${each.memdev})`);
  if (!dimm) return [];
  const gone = (live: Live): boolean => !live.state.dimms.some((each) => each.id === dimm.id);
  return [
    {
      at: 'monitor',
      text: `device_del ${dimm.id}`,
      until: { holds: gone, else: `The guest did not give ${dimm.id} back: its console gives the reason.` },
    },
    { at: 'monitor', text: `object_del ${dimm.memdev}` },
  ];
}

/** What the guest does instead of watching as a step requires. */
export function watchInstead(live: Live, wanted: string): string | undefined {
  if (live.watch) return `The guest watches ${hex(live.watch.address)}, not ${wanted}.`;
  return live.atPrompt ? undefined : 'The guest is busy with something else; the button stops that first.';
}

export const endLoop = (live: Live): Line[] => (live.watch || live.sweep !== undefined ? toPrompt(live) : []);

export const slotWords = (slot: SlotView): string => `slot ${slot.slot}, ${size(slot.memorySize)} at ${hex(slot.guestPhysAddr)}`;

/** A figure, or an en dash if nothing was measured yet. */
export const cell = (value: number | undefined, words: (value: number) => string, tone?: (value: number) => Cell['tone']): Cell => {
  if (value === undefined) return { text: '–' };
  const found = tone?.(value);
  return { text: words(value), ...(found ? { tone: found } : {}) };
};
