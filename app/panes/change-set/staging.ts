/** The staged change set for display: ghosts on the map, text in lists, and the resulting layout. */
import type { SlotView, StagedEdit, StagedEntry } from '../../../engine/worker/protocol';
import { count, hex, size } from '../../shared/format';

export interface Range {
  slot: number;
  start: number;
  end: number;
}

/** Where an entry would take effect, for the map's Staged lane. */
export interface Ghost extends Range {
  /** Index of the entry in the change set. */
  entry: number;
  shape: 'range' | 'chip';
  /** Of an entry; a slot being dragged is not one yet. */
  kind?: string;
  label: string;
  shortLabel: string;
  refused: boolean;
  /** Text beside a refused ghost. */
  refusal: string;
  /** It removes memory without the guest's consent. */
  unasked?: boolean;
  /** The live slot that moves here. */
  from?: Range;
}

const FLAG_NAMES: readonly [number, string, string][] = [
  [2, 'R', 'read-only'],
  [1, 'L', 'log dirty'],
];

/** "RL", "" for none. */
export const flagLetters = (flags: number): string =>
  FLAG_NAMES.filter(([bit]) => flags & bit)
    .map(([, letter]) => letter)
    .join('');

/** "+L", "-R +L", "no change". */
export function flagChange(before: number, after: number): string {
  const parts = FLAG_NAMES.flatMap(([bit, letter]) => {
    if ((before & bit) === (after & bit)) return [];
    return [`${after & bit ? '+' : '-'}${letter}`];
  });
  return parts.join(' ') || 'no change';
}

const rangeOf = (slot: SlotView): Range => ({
  slot: slot.slot,
  start: slot.guestPhysAddr,
  end: slot.guestPhysAddr + slot.memorySize,
});

export function ghosts(entries: readonly StagedEntry[], slots: readonly SlotView[]): Ghost[] {
  const byId = new Map(slots.map((slot) => [slot.slot, slot]));
  const few = entries.filter(({ refusals }) => refusals.length).length <= MOST_WORDED;
  return entries.flatMap(({ edit, refusals, unasked }, entry) => {
    const placed = ghostOf(edit, byId);
    if (!placed) return [];
    const [first] = refusals;
    const worded = first?.errno === 'EEXIST' && few ? overlapWords(finalRanges(entries, slots, entry), placed.start, placed.end) : '';
    const refusal = first ? `${edit.op === 'merge' ? edit.slots.join('+') : edit.slot} ${worded || first.errno}` : '';
    return [
      {
        shape: 'range' as const,
        kind: KINDS[edit.op],
        ...placed,
        entry,
        refused: refusals.length > 0,
        refusal,
        ...(unasked ? { unasked: true } : {}),
      },
    ];
  });
}

const KINDS: Record<StagedEdit['op'], string> = {
  add: 'create',
  move: 'move',
  resize: 'resize',
  flags: 'flags',
  split: 'split',
  merge: 'merge',
  rehost: 'rehost',
  del: 'delete',
};

/** "230 create, 1 move, 2 refused" */
export function kindsOf(ghosts: readonly Ghost[]): string {
  const numbers = new Map<string, number>();
  for (const { kind, refused } of ghosts) {
    const word = refused ? 'refused' : (kind ?? 'moving');
    numbers.set(word, (numbers.get(word) ?? 0) + 1);
  }
  return [...numbers].map(([word, number]) => `${count(number)} ${word}`).join(', ');
}

/** With more refusals than this, the map shows only the errno. */
const MOST_WORDED = 8;

type Placed = Range & { label: string; shortLabel: string; shape?: 'range' | 'chip'; from?: Range };

function ghostOf(edit: StagedEdit, byId: ReadonlyMap<number, SlotView>): Placed | undefined {
  if (edit.op === 'add') {
    return { slot: edit.slot, start: edit.gpa, end: edit.gpa + edit.size, label: `+${edit.slot}`, shortLabel: `+${edit.slot}` };
  }
  if (edit.op === 'merge') {
    const merged = edit.slots.flatMap((id) => byId.get(id) ?? []).map(rangeOf);
    const first = edit.slots[0];
    if (!merged.length || first === undefined) return undefined;
    const start = Math.min(...merged.map((range) => range.start));
    const end = Math.max(...merged.map((range) => range.end));
    return { slot: first, start, end, label: `${edit.slots.join(' + ')} become ${first}`, shortLabel: edit.slots.join('+') };
  }
  const slot = byId.get(edit.slot);
  if (!slot) return undefined;
  const here = rangeOf(slot);
  const id = edit.slot;
  switch (edit.op) {
    case 'move':
      return { slot: id, start: edit.gpa, end: edit.gpa + slot.memorySize, label: `${id} moves here`, shortLabel: `${id}`, from: here };
    case 'resize':
      return { ...here, end: here.start + edit.size, label: `${id} becomes ${size(edit.size)}`, shortLabel: `${id}` };
    case 'flags': {
      const label = `${id} ${flagChange(slot.flags ?? 0, edit.flags)}`;
      return { ...here, label, shortLabel: label, shape: 'chip' };
    }
    case 'split':
      return { ...here, start: edit.gpa, slot: edit.newSlot, label: `${edit.newSlot} split from ${id}`, shortLabel: `${edit.newSlot}` };
    case 'rehost':
      return { ...here, label: `${id} to other host memory`, shortLabel: `${id} rehost`, shape: 'chip' };
    case 'del':
      return { ...here, label: `${id} deleted`, shortLabel: `del ${id}`, shape: 'chip' };
  }
}

