/** Titles of the history: what a commit did, in a few words. */
import type { Change, Memslot } from '../memory/types';
import { MemFlag } from '../memory/types';
import { hex, shortSize } from './sizes';

const PAGE = 4096;

/** "R-", "-L", "--" */
export const flagLetters = (flags: number): string => `${flags & MemFlag.ReadOnly ? 'R' : '-'}${flags & MemFlag.LogDirtyPages ? 'L' : '-'}`;

/** "+L", "-R +L" */
function flagChange(before: number, after: number): string {
  const letters = [
    [MemFlag.ReadOnly, 'R'],
    [MemFlag.LogDirtyPages, 'L'],
  ] as const;
  return letters.flatMap(([bit, letter]) => ((before ^ after) & bit ? [`${after & bit ? '+' : '-'}${letter}`] : [])).join(' ');
}

/** A few words for a set of changes. */
export function titleOf(changes: readonly Change[], nameOf: (slot: Memslot) => string): string {
  const exchanged = exchange(changes);
  if (exchanged) return exchanged;
  const words = changes.slice(0, 3).map((change) => wordsFor(change, nameOf));
  const more = changes.length - words.length;
  return more > 0 ? `${words.join(', ')}, ${more} more` : words.join(', ');
}

function wordsFor(change: Change, nameOf: (slot: Memslot) => string): string {
  const slot = (change.next ?? change.old)!;
  switch (change.kind) {
    case 'create':
      return `+ ${nameOf(slot)}`;
    case 'delete':
      return `- ${nameOf(slot)}`;
    case 'move':
      return `${slot.slot} -> ${hex(slot.baseGfn * PAGE)}`;
    case 'flags-only':
      return `${slot.slot} ${flagChange(change.old?.flags ?? 0, slot.flags)}`;
    default:
      return resized(change) ? `${nameOf(slot)}: ${shortSize(slot.npages * PAGE)}` : `${slot.slot} replaced`;
  }
}

/** A slot grew or shrank at the same place and with the same backing: memslot_resize, or a virtio-mem device whose guest plugs and unplugs. */
function resized({ old, next }: Change): boolean {
  if (!old || !next || old.npages === next.npages) return false;
  return old.baseGfn === next.baseGfn && old.userspaceAddr === next.userspaceAddr && old.flags === next.flags;
}

/** Two moves that exchange places. */
function exchange(changes: readonly Change[]): string | undefined {
  // A legacy exchange consists of a delete and a create per slot: only the first and last state of each slot counts.
  const ends = new Map<number, { old: Memslot | undefined; next: Memslot | undefined }>();
  for (const change of changes) {
    const slot = (change.next ?? change.old)!.slot;
    const seen = ends.get(slot);
    ends.set(slot, { old: seen ? seen.old : change.old, next: change.next });
  }
  if (ends.size !== 2) return undefined;
  const [a, b] = [...ends.entries()];
  const same = (x: Memslot | undefined, y: Memslot | undefined): boolean => x !== undefined && y !== undefined && x.baseGfn === y.baseGfn;
  return same(a![1].old, b![1].next) && same(b![1].old, a![1].next) ? `${a![0]} <-> ${b![0]}` : undefined;
}
