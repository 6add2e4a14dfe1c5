/** The Dirty lane: heat of logged memory, a dotted line where nothing is logged, so that "clean" and "unknown" differ. */
import type { HeatSpan, SlotView } from '../../../engine/worker/protocol';
import { size } from '../../shared/format';
import { heatLevel, spanOf } from './heat.svelte';
import { firstVisible, type Mark, type Placing, toX } from './places';
import { paintText, type Scene, withinLanes } from './scene';

const LOGGED = 1;
/** A query must stay within the worker's limits. */
const MOST_COLUMNS = 4096;

export interface ShownHeat {
  spans: readonly HeatSpan[];
  columns: Uint8Array;
}

/** What the lane would have to know to be painted: the visible part of each mark that logs. */
export function heatSpans({ rows, window }: Placing, found: readonly Mark[]): HeatSpan[] {
  const left = window.axis.toGpa(window.u0);
  const right = window.axis.toGpa(window.u1);
  const spans: HeatSpan[] = [];
  let total = 0;
  for (const { slots } of found) {
    if (!slots.some((slot) => ((slot.flags ?? 0) & LOGGED) !== 0)) continue;
    const last = slots.at(-1)!;
    const from = Math.max(slots[0]!.guestPhysAddr, left);
    const to = Math.min(last.guestPhysAddr + last.memorySize, right);
    if (to <= from) continue;
    const span = spanOf(from, to, toX({ rows, window }, to) - toX({ rows, window }, from));
    total += span.columns;
    if (total > MOST_COLUMNS) break;
    spans.push(span);
  }
  return spans;
}

export function paintDirty(scene: Scene, found: readonly Mark[], heat: ShownHeat | undefined): void {
  const { context, rows, palette } = scene;
  const { y, h } = rows.dirty;
  withinLanes(scene, () => {
    for (const { x0, x1, slots } of found) {
      if (slots.some((slot) => ((slot.flags ?? 0) & LOGGED) !== 0)) {
        context.fillStyle = palette.colour['heat-0'];
        context.fillRect(Math.round(x0), y, Math.max(2, Math.round(x1) - Math.round(x0)), h);
        continue;
      }
      context.lineWidth = 1;
      context.strokeStyle = palette.colour.edge;
      context.setLineDash([1, 3]);
      context.beginPath();
      context.moveTo(x0 + 2, y + h / 2);
      context.lineTo(Math.max(x0 + 3, x1 - 2), y + h / 2);
      context.stroke();
      context.setLineDash([]);
    }
    if (heat) paintHeat(scene, heat);
  });
  paintBeyond(scene, found);
}

/** By address, so that an answer stays in its place while the map is panned or zoomed before the next one. */
function paintHeat(scene: Scene, { spans, columns }: ShownHeat): void {
  const { context, rows, palette } = scene;
  const { y, h } = rows.dirty;
  let done = 0;
  for (const span of spans) {
    const x0 = toX(scene, span.from);
    const step = (toX(scene, span.to) - x0) / span.columns;
    for (let start = 0; start < span.columns; ) {
      const level = heatLevel(columns[done + start] ?? 0);
      let end = start + 1;
      while (end < span.columns && heatLevel(columns[done + end] ?? 0) === level) end++;
      if (level) {
        const x = Math.round(x0 + start * step);
        context.fillStyle = palette.colour[`heat-${level}`];
        context.fillRect(x, y, Math.max(1, Math.round(x0 + end * step) - x), h);
      }
      start = end;
    }
    done += span.columns;
  }
}

/** "7 at 4 GiB, 8 at 1 TiB ▸": slots outside the window, at the edge they lie behind; in fewer words where those would hide heat. */
function paintBeyond(scene: Scene, found: readonly Mark[]): void {
  const { context, rows, palette, window, slots } = scene;
  const to = window.axis.toGpa(window.u1);
  const { y, h } = rows.dirty;
  const before = firstVisible(scene, slots);
  let after = before;
  // Sorted by address: a search, since there may be thousands.
  for (let high = slots.length; after < high; ) {
    const middle = (after + high) >> 1;
    if (slots[middle]!.guestPhysAddr < to) after = middle + 1;
    else high = middle;
  }
  const right = rows.left + rows.span;
  const sides = [
    { named: slots.slice(Math.max(0, before - 2), before).reverse(), count: before, left: true, room: (found[0]?.x0 ?? right) - rows.left },
    { named: slots.slice(after, after + 2), count: slots.length - after, left: false, room: right - (found.at(-1)?.x1 ?? rows.left) },
  ];
  for (const { named, count, left, room } of sides) {
    if (!count) continue;
    const wordings = beyondWords(named, count).map((words) => (left ? `◂ ${words}` : `${words} ▸`));
    const widthOf = (words: string): number => words.length * palette.smallWidth + 8;
    const text = wordings.find((words) => widthOf(words) <= room) ?? wordings.at(-1)!;
    const x = left ? rows.left : right - widthOf(text);
    context.fillStyle = palette.colour.pane;
    context.fillRect(x, y - 1, widthOf(text), h + 2);
    paintText(scene, text, x + 4, y + h - 2, palette.font.small, palette.colour['text-3']);
  }
}

/** The longest first. */
function beyondWords(named: readonly SlotView[], count: number): string[] {
  const wordings: string[] = [];
  for (let some = named.length; some > 0; some--) {
    const places = named.slice(0, some).map((slot) => `${slot.slot} at ${size(slot.guestPhysAddr)}`);
    wordings.push(`${places.join(', ')}${count > some ? ` and ${count - some} more` : ''}`);
  }
  return [...wordings, String(count)];
}
