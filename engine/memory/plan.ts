/**
 * From a request to what will be done: one change per slot id that really changes, or every reason against it. Validated against the
 * final layout alone, so the order of entries means nothing. Nothing is changed here.
 */
import type { AddressSpace } from './address-space';
import { firstOverlap } from './gfn-index';
import { checkRegion, type Fields, hex, type Limits, PAGE_SIZE, type Region, readFields } from './limits';
import { type ChangeKind, MemFlag, type Refusal } from './types';

/** One slot's change; `next` fields are those of `region`. */
export interface PlannedChange {
  /** Entry in the request, -1: implied (a slot that a whole set does not name). */
  index: number;
  kind: ChangeKind;
  /** Record, 0: none. */
  old: number;
  region: Region;
}

export interface SpacePlan {
  space: AddressSpace;
  changes: PlannedChange[];
}

export type Plan = { ok: true; spaces: SpacePlan[] } | { ok: false; refusals: Refusal[] };

/**
 * `single`: KVM's ioctl, one region, no replace. `delta`: any number, other slots stay. `whole`: slots of `asId` that are not named are
 * deleted.
 */
export type PlanMode = { type: 'single' } | { type: 'delta' } | { type: 'whole'; asId: number };

export const leaves = (kind: ChangeKind): boolean => kind === 'delete' || kind === 'move' || kind === 'replace';
export const arrives = (kind: ChangeKind): boolean => kind === 'create' || kind === 'move' || kind === 'replace';

export function makePlan(limits: Limits, spaces: readonly AddressSpace[], regions: readonly unknown[], mode: PlanMode): Plan {
  return new Planner(limits, spaces, mode).run(regions);
}

class Planner {
  private readonly refusals: Refusal[] = [];
  private readonly refused = new Set<number>();
  private readonly plans: (SpacePlan | undefined)[] = [];
  /** Per space: the records that will not stand where they stand, and those of refused entries (so that one error is not told twice). */
  private readonly leaving: Set<number>[] = [];
  private named = new NamedSlots(0, 0);

  constructor(
    private readonly limits: Limits,
    private readonly spaces: readonly AddressSpace[],
    private readonly mode: PlanMode,
  ) {
    for (const _ of spaces) this.leaving.push(new Set());
  }

  run(regions: readonly unknown[]): Plan {
    const bound = this.limits.maxSlots * this.limits.spaces;
    if (!Array.isArray(regions))
      return refuse([{ index: -1, errno: 'EINVAL', reason: `request is ${String(regions)}: give a list of memory regions` }]);
    if (regions.length > bound) {
      const reason = `request has ${regions.length} entries: at most ${bound} (one per slot id) are possible`;
      return refuse([{ index: bound, errno: 'E2BIG', reason }]);
    }
    if (this.mode.type === 'whole' && !(Number.isInteger(this.mode.asId) && this.spaces[this.mode.asId]))
      return refuse([{ index: -1, errno: 'EINVAL', reason: `asId is ${String(this.mode.asId)}: use 0 to ${this.limits.spaces - 1}` }]);
    this.named = new NamedSlots(regions.length, bound);
    for (let index = 0; index < regions.length; index++) this.entry(regions[index], index);
    if (this.mode.type === 'whole') this.deleteOthers(this.spaces[this.mode.asId]!);
    for (const plan of this.plans) if (plan) this.checkLayout(plan);
    if (this.refusals.length > 0) return refuse(this.refusals.sort((a, b) => a.index - b.index));
    return { ok: true, spaces: this.plans.filter((plan) => plan !== undefined && plan.changes.length > 0) as SpacePlan[] };
  }

  private refuse(index: number, errno: Refusal['errno'], reason: string): void {
    if (this.refused.has(index) && index >= 0) return;
    this.refused.add(index);
    this.refusals.push({ index, errno, reason });
  }

  private entry(raw: unknown, index: number): void {
    const whole = this.mode.type === 'whole' ? this.mode.asId : undefined;
    const fields = readFields(raw, whole ?? 0);
    if (typeof fields === 'string') {
      this.refuse(index, 'EINVAL', fields);
      return;
    }
    const region = checkRegion(this.limits, fields);
    if (typeof region === 'string') {
      this.refuse(index, 'EINVAL', region);
      this.forget(fields);
      return;
    }
    if (whole !== undefined && region.asId !== whole) {
      this.refuse(index, 'EINVAL', `asId is ${region.asId}: this call replaces the set of address space ${whole}`);
      return;
    }
    const key = region.asId * this.limits.maxSlots + region.id;
    const before = this.named.get(key);
    const old = this.spaces[region.asId]!.active.byId(region.id);
    if (before !== undefined) {
      const reason = `slot ${region.id} is named twice: at most one operation per slot id`;
      this.refuse(before, 'EINVAL', reason);
      this.refuse(index, 'EINVAL', reason);
      if (old) this.leaving[region.asId]!.add(old);
      return;
    }
    this.named.set(key, index);
    this.classify(region, old, index);
  }

  /** The slot that a refused entry means, if that can be told, takes no part in the overlap check. */
  private forget({ slot, asId }: Fields): void {
    if (typeof slot !== 'number' || typeof asId !== 'number') return;
    const old = this.spaces[asId]?.active.byId(slot);
    if (old) this.leaving[asId]!.add(old);
  }

