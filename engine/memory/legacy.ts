/** A request as KVM's users must issue it today: one region per ioctl, old ranges removed first. */
import { regionOf } from './change-set';
import type { PlannedChange, SpacePlan } from './plan';
import type { MemoryRegion } from './types';

/** Each region alone is legal for `setUserMemoryRegion` when they are issued in this order. */
export function legacyCalls(plans: readonly SpacePlan[]): MemoryRegion[] {
  return plans.flatMap((plan) => callsOf(plan));
}

function callsOf(plan: SpacePlan): MemoryRegion[] {
  const { table } = plan.space;
  const removals: MemoryRegion[] = [];
  const moves: MemoryRegion[] = [];
  const creations: MemoryRegion[] = [];
  const others: MemoryRegion[] = [];
  for (const change of plan.changes) {
    const target = targetOf(change);
    if (change.kind === 'flags-only') others.push(target);
    else if (change.kind === 'create') creations.push(target);
    else if (change.kind === 'move' && movesFreely(plan, change)) moves.push(target);
    else {
      removals.push({ ...regionOf(table.describe(change.old)), flags: 0, memorySize: 0 });
      if (change.kind !== 'delete') creations.push(target);
    }
  }
  return [...removals, ...moves, ...creations, ...others];
}

function targetOf({ region }: PlannedChange): MemoryRegion {
  const { id: slot, asId, flags, base, pages, hva, span } = region;
  return {
    ...(span ? { span } : {}),
    slot,
    asId,
    flags,
    guestPhysAddr: base * 4096,
    memorySize: pages * 4096,
    userspaceAddr: hva,
  };
}

/** KVM's MOVE suffices when only the slot itself occupies its new place. */
function movesFreely(plan: SpacePlan, change: PlannedChange): boolean {
  const { table, active } = plan.space;
  const { base, pages } = change.region;
  const covers = (record: number): boolean => record !== 0 && record !== change.old && table.base[record]! < base + pages;
  let record = active.gfns.find(base) || active.gfns.above(base);
  if (record === change.old) record = active.gfns.above(table.base[record]!);
  return !covers(record);
}
