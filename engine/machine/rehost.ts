/**
 * Moving backings in host memory as part of a change set: the whole range behind a slot goes to another one of the same size, every
 * memslot over it follows in the same commit, and its contents are copied while no vCPU can reach them (between zap and last swap).
 */
import type { MemslotEngine } from '../memory/index';
import { regionOf } from '../memory/index';
import type { MemoryRegion, Refusal } from '../memory/types';
import type { StagedEdit } from './api';
import type { HostMemory } from './host-memory';

/** hvas and size in bytes; the ranges do not overlap. */
export interface Rehost {
  from: number;
  to: number;
  size: number;
}

export type RehostEdit = Extract<StagedEdit, { op: 'rehost' }>;

/** What a rehost edit means, or why it cannot be. */
export function rehostOf(edit: RehostEdit, engine: MemslotEngine, host: HostMemory): Rehost | string {
  const slot = engine.memslotById(edit.slot);
  if (!slot) return `slot ${edit.slot} does not exist`;
  const range = host.rangeAt(slot.userspaceAddr);
  const target = edit.hva === undefined ? undefined : host.rangeAt(edit.hva);
  if (!range) return `slot ${edit.slot} has no backing`;
  if (!target || target.start !== edit.hva || target.size !== range.size || target.start === range.start)
    return `hva ${hex(edit.hva ?? 0)} is not the start of another range of host memory of ${hex(range.size)} bytes`;
  if ([0, 1].some((asId) => engine.memslotsByHva(target.start, target.start + target.size, asId).length > 0))
    return `the host memory at ${hex(target.start)} is in use`;
  return { from: range.start, to: target.start, size: range.size };
}

/**
 * Shifts the regions that lie in a moved range, and adds those memslots over it that the change set does not name. `origin[i]` is
 * the entry that region i comes from.
 */
export function follow(
  moves: readonly { move: Rehost; index: number }[],
  engine: MemslotEngine,
  request: { regions: MemoryRegion[]; origin: number[]; refusals: Refusal[] },
): void {
  const { regions, origin } = request;
  for (const { move, index } of moves) {
    const end = move.from + move.size;
    for (const asId of [0, 1]) {
      const named = new Set(regions.filter((region) => (region.asId ?? 0) === asId).map((region) => region.slot));
      for (const slot of engine.memslotsByHva(move.from, end, asId)) {
        if (named.has(slot.slot)) continue;
        regions.push(regionOf(slot));
        origin.push(index);
      }
    }
  }
  regions.forEach((region, i) => {
    const { userspaceAddr: hva, memorySize: size } = region;
    const found = size === 0 ? undefined : moves.find(({ move }) => hva < move.from + move.size && move.from < hva + size);
    if (!found) return;
    const { from, to, size: room } = found.move;
    if (hva >= from && hva + size <= from + room) regions[i] = { ...region, userspaceAddr: hva - from + to };
    else {
      const reason = `slot ${region.slot} lies only partly in the host memory that moves`;
      request.refusals.push({ index: origin[i]!, errno: 'EINVAL', reason });
    }
  });
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
