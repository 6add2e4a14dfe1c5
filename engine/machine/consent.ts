/**
 * Memory that the guest uses and that a change set would remove without asking. Linux keeps memory that it has onlined until it is asked for it
 * (device_move, device_del); a guest that follows the hotplug registers, as memlab does, needs only what its vCPUs run from.
 */
import type { MemoryRegion } from '../memory/types';
import type { StagedEdit, Unasked } from './api';

const READ_ONLY = 2;

/** A run of guest memory whose contents the guest expects there. Bytes. */
export interface Counted {
  gpa: number;
  size: number;
  hva: number;
  /** "dimm1", "ram.a", "the code that vCPU 0 runs" */
  name: string;
  /** id of the DIMM, if this is all of it */
  dimm?: string;
}

/** The layout before and after a commit. */
export interface Layouts {
  now: readonly MemoryRegion[];
  then: readonly MemoryRegion[];
  /** Where the commit moves the contents of this hva; the hva itself if it does not. */
  carried(hva: number): number;
}

/** Which entry removes what: at most one result per piece of memory in use. `entryOf`: the entry that names a slot. */
export function unaskedIn(
  counted: readonly Counted[],
  layouts: Layouts,
  entryOf: (slot: number) => { index: number; edit: StagedEdit } | undefined,
): Unasked[] {
  const found: Unasked[] = [];
  for (const piece of counted) {
    const now = over(layouts.now, piece);
    const then = over(layouts.then, piece);
    const seen = new Set<number>();
    for (const gpa of cuts(piece, [...now, ...then])) {
      const before = at(now, gpa);
      const hva = piece.hva + (gpa - piece.gpa);
      if (!before || hvaIn(before, gpa) !== hva) continue;
      const after = at(then, gpa);
      const kept = after !== undefined && hvaIn(after, gpa) === layouts.carried(hva);
      const frozen = kept && !readOnly(before) && readOnly(after);
      if (kept && !frozen) continue;
      const entry = entryOf(before.slot);
      if (!entry || seen.has(before.slot)) continue;
      seen.add(before.slot);
      const whole = piece.dimm !== undefined && before.memorySize === piece.size && before.guestPhysAddr === piece.gpa;
      found.push({
        index: entry.index,
        slot: before.slot,
        name: piece.name,
        gpa: piece.gpa,
        how: frozen ? 'read-only' : entry.edit.op === 'move' ? 'moves' : 'goes',
        ...(whole && entry.edit.op === 'move' ? { ask: { do: 'move' as const, dimm: piece.dimm!, addr: entry.edit.gpa } } : {}),
        ...(whole && entry.edit.op === 'del' ? { ask: { do: 'unplug' as const, dimm: piece.dimm! } } : {}),
      });
    }
  }
  return found;
}

const endOf = (region: MemoryRegion): number => region.guestPhysAddr + region.memorySize;
const hvaIn = (region: MemoryRegion, gpa: number): number => region.userspaceAddr + (gpa - region.guestPhysAddr);
const readOnly = (region: MemoryRegion): boolean => ((region.flags ?? 0) & READ_ONLY) !== 0;

const over = (layout: readonly MemoryRegion[], { gpa, size }: Counted): MemoryRegion[] =>
  layout.filter((region) => (region.asId ?? 0) === 0 && region.guestPhysAddr < gpa + size && gpa < endOf(region));

const at = (regions: readonly MemoryRegion[], gpa: number): MemoryRegion | undefined =>
  regions.find((region) => region.guestPhysAddr <= gpa && gpa < endOf(region));

/** Addresses where one of the regions begins or ends: nothing changes between two of them. */
function cuts({ gpa, size }: Counted, regions: readonly MemoryRegion[]): number[] {
  const edges = regions.flatMap((region) => [region.guestPhysAddr, endOf(region)]).filter((edge) => edge > gpa && edge < gpa + size);
  return [...new Set([gpa, ...edges])].sort((a, b) => a - b);
}

/** For the monitor: one line each. */
export const warningLines = (unasked: readonly Unasked[]): string => unasked.map((each) => `${warningOf(each)}\n`).join('');

export function warningOf({ slot, name, gpa, how, ask }: Unasked): string {
  const where = `memslot ${slot} (${name}) at 0x${gpa.toString(16)}`;
  if (how === 'read-only') return `warning: the guest writes to ${where} and is not asked: it will crash`;
  const better = !ask
    ? 'it will crash'
    : `${ask.do === 'move' ? `device_move ${ask.dimm} 0x${ask.addr.toString(16)}` : `device_del ${ask.dimm}`} asks it`;
  return `warning: the guest uses ${where} and is not asked; ${better}${ask?.do === 'move' && ask.refusal ? ` (${ask.refusal})` : ''}`;
}
