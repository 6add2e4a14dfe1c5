/** Which of very many slots the overview shows. */
import type { SlotView } from '../../../engine/worker/protocol';

const MOST_ITEMS = 400;
/** KVM_MEM_READONLY */
const READONLY = 2;

/** Thousands of slots: every n-th stands for its neighbours of the same kind. */
export function thin(slots: readonly SlotView[], kept: ReadonlySet<number>): readonly SlotView[] {
  if (slots.length <= MOST_ITEMS) return slots;
  const each = Math.ceil(slots.length / MOST_ITEMS);
  let room = MOST_ITEMS;
  const begins = (index: number): boolean => looks(slots[index]!) !== looks(slots[index - 1]) && room-- > 0;
  return slots.filter(({ slot }, index) => index % each === 0 || kept.has(slot) || begins(index));
}

const looks = (slot: SlotView | undefined): string => `${slot?.kind} ${(slot?.flags ?? 0) & READONLY}`;
