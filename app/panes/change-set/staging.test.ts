import { describe, expect, it } from 'vitest';
import type { SlotView, StagedEntry } from '../../../engine/worker/protocol';
import { describeEdit, finalRanges, ghosts, overlapWords, stagedWord } from './staging';

const MiB = 2 ** 20;
const slot = (id: number, gpa: number, size: number, flags = 0): SlotView => ({
  slot: id,
  guestPhysAddr: gpa,
  memorySize: size,
  userspaceAddr: 0x1000000,
  flags,
  name: `dimm${id}`,
  kind: 'dimm',
});
const slots = [slot(4, 256 * MiB, 64 * MiB), slot(5, 320 * MiB, 64 * MiB)];
const exchange: StagedEntry[] = [
  { edit: { op: 'move', slot: 4, gpa: 320 * MiB }, refusals: [] },
  { edit: { op: 'move', slot: 5, gpa: 256 * MiB }, refusals: [] },
];

describe('the staged change set', () => {
  it('shows a move where it leads and where it comes from', () => {
    const [first] = ghosts(exchange, slots);
    expect(first).toMatchObject({ label: '4 moves here', start: 320 * MiB, end: 384 * MiB, refused: false, from: { start: 256 * MiB } });
  });

  it('says what an entry does in words', () => {
    expect(describeEdit(exchange[0]!.edit, slots)).toEqual({ kind: 'move', what: '4 dimm4', detail: '0x10000000 → 0x14000000' });
    expect(describeEdit({ op: 'flags', slot: 4, flags: 1 }, slots).detail).toBe('+L');
    expect(describeEdit({ op: 'flags', slot: 4, flags: 2 }, [slot(4, 0, MiB, 1)]).detail).toBe('+R -L');
  });

  it('names the refusal of a slot with its errno', () => {
    const refused: StagedEntry[] = [
      { edit: { op: 'move', slot: 4, gpa: 0 }, refusals: [{ index: 0, errno: 'EEXIST', reason: 'overlaps 1' }] },
    ];
    expect(stagedWord(slots[0]!, refused)).toEqual({ text: 'EEXIST, overlaps 1', refused: true });
    expect(stagedWord(slots[1]!, refused)).toBeUndefined();
  });

  it('says on the map what a refused entry would overlap, in few words however many', () => {
    const [ghost] = ghosts(
      [
        {
          edit: { op: 'add', slot: 9, gpa: 300 * MiB, size: 64 * MiB, hva: 0, flags: 0 },
          refusals: [{ index: 0, errno: 'EEXIST', reason: '' }],
        },
      ],
      slots,
    );
    expect(ghost).toMatchObject({ refused: true, refusal: '9 overlaps 4 and 5' });
    const taken = [1, 2, 3, 4, 5].map((id) => ({ slot: id, start: id * MiB, end: (id + 1) * MiB }));
    expect(overlapWords(taken, MiB, 2 * MiB)).toBe('overlaps 1');
    expect(overlapWords(taken, MiB, 4 * MiB)).toBe('overlaps 1, 2 and 3');
    expect(overlapWords(taken, MiB, 8 * MiB)).toBe('overlaps 1, 2 and 3 more');
    expect(overlapWords(taken, 0, MiB)).toBe('');
  });

  it('leads to a layout in which an entry can be left out', () => {
    expect(finalRanges(exchange, slots, 0).map((range) => range.slot)).toEqual([5]);
  });
});
