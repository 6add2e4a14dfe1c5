/** Host memory may be shown by several slots at once: which of them then share the lane's height, and how. */
import type { SlotView } from '../../../engine/worker/protocol';

export interface HostRow {
  row: 'upper' | 'lower';
  /** hva, bytes: from here on another slot lies over it in its row; its own end where none does */
  until: number;
}
type Backed = Pick<SlotView, 'slot' | 'userspaceAddr' | 'memorySize'>;

/** Slots over each other, by id; a slot that has its host memory to itself is not in it. `byHva`: in order of hva. */
export function hostRows(byHva: readonly Backed[]): ReadonlyMap<number, HostRow> {
  const rows = new Map<number, HostRow>();
  for (let from = 0; from < byHva.length; ) {
    let end = endOf(byHva[from]!);
    let to = from + 1;
    for (; to < byHva.length && byHva[to]!.userspaceAddr < end; to++) end = Math.max(end, endOf(byHva[to]!));
    if (to - from > 1) share(byHva.slice(from, to), rows);
    from = to;
  }
  return rows;
}

const endOf = ({ userspaceAddr, memorySize }: Backed): number => userspaceAddr + memorySize;

/** Each goes where there is room; a third over the same bytes covers the one that ends first. */
function share(group: readonly Backed[], rows: Map<number, HostRow>): void {
  const last: Partial<Record<HostRow['row'], HostRow>> = {};
  for (const slot of group) {
    const start = slot.userspaceAddr;
    const upper = last.upper?.until ?? 0;
    const lower = last.lower?.until ?? 0;
    const row = upper <= start || (lower > start && upper <= lower) ? 'upper' : 'lower';
    const before = last[row];
    if (before) before.until = Math.min(before.until, start);
    last[row] = { row, until: endOf(slot) };
    rows.set(slot.slot, last[row]);
  }
}
