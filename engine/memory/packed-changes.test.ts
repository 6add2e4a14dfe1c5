import { expect, it } from 'vitest';
import { Random } from '../../test/support/random';
import { ChangeSet, type SlotDiff } from './change-set';
import { MAX_PAGES } from './limits';
import { kindOf, PackedChanges } from './packed-changes';
import type { Change, MemoryRegion, Memslot } from './types';

const slotOf = ({ slot, asId = 0, flags = 0, guestPhysAddr, memorySize, userspaceAddr }: MemoryRegion): Memslot => ({
  ...{ slot, asId, flags, baseGfn: guestPhysAddr / 4096, npages: memorySize / 4096, userspaceAddr, arch: undefined },
});
const changeOf = (diff: SlotDiff): Change => ({
  kind: kindOf(diff),
  ...(diff.old && { old: slotOf(diff.old) }),
  ...(diff.next && { next: slotOf(diff.next) }),
});

it('a packed change set is the change set, at the ends of every field too', () => {
  const random = new Random(41);
  const of = (most: number): number => random.of([0, 1, most - 1, most, random.below(4096) % (most + 1)]);
  for (let round = 0; round < 500; round++) {
    const diffs = Array.from({ length: random.below(6) }, (_unused, index): SlotDiff => {
      const [slot, asId] = [index === 0 ? of(32766) : index * 7, random.below(16)];
      const region = (): MemoryRegion => ({
        ...{ slot, asId, flags: random.below(4) },
        guestPhysAddr: of(2 ** 40 - 1) * 4096,
        memorySize: Math.max(1, of(MAX_PAGES)) * 4096,
        userspaceAddr: of(2 ** 41 - 1) * 4096,
      });
      const [old, next] = random.of([
        [true, false],
        [false, true],
        [true, true],
      ] as const);
      return { asId, slot, old: old ? region() : undefined, next: next ? region() : undefined };
    });
    const packed = new PackedChanges(diffs.toReversed().map(changeOf));
    expect(packed.unpack().diffs, `round ${round}`).toEqual(ChangeSet.ofDiffs(diffs).diffs);
    expect(packed.count).toBe(diffs.length);
    expect(packed.bytes).toBe(diffs.reduce((sum, { old, next }) => sum + (old && next ? 40 : 24), 0));
  }
});

it('the kind of a change follows from its two sides', () => {
  const region: MemoryRegion = { slot: 1, asId: 0, flags: 0, guestPhysAddr: 0, memorySize: 8192, userspaceAddr: 0 };
  const kind = (next: Partial<MemoryRegion> | undefined) => kindOf({ asId: 0, slot: 1, old: region, next: next && { ...region, ...next } });
  expect(kindOf({ asId: 0, slot: 1, old: undefined, next: region })).toBe('create');
  expect([kind(undefined), kind({ guestPhysAddr: 4096, flags: 1 }), kind({ flags: 1 })]).toEqual(['delete', 'move', 'flags-only']);
  expect([kind({ flags: 2 }), kind({ memorySize: 4096 }), kind({ userspaceAddr: 4096 })]).toEqual(['replace', 'replace', 'replace']);
});
