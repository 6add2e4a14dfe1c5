/** The part of the axis that the map shows, kept as addresses, so that a changed layout does not move the view. */
import { PAGE } from '../../shared/format';
import { easing, glide, milliseconds } from '../../shared/glide';
import { token } from '../../shared/theme.svelte';
import { Axis, type Extent } from './axis';

/** u, half-open: the part of the axis on screen. */
export interface Window {
  axis: Axis;
  u0: number;
  u1: number;
}

/** Four pages: closer than this shows nothing more. */
const SMALLEST_SPAN = 16384;

export class MapView {
  #extents: () => readonly Extent[];
  /** undefined: the whole layout. */
  #shown = $state.raw<Extent | undefined>(undefined);
  /** On the way to `#shown`: where from, and how much of the way. */
  #gliding = $state.raw<{ from: Extent; share: number } | undefined>(undefined);
  #stopGlide: (() => void) | undefined;
  axis = $derived.by(() => Axis.over(this.#extents()));

  constructor(extents: () => readonly Extent[]) {
    this.#extents = extents;
  }

  /** What will be on screen, or is. */
  aim: Window = $derived.by(() => {
    const { axis } = this;
    if (!this.#shown) return { axis, u0: 0, u1: axis.length };
    const u0 = axis.toU(this.#shown.start);
    return { axis, u0, u1: Math.max(u0 + SMALLEST_SPAN, axis.toU(this.#shown.end)) };
  });

  window: Window = $derived.by(() => {
    const aim = this.aim;
    if (!this.#gliding) return aim;
    const { from, share } = this.#gliding;
    const on = (gpa: number, to: number): number => aim.axis.toU(gpa) + (to - aim.axis.toU(gpa)) * share;
    return { axis: aim.axis, u0: on(from.start, aim.u0), u1: on(from.end, aim.u1) };
  });

  get fitted(): boolean {
    return this.#shown === undefined;
  }

  // Figures and texts do not follow each frame of the motion.
  get start(): number {
    return this.axis.toGpa(this.aim.u0);
  }

  get end(): number {
    return this.axis.toGpa(this.aim.u1);
  }

  /** Whole pages, for people. */
  get pages(): Extent {
    return { start: Math.floor(this.start / PAGE) * PAGE, end: Math.ceil(this.end / PAGE) * PAGE };
  }

  get hasFold(): boolean {
    const { u0, u1 } = this.aim;
    return this.axis.segments.some((segment) => segment.folded && segment.u0 < u1 && segment.u1 > u0);
  }

  fit(): void {
    this.#show(0, this.axis.length);
  }

  /** What `action` does to the view, in 120 ms instead of at once. */
  glide(action: () => void): void {
    const { axis, u0, u1 } = this.window;
    const from = { start: axis.toGpa(u0), end: axis.toGpa(u1) };
    action();
    const ms = milliseconds(token('t-zoom'));
    if (ms === 0) return;
    const ease = easing(token('ease'));
    this.#gliding = { from, share: 0 };
    this.#stopGlide = glide(ms, (share) => {
      this.#gliding = share < 1 ? { from, share: ease(share) } : undefined;
    });
  }

  /** factor under 1 comes closer; `focus` (0..1 across the map) stays where it is. */
  zoom(factor: number, focus = 0.5): void {
    const { u0, u1 } = this.aim;
    const span = Math.max(SMALLEST_SPAN, (u1 - u0) * factor);
    const at = u0 + (u1 - u0) * focus;
    this.#show(at - span * focus, span);
  }

  /** By a share of what is on screen. */
  pan(share: number): void {
    const { u0, u1 } = this.aim;
    this.#show(u0 + (u1 - u0) * share, u1 - u0);
  }

  /** Shows a range of addresses with some room on both sides. */
  show(range: Extent, room = 0.15): void {
    const u0 = this.axis.toU(range.start);
    const span = Math.max(SMALLEST_SPAN, this.axis.toU(range.end) - u0);
    this.#show(u0 - span * room, span * (1 + 2 * room));
  }

  /** Moves no more than is needed for the range to be on screen. */
  bring(range: Extent): void {
    const { axis, u0, u1 } = this.aim;
    const a = axis.toU(range.start);
    const b = axis.toU(range.end);
    if (b - a > u1 - u0) this.show(range);
    else if (a < u0) this.#show(a - (u1 - u0) * 0.05, u1 - u0);
    else if (b > u1) this.#show(b - (u1 - u0) * 0.95, u1 - u0);
  }

  #show(from: number, wanted: number): void {
    const { axis } = this;
    this.#stopGlide?.();
    this.#gliding = undefined;
    const span = Math.min(axis.length, wanted);
    const u0 = Math.min(axis.length - span, Math.max(0, from));
    this.#shown = span >= axis.length ? undefined : { start: axis.toGpa(u0), end: axis.toGpa(u0 + span) };
  }
}
