/** The data for painting one frame of the map, and small helpers for all lanes. */
import type { BreakpointView, LabState, SlotView } from '../../../engine/worker/protocol';
import type { Ghost } from '../change-set/staging';
import type { Extent } from './axis';
import { type Kind, kindOf, type Palette } from './palette';
import type { Placing } from './places';
import type { Lane } from './rows';

export interface Scene extends Placing {
  context: CanvasRenderingContext2D;
  palette: Palette;
  state: LabState;
  /** In address order: the live layout, or the previewed one. */
  slots: readonly SlotView[];
  previewing: boolean;
  ghosts: readonly Ghost[];
  selected: number | undefined;
  hoverGpa: number | undefined;
  hoverEntry: number | undefined;
  /** Where the dotted line and its address stand: at what is dragged, else under the pointer. */
  cursor: number | undefined;
  /** Slots that are INVALID now, by id, with the number of retries at each. */
  invalid: ReadonlyMap<number, number>;
  breakpoints: readonly BreakpointView[];
  /** Those that stopped the guest. */
  stopped: ReadonlySet<number>;
  /** Ids that the last commit touched. */
  changed: ReadonlySet<number>;
  /** Where changes are underlined. */
  underlined: readonly Extent[];
}

/** Of more slots than this only those in question get a ribbon, and staged entries no name. */
export const MANY_SLOTS = 200;

/** Paints at a part of its strength. */
export function faded({ context }: Pick<Scene, 'context'>, alpha: number, paint: () => void): void {
  const before = context.globalAlpha;
  context.globalAlpha = before * alpha;
  paint();
  context.globalAlpha = before;
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
  context.fillStyle = palette.fill[kind];
  if (h < 2) return;
  context.fillRect(x, y + 0.5, width, h - 1);
  if (kind !== 'ram') {
    context.fillStyle = palette.pattern[kind];
    context.fillRect(x, y + 0.5, width, h - 1);
  }
  context.lineWidth = 1;
  if (kind === 'inv') context.setLineDash([4, 3]);
  context.strokeStyle = palette.mark[kind];
  faded({ context }, 0.85, () => context.strokeRect(x, y + 0.5, width, h - 1));
  context.setLineDash([]);
}

/** As the guest sees it: INVALID comes first. */
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