  private classify(region: Region, old: number, index: number): void {
    const { table } = this.spaces[region.asId]!;
    if (region.pages === 0) {
      if (!old) this.refuse(index, 'EINVAL', `slot ${region.id} does not exist: nothing to delete`);
      else if (this.mode.type === 'whole')
        this.refuse(index, 'EINVAL', `memorySize is 0: leave slot ${region.id} out of the set to delete it`);
      else this.add(index, 'delete', old, region);
      return;
    }
    if (!old) {
      this.add(index, 'create', 0, region);
      return;
    }
    const flags = table.flagsOf(old);
    const rebacked = table.hvaOf(old) !== region.hva;
    const resized = table.pagesOf(old) !== region.pages;
    const access = ((flags ^ region.flags) & MemFlag.ReadOnly) !== 0;
    if (rebacked || resized || access) {
      if (this.mode.type !== 'single') {
        this.add(index, 'replace', old, region);
        return;
      }
      const what = rebacked ? 'userspaceAddr' : resized ? 'memorySize' : 'READONLY';
      this.refuse(index, 'EINVAL', `${what} of slot ${region.id} cannot change while it exists: use a change set, or delete and create it`);
    } else if (table.base[old] !== region.base) {
      this.add(index, 'move', old, region);
    } else if (flags !== region.flags) {
      this.add(index, 'flags-only', old, region);
    }
  }

  private add(index: number, kind: ChangeKind, old: number, region: Region): void {
    let plan = this.plans[region.asId];
    if (!plan) {
      plan = { space: this.spaces[region.asId]!, changes: [] };
      this.plans[region.asId] = plan;
    }
    plan.changes.push({ index, kind, old, region });
    if (leaves(kind)) this.leaving[region.asId]!.add(old);
  }

  private deleteOthers(space: AddressSpace): void {
    const records: number[] = [];
    space.active.gfns.collect(records);
    const first = space.asId * this.limits.maxSlots;
    const { table } = space;
    for (const old of records) {
      const id = table.idOf(old);
      if (this.named.get(first + id) !== undefined) continue;
      this.add(-1, 'delete', old, { id, asId: space.asId, flags: 0, base: table.base[old]!, pages: 0, hva: table.hvaOf(old) });
    }
  }

  /** gfn ranges must be disjoint in the final layout; then the MMU must reach them (KVM finds that out in its arch hook). */
  private checkLayout(plan: SpacePlan): void {
    const arriving = plan.changes.filter((change) => arrives(change.kind));
    arriving.sort((a, b) => a.region.base - b.region.base || a.region.id - b.region.id);
    let reach: PlannedChange | undefined;
    for (const change of arriving) {
      const { base, pages, id } = change.region;
      if (reach && base < reach.region.base + reach.region.pages) {
        this.overlap(reach, id, base, pages);
        this.overlap(change, reach.region.id, reach.region.base, reach.region.pages);
      }
      if (!reach || base + pages > reach.region.base + reach.region.pages) reach = change;
      this.checkAgainstStaying(plan.space, change);
      if (base + pages > this.limits.endGfn)
        this.refuse(
          change.index,
          'EINVAL',
          `guestPhysAddr ${hex(base * PAGE_SIZE)} + ${hex(pages * PAGE_SIZE)} is beyond ${hex(this.limits.endGfn * PAGE_SIZE)}, the end of physical memory`,
        );
    }
  }

  private checkAgainstStaying(space: AddressSpace, change: PlannedChange): void {
    const { base, pages } = change.region;
    const { table, active } = space;
    const leaving = this.leaving[space.asId]!;
    let record = firstOverlap(active.gfns, table, base, base + pages);
    while (record && table.base[record]! < base + pages) {
      if (!leaving.has(record)) {
        this.overlap(change, table.idOf(record), table.base[record]!, table.pagesOf(record));
        return;
      }
      record = active.gfns.above(table.base[record]!);
    }
  }

  private overlap(change: PlannedChange, other: number, base: number, pages: number): void {
    const mine = range(change.region.base, change.region.pages);
    this.refuse(change.index, 'EEXIST', `slot ${change.region.id} at ${mine} overlaps slot ${other} at ${range(base, pages)}`);
  }
}

/** asId * maxSlots + id -> entry. A table when many are named: a map of all slots would cost more than the rest of the check. */
class NamedSlots {
  private readonly map = new Map<number, number>();
  private readonly table: Int32Array | undefined;

  constructor(count: number, keys: number) {
    if (count > 512) this.table = new Int32Array(keys);
  }

  get(key: number): number | undefined {
    if (!this.table) return this.map.get(key);
    const entry = this.table[key]!;
    return entry === 0 ? undefined : entry - 1;
  }

  set(key: number, entry: number): void {
    if (this.table) this.table[key] = entry + 1;
    else this.map.set(key, entry);
  }
}

function range(base: number, pages: number): string {
  return `[${hex(base * PAGE_SIZE)}, ${hex((base + pages) * PAGE_SIZE)})`;
}

function refuse(refusals: Refusal[]): Plan {
  return { ok: false, refusals };
}
