/** Where the pages of one address space's changes go: which keep gfn and backing, which lose their translation. */
import { arrives, leaves, type PlannedChange, type SpacePlan } from './plan';
import { sortBy } from './sort-by';
import { type GfnRange, MemFlag } from './types';

/** gfns [start, end) keep their backing, but pass from one change's old slot to another's (or its own) new one. */
export interface Kept {
  from: PlannedChange;
  to: PlannedChange;
  start: number;
  end: number;
}

export interface PageFlow {
  kept: Kept[];
  /** gfns whose translations must go, ascending, neighbours joined. */
  zapped: GfnRange[];
  /** Changes whose old slot must be INVALID while that happens. */
  invalidated: Set<PlannedChange>;
}

/** The flow where no slot loses a page. */
export function swapsOf(flow: PageFlow): 1 | 2 {
  return flow.invalidated.size > 0 ? 2 : 1;
}

/** O(k log k) in the number of changes. */
export function pageFlow(plan: SpacePlan): PageFlow {
  const { table, asId } = plan.space;
  const from = sortBy(
    plan.changes.filter((change) => leaves(change.kind)),
    ({ old }) => table.base[old]!,
  );
  const to = sortBy(
    plan.changes.filter((change) => arrives(change.kind)),
    ({ region }) => region.base,
  );
  const kept: Kept[] = [];
  const zapped: GfnRange[] = [];
  const invalidated = new Set<PlannedChange>();
  let first = 0;
  for (const change of from) {
    const base = table.base[change.old]!;
    const end = base + table.pagesOf(change.old);
    while (first < to.length && to[first]!.region.base + to[first]!.region.pages <= base) first++;
    let unmapped = base;
    for (let at = first; at < to.length && to[at]!.region.base < end; at++) {
      const next = to[at]!;
      if (!sameBacking(plan, change, next)) continue;
      const start = Math.max(base, next.region.base);
      const stop = Math.min(end, next.region.base + next.region.pages);
      kept.push({ from: change, to: next, start, end: stop });
      if (((table.flagsOf(change.old) ^ next.region.flags) & MemFlag.ReadOnly) !== 0) continue;
      addRange(zapped, asId, unmapped, start);
      unmapped = stop;
    }
    const before = zapped.at(-1)?.end;
    addRange(zapped, asId, unmapped, end);
    const lost = unmapped < end || (before !== undefined && before > base);
    // A moved slot keeps its dirty state: no page of it may be marked while it is in two places.
    if (change.kind === 'move' || lost) invalidated.add(change);
  }
  return { kept, zapped, invalidated };
}

function sameBacking(plan: SpacePlan, change: PlannedChange, next: PlannedChange): boolean {
  const { table } = plan.space;
  return table.hvaOf(change.old) - next.region.hva === (table.base[change.old]! - next.region.base) * 4096;
}

function addRange(ranges: GfnRange[], asId: number, start: number, end: number): void {
  if (start >= end) return;
  const last = ranges.at(-1);
  if (last?.end === start) last.end = end;
  else ranges.push({ asId, start, end });
}
