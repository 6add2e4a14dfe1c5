/**
 * Moves backings in host memory as part of a change set: the whole range behind a slot moves to another one of the same size, every memslot over it
 * follows in the same commit, and the contents are copied while no vCPU can access them (between zap and last swap).
 */
import type { MemslotEngine } from '../memory/index';
import { regionOf } from '../memory/index';
import type { MemoryRegion, Refusal } from '../memory/types';
import type { Backend, StagedEdit } from './api';
import type { Backends, Rehost } from './backends';
import type { HostMemory, HostRange } from './host-memory';

export interface RehostContext {
  engine: MemslotEngine;
  host: HostMemory;
  backends: Backends;
}

export type RehostEdit = Extract<StagedEdit, { op: 'rehost' }>;

/** The regions of a rehost edit, or why it is refused. */
export function rehostOf(edit: RehostEdit, context: RehostContext): Rehost | string {
  const { engine, host, backends } = context;
  const slot = engine.memslotById(edit.slot);
  if (!slot) return `memslot ${edit.slot} does not exist`;
  const range = host.rangeAt(slot.userspaceAddr);
  if (!range) return `memslot ${edit.slot} has no backing`;
  const named = edit.memdev === undefined ? backends.at(edit.hva ?? -1) : backends.get(edit.memdev);
  if (named) return rehostOnto(edit.slot, range, named, context);
  if (edit.memdev !== undefined) return `memory backend '${edit.memdev}' does not exist: object_add makes one`;
  const target = edit.hva === undefined ? undefined : host.rangeAt(edit.hva);
  if (!target || target.start !== edit.hva || target.size !== range.size || target.start === range.start)
    return `hva ${hex(edit.hva ?? 0)} is not the start of another range of host memory of ${hex(range.size)} bytes`;
  if (mapper(target, engine) !== undefined) return `the host memory at ${hex(target.start)} is in use`;
  return { from: range.start, to: target.start, size: range.size };
}

/** Moves a DIMM, a virtio-mem device or bare memslots to another memory backend. */
function rehostOnto(slot: number, range: HostRange, target: Backend, context: RehostContext): Rehost | string {
  const { engine, backends } = context;
  const own = backends.at(range.start);
  const size = own?.size ?? range.size;
  const name = `memory backend '${target.id}'`;
  if (own === target) return `memslot ${slot} is on ${name} already`;
  if (own?.kind === 'board') {
    const alone = `without a memory backend, memslot_rehost ${slot} moves it to new host memory`;
    return `memslot ${slot} is on '${own.id}', the board's own RAM, which keeps its name: ${alone}`;
  }
  if (target.kind === 'board') return `'${target.id}' is the board's own RAM: object_add makes a memory backend`;
  if (target.busy !== undefined) return `${name} is already used by '${target.busy}'`;
  const other = mapper({ start: target.hva, size: target.size }, engine);
  if (other !== undefined) return `${name} is already in use: memslot ${other} maps it`;
  if (target.size !== size)
    return `${name} has ${hex(target.size)} bytes, '${range.label}' under memslot ${slot} has ${hex(size)}: they must be equal`;
  return { from: range.start, to: target.hva, size: range.size, onto: target.id };
}

/** A slot over the range, in any address space. */
function mapper({ start, size }: { start: number; size: number }, engine: MemslotEngine): number | undefined {
  return [0, 1].flatMap((asId) => engine.memslotsByHva(start, start + size, asId))[0]?.slot;
}

/** Shifts the regions in a moved range, and adds the memslots over it that the change set does not name. `origin[i]` is the entry of region i. */
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
      const reason = `memslot ${region.slot} lies only partly in the host memory that moves`;
      request.refusals.push({ index: origin[i]!, errno: 'EINVAL', reason });
    }
  });
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
