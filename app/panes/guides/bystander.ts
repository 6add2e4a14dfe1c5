/** Shared by two guides: the guest sweeps a DIMM while a slot that it never uses moves back and forth, and the cost to the guest is measured. */
import type { LabState } from '../../../engine/worker/protocol';
import { hex } from '../../shared/format';
import { contains, dimmSlots, endLoop, toPrompt } from './facts';
import { freePlace } from './free-places';
import type { Line, Live, MeasureStep, StateStep, Tools } from './types';

/** The small slot that moves; the guest never touches it. */
const ID = 90;
/** Where it goes, unless something else is there. */
const WANTED = 0x60000000;
const SIZE = 0x200000;
export const MOVES = 40;
/** MiB that the guest sweeps: half as many pages as its TLB has entries. */
const SWEEP = 8;

/** After the DIMM's first 8 MiB, which would share TLB entries with memlab's own pages and miss without any zap. */
const sweepAt = (dimm: { guestPhysAddr: number }): number => dimm.guestPhysAddr + SWEEP * 2 ** 20;

const bystander = (state: LabState) => state.slots.find((slot) => slot.slot === ID && slot.memorySize === SIZE);
/** The lower of the two places that it moves between. */
const placeOf = (state: LabState): number => freePlace(state, (SIZE * 3) / 2, WANTED, (id) => id === ID) ?? WANTED;
const sweeps = (live: Live): boolean => live.sweep !== undefined && dimmSlots(live.state).some((slot) => contains(slot, live.sweep ?? -1));

/** The bystander moves by half its size and back, so that each commit zaps. */
async function moves(tools: Tools, mode: 'slot' | 'all'): Promise<void> {
  const began = performance.now();
  const before = await tools.query({ ask: 'stats' });
  for (let i = 0; i < MOVES; i++) {
    const { state } = tools.live();
    const at = bystander(state)?.guestPhysAddr;
    if (at === undefined) throw new Error(`Slot ${ID} is gone.`);
    const low = placeOf(state);
    await tools.command(`memslot_move ${ID} ${hex(at === low ? low + SIZE / 2 : low)}`);
  }
  const after = await tools.query({ ask: 'stats' });
  const gained = (name: string): number => (after[name] ?? 0) - (before[name] ?? 0);
  tools.note(mode, {
    misses: gained('tlb_misses') / MOVES,
    dropped: gained('zapped_entries') / MOVES,
    mips: gained('instructions') / (performance.now() - began) / 1000,
    regions: gained('jit_regions_dropped') / MOVES,
    windows: gained('jit_windows_dropped') / MOVES,
  });
}

export const bystanderStep: StateStep = {
  id: 'bystander',
  title: 'Add a slot that the guest does not use',
  text: 'A small slot far away. It is the one that will move.',
  holds: ({ state }) => bystander(state) !== undefined,
  blocked: ({ state }) =>
    !bystander(state) && state.slots.some((slot) => slot.slot === ID)
      ? `Memslot ${ID} is in use: delete what is there, or start with a fresh machine.`
      : undefined,
  lines: ({ state }) => [{ at: 'monitor', text: `memslot_add ${ID} ${hex(placeOf(state))} 2M` }],
  undo: () => [{ at: 'monitor', text: `memslot_del ${ID}` }],
};

export const sweepStep: StateStep = {
  id: 'sweep',
  title: `Let the guest use ${SWEEP} MiB`,
  text: 'It reads one word of each page, over and over: it uses some two thousand translations, and after the first round all of them are in its TLB.',
  holds: sweeps,
  instead: (live) =>
    live.atPrompt || live.sweep !== undefined ? undefined : 'The guest is busy with something else; the button stops that first.',
  lines(live) {
    const [dimm] = dimmSlots(live.state);
    if (!dimm) return [];
    const until = { holds: (now: Live) => now.sweep === sweepAt(dimm), else: 'The guest did not start to sweep.' };
    return [...toPrompt(live), { at: 'console', text: `sweep ${hex(sweepAt(dimm))} ${SWEEP}M\r`, until }];
  },
  undo: endLoop,
};

/** Restores the earlier mode, unless the person has changed it since. */
const zapModeBack =
  (found: LabState['zap'], set: LabState['zap']) =>
  ({ state }: Live): Line[] =>
    found !== set && state.zap === set ? [{ at: 'monitor', text: `memslot_zap ${found}` }] : [];

export const movesStep = (id: 'slot' | 'all', title: string, text: string): MeasureStep => ({
  id,
  title,
  text,
  measures: true,
  instead: (live) => (live.sweep === undefined ? 'The guest is not sweeping now.' : undefined),
  lines: ({ state }) => [
    { at: 'monitor', text: `memslot_zap ${id}`, back: zapModeBack(state.zap, id) },
    { at: 'page', text: `${MOVES} times memslot_move ${ID}, there and back, and count`, run: (tools) => moves(tools, id) },
  ],
});
