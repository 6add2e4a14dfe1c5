/**
 * From a request to what will be done: one change per slot id that really changes, or every reason against it. Validated against the
 * final layout alone, so the order of entries means nothing. This file changes nothing.
 */
import type { AddressSpace } from './address-space';
import { firstOverlap } from './gfn-index';
import { checkRegion, type Fields, hex, type Limits, PAGE_SIZE, type Place, placeOf, type Region, readFields } from './limits';
import { type Asked, findOverlaps, type Overlap } from './overlaps';
import { sortBy } from './sort-by';
import { type BackingRule, type ChangeKind, type HostSpan, MemFlag, type Refusal } from './types';

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

/** What a region must comply with besides the limits. */
export interface PlanRules {
  backings: BackingRule | undefined;
  /** For undo and redo: `BackingClaim.since`. */
  since?: number;
}

export const leaves = (kind: ChangeKind): boolean => kind === 'delete' || kind === 'move' || kind === 'replace';
export const arrives = (kind: ChangeKind): boolean => kind === 'create' || kind === 'move' || kind === 'replace';

export function makePlan(
  limits: Limits,
  spaces: readonly AddressSpace[],
  regions: readonly unknown[],
  mode: PlanMode,
  rules: PlanRules,
): Plan {
  return new Planner(limits, spaces, mode, rules).run(regions);
}

class Planner {
  private readonly refusals: Refusal[] = [];
  private readonly plans: (SpacePlan | undefined)[] = [];
  /** Per space: the records that will change or go, and those of refused entries (so that no error is reported twice). */
  private readonly leaving: Set<number>[] = [];
  /** Entries whose slot id a later one names again. */
  private readonly twice = new Set<number>();
  /** Ranges of entries that have other faults. */
  private readonly faulty: Asked[] = [];
  private named = new NamedSlots(0, 0);

  constructor(
    private readonly limits: Limits,
    private readonly spaces: readonly AddressSpace[],
    private readonly mode: PlanMode,
    private readonly rules: PlanRules,
  ) {
    for (const _ of spaces) this.leaving.push(new Set());
  }

  run(regions: readonly unknown[]): Plan {
    const bound = this.limits.maxSlots * this.limits.spaces;
    if (!Array.isArray(regions))
      return refuse([{ index: -1, errno: 'EINVAL', reason: `request is ${String(regions)}: give a list of memory regions` }]);
    if (regions.length > bound) {
      const reason = `request has ${regions.length} entries: at most ${bound} (one per memslot id) are possible`;
      return refuse([{ index: bound, errno: 'E2BIG', reason }]);
    }
    if (this.mode.type === 'whole' && !(Number.isInteger(this.mode.asId) && this.spaces[this.mode.asId]))
      return refuse([{ index: -1, errno: 'EINVAL', reason: `asId is ${String(this.mode.asId)}: use 0 to ${this.limits.spaces - 1}` }]);
    this.named = new NamedSlots(regions.length, bound);
    for (let index = 0; index < regions.length; index++) this.entry(regions[index], index);
    if (this.mode.type === 'whole') this.deleteOthers(this.spaces[this.mode.asId]!);
    this.checkBackings();
    for (const space of this.spaces) this.checkLayout(space);
    if (this.refusals.length > 0) return refuse(this.refusals.sort((a, b) => a.index - b.index));
    return { ok: true, spaces: this.plans.filter((plan) => plan !== undefined && plan.changes.length > 0) as SpacePlan[] };
  }

  private refuse(index: number, errno: Refusal['errno'], reason: string): void {
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
    if (Array.isArray(region)) {
      for (const reason of region) this.refuse(index, 'EINVAL', reason);
      this.forget(fields, index);
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
      const reason = `memslot ${region.id} is named twice: at most one operation per memslot id`;
      if (!this.twice.has(before)) this.refuse(before, 'EINVAL', reason);
      this.twice.add(before);
      this.refuse(index, 'EINVAL', reason);
      if (old) this.leaving[region.asId]!.add(old);
      if (region.pages > 0) this.faulty.push({ index, place: region, stands: false });
      return;
    }
    this.named.set(key, index);
    this.classify(region, old, index);
  }

  /** The slot that a refused entry names, if known, overlaps nothing; other slots may overlap the entry. */
  private forget(fields: Fields, index: number): void {
    const { slot, asId } = fields;
    if (typeof slot !== 'number' || typeof asId !== 'number') return;
    const old = this.spaces[asId]?.active.byId(slot);
    if (old) this.leaving[asId]!.add(old);
    const place = placeOf(this.limits, fields);
    if (place) this.faulty.push({ index, place, stands: false });
  }

  private classify(region: Region, old: number, index: number): void {
    const { table } = this.spaces[region.asId]!;
    if (region.pages === 0) {
      if (!old) this.refuse(index, 'EINVAL', `memslot ${region.id} does not exist: nothing to delete`);
      else if (this.mode.type === 'whole')
        this.refuse(index, 'EINVAL', `memorySize is 0: leave memslot ${region.id} out of the set to delete it`);
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
      this.refuse(
        index,
        'EINVAL',
        `${what} of memslot ${region.id} cannot change while it exists: use a change set, or delete and create it`,
      );
      this.leaving[region.asId]!.add(old);
      this.faulty.push({ index, place: region, stands: false });
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
      const [base, hva] = [table.base[old]!, table.hvaOf(old)];
      this.add(-1, 'delete', old, { id, asId: space.asId, flags: 0, base, pages: 0, hva, span: false });
    }
  }

