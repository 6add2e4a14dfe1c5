/**
 * A naive model of which backing owns which byte of host memory, and what memslots map of it. It works in grains of 2 MiB, one at a time. It states
 * the rule (a slot lies inside one backing unless a command explicitly asked otherwise; a device that leaves takes only its own bytes) and knows
 * nothing of the machine's implementation.
 */
export const GRAIN = 0x200000;

/** Bytes, all multiples of a grain. */
export interface Slot {
  id: number;
  gpa: number;
  size: number;
  hva: number;
  flags: number;
}

/** A memory backend or bare host memory, from its allocation until it is freed. */
export interface Owner {
  name: string;
  kind: 'backend' | 'bare';
  start: number;
  size: number;
  /** Distinguishes it from earlier memory at the same place. */
  since: number;
}

export interface Dimm {
  id: string;
  memdev: string;
  slot: number;
}

/** The slots that an operation results in; `span`: the command asked to span backings. */
export interface Wish {
  id: number;
  next: Slot | undefined;
  span: boolean;
}

const endOf = ({ gpa, size }: Slot): number => gpa + size;
const grains = (start: number, size: number): number[] => Array.from({ length: size / GRAIN }, (_unused, index) => start + index * GRAIN);

const differs = (a: Slot, b: Slot): boolean => a.gpa !== b.gpa || a.size !== b.size || a.hva !== b.hva || a.flags !== b.flags;

export class Ownership {
  slots = new Map<number, Slot>();
  owners: Owner[] = [];
  dimms: Dimm[] = [];
  /** Guest-physical space that a memory device reserves; an edit puts no other slot there. */
  kept = { start: 0, end: 0 };

  ownerAt(hva: number): Owner | undefined {
    return this.owners.find(({ start, size }) => hva >= start && hva < start + size);
  }

  backend(name: string): Owner | undefined {
    return this.owners.find((owner) => owner.kind === 'backend' && owner.name === name);
  }

  /** Guest grain -> host grain and flags. */
  mapping(): Map<number, string> {
    const map = new Map<number, string>();
    for (const { gpa, size, hva, flags } of this.slots.values())
      for (const at of grains(gpa, size)) map.set(at, `${hva + at - gpa} ${flags}`);
    return map;
  }

  /** Does any slot map some of these bytes of host memory? */
  maps(start: number, size: number): boolean {
    return [...this.slots.values()].some((slot) => slot.hva < start + size && start < slot.hva + slot.size);
  }

  isFree(gpa: number, size: number): boolean {
    return [...this.slots.values()].every((slot) => slot.gpa >= gpa + size || gpa >= endOf(slot));
  }

  /** All of them at once, or none: false. */
  change(wishes: readonly Wish[]): boolean {
    const ids = wishes.map(({ id }) => id);
    if (new Set(ids).size < ids.length) return false;
    const before = this.slots;
    const after = new Map(before);
    for (const { id, next } of wishes) {
      if (next) after.set(id, next);
      else if (!after.delete(id)) return false;
    }
    const held = wishes.flatMap(({ id, next }) => {
      const old = before.get(id);
      return old && (!next || differs(old, next)) ? [old] : [];
    });
    for (const { id, next, span } of wishes) {
      const old = before.get(id);
      if (next && !(old && !differs(old, next)) && !this.mayMap(next, held, span)) return false;
      if (next && this.isKept(next) && !(old && this.isKept(old)) && !this.isThere(next)) return false;
    }
    const seen = new Set<number>();
    for (const slot of after.values())
      for (const at of grains(slot.gpa, slot.size)) {
        if (seen.has(at)) return false;
        seen.add(at);
      }
    this.slots = after;
    return true;
  }

  private isKept(slot: Slot): boolean {
    return slot.gpa < this.kept.end && this.kept.start < endOf(slot);
  }

  /** Are its first and last grain mapped as the device wants, by any slot? */
  private isThere({ gpa, size, hva }: Slot): boolean {
    const mapping = this.mapping();
    return [0, size - GRAIN].every((at) => mapping.get(gpa + at)?.startsWith(`${hva + at} `));
  }

  private mayMap({ hva, size }: Slot, held: readonly Slot[], span: boolean): boolean {
    const owners = grains(hva, size).map((at) => this.ownerAt(at));
    if (owners.some((owner) => owner === undefined)) return false;
    if (new Set(owners).size === 1) return true;
    return span || held.some((old) => old.hva <= hva && hva + size <= old.hva + old.size);
  }

  /** Removes these bytes of host memory from every slot; the rest of a slot stays mapped. The first piece keeps the id. */
  takeAway(start: number, size: number): void {
    const end = start + size;
    let free = 256;
    const taken = new Set(this.slots.keys());
    const nextId = (): number => {
      while (taken.has(free)) free++;
      return free++;
    };
    const touched = [...this.slots.values()].filter((slot) => slot.hva < end && start < slot.hva + slot.size);
    // Where two slots begin at the same byte, either may come first; only the mapping matters.
    for (const slot of touched.sort((a, b) => a.hva - b.hva)) {
      this.slots.delete(slot.id);
      const pieces = [
        { from: slot.hva, to: Math.min(start, slot.hva + slot.size) },
        { from: Math.max(end, slot.hva), to: slot.hva + slot.size },
      ].filter(({ from, to }) => from < to);
      pieces.forEach(({ from, to }, index) => {
        const id = index === 0 ? slot.id : nextId();
        this.slots.set(id, { ...slot, id, gpa: slot.gpa + from - slot.hva, hva: from, size: to - from });
      });
    }
  }
}
