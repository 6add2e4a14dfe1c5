/** Details of commits and harvests beside their numbers in the ring: words, memslots, and former places of slots. Bounded. */
import type { Machine } from '../machine/index';
import type { EngineNote } from '../memory/types';

/** Ids kept for all events together; beyond that the oldest are dropped first. */
const MOST_IDS = 1_000_000;
/** Most places of moved or deleted slots, and most slots of one commit that are checked for that. */
const MOST_GONE = 64;

interface Note {
  text: string | undefined;
  /** Events of one commit share them. */
  slots: Int16Array | undefined;
}

export class CommitNotes {
  private readonly notes = new Map<number, Note>();
  private ids = 0;
  /** For the commit that is under way. */
  private slots: Int16Array | undefined;
  /** gfns, latest first */
  private gone: { slot: number; start: number; end: number }[] = [];

  textOf(seq: number): string | undefined {
    return this.notes.get(seq)?.text;
  }

  slotsOf(seq: number): Int16Array | undefined {
    return this.notes.get(seq)?.slots;
  }

  /** The slot that was last at a gfn, -1: not known. */
  lastAt(gfn: number): number {
    for (const { slot, start, end } of this.gone) if (gfn >= start && gfn < end) return slot;
    return -1;
  }

  /** A phase of a commit begins: the events recorded from here on concern its slots. */
  begins({ memory }: Machine, { phase, slots }: Extract<EngineNote, { type: 'phase' }>): void {
    if (phase === 'validate' || !this.slots) this.slots = Int16Array.from(slots);
    if (phase !== 'swap1') return;
    for (const id of slots.slice(0, MOST_GONE)) {
      const slot = memory.memslotById(id);
      if (slot) this.gone.unshift({ slot: id, start: slot.baseGfn, end: slot.baseGfn + slot.npages });
    }
    this.gone.length = Math.min(this.gone.length, MOST_GONE);
  }

  ended(): void {
    this.slots = undefined;
  }

  /** `slots`: absent: those of the commit that is under way. */
  keep(seq: number, text: string | undefined, slots?: readonly number[]): void {
    const own = slots ? Int16Array.from(slots) : this.slots;
    if (text === undefined && !own) return;
    this.notes.set(seq, { text, slots: own });
    this.ids += own?.length ?? 0;
    for (const note of this.notes.values()) {
      if (this.ids <= MOST_IDS) break;
      this.ids -= note.slots?.length ?? 0;
      note.slots = undefined;
    }
  }

  /** Events are dropped, oldest first: their notes are first in the map. */
  forget(first: number): void {
    for (const [seq, { slots }] of this.notes) {
      if (seq >= first) break;
      this.notes.delete(seq);
      this.ids -= slots?.length ?? 0;
    }
  }

  /** Those from this one on did not happen. */
  cut(seq: number): void {
    for (const [each, { slots }] of this.notes) {
      if (each < seq) continue;
      this.notes.delete(each);
      this.ids -= slots?.length ?? 0;
    }
    this.gone = [];
    this.slots = undefined;
  }

  clear(): void {
    this.notes.clear();
    this.ids = 0;
    this.slots = undefined;
    this.gone = [];
  }
}
