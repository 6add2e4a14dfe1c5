/** Drags a slot to another address, or its end to another size, by pointer or by keys. Nothing is staged until it is dropped. */
import type { SlotView } from '../../../engine/worker/protocol';
import type { Lab } from '../../lab/lab.svelte';
import { hex, parseNumber, size } from '../../shared/format';
import { finalRanges, type Ghost, overlapWords, type Range } from '../change-set/staging';
import { edgePlaces, snapSize, snapStart } from './snapping';

/** A slot being moved to another address, by pointer or by keys; nothing is staged until it is dropped. */
export interface Moving {
  slot: SlotView;
  /** bytes: where it would go */
  gpa: number;
  by: 'pointer' | 'keys';
  /** Digits typed so far */
  typed: string;
}

/** A slot whose end is being dragged; nothing is staged until it is dropped. */
export interface Resizing {
  slot: SlotView;
  /** bytes */
  size: number;
}

/** Guest-physical addresses end here. */
export const PHYSICAL_LIMIT = 2 ** 46;
const PAGE = 4096;

/** The parts of the workspace that dragging needs. */
interface Around {
  readonly lab: Lab;
  readonly slots: readonly SlotView[];
  readonly selectedSlot: SlotView | undefined;
  readonly entries: Parameters<typeof finalRanges>[0];
  nearestRoom(length: number, gpa: number, slot: number): number | undefined;
}

export class Dragging {
  moving = $state.raw<Moving | undefined>(undefined);
  resizing = $state.raw<Resizing | undefined>(undefined);
  readonly #around: Around;

  constructor(around: Around) {
    this.#around = around;
  }

  /** By pointer or by keys. */
  get on(): boolean {
    return this.moving !== undefined || this.resizing !== undefined;
  }

  /** Leaves everything as it was. */
  cancel(): void {
    this.moving = undefined;
    this.resizing = undefined;
  }

  /** Where the slot would be, drawn as staged edits are. */
  ghost: Ghost | undefined = $derived.by(() => {
    if (this.resizing) return this.#resizingGhost(this.resizing);
    return this.moving && this.#movingGhost(this.moving);
  });