  /** Asks the backing rule, if there is one, whether each arriving slot may map its host memory. */
  private checkBackings(): void {
    const { backings, since } = this.rules;
    if (!backings) return;
    let held: HostSpan[] | undefined;
    const heldNow = (): HostSpan[] => {
      held ??= this.plans.flatMap((plan) => (plan ? hostSpansOf(plan) : []));
      return held;
    };
    for (const plan of this.plans) {
      for (const { index, kind, region } of plan?.changes ?? []) {
        if (!arrives(kind)) continue;
        const host = { start: region.hva, end: region.hva + region.pages * PAGE_SIZE };
        const reason = backings.refuse(region.id, host, { span: region.span, since, held: heldNow });
        if (reason !== undefined) this.refuse(index, 'EINVAL', reason);
        // A legacy plan issues the same change in several calls, and none of them alone would have such a claim.
        else region.span = true;
      }
    }
  }

  /** gfn ranges must be disjoint in the final layout; then the MMU must reach them (KVM checks that in its arch hook). */
  private checkLayout(space: AddressSpace): void {
    const arriving = (this.plans[space.asId]?.changes ?? []).filter((change) => arrives(change.kind));
    const faulty = this.faulty.filter(({ place }) => place.asId === space.asId);
    if (arriving.length + faulty.length === 0) return;
    sortBy(arriving, ({ region }) => region.base);
    if (faulty.length > 0 || !this.isDisjoint(space, arriving)) {
      // The order of entries must not decide which is named first.
      arriving.sort((a, b) => a.region.base - b.region.base || a.region.id - b.region.id);
      this.nameOverlaps(space, arriving, faulty);
    }
    const { endGfn } = this.limits;
    for (const { index, region } of arriving) this.checkReach(index, region, endGfn);
    for (const { index, place } of faulty) this.checkReach(index, place, endGfn);
  }

  private checkReach(index: number, place: Place, endGfn: number): void {
    if (place.base + place.pages > endGfn) this.refuse(index, 'EINVAL', beyondPhysical(place, endGfn));
  }

  /** O(k log n): disjoint ranges meet each leaving slot a bounded number of times. */
  private isDisjoint(space: AddressSpace, arriving: readonly PlannedChange[]): boolean {
    let end = 0;
    for (const { region } of arriving) {
      if (region.base < end) return false;
      end = region.base + region.pages;
    }
    return arriving.every(({ region }) => this.isFree(space, region.base, region.base + region.pages));
  }

  private isFree({ asId, table, active }: AddressSpace, start: number, end: number): boolean {
    const leaving = this.leaving[asId]!;
    let record = firstOverlap(active.gfns, table, start, end);
    while (record && table.base[record]! < end) {
      if (!leaving.has(record)) return false;
      record = active.gfns.above(table.base[record]!);
    }
    return true;
  }

  private nameOverlaps({ asId, table, active }: AddressSpace, arriving: readonly PlannedChange[], faulty: readonly Asked[]): void {
    const records: number[] = [];
    active.gfns.collect(records);
    const leaving = this.leaving[asId]!;
    const staying = records
      .filter((record) => !leaving.has(record))
      .map((record): Place => ({ id: table.idOf(record), asId, base: table.base[record]!, pages: table.pagesOf(record) }));
    const asked = arriving.map(({ index, region }): Asked => ({ index, place: region, stands: !this.twice.has(index) }));
    for (const overlap of findOverlaps([...asked, ...faulty], staying, this.limits.endGfn))
      this.refuse(overlap.asked.index, 'EEXIST', overlapText(overlap));
  }
}

/** Host memory of the slots that are changed, as they are now. */
function hostSpansOf({ space, changes }: SpacePlan): HostSpan[] {
  const { table } = space;
  return changes
    .filter(({ old }) => old !== 0)
    .map(({ old }) => ({ start: table.hvaOf(old), end: table.hvaOf(old) + table.pagesOf(old) * PAGE_SIZE }));
}

function beyondPhysical({ base, pages }: Place, endGfn: number): string {
  const nearest =
    pages <= endGfn ? ` (nearest address: ${hex((endGfn - pages) * PAGE_SIZE)})` : ` (nearest size: ${hex(endGfn * PAGE_SIZE)})`;
  return `guestPhysAddr ${hex(base * PAGE_SIZE)} + ${hex(pages * PAGE_SIZE)} is beyond ${hex(endGfn * PAGE_SIZE)}, the end of physical memory${nearest}`;
}

function overlapText({ asked, named, count, nearestBase, roomThere }: Overlap): string {
  const { id, base, pages } = asked.place;
  const others = named.map((other) => `memslot ${other.id} at ${range(other.base, other.pages)}`);
  if (count > named.length) others.push(`${count - named.length} more`);
  const last = others.pop()!;
  const all = others.length > 0 ? `${others.join(', ')} and ${last}` : last;
  const advice = [
    ...(nearestBase === undefined ? [] : [`nearest free address: ${hex(nearestBase * PAGE_SIZE)}`]),
    ...(roomThere > 0 ? [`nearest size: ${hex(roomThere * PAGE_SIZE)}`] : []),
  ];
  return `memslot ${id} at ${range(base, pages)} overlaps ${all}${advice.length > 0 ? ` (${advice.join('; ')})` : ''}`;
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