/** The slots that an entry names. */
export const slotsOf = (edit: StagedEdit): number[] => (edit.op === 'merge' ? edit.slots : [edit.slot]);

/** One entry as a row: "move", "4 dimm1", "0x10000000 → 0x14000000". */
export function describeEdit(edit: StagedEdit, slots: readonly SlotView[]): { kind: string; what: string; detail: string } {
  if (edit.op === 'add') return { kind: 'create', what: `${edit.slot}, ${size(edit.size)}`, detail: `at ${hex(edit.gpa)}` };
  if (edit.op === 'merge') return { kind: 'merge', what: edit.slots.join(' + '), detail: `into ${edit.slots[0] ?? ''}` };
  const slot = slots.find((each) => each.slot === edit.slot);
  const what = `${edit.slot}${slot ? ` ${slot.name}` : ''}`;
  switch (edit.op) {
    case 'move':
      return { kind: 'move', what, detail: `${slot ? hex(slot.guestPhysAddr) : ''} → ${hex(edit.gpa)}` };
    case 'flags':
      return { kind: 'flags-only', what, detail: flagChange(slot?.flags ?? 0, edit.flags) };
    case 'resize':
      return { kind: 'resize', what, detail: `${slot ? size(slot.memorySize) : ''} → ${size(edit.size)}` };
    case 'split':
      return { kind: 'split', what, detail: `${edit.newSlot} from ${hex(edit.gpa)}` };
    case 'rehost':
      return {
        kind: 'rehost',
        what,
        detail: edit.memdev ? `onto ${edit.memdev}` : edit.hva ? `to hva ${hex(edit.hva)}` : 'to new host memory',
      };
    case 'del':
      return { kind: 'delete', what, detail: slot ? `at ${hex(slot.guestPhysAddr)}` : '' };
  }
}

/** A slot's staged edit in a table cell: "move to 0x14000000". */
export function stagedWord(slot: SlotView, entries: readonly StagedEntry[]): { text: string; refused: boolean } | undefined {
  for (const { edit, refusals, unasked } of entries) {
    if (edit.op === 'merge' ? !edit.slots.includes(slot.slot) : edit.slot !== slot.slot) continue;
    const refusal = refusals[0];
    if (refusal) return { text: `${refusal.errno}, ${refusal.reason}`, refused: true };
    const asked = unasked ? ', guest not asked' : '';
    if (edit.op === 'move') return { text: `move to ${hex(edit.gpa)}${asked}`, refused: false };
    const { kind, detail } = describeEdit(edit, [slot]);
    return { text: `${kind} ${detail}${asked}`, refused: false };
  }
  return undefined;
}

/** Ranges of the layout that results from all entries but one, which that one must fit between. */
export function finalRanges(entries: readonly StagedEntry[], slots: readonly SlotView[], except: number): Range[] {
  const final = new Map(slots.map((slot) => [slot.slot, rangeOf(slot)]));
  entries.forEach(({ edit }, index) => {
    if (edit.op === 'merge') return;
    const range = final.get(edit.slot);
    if (index === except || edit.op === 'del') final.delete(edit.slot);
    else if (edit.op === 'add') final.set(edit.slot, { slot: edit.slot, start: edit.gpa, end: edit.gpa + edit.size });
    else if (range && edit.op === 'move') final.set(edit.slot, { ...range, start: edit.gpa, end: edit.gpa + range.end - range.start });
    else if (range && edit.op === 'resize') final.set(edit.slot, { ...range, end: range.start + edit.size });
  });
  return [...final.values()].sort((a, b) => a.start - b.start);
}

/** "overlaps 2 and 3": the slots that a range would overlap; '' for none. */
export function overlapWords(taken: readonly Range[], start: number, end: number): string {
  const hit = taken.filter((range) => range.start < end && start < range.end).map(({ slot }) => slot);
  if (!hit.length) return '';
  const named = hit.length > 3 ? [...hit.slice(0, 2), `${hit.length - 2} more`] : hit;
  return `overlaps ${named.slice(0, -1).join(', ')}${named.length > 1 ? ' and ' : ''}${named.at(-1)}`;
}