  startMove(by: Moving['by'], slot = this.#around.selectedSlot): void {
    if (!slot || this.#around.lab.refuses()) return;
    const staged = this.#around.entries.find(({ edit }) => edit.op === 'move' && edit.slot === slot.slot)?.edit;
    this.moving = { slot, gpa: staged?.op === 'move' ? staged.gpa : slot.guestPhysAddr, by, typed: '' };
  }

  /** Pages are the finest step. */
  moveTo(gpa: number, typed = ''): void {
    const moving = this.moving;
    if (!moving) return;
    const highest = PHYSICAL_LIMIT - moving.slot.memorySize;
    this.moving = { ...moving, gpa: Math.min(highest, Math.max(0, Math.floor(gpa / PAGE) * PAGE)), typed };
  }

  /** Snaps to the edges of other slots within `reach` bytes, else to 2 MiB. */
  snap(gpa: number, reach: number): number {
    const moving = this.moving;
    if (!moving) return gpa;
    return snapStart(gpa, moving.slot.memorySize, this.#others(moving.slot), reach);
  }

  /** The next slot edge in a direction where the moving slot could begin or end. */
  nextEdge(step: 1 | -1): number | undefined {
    const moving = this.moving;
    if (!moving) return undefined;
    const places = edgePlaces(this.#others(moving.slot), moving.slot.memorySize);
    const ahead = places.filter((at) => (step > 0 ? at > moving.gpa : at < moving.gpa));
    return ahead.length ? (step > 0 ? Math.min(...ahead) : Math.max(...ahead)) : undefined;
  }

  typeAddress(key: string): void {
    const moving = this.moving;
    if (!moving) return;
    const typed = key === 'Backspace' ? moving.typed.slice(0, -1) : moving.typed + key;
    const parsed = parseNumber(typed);
    if (parsed === undefined) this.moving = { ...moving, typed };
    else this.moveTo(parsed, typed);
  }

  async dropMove(): Promise<void> {
    const moving = this.moving;
    if (!moving) return;
    this.moving = undefined;
    const staged = this.#around.entries.findIndex(({ edit }) => edit.op === 'move' && edit.slot === moving.slot.slot);
    if (moving.gpa === moving.slot.guestPhysAddr) {
      if (staged >= 0) await this.#around.lab.stage({ do: 'drop', index: staged });
      return;
    }
    await this.#around.lab.stageEdit({ op: 'move', slot: moving.slot.slot, gpa: moving.gpa });
  }

  /** What the moving slot would overlap: "overlaps 2 and 3", or the room it has. */
  movingWords = $derived.by(() => {
    const moving = this.moving;
    if (!moving) return '';
    return this.#fitWords(moving.slot, moving.gpa, moving.slot.memorySize);
  });

  resizingWords = $derived.by(() => {
    const resizing = this.resizing;
    return resizing ? this.#fitWords(resizing.slot, resizing.slot.guestPhysAddr, resizing.size) : '';
  });

  /** Whole pages; the end snaps to the next slot's start within `reach` bytes, else to 2 MiB. */
  resizeTo(slot: SlotView, wanted: number, reach: number, fine: boolean): void {
    if (this.#around.lab.refuses()) return;
    this.resizing = { slot, size: snapSize(slot, wanted, this.#others(slot), { reach, fine }) };
  }

  async dropResize(): Promise<void> {
    const resizing = this.resizing;
    this.resizing = undefined;
    if (!resizing || resizing.size === resizing.slot.memorySize) return;
    await this.#around.lab.stageEdit({ op: 'resize', slot: resizing.slot.slot, size: resizing.size });
  }

  #fitWords(slot: SlotView, start: number, length: number): string {
    const kept = this.#around.lab.state?.virtioMems.find(({ addr, maxSize }) => addr < start + length && start < addr + maxSize);
    if (kept && slot.kind !== 'virtio-mem') {
      const grows = start === slot.guestPhysAddr;
      const room = grows ? kept.addr - start : this.#around.nearestRoom(length, start, slot.slot);
      const nearest = grows ? `nearest size: ${size(room ?? 0)}` : `nearest free address: ${hex(room ?? 0)}`;
      return `overlaps the room that ${kept.id} keeps${room === undefined ? '' : ` (${nearest})`}`;
    }
    return overlapWords(this.#others(slot), start, start + length) || `fits, ${size(length)}`;
  }

  #others(slot: SlotView): Range[] {
    const index = this.#around.entries.findIndex(({ edit }) => edit.op !== 'merge' && edit.slot === slot.slot);
    return finalRanges(this.#around.entries, this.#around.slots, index).filter((range) => range.slot !== slot.slot);
  }

  #resizingGhost({ slot, size: length }: Resizing): Ghost {
    const start = slot.guestPhysAddr;
    const words = this.resizingWords;
    const refused = words.startsWith('overlaps');
    return {
      slot: slot.slot,
      start,
      end: start + length,
      entry: -1,
      shape: 'range',
      label: `${slot.slot} becomes ${size(length)}`,
      shortLabel: `${slot.slot}`,
      refused,
      refusal: refused ? `${slot.slot} ${words}` : '',
    };
  }

  #movingGhost(moving: Moving): Ghost {
    const { slot, gpa } = moving;
    const start = slot.guestPhysAddr;
    const words = this.movingWords;
    const refused = words.startsWith('overlaps');
    return {
      slot: slot.slot,
      start: gpa,
      end: gpa + slot.memorySize,
      entry: -1,
      shape: 'range',
      label: `${slot.slot} to ${hex(gpa)}`,
      shortLabel: `${slot.slot}`,
      refused,
      refusal: refused ? `${slot.slot} ${words}` : '',
      from: { slot: slot.slot, start, end: start + slot.memorySize },
    };
  }
}
