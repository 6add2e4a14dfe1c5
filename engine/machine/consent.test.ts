import { describe, expect, it } from 'vitest';
import type { MemoryRegion } from '../memory/types';
import type { StagedEdit } from './api';
import { type Counted, unaskedIn, warningOf } from './consent';

const M = 2 ** 20;
const slot = (id: number, gpa: number, size: number, hva: number, flags = 0): MemoryRegion => ({
  slot: id,
  guestPhysAddr: gpa,
  memorySize: size,
  userspaceAddr: hva,
  flags,
});
const dimm: Counted = { gpa: 128 * M, size: 64 * M, hva: 512 * M, name: 'dimm1', dimm: 'dimm1' };
const whole = slot(3, 128 * M, 64 * M, 512 * M);

const found = (now: MemoryRegion[], then: MemoryRegion[], edit: StagedEdit, carried = (hva: number) => hva) =>
  unaskedIn([dimm], { now, then, carried }, () => ({ index: 0, edit }));

describe('unaskedIn', () => {
  it('names a DIMM that moves, and the command that would ask the guest', () => {
    const [unasked] = found([whole], [{ ...whole, guestPhysAddr: 256 * M }], { op: 'move', slot: 3, gpa: 256 * M });
    expect(unasked).toEqual({
      index: 0,
      slot: 3,
      name: 'dimm1',
      gpa: 128 * M,
      how: 'moves',
      ask: { do: 'move', dimm: 'dimm1', addr: 256 * M },
    });
    expect(warningOf(unasked!)).toBe(
      'warning: the guest uses memslot 3 (dimm1) at 0x8000000 and is not asked; device_move dimm1 0x10000000 asks it',
    );
  });

  it('names one that is removed, shrinks or becomes read-only, once', () => {
    expect(found([whole], [], { op: 'del', slot: 3 })).toMatchObject([{ how: 'goes', ask: { do: 'unplug', dimm: 'dimm1' } }]);
    const half = [{ ...whole, memorySize: 32 * M }];
    expect(found([whole], half, { op: 'resize', slot: 3, size: 32 * M })).toMatchObject([{ how: 'goes' }]);
    expect(found([whole], [{ ...whole, flags: 2 }], { op: 'flags', slot: 3, flags: 2 })).toMatchObject([{ how: 'read-only' }]);
    const moved = [slot(3, 128 * M, 32 * M, 512 * M), slot(4, 1024 * M, 32 * M, 544 * M)];
    const split = [slot(3, 128 * M, 32 * M, 512 * M), slot(4, 160 * M, 32 * M, 544 * M)];
    const [part] = found(split, moved, { op: 'move', slot: 4, gpa: 1024 * M });
    expect(part).toMatchObject({ slot: 4, how: 'moves' });
    expect(part).not.toHaveProperty('ask');
  });

  it('names nothing if the same bytes stay at the same address: split, merge, dirty logging, rehost', () => {
    const split = [slot(3, 128 * M, 32 * M, 512 * M), slot(4, 160 * M, 32 * M, 544 * M)];
    expect(found([whole], split, { op: 'split', slot: 3, gpa: 160 * M, newSlot: 4 })).toEqual([]);
    expect(found(split, [whole], { op: 'merge', slots: [3, 4] })).toEqual([]);
    expect(found([whole], [{ ...whole, flags: 1 }], { op: 'flags', slot: 3, flags: 1 })).toEqual([]);
    const rehosted = [{ ...whole, userspaceAddr: 2048 * M }];
    expect(found([whole], rehosted, { op: 'rehost', slot: 3 }, (hva) => hva + 1536 * M)).toEqual([]);
  });

  it('names neither memory that is already gone nor memory that is added back', () => {
    const away = { ...whole, guestPhysAddr: 256 * M };
    expect(found([away], [whole], { op: 'move', slot: 3, gpa: 128 * M })).toEqual([]);
    expect(found([away], [{ ...whole, guestPhysAddr: 512 * M }], { op: 'move', slot: 3, gpa: 512 * M })).toEqual([]);
  });
});
