/** A slot moves by half its size: deleted and created again, and by the one call. The word that the guest reads is in the slot before and after. */
import type { HistoryView, LabState, SlotView } from '../../../engine/worker/protocol';
import { count, hex } from '../../shared/format';
import { cell, commitsSince, DIMM_SIZE, endLoop, measureOf, plugStep, shell, toPrompt, undoCommit, watchInstead, watchLine } from './facts';
import { freePlace } from './free-places';
import type { Guide, Line, Live, Measure } from './types';

const HALF = DIMM_SIZE / 2;

/**
 * The first DIMM of the guides' size, its slot where it is mapped, and the lower of the two places that the slot moves between: where it was
 * plugged, or the free place nearest to that, since other slots may have moved there.
 */
function subject(state: LabState): { addr: number; hva: number; slot: SlotView | undefined } | undefined {
  const dimm = state.dimms.find((each) => each.size === DIMM_SIZE);
  const backend = dimm && state.backends.find((each) => each.id === dimm.memdev);
  if (!dimm || !backend) return undefined;
  const slot = state.slots.find((each) => each.userspaceAddr === backend.hva && each.memorySize === DIMM_SIZE);
  const addr = freePlace(state, DIMM_SIZE + HALF, dimm.addr, (id) => id === slot?.slot);
  return addr === undefined ? undefined : { addr, hva: backend.hva, slot };
}

/** In the slot at its old and at its new place. */
const watchAt = (state: LabState): number | undefined => {
  const found = subject(state);
  return found && found.addr + HALF;
};
const watched = (live: Live): boolean => live.watch !== undefined && live.watch.address === watchAt(live.state);
const isThere = (live: Live): boolean => {
  const found = subject(live.state);
  return found?.slot !== undefined && [found.addr, found.addr + HALF].includes(found.slot.guestPhysAddr);
};

/** The other of the two places. */
function target(state: LabState): { slot: SlotView; to: number } | undefined {
  const found = subject(state);
  if (!found?.slot) return undefined;
  return { slot: found.slot, to: found.slot.guestPhysAddr === found.addr ? found.addr + HALF : found.addr };
}

/** That slot, and nothing else, created or deleted. */
const isOnly = (entry: HistoryView | undefined, sign: '+ ' | '- ', { slot }: SlotView): boolean =>
  entry?.title.startsWith(sign) === true && entry.changed.length === 1 && entry.changed[0] === slot;

/** A delete and then a create: the holes counted for the delete are those up to the create. */
function twoCalls(live: Live): Measure | undefined {
  const slot = subject(live.state)?.slot;
  if (!slot || !watched(live) || !live.watch) return undefined;
  const commits = commitsSince(live.state, live.watch.since);
  const at = commits.findIndex((entry, index) => isOnly(entry, '+ ', slot) && isOnly(commits[index + 1], '- ', slot));
  const [created, deleted] = [commits[at], commits[at + 1]];
  if (!created || !deleted) return undefined;
  const total = measureOf(deleted);
  return { generation: created.generation, swaps: created.swaps + deleted.swaps, zapped: total.zapped ?? 0, holes: deleted.holes };
}

function oneCall(live: Live): Measure | undefined {
  const slot = subject(live.state)?.slot;
  if (!slot || !watched(live) || !live.watch) return undefined;
  const entry = commitsSince(live.state, live.watch.since).find((each) => each.title.startsWith(`${slot.slot} -> `) && !each.legacy);
  return entry && measureOf(entry);
}

const undoTwo = (live: Live): Line[] | undefined => {
  const one = undoCommit(live, live.measures.two);
  return one && [...one, ...one];
};

const plug = plugStep(1);

