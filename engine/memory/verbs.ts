/**
 * What KVM has no call for: resize, split, merge, as the regions of an ordinary change set. The pages that stay keep gfn and backing,
 * so their translations and dirty bits stay too (page-flow.ts).
 */
import type { AddressSpace } from './address-space';
import { regionOf } from './change-set';
import { hex, type Limits, PAGE_SIZE } from './limits';
import type { Errno, MemoryRegion, Refusal } from './types';

export type Regions = { ok: true; regions: MemoryRegion[] } | { ok: false; refusals: Refusal[] };

function refuse(reason: string, errno: Errno = 'EINVAL', index = 0): Regions {
  return { ok: false, refusals: [{ index, errno, reason }] };
}

function find(spaces: readonly AddressSpace[], slot: number, asId: number, index = 0): MemoryRegion | Regions {
  const space = Number.isInteger(asId) ? spaces[asId] : undefined;
  if (!space) return refuse(`asId is ${String(asId)}: use 0 to ${spaces.length - 1}`, 'EINVAL', index);
  const record = Number.isInteger(slot) && slot >= 0 ? space.active.byId(slot) : 0;
  if (!record) return refuse(`memslot ${String(slot)} does not exist in address space ${asId}`, 'EINVAL', index);
  return regionOf(space.table.describe(record));
}

const isRefusal = (found: MemoryRegion | Regions): found is Regions => 'ok' in found;

export function resizeRegions(spaces: readonly AddressSpace[], slot: number, memorySize: number, asId: number): Regions {
  const region = find(spaces, slot, asId);
  if (isRefusal(region)) return region;
  if (memorySize === 0) return refuse('memorySize is 0: delete the memslot instead');
  return { ok: true, regions: [{ ...region, memorySize }] };
}

export function splitRegions(
  { maxSlots }: Limits,
  spaces: readonly AddressSpace[],
  { slot, atGpa, newSlot, asId }: { slot: number; atGpa: number; newSlot: number; asId: number },
): Regions {
  const region = find(spaces, slot, asId);
  const refusals: Refusal[] = [];
  if (!(Number.isInteger(newSlot) && newSlot >= 0 && newSlot < maxSlots))
    refusals.push({ index: 1, errno: 'EINVAL', reason: `memslot id is ${String(newSlot)}: use an id from 0 to ${maxSlots - 1}` });
  if (isRefusal(region)) return region.ok ? region : { ok: false, refusals: [...region.refusals, ...refusals] };
  const low = Number.isSafeInteger(atGpa) ? atGpa - region.guestPhysAddr : 0;
  if (low % PAGE_SIZE !== 0 || low <= 0 || low >= region.memorySize) {
    const { guestPhysAddr: start, memorySize: size } = region;
    const nearest = start + Math.min(Math.max(Math.round(low / PAGE_SIZE) * PAGE_SIZE, PAGE_SIZE), size - PAGE_SIZE);
    const advice = size > PAGE_SIZE ? ` (nearest: ${hex(nearest)})` : '';
    const reason = `split address is ${hex(atGpa)}: use a multiple of 4096 inside (${hex(start)}, ${hex(start + size)})${advice}`;
    refusals.push({ index: 0, errno: 'EINVAL', reason });
  }
  if (Number.isInteger(newSlot) && newSlot >= 0 && spaces[asId]!.active.byId(newSlot))
    refusals.push({ index: 0, errno: 'EEXIST', reason: `memslot ${newSlot} exists: use a free id for the upper part` });
  if (refusals.length > 0) return { ok: false, refusals };
  const upper = {
    ...region,
    slot: newSlot,
    guestPhysAddr: atGpa,
    memorySize: region.memorySize - low,
    userspaceAddr: region.userspaceAddr + low,
  };
  return { ok: true, regions: [{ ...region, memorySize: low }, upper] };
}

/** The first id named stays. */
export function mergeRegions(spaces: readonly AddressSpace[], slots: readonly number[], asId: number): Regions {
  if (!Array.isArray(slots) || slots.length < 2) return refuse('merge needs at least two memslot ids');
  if (new Set(slots).size !== slots.length) return refuse(`merge names a memslot twice: ${slots.join(', ')}`);
  const parts: MemoryRegion[] = [];
  const refusals: Refusal[] = [];
  for (const [index, slot] of slots.entries()) {
    const region = find(spaces, slot, asId, index);
    if (!isRefusal(region)) parts.push(region);
    else if (!region.ok) refusals.push(...region.refusals);
  }
  if (refusals.length > 0) return { ok: false, refusals };
  const stays = parts[0]!;
  const ordered = parts.toSorted((a, b) => a.guestPhysAddr - b.guestPhysAddr);
  for (const [i, next] of ordered.entries()) {
    const before = ordered[i - 1];
    if (!before) continue;
    const index = parts.indexOf(next);
    const pair = `memslots ${before.slot} and ${next.slot}`;
    const against = (reason: string): unknown => refusals.push({ index, errno: 'EINVAL', reason: `${pair} ${reason}` });
    if (before.guestPhysAddr + before.memorySize !== next.guestPhysAddr) against('are not neighbours in guest memory');
    if (before.userspaceAddr + before.memorySize !== next.userspaceAddr) against('are not neighbours in host memory');
    if (before.flags !== next.flags) against('have different flags');
  }
  if (refusals.length > 0) return { ok: false, refusals };
  const first = ordered[0]!;
  const memorySize = parts.reduce((sum, part) => sum + part.memorySize, 0);
  const merged = { ...stays, guestPhysAddr: first.guestPhysAddr, userspaceAddr: first.userspaceAddr, memorySize };
  return { ok: true, regions: [merged, ...parts.slice(1).map((part) => ({ ...part, flags: 0, memorySize: 0 }))] };
}
