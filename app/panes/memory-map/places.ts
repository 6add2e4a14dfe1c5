/** Positions on the map: converts guest-physical addresses to pixels and back, at rest and during a change of the layout. */
import type { SlotView } from '../../../engine/worker/protocol';
import type { Motion } from './motion.svelte';
import type { Lane, Rows } from './rows';
import type { Window } from './view.svelte';

/** What a place on the axis depends on. */
export interface Placing {
  rows: Rows;
  window: Window;
  /** A change of the layout in progress; undefined: at rest. */
  motion?: Motion | undefined;
}

type Place = Pick<SlotView, 'slot' | 'guestPhysAddr' | 'memorySize' | 'userspaceAddr'>;

/** One target for the pointer: a slot, or several that are too narrow to tell apart. */
export interface Mark {
  x0: number;
  x1: number;
  slots: readonly SlotView[];
  /** px: the box above it that says how many they are, once it is painted */
  box?: { x0: number; x1: number };
}

/** px */
const NARROW = 2;

/** px: a selected slot that is narrower has no handle. */
export const HANDLED = 24;

const between = (from: number, to: number, share: number): number => from + (to - from) * share;

const xIn = ({ axis, u0, u1 }: Window, { left, span }: Rows, gpa: number): number => left + ((axis.toU(gpa) - u0) / (u1 - u0)) * span;

/** A new layout may change the axis itself. */
export function toX({ rows, window, motion }: Placing, gpa: number): number {
  const x = xIn(window, rows, gpa);
  return motion ? between(xIn(motion.from, rows, gpa), x, motion.share) : x;
}

export function toGpa({ rows, window }: Placing, x: number): number {
  return toGpaBeyond({ rows, window }, Math.min(rows.left + rows.span, Math.max(rows.left, x)));
}

/** Also where x is off screen, as the start of a slot is whose end is dragged along; may be below 0. */
export const toGpaBeyond = ({ rows, window }: Placing, x: number): number =>
  window.axis.toGpa(window.u0 + ((x - rows.left) / rows.span) * (window.u1 - window.u0));

/** Both ends of a slot. */
export function slotX({ rows, window, motion }: Placing, slot: Place): [x0: number, x1: number] {
  const x0 = xIn(window, rows, slot.guestPhysAddr);
  const x1 = xIn(window, rows, slot.guestPhysAddr + slot.memorySize);
  if (!motion) return [x0, x1];
  const { guestPhysAddr: start, memorySize } = motion.before.get(slot.slot) ?? slot;
  return [between(xIn(motion.from, rows, start), x0, motion.share), between(xIn(motion.from, rows, start + memorySize), x1, motion.share)];
}

/** Both ends in host memory, bytes. */
export function slotHva(
  { motion }: Pick<Placing, 'motion'>,
  { slot, userspaceAddr: start, memorySize }: Place,
): [start: number, end: number] {
  const was = motion?.before.get(slot);
  if (!motion || !was) return [start, start + memorySize];
  const { userspaceAddr: from } = was;
  return [between(from, start, motion.share), between(from + was.memorySize, start + memorySize, motion.share)];
}

/** How much of a slot is there. */
export interface Presence {
  /** From the base of the lane up */
  grown: number;
  alpha: number;
}

export const WHOLE: Presence = { grown: 1, alpha: 1 };

/** A new slot grows from its base; one that an undo brings back comes as it went, by fading. */
export function presence({ motion }: Pick<Placing, 'motion'>, slot: Place): Presence {
  if (!motion?.created.has(slot.slot)) return WHOLE;
  return motion.backwards ? { grown: 1, alpha: motion.share } : { grown: motion.share, alpha: 1 };
}

/** What is left of a slot that goes. */
export const absence = ({ share, backwards }: Motion): Presence =>
  backwards ? { grown: 1 - share, alpha: 1 } : { grown: 1, alpha: 1 - share };

export const grownIn = ({ y, h }: Lane, grown: number): Lane => ({ y: y + h * (1 - grown), h: h * grown });

/** Slots on screen as marks, left to right; neighbours under 2 px wide become one. */
export function marks(placing: Placing, slots: readonly SlotView[]): Mark[] {
  const { rows, motion } = placing;
  const right = rows.left + rows.span;
  const found: (Mark & { slots: SlotView[]; narrow: boolean })[] = [];
  for (let i = firstVisible(placing, slots); i < slots.length; i++) {
    const slot = slots[i]!;
    const [x0, x1] = slotX(placing, slot);
    if (x0 > right && !motion) break;
    if (x1 < rows.left || x0 > right) continue;
    const narrow = x1 - x0 < NARROW;
    const last = found.at(-1);
    if (narrow && last?.narrow && x0 >= last.x0 && x0 - last.x1 < NARROW) {
      last.x1 = Math.max(last.x1, x1);
      last.slots.push(slot);
    } else found.push({ x0, x1, slots: [slot], narrow });
  }
  return found;
}

/** The mark under x: the one that holds it, else the nearest within a pixel, since a slot may be no wider than that. */
export function markAt(found: readonly Mark[], x: number): Mark | undefined {
  let best: Mark | undefined;
  let nearest = 1;
  for (const mark of found) {
    const away = Math.max(mark.x0 - x, x - Math.max(mark.x1, mark.x0 + NARROW), 0);
    if (away === 0) return mark;
    if (away > nearest) continue;
    best = mark;
    nearest = away;
  }
  return best;
}

/** Index of the first slot that ends after the left edge. */
export function firstVisible({ window, motion }: Placing, slots: readonly SlotView[]): number {
  if (motion) return 0;
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