export const moveGuide: Guide = {
  id: 'move',
  title: 'Move in two calls or in one',
  summary: 'Delete and create again, against one move: what a reading guest notices.',
  argument:
    'In the discussion a move was called rare. But what it replaces is a delete and a create, and between those two calls there is no slot at all. Inside one call the slot is only marked INVALID, and an x86 vCPU that accesses it retries.',
  steps: [
    {
      ...plug,
      holds: isThere,
      instead(live) {
        const found = subject(live.state);
        if (!found) return plug.instead?.(live);
        if (!found.slot) return `Nothing maps the DIMM now: the guest is in the hole. The button maps it at ${hex(found.addr)}.`;
        return isThere(live)
          ? undefined
          : `Slot ${found.slot.slot} is at ${hex(found.slot.guestPhysAddr)}. The button moves it to ${hex(found.addr)}.`;
      },
      lines(live) {
        const found = subject(live.state);
        if (!found) return plug.lines(live);
        if (found.slot) return [{ at: 'monitor', text: `memslot_move ${found.slot.slot} ${hex(found.addr)}` }];
        return [{ at: 'monitor', text: addLine(freeSlot(live.state), found.addr, found.hva) }];
      },
    },
    {
      id: 'watch',
      title: 'Let the guest read its middle',
      text: 'The slot will move by half its size. A word in its middle is in the slot at both places, so any hole that the guest sees there comes from the way it was moved.',
      holds: watched,
      instead(live) {
        const at = watchAt(live.state);
        return at === undefined ? undefined : watchInstead(live, hex(at));
      },
      lines(live) {
        const found = subject(live.state);
        const at = watchAt(live.state);
        if (!found?.slot || at === undefined) return [];
        const other = found.slot.guestPhysAddr === found.addr ? found.addr : found.addr + DIMM_SIZE;
        return [
          ...toPrompt(live),
          shell(`poke ${hex(at)} 0x1111111111111111`),
          shell(`poke ${hex(other)} 0x2222222222222222`),
          watchLine(at),
        ];
      },
      undo: endLoop,
    },
    {
      id: 'two',
      title: 'Move it in two calls',
      text: 'Delete, then create at the new place. Nothing here waits between the two; a VMM under load, or you at the monitor, would leave the hole open longer.',
      measures: true,
      find: twoCalls,
      lines(live) {
        const move = target(live.state);
        if (!move) return [];
        return [
          { at: 'monitor', text: `memslot_del ${move.slot.slot}` },
          { at: 'monitor', text: addLine(move.slot.slot, move.to, move.slot.userspaceAddr) },
        ];
      },
      undo: undoTwo,
    },
    {
      id: 'one',
      title: 'Move it in one call',
      text: 'The same move as one commit of two swaps: first INVALID and zapped, then the slot at its new place.',
      measures: true,
      find: oneCall,
      lines(live) {
        const move = target(live.state);
        return move ? [{ at: 'monitor', text: `memslot_move ${move.slot.slot} ${hex(move.to)}` }] : [];
      },
      undo: (live) => undoCommit(live, live.measures.one),
    },
  ],
  results({ measures: { two, one } }) {
    const both = (key: string, tone?: (value: number) => 'ok' | 'bad') => [cell(two?.[key], count, tone), cell(one?.[key], count, tone)];
    return [
      {
        title: 'Measured here',
        columns: ['two calls', 'one call'],
        rows: [
          { name: 'Swaps', cells: both('swaps') },
          { name: 'Holes the guest saw', cells: both('holes', (holes) => (holes ? 'bad' : 'ok')) },
          { name: 'Pages zapped', cells: both('zapped') },
        ],
        ...(two && one ? {} : { note: '– is not measured yet: its step does that, while the guest watches.' }),
      },
    ];
  },
  outcome: ({ measures: { two, one } }) =>
    `${count(two?.holes ?? 0)} reads fell into the hole between two calls, ${count(one?.holes ?? 0)} into the move. KVM can move one slot like this, but not change its size, its backing or READONLY, nor two slots at once: for these its users must delete and create again.`,
};

const addLine = (slot: number, gpa: number, hva: number): string => `memslot_add ${slot} ${hex(gpa)} 64M ${hex(hva)}`;

function freeSlot(state: LabState): number {
  const used = new Set(state.slots.map((slot) => slot.slot));
  let id = 0;
  while (used.has(id)) id++;
  return id;
}
