import { expect, test } from 'vitest';
import type { SlotView } from '../../../engine/worker/protocol';
import { ghosts, kindsOf } from '../change-set/staging';
import { thin } from './thin';

const slotAt = (slot: number, flags = 0): SlotView => ({
  slot,
  asId: 0,
  guestPhysAddr: slot * 8192,
  memorySize: 4096,
  userspaceAddr: slot * 4096,
  flags,
  name: `bare.${slot}`,
  kind: 'bare',
});

test('of thousands of slots the overview keeps the one that is of another kind', () => {
  const slots = Array.from({ length: 3000 }, (_, slot) => slotAt(slot, slot === 1234 ? 2 : 0));
  const shown = thin(slots, new Set()).map(({ slot }) => slot);
  expect(shown).toContain(1234);
  expect(shown.length).toBeLessThan(500);
});

test('a crowd of entries is counted by kind, refused ones apart', () => {
  const adds = Array.from({ length: 230 }, (_, i) => ({
    edit: { op: 'add' as const, slot: 100 + i, gpa: 2 ** 32 + i * 8192, size: 4096, flags: 0, hva: 0 },
    refusals: i < 2 ? [{ errno: 'EEXIST', reason: 'overlaps' }] : [],
  }));
  const entries = [
    ...adds,
    { edit: { op: 'move' as const, slot: 1, gpa: 0 }, refusals: [] },
    { edit: { op: 'del' as const, slot: 2 }, refusals: [] },
  ];
  const staged = ghosts(entries as never, [slotAt(1), slotAt(2)]);
  expect(kindsOf(staged)).toBe('2 refused, 228 create, 1 move, 1 delete');
});
