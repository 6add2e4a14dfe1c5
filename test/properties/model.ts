/**
 * The naive model that the engine is compared with: plain maps, every rule by brute force, page by page. Slow and short on purpose.
 */
import type { MemoryRegion } from '../../engine/memory/index';

export const P = 4096;
const LOG = 1;
const RO = 2;

export interface Layout {
  /** asId * 1000 + slot -> region */
  slots: Map<number, MemoryRegion>;
  /** asId * 1000 + slot -> dirty page offsets, for logging slots */
  dirty: Map<number, Set<number>>;
}

export const keyOf = (region: MemoryRegion): number => (region.asId ?? 0) * 1000 + region.slot;
export const emptyLayout = (): Layout => ({ slots: new Map(), dirty: new Map() });

/** Page (gfn) -> "hva, flags" of one address space. */
export function pagesOf(layout: Layout, asId: number): Map<number, { hva: number; flags: number; key: number; offset: number }> {
  const pages = new Map<number, { hva: number; flags: number; key: number; offset: number }>();
  for (const [key, region] of layout.slots) {
    if ((region.asId ?? 0) !== asId) continue;
    for (let offset = 0; offset < region.memorySize / P; offset++)
      pages.set(region.guestPhysAddr / P + offset, { hva: region.userspaceAddr + offset * P, flags: region.flags ?? 0, key, offset });
  }
  return pages;
}

function overlaps(a: MemoryRegion, b: MemoryRegion): boolean {
  if (a.asId !== b.asId) return false;
  return a.guestPhysAddr < b.guestPhysAddr + b.memorySize && b.guestPhysAddr < a.guestPhysAddr + a.memorySize;
}

/** The layout after a delta, or undefined where it must be refused. */
export function applyDelta(layout: Layout, request: readonly MemoryRegion[]): Layout | undefined {
  const keys = request.map(keyOf);
  if (new Set(keys).size !== keys.length) return undefined;
  const slots = new Map(layout.slots);
  for (const region of request) {
    if (region.memorySize > 0) slots.set(keyOf(region), region);
    else if (!slots.delete(keyOf(region))) return undefined;
  }
  const all = [...slots.values()];
  for (const [i, a] of all.entries()) for (const b of all.slice(i + 1)) if (overlaps(a, b)) return undefined;
  return { slots, dirty: carry(layout, slots) };
}

/** KVM's ioctl: as a delta of one, but a live slot keeps hva, size and READONLY. */
export function applySingle(layout: Layout, region: MemoryRegion): Layout | undefined {
  const old = layout.slots.get(keyOf(region));
  if (old && region.memorySize > 0) {
    const access = ((old.flags ?? 0) ^ (region.flags ?? 0)) & RO;
    if (old.userspaceAddr !== region.userspaceAddr || old.memorySize !== region.memorySize || access) return undefined;
  }
  return applyDelta(layout, [region]);
}

/** Bits stay with a slot that only moves or changes LOG; else with a page that keeps gfn and backing. */
function carry(layout: Layout, slots: Map<number, MemoryRegion>): Layout['dirty'] {
  const dirty: Layout['dirty'] = new Map();
  const before = [0, 1].map((asId) => pagesOf(layout, asId));
  for (const [key, next] of slots) {
    if (!((next.flags ?? 0) & LOG)) continue;
    const old = layout.slots.get(key);
    const same = old && sameBody(old, next);
    const bits = new Set<number>(same ? layout.dirty.get(key) : []);
    if (!same || old.guestPhysAddr !== next.guestPhysAddr) {
      for (let offset = 0; offset < next.memorySize / P; offset++) {
        const page = before[next.asId ?? 0]!.get(next.guestPhysAddr / P + offset);
        if (page && page.hva === next.userspaceAddr + offset * P && layout.dirty.get(page.key)?.has(page.offset)) bits.add(offset);
      }
    }
    dirty.set(key, bits);
  }
  return dirty;
}

function sameBody(a: MemoryRegion, b: MemoryRegion): boolean {
  return a.userspaceAddr === b.userspaceAddr && a.memorySize === b.memorySize && (((a.flags ?? 0) ^ (b.flags ?? 0)) & RO) === 0;
}

export function markDirty(layout: Layout, asId: number, gfn: number): void {
  const page = pagesOf(layout, asId).get(gfn);
  if (page) layout.dirty.get(page.key)?.add(page.offset);
}

export function regionsOf(layout: Layout, asId: number): MemoryRegion[] {
  return [...layout.slots.values()].filter((region) => (region.asId ?? 0) === asId).sort((a, b) => a.guestPhysAddr - b.guestPhysAddr);
}
