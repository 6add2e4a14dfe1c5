/**
 * Builds the change sets that map or unmap a part of a backing, so that each run of mapped memory is one memslot. Pages that stay keep gfn and
 * backing, so the engine's page flow does not zap them (memory/page-flow.ts). People may have moved, split or flagged the slots meanwhile, so they
 * are looked up each time, not remembered.
 */
import { PAGE_SIZE } from '../abi/layout';
import { type MemslotEngine, regionOf } from '../memory/index';
import type { MemoryRegion, Memslot } from '../memory/types';

/** Ids from here on, so that people who type ids can use the low ones. */
const FIRST_ID = 256;

/** Bytes, half-open. */
interface Range {
  start: number;
  end: number;
}

/** Maps [gpa, gpa + size) to hva: a new slot, or slots that touch it grown and joined. `backing`: hvas that such a slot lies within. */
export function mapPart(engine: MemslotEngine, gpa: number, hva: number, size: number, backing: Range): MemoryRegion[] {
  const inStep = (slot: MemoryRegion): boolean =>
    slot.userspaceAddr - slot.guestPhysAddr === hva - gpa &&
    slot.userspaceAddr >= backing.start &&
    slot.userspaceAddr + slot.memorySize <= backing.end;
  const near = engine
    .memslotsByHva(hva - PAGE_SIZE, hva + size + PAGE_SIZE)
    .map(regionOf)
    .filter(inStep);
  const flags = near[0]?.flags ?? 0;
  const joined = near.filter((slot) => slot.flags === flags);
  const start = Math.min(gpa, ...joined.map((slot) => slot.guestPhysAddr));
  const end = Math.max(gpa + size, ...joined.map((slot) => slot.guestPhysAddr + slot.memorySize));
  const [kept, ...gone] = joined;
  const slot = kept?.slot ?? new FreeIds(engine).next();
  return [
    { slot, asId: 0, flags, guestPhysAddr: start, memorySize: end - start, userspaceAddr: hva - gpa + start },
    ...gone.map((region) => ({ ...region, memorySize: 0 })),
  ];
}

/** Removes the hvas from every slot that maps them, wherever it lies in guest memory. */
export function unmapParts(engine: MemslotEngine, parts: readonly Range[]): MemoryRegion[] {
  return [0, 1].flatMap((asId) => {
    const slots = new Map<number, Memslot>();
    for (const { start, end } of parts) for (const slot of engine.memslotsByHva(start, end, asId)) slots.set(slot.slot, slot);
    const ids = new FreeIds(engine, asId);
    return [...slots.values()].flatMap((slot) => without(regionOf(slot), parts, ids));
  });
}

/** The rest of a region: its first piece keeps the id. */
function without(region: MemoryRegion, parts: readonly Range[], ids: FreeIds): MemoryRegion[] {
  const from = region.userspaceAddr;
  let pieces: Range[] = [{ start: from, end: from + region.memorySize }];
  for (const part of parts) {
    pieces = pieces.flatMap(({ start, end }) =>
      part.end <= start || part.start >= end
        ? [{ start, end }]
        : [
            { start, end: part.start },
            { start: part.end, end },
          ].filter((piece) => piece.start < piece.end),
    );
  }
  if (pieces.length === 0) return [{ ...region, memorySize: 0 }];
  return pieces.map(({ start, end }, index) => ({
    ...region,
    slot: index === 0 ? region.slot : ids.next(),
    guestPhysAddr: region.guestPhysAddr + start - from,
    memorySize: end - start,
    userspaceAddr: start,
  }));
}

export class FreeIds {
  private id = FIRST_ID;

  constructor(
    private readonly engine: MemslotEngine,
    private readonly asId = 0,
  ) {}

  next(): number {
    while (this.engine.memslotById(this.id, this.asId)) this.id += 1;
    return this.id++;
  }
}
