/** Planned changes as the values that hooks, listeners and callers get. */
import type { Kept, PageFlow } from './page-flow';
import type { PlannedChange, SpacePlan } from './plan';
import type { Change } from './types';

/** One per planned change, in the same order. `next.arch` is not known yet. */
export function describeChanges(plan: SpacePlan, flow: PageFlow): Change[] {
  if (flow.kept.length === 0) return plan.changes.map((planned) => describeChange(plan, planned, undefined));
  const sources = new Map<PlannedChange, Kept[]>();
  for (const kept of flow.kept) {
    const list = sources.get(kept.to);
    if (list) list.push(kept);
    else sources.set(kept.to, [kept]);
  }
  return plan.changes.map((planned) => describeChange(plan, planned, sources.get(planned)));
}

function describeChange({ space }: SpacePlan, { kind, old, region }: PlannedChange, sources: Kept[] | undefined): Change {
  const { table, asId } = space;
  const change: Change = { kind };
  if (old) change.old = table.describe(old);
  const { id: slot, flags, base: baseGfn, pages: npages, hva: userspaceAddr } = region;
  if (kind !== 'delete') change.next = { slot, asId, flags, baseGfn, npages, userspaceAddr, arch: undefined };
  if (sources) change.from = sources.map((kept) => table.describe(kept.from.old));
  return change;
}

/** The arch data of `next` where no hook sets others: its own, or those of the first slot that it takes pages from. */
export function inheritedArch(change: Change): unknown {
  return change.old ? change.old.arch : change.from?.[0]?.arch;
}
