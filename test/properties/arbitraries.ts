/** Small worlds, so that slots collide: 10 ids, 48 gfns, 64 host pages, 2 address spaces. */
import fc from 'fast-check';
import { describe, vi } from 'vitest';
import type { MemoryRegion } from '../../engine/memory/index';
import { type Layout, P, regionsOf } from './model';

export const INDEXES = ['array', 'rbtree', 'btree'] as const;
export const GFNS = 48;
const IDS = 10;

/** Change sets per index; `npm run soak` raises it. */
export const RUNS = Number(process.env.LAB_SOAK_RUNS ?? 300);
vi.setConfig({ testTimeout: 120_000 + RUNS * 60 });

/** Change sets in one sequence. */
export const LENGTH = 20;

/** Parameters for fc.assert: seeded, and the seed printed on failure (set LAB_SEED to repeat). */
export function parameters(changeSets: number): { seed: number; numRuns: number } {
  return { seed: Number(process.env.LAB_SEED ?? 20210203), numRuns: Math.max(10, Math.ceil(changeSets / LENGTH)) };
}

export const onEachIndex = (tests: (index: (typeof INDEXES)[number]) => void): void => describe.each(INDEXES)('%s', tests);

const region = fc.record({
  slot: fc.nat(IDS - 1),
  asId: fc.integer({ min: 0, max: 5 }).map((n) => (n === 5 ? 1 : 0)),
  flags: fc.nat(3),
  guestPhysAddr: fc.nat(GFNS - 1).map((gfn) => gfn * P),
  memorySize: fc
    .oneof({ weight: 5, arbitrary: fc.integer({ min: 1, max: 10 }) }, { weight: 1, arbitrary: fc.constant(0) })
    .map((pages) => pages * P),
  userspaceAddr: fc.nat(63).map((page) => page * P),
});

/** How an entry is adapted to the current layout: as it is, a delete, a move, flags only, a resize, another place in the same backing. */
const twist = fc.constantFrom('raw', 'delete', 'move', 'flags', 'resize', 'shift', 'swap') as fc.Arbitrary<Twist>;
type Twist = 'raw' | 'delete' | 'move' | 'flags' | 'resize' | 'shift' | 'swap';

export interface Draft {
  region: MemoryRegion;
  twist: Twist;
  pick: number;
}

export const draft: fc.Arbitrary<Draft> = fc.record({ region, twist, pick: fc.nat(99) });
export const drafts = fc.uniqueArray(draft, { minLength: 1, maxLength: 6, selector: ({ region: r }) => (r.asId ?? 0) * 100 + r.slot });
/** Writes of the guest between two change sets. */
export const writes = fc.array(fc.nat(GFNS + 9), { maxLength: 6 });
export const sequence = fc.array(fc.record({ drafts, writes, single: fc.nat(3) }), { minLength: LENGTH, maxLength: LENGTH });

/** A request that is valid more often than by chance: drafts applied to existing slots, one operation per slot id. */
export function requestFor(layout: Layout, list: readonly Draft[]): MemoryRegion[] {
  const request = new Map<number, MemoryRegion>();
  for (const { region: r, twist: how, pick } of list) {
    const existing = regionsOf(layout, r.asId ?? 0);
    const old = existing[pick % Math.max(1, existing.length)];
    for (const next of bend(r, how, old, existing[(pick + 1) % Math.max(1, existing.length)])) {
      const key = (next.asId ?? 0) * 100 + next.slot;
      if (!request.has(key)) request.set(key, next);
    }
  }
  return [...request.values()];
}

function bend(r: MemoryRegion, how: Twist, old: MemoryRegion | undefined, other: MemoryRegion | undefined): MemoryRegion[] {
  if (!old || !other || how === 'raw') return [r];
  if (how === 'delete') return [{ ...old, flags: 0, memorySize: 0 }];
  if (how === 'move') return [{ ...old, guestPhysAddr: r.guestPhysAddr }];
  if (how === 'flags') return [{ ...old, flags: r.flags ?? 0 }];
  if (how === 'resize') return [{ ...old, memorySize: Math.max(P, r.memorySize) }];
  if (how === 'swap')
    return [
      { ...old, guestPhysAddr: other.guestPhysAddr },
      { ...other, guestPhysAddr: old.guestPhysAddr },
    ];
  const pages = Math.min(r.memorySize, old.memorySize - P);
  if (pages <= 0) return [r];
  const upper = {
    ...old,
    slot: r.slot,
    guestPhysAddr: old.guestPhysAddr + pages,
    memorySize: old.memorySize - pages,
    userspaceAddr: old.userspaceAddr + pages,
  };
  return r.slot === old.slot ? [upper] : [{ ...old, memorySize: pages }, upper];
}
