/** Slots and commits of a state: compares layouts, finds what is at an address, and describes a commit in a line of text. */
import type { HistoryView, SlotView } from '../../engine/worker/protocol';
import { arrows, hex, plural } from '../shared/format';

export function sameSlots(before: readonly SlotView[] | undefined, after: readonly SlotView[]): boolean {
  return before?.length === after.length && before.every((slot, index) => sameSlot(slot, after[index]!));
}

const sameSlot = (a: SlotView, b: SlotView): boolean =>
  a.slot === b.slot &&
  a.guestPhysAddr === b.guestPhysAddr &&
  a.memorySize === b.memorySize &&
  a.userspaceAddr === b.userspaceAddr &&
  a.flags === b.flags &&
  a.name === b.name &&
  a.kind === b.kind;

/** "gen 26: 4 <-> 5. 2 swaps, 32,768 pages zapped, 0 holes." */
export function commitLine(entry: HistoryView): string {
  const zapped = entry.zappedPages ? `, ${plural(entry.zappedPages, 'page')} zapped` : '';
  const how = entry.legacy ? ', legacy' : '';
  return `gen ${entry.generation}: ${arrows(entry.title)}${how}. ${plural(entry.swaps, 'swap')}${zapped}, ${plural(entry.holes, 'hole')}.`;
}

export const slotAt = (slots: readonly SlotView[], gpa: number): SlotView | undefined =>
  slots.find((slot) => gpa >= slot.guestPhysAddr && gpa < slot.guestPhysAddr + slot.memorySize);

/** Where a gpa leads: "slot 2 ram.a + 0x3942000, hva 0xf942000", or undefined in a hole. */
export function backing(slots: readonly SlotView[], gpa: number): { slot: SlotView; offset: number; text: string } | undefined {
  const slot = slotAt(slots, gpa);
  if (!slot) return undefined;
  const offset = gpa - slot.guestPhysAddr;
  return { slot, offset, text: `slot ${slot.slot} ${slot.name} + ${hex(offset)}, hva ${hex(slot.userspaceAddr + offset)}` };
}
