/**
 * Animates a change of the layout: for 180 ms slots slide from their old place to the new one, new ones grow from their base, and deleted and staged
 * ones fade; an undo plays backward. If too much changes at once, or the person prefers no motion, the picture changes in one frame and the changes
 * are underlined until the next input.
 */
import type { SlotView } from '../../../engine/worker/protocol';
import { easing, glide, milliseconds } from '../../shared/glide';
import { token } from '../../shared/theme.svelte';
import type { Ghost } from '../change-set/staging';
import type { Extent } from './axis';
import type { Window } from './view.svelte';

/** More visible slots than this do not slide. */
export const SLIDE_MOST = 500;

/** What was on screen, or will be. */
export interface Shown {
  slots: readonly SlotView[];
  ghosts: readonly Ghost[];
  window: Window;
}

/** One frame on the way. */
export interface Motion {
  /** 0 at the old picture, 1 at the new one, on the curve */
  share: number;
  /** An undo: created slots shrink again, deleted ones return. */
  backwards: boolean;
  /** The part of the axis that was on screen before */
  from: Window;
  /** Slots that were elsewhere before, by id */
  before: ReadonlyMap<number, SlotView>;
  created: ReadonlySet<number>;
  gone: readonly SlotView[];
  /** What is no longer staged */
  ghosts: readonly Ghost[];
}

/** What two layouts differ in. */
export interface Difference {
  /** Slots at another place, of another size or over other host memory: as they were, by id */
  moved: ReadonlyMap<number, SlotView>;
  created: ReadonlySet<number>;
  gone: readonly SlotView[];
  /** As they are now: those that moved, those that are new, and those that only have other flags. */
  arrived: readonly SlotView[];
  flagged: readonly SlotView[];
}

export function difference(before: readonly SlotView[], after: readonly SlotView[]): Difference {
  const old = new Map(before.map((slot) => [slot.slot, slot]));
  const moved = new Map<number, SlotView>();
  const created = new Set<number>();
  const arrived: SlotView[] = [];
  const flagged: SlotView[] = [];
  for (const slot of after) {
    const was = old.get(slot.slot);
    old.delete(slot.slot);
    if (was && samePlace(was, slot)) {
      if (was.flags !== slot.flags) flagged.push(slot);
      continue;
    }
    if (was) moved.set(slot.slot, was);
    else created.add(slot.slot);
    arrived.push(slot);
  }
  return { moved, created, gone: [...old.values()], arrived, flagged };
}

const samePlace = (a: SlotView, b: SlotView): boolean =>
  a.guestPhysAddr === b.guestPhysAddr && a.memorySize === b.memorySize && a.userspaceAddr === b.userspaceAddr;

const extentOf = ({ guestPhysAddr: start, memorySize }: SlotView): Extent => ({ start, end: start + memorySize });

/** Ranges in address order, those that touch as one. */
function joined(extents: readonly Extent[]): Extent[] {
  const found: Extent[] = [];
  for (const { start, end } of [...extents].sort((a, b) => a.start - b.start)) {
    const last = found.at(-1);
    if (last && start <= last.end) last.end = Math.max(last.end, end);
    else found.push({ start, end });
  }
  return found;
}

function isVisible({ axis, u0, u1 }: Window, { start, end }: Extent): boolean {
  return axis.toU(end) > u0 && axis.toU(start) < u1;
}

export class MapMotion {
  /** undefined: at rest. */
  now = $state.raw<Motion | undefined>(undefined);
  /** Where changes are underlined. */
  underlined = $state.raw<readonly Extent[]>([]);
  #stop: (() => void) | undefined;

  /** The layout has changed, or staged changes were committed that do not show in it. */
  change(before: Shown, after: Shown, backwards: boolean): void {
    this.#stop?.();
    this.now = undefined;
    const { moved, created, gone, arrived, flagged } = difference(before.slots, after.slots);
    const staged = new Set(after.ghosts.map((ghost) => ghost.slot));
    const ghosts = before.ghosts.filter((ghost) => !staged.has(ghost.slot));
    const seen = ({ window }: Shown, slots: Iterable<SlotView>) => [...slots].filter((slot) => isVisible(window, extentOf(slot))).length;
    const visible = Math.max(seen(before, [...moved.values(), ...gone]), seen(after, arrived));
    const ms = milliseconds(token('t-move'));
    if (ms === 0 || visible > SLIDE_MOST) {
      this.underlined = joined([...arrived, ...flagged, ...gone].map(extentOf));
      return;
    }
    // No motion would show that only flags changed.
    this.underlined = joined(flagged.map(extentOf));
    if (!visible && !ghosts.length) return;
    const ease = easing(token('ease'));
    const frame = { backwards, from: before.window, before: moved, created, gone, ghosts };
    const at = (share: number): void => {
      this.now = share < 1 ? { ...frame, share: backwards ? 1 - ease(1 - share) : ease(share) } : undefined;
    };
    at(0);
    this.#stop = glide(ms, at);
  }

  /** A key, a press or a turn of the wheel: the line has been seen. */
  input(): void {
    if (this.underlined.length) this.underlined = [];
  }

  end(): void {
    this.#stop?.();
  }
}
