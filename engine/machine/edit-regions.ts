/** Translates staged edits into memory regions for the engine, or into reasons for refusal. */
import { HOST_BASE } from '../abi/layout';
import type { Regions } from '../memory/index';
import type { Errno, MemoryRegion, Refusal } from '../memory/types';
import type { NewEdit, StagedEdit } from './api';
import type { Rehost } from './backends';
import { nearestRoom } from './free-room';
import { follow, type RehostContext, type RehostEdit, rehostOf } from './rehost';

const PAGE = 4096;

export interface EditContext extends RehostContext {
  /** Reserved for memory that devices map: nothing else may be placed there. Bytes. */
  kept(): readonly { id: string; start: number; end: number }[];
}

/** Regions for the engine, and the staged entry of each. */
export interface Request {
  regions: MemoryRegion[];
  origin: number[];
  refusals: Refusal[];
  moves: Rehost[];
}

export class EditRegions {
  constructor(private readonly context: EditContext) {}

  /** `advises`: a refusal names the nearest free address. Each costs a pass over the layout. */
  translate(edits: readonly StagedEdit[], advises: boolean): Request {
    const request: Request = { regions: [], origin: [], refusals: [], moves: [] };
    let rehosts = false;
    edits.forEach((edit, index) => {
      if (edit.op === 'rehost') {
        rehosts = true;
        return;
      }
      if (edit.op === 'add') request.refusals.push(...this.refuseAdd(edit).map((refusal) => ({ ...refusal, index })));
      const meant = this.regionsOf(edit);
      if (!meant.ok) {
        request.refusals.push(...meant.refusals.map((refusal) => ({ ...refusal, index })));
        return;
      }
      for (const region of meant.regions) {
        const kept = this.keptBy(region, advises);
        if (kept) request.refusals.push({ index, errno: 'EEXIST', reason: kept });
        request.regions.push('span' in edit && edit.span ? { ...region, span: true } : region);
        request.origin.push(index);
      }
    });
    if (rehosts) this.translateMoves(edits, request);
    return request;
  }

  /** Last, since it moves the regions of the other entries, too. */
  private translateMoves(edits: readonly StagedEdit[], request: Request): void {
    const moves: { move: Rehost; index: number }[] = [];
    edits.forEach((edit, index) => {
      if (edit.op !== 'rehost') return;
      const move = rehostOf(edit, this.context);
      const twice = typeof move !== 'string' && moves.some((other) => other.move.from === move.from || other.move.to === move.to);
      if (typeof move !== 'string' && !twice) moves.push({ move, index });
      else request.refusals.push({ index, errno: 'EINVAL', reason: twice ? 'this backing is moved twice' : String(move) });
    });
    follow(moves, this.context.engine, request);
    request.moves = moves.map(({ move }) => move);
  }

  /**
   * Allocates host memory when the edit is staged, so that a dry run knows whether there is any. An invalid size gets none: the dry run names all
   * that is wrong with the edit.
   */
  withHostMemory(edit: NewEdit): StagedEdit {
    const { engine, host } = this.context;
    if (edit.op === 'add')
      return { ...edit, hva: edit.hva ?? (isSize(edit.size) ? host.allocate(edit.size, `bare.${edit.slot}`) : HOST_BASE) };
    if (edit.op !== 'rehost') return edit;
    const slot = engine.memslotById(edit.slot);
    const range = slot && host.rangeAt(slot.userspaceAddr);
    return range && edit.hva === undefined && edit.memdev === undefined ? { ...edit, hva: host.allocate(range.size, range.label) } : edit;
  }

  /** Cases that the engine would not refuse: it would change an existing slot, or delete one. */
  private refuseAdd({ slot, size }: Extract<StagedEdit, { op: 'add' }>): Omit<Refusal, 'index'>[] {
    const refusals: Omit<Refusal, 'index'>[] = [];
    if (this.context.engine.memslotById(slot))
      refusals.push({ errno: 'EEXIST', reason: `memslot ${slot} exists: use another id, or move or resize it` });
    if (size === 0) refusals.push({ errno: 'EINVAL', reason: 'memorySize is 0: a memslot has at least one page (nearest: 0x1000)' });
    return refusals;
  }

  /** The regions of an edit, or the reason for its refusal. */
  private regionsOf(edit: Exclude<StagedEdit, RehostEdit>): Regions {
    const { engine } = this.context;
    switch (edit.op) {
      case 'add': {
        const { slot, flags, gpa: guestPhysAddr, size, hva: userspaceAddr } = edit;
        // A size of 0 is refused above and would mean a delete: the other fields are checked with the smallest size.
        return { ok: true, regions: [{ slot, asId: 0, flags, guestPhysAddr, memorySize: size === 0 ? PAGE : size, userspaceAddr }] };
      }
      case 'move':
        return this.changed(edit.slot, { guestPhysAddr: edit.gpa });
      case 'flags':
        return this.changed(edit.slot, { flags: edit.flags });
      case 'del':
        return this.changed(edit.slot, { memorySize: 0 });
      case 'resize':
        return engine.regionsOf({ call: 'resize', slot: edit.slot, memorySize: edit.size });
      case 'split':
        return engine.regionsOf({ call: 'split', slot: edit.slot, atGpa: edit.gpa, newSlot: edit.newSlot });
      case 'merge':
        return engine.regionsOf({ call: 'merge', slots: edit.slots });
    }
  }

  private changed(slot: number, fields: Partial<MemoryRegion>): Regions {
    const found = this.context.engine.regionById(slot);
    return found ? { ok: true, regions: [Object.assign(found, fields)] } : refuse('ENOENT', `memslot ${slot} does not exist`);
  }

  private roomNearest(slot: number, wanted: number, size: number): number | undefined {
    const slots = this.context.engine.memslots(0).filter((other) => other.slot !== slot);
    const taken = slots.map(({ baseGfn, npages }) => ({ start: baseGfn * PAGE, end: (baseGfn + npages) * PAGE }));
    return nearestRoom([...taken, ...this.context.kept()], size, wanted);
  }

  /** A slot must not be placed in memory that a device reserves for what it maps itself. Parts of the device's own slots may be split and joined. */
  private keptBy({ slot, guestPhysAddr: start, memorySize: size, userspaceAddr: hva }: MemoryRegion, advises: boolean): string | undefined {
    const kept = this.context.kept();
    if (kept.length === 0) return undefined;
    const end = start + size;
    const { engine } = this.context;
    if (engine.gpaToHva(start) === hva && engine.gpaToHva(end - PAGE) === hva + size - PAGE) return undefined;
    const device = size === 0 ? undefined : kept.find((range) => range.start < end && start < range.end);
    if (!device) return undefined;
    const now = engine.memslotById(slot);
    const there = now && now.baseGfn * PAGE < device.end && device.start < (now.baseGfn + now.npages) * PAGE;
    if (there) return undefined;
    const grows = now && now.baseGfn * PAGE === start;
    const nearest = grows || !advises ? undefined : this.roomNearest(slot, start, size);
    const elsewhere = nearest === undefined ? '' : ` (nearest free address: ${hex(nearest)})`;
    const advice = grows ? ` (nearest size: ${hex(device.start - start)})` : elsewhere;
    return `memslot ${slot} would lie in [${hex(device.start)}:${hex(device.end)}), which memory device '${device.id}' keeps${advice}`;
  }
}

export const isSize = (size: number): boolean => size > 0 && size % PAGE === 0;

function refuse(errno: Errno, reason: string): Regions {
  return { ok: false, refusals: [{ index: 0, errno, reason }] };
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
