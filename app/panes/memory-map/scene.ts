/** Everything one frame of the map is painted from, and the small helpers that every lane needs. */
import type { LabState, SlotView } from '../../../engine/worker/protocol';
import type { Ghost } from '../staging';
import { type Kind, kindOf, type Palette } from './palette';
import type { Lane, Rows } from './rows';
import type { Window } from './view.svelte';

export interface Scene {
  context: CanvasRenderingContext2D;
  rows: Rows;
  palette: Palette;
  window: Window;
  state: LabState;
  /** In address order: the live layout, or the previewed one. */
  slots: readonly SlotView[];
  previewing: boolean;
  ghosts: readonly Ghost[];
  selected: number | undefined;
  hoverGpa: number | undefined;
  hoverEntry: number | undefined;
  /** Slots that are INVALID now, by id, with how often a vCPU met each. */
  invalid: ReadonlyMap<number, number>;
  /** Ids that the last commit touched. */
  changed: ReadonlySet<number>;
  /** Slots that slide to a new place: the gpa that each is drawn at. */
  sliding: ReadonlyMap<number, number>;
}

/** One thing on screen that the pointer can meet: a slot, or several too narrow to tell apart. */
export interface Mark {
  x0: number;
  x1: number;
  slots: readonly SlotView[];
}

export const MANY_SLOTS = 200;
const NARROW = 4;

export const toX = ({ rows, window }: Pick<Scene, 'rows' | 'window'>, gpa: number): number =>
  rows.left + ((window.axis.toU(gpa) - window.u0) / (window.u1 - window.u0)) * rows.span;

export function toGpa({ rows, window }: Pick<Scene, 'rows' | 'window'>, x: number): number {
  return toGpaBeyond({ rows, window }, Math.min(rows.left + rows.span, Math.max(rows.left, x)));
}

/** Also where x is off screen, as the start of a slot is whose end is dragged along; may be below 0. */
export const toGpaBeyond = ({ rows, window }: Pick<Scene, 'rows' | 'window'>, x: number): number =>
  window.axis.toGpa(window.u0 + ((x - rows.left) / rows.span) * (window.u1 - window.u0));

/** Slots on screen as marks, left to right; neighbours under 4 px wide become one. */
export function marks(scene: Pick<Scene, 'rows' | 'window' | 'slots' | 'sliding'>): Mark[] {
  const { rows, slots } = scene;
  const right = rows.left + rows.span;
  const found: { x0: number; x1: number; slots: SlotView[]; narrow: boolean }[] = [];
  for (let i = firstVisible(scene); i < slots.length; i++) {
    const slot = slots[i]!;
    const start = scene.sliding.get(slot.slot) ?? slot.guestPhysAddr;
    const x0 = toX(scene, start);
    if (x0 > right && !scene.sliding.size) break;
    const x1 = toX(scene, start + slot.memorySize);
    if (x1 < rows.left || x0 > right) continue;
    const narrow = x1 - x0 < NARROW;
    const last = found.at(-1);
    if (narrow && last?.narrow && x0 - last.x1 < NARROW) {
      last.x1 = Math.max(last.x1, x1);
      last.slots.push(slot);
    } else found.push({ x0, x1, slots: [slot], narrow });
  }
  return found;
}

/** Index of the first slot that ends after the left edge. */
export function firstVisible({ slots, window, sliding }: Pick<Scene, 'slots' | 'window' | 'sliding'>): number {
  if (sliding.size) return 0;
  const edge = window.axis.toGpa(window.u0);
  let low = 0;
  let high = slots.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const slot = slots[middle]!;
    if (slot.guestPhysAddr + slot.memorySize <= edge) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A slot's body: fill, pattern of its kind, outline. */
export function paintBox(
  { context, palette }: Pick<Scene, 'context' | 'palette'>,
  kind: Kind,
  x0: number,
  x1: number,
  { y, h }: Lane,
): void {
  const x = Math.round(x0) + 0.5;
  const width = Math.max(1, Math.round(x1) - Math.round(x0) - 1);
  context.fillStyle = palette.colour[kind];
  context.fillRect(x, y + 0.5, width, h - 1);
  if (kind !== 'ram') {
    context.fillStyle = palette.pattern[kind];
    context.fillRect(x, y + 0.5, width, h - 1);
  }
  context.globalAlpha = 0.85;
  context.lineWidth = 1;
  if (kind === 'inv') context.setLineDash([4, 3]);
  context.strokeStyle = palette.colour[`${kind}-mark`];
  context.strokeRect(x, y + 0.5, width, h - 1);
  context.setLineDash([]);
  context.globalAlpha = 1;
}

/** As the guest meets it: INVALID before all. */
export const kindNow = ({ invalid }: Pick<Scene, 'invalid'>, slot: SlotView): Kind => (invalid.has(slot.slot) ? 'inv' : kindOf(slot));

export function paintText(
  { context }: Pick<Scene, 'context'>,
  text: string,
  x: number,
  y: number,
  font: string,
  colour: string,
  align: CanvasTextAlign = 'left',
): void {
  context.font = font;
  context.fillStyle = colour;
  context.textAlign = align;
  context.fillText(text, x, y);
}

/** Clips to the lanes, so that nothing runs into the gutter. */
export function withinLanes(scene: Scene, paint: () => void): void {
  const { context, rows } = scene;
  context.save();
  context.beginPath();
  context.rect(rows.left - 3, 0, rows.span + 6, rows.height);
  context.clip();
  paint();
  context.restore();
}

export { kindOf };
