/** Lanes over the guest's address axis: ticks, staged changes, slots and holes, the cursor. */
import type { SlotView } from '../../../engine/worker/protocol';
import { hex, plural, shortName, size } from '../../shared/format';
import { flagLetters, type Ghost } from '../staging';
import type { Colour, Kind } from './palette';
import { firstVisible, kindNow, MANY_SLOTS, type Mark, marks, paintBox, paintText, type Scene, toX, withinLanes } from './scene';

const LABEL_ROOM = 90;
const CURSOR_ROOM = 44;

export function paintTicks(scene: Scene): void {
  const { context, rows, palette, window } = scene;
  const { y, h } = rows.ticks;
  const perPixel = (window.u1 - window.u0) / rows.span;
  const step = 2 ** Math.ceil(Math.log2(Math.max(1, LABEL_ROOM * perPixel)));
  const cursor = scene.hoverGpa === undefined ? Number.NEGATIVE_INFINITY : toX(scene, scene.hoverGpa);
  let free = rows.left;
  for (const segment of window.axis.segments) {
    if (segment.u1 < window.u0 || segment.u0 > window.u1) continue;
    if (segment.folded) {
      paintFoldMark(scene, toX(scene, (segment.start + segment.end) / 2), y + 2, h - 4);
      continue;
    }
    const from = Math.max(segment.start, window.axis.toGpa(window.u0));
    const to = Math.min(segment.end, window.axis.toGpa(window.u1));
    context.strokeStyle = palette.colour.edge;
    context.lineWidth = 1;
    context.beginPath();
    for (let gpa = Math.ceil(from / (step / 4)) * (step / 4); gpa <= to; gpa += step / 4) {
      const x = Math.round(toX(scene, gpa)) + 0.5;
      const major = gpa % step === 0;
      context.moveTo(x, y + (major ? 9 : 13));
      context.lineTo(x, y + 17);
      if (!major) continue;
      const text = hex(gpa);
      const width = text.length * palette.smallWidth + 4;
      const meetsCursor = x + width > cursor - CURSOR_ROOM && x < cursor + CURSOR_ROOM;
      if (x < free || x + width > Math.min(rows.left + rows.span, toX(scene, segment.end) + 2) || meetsCursor) continue;
      paintText(scene, text, x + 4, y + 12, palette.font.small, palette.colour['text-3']);
      free = x + width + 8;
    }
    context.stroke();
  }
}

/** "//": the axis is interrupted here. */
export function paintFoldMark({ context, palette }: Scene, x: number, y: number, h: number): void {
  context.strokeStyle = palette.colour.edge;
  context.lineWidth = 1.25;
  context.beginPath();
  for (const dx of [-3, 3]) {
    context.moveTo(x + dx + 3, y);
    context.lineTo(x + dx - 3, y + h);
  }
  context.stroke();
}

/** Paints the guest lane and returns its marks, for the pointer. */
export function paintGuest(scene: Scene): Mark[] {
  const { context, rows, palette } = scene;
  const { guest } = rows;
  context.fillStyle = palette.colour.well;
  context.fillRect(rows.left, guest.y, rows.span, guest.h);
  const found = marks(scene);
  withinLanes(scene, () => {
    paintHoles(scene);
    let countRoom = Number.NEGATIVE_INFINITY;
    for (const mark of found) {
      const slot = mark.slots[0]!;
      paintBox(
        scene,
        mark.slots.some((each) => scene.invalid.has(each.slot)) ? 'inv' : kindNow(scene, slot),
        mark.x0,
        Math.max(mark.x0 + 2, mark.x1),
        guest,
      );
      if (mark.slots.length > 1) countRoom = paintCount(scene, mark, countRoom);
      else paintLabel(scene, mark);
      if (mark.slots.some((each) => scene.changed.has(each.slot))) {
        context.fillStyle = palette.colour.accent;
        context.fillRect(mark.x0, guest.y + guest.h + 0.5, Math.max(2, mark.x1 - mark.x0), 2);
      }
    }
    paintRefusedOverlaps(scene);
    const chosen = found.find((mark) => mark.slots.some((each) => each.slot === scene.selected));
    if (chosen) paintSelection(scene, chosen);
  });
  return found;
}

function paintHoles(scene: Scene): void {
  const { slots, window } = scene;
  const first = firstVisible(scene);
  const right = window.axis.toGpa(window.u1);
  const before = slots[first - 1];
  let end = before ? before.guestPhysAddr + before.memorySize : 0;
  for (let i = first; i < slots.length && end < right; i++) {
    const slot = slots[i]!;
    if (slot.guestPhysAddr > end) paintHole(scene, end, slot.guestPhysAddr);
    end = Math.max(end, slot.guestPhysAddr + slot.memorySize);
  }
  if (end < right && window.axis.end > end) paintHole(scene, end, window.axis.end);
}

function paintHole(scene: Scene, start: number, end: number): void {
  const { context, rows, palette, window } = scene;
  const { guest } = rows;
  const left = Math.max(rows.left, toX(scene, start));
  const right = Math.min(rows.left + rows.span, toX(scene, end));
  if (right - left < 8) return;
  context.fillStyle = palette.pattern.hole;
  context.fillRect(left + 3, guest.y + guest.h - 9, right - left - 6, 6);
  const fold = window.axis.segments.find((segment) => segment.folded && segment.start < end && segment.end > start);
  const middle = (left + right) / 2;
  if (fold) paintFoldMark(scene, toX(scene, (fold.start + fold.end) / 2), guest.y + guest.h - 13, 10);
  if (right - left <= 54) return;
  const { font, colour } = palette;
  const open = end >= window.axis.end;
  paintText(scene, 'hole', middle, guest.y + guest.h / 2 + (rows.tall ? 1 : 4), font.small, colour['text-3'], 'center');
  if (guest.h > 50 && !open)
    paintText(scene, size(end - start), middle, guest.y + guest.h / 2 + 15, font.small, colour['text-3'], 'center');
}

type Line = [text: string, charWidth: number, dy: number, tint: Colour];

/** Its size; or INVALID, and how often a vCPU met it. */
function secondLines({ palette, invalid, rows }: Scene, kind: Kind, slot: SlotView, width: number): Line[] {
  if (kind !== 'inv') return [[size(slot.memorySize), palette.smallWidth, 35, 'slot-text-2']];
  const lines: Line[] = [['INVALID', palette.labelWidth, 35, 'slot-text']];
  const retries = invalid.get(slot.slot) ?? 0;
  const words = plural(retries, 'retry', 'retries');
  if (retries > 0 && rows.guest.h > 54 && width > words.length * palette.smallWidth + 16)
    lines.push([words, palette.smallWidth, 52, 'staged']);
  return lines;
}

function paintLabel(scene: Scene, { x0, x1, slots }: Mark): void {
  const { context, rows, palette } = scene;
  const { guest } = rows;
  const slot = slots[0]!;
  const kind = kindNow(scene, slot);
  const left = Math.max(x0, rows.left);
  const width = Math.min(x1, rows.left + rows.span) - left;
  const named = `${slot.slot} ${shortName(slot.name)}`;
  const both = width > 74 && width > named.length * palette.labelWidth + 16;
  const label = both ? named : String(slot.slot);
  if (width > 26 && width > label.length * palette.labelWidth + 12) {
    const lines: Line[] = [[label, palette.labelWidth, 18, 'slot-text']];
    if (both) lines.push(...secondLines(scene, kind, slot, width));
    for (const [text, charWidth, dy, tint] of lines) {
      const bold = tint === 'slot-text';
      if (kind !== 'ram') {
        context.fillStyle = palette.colour[kind];
        context.fillRect(left + 4, guest.y + dy - 13, text.length * charWidth + 9, 17);
      }
      paintText(scene, text, left + 9, guest.y + dy, bold ? palette.font.label : palette.font.small, palette.colour[tint]);
    }
  }
  const letters = flagLetters(slot.flags ?? 0);
  [...letters].forEach((letter, index) => {
    const x = Math.round(Math.min(x1, rows.left + rows.span)) - 19.5 - 16 * (letters.length - 1 - index);
    if (x < left + (width > 26 ? 14 : 2)) return;
    const y = Math.round(guest.y + guest.h) - 19.5;
    context.fillStyle = palette.colour.pane;
    context.strokeStyle = palette.colour[`${kind}-mark`];
    context.lineWidth = 1;
    context.beginPath();
    context.roundRect(x, y, 14, 14, 2);
    context.fill();
    context.stroke();
    paintText(scene, letter, x + 7, y + 10.5, palette.font.tiny, palette.colour.text, 'center');
  });
}

/** A box above several slots that are too narrow to tell apart: how many. Returns where the next box may begin. */
function paintCount(scene: Scene, { x0, slots }: Mark, free: number): number {
  const { context, rows, palette } = scene;
  const text = String(slots.length);
  const x = Math.round(x0) + 5.5;
  if (x < free) return free;
  const width = text.length * 6.5 + 9;
  const y = rows.guest.y - 13.5;
  context.strokeStyle = palette.colour.edge;
  context.fillStyle = palette.colour.raised;
  context.lineWidth = 1;
  context.beginPath();
  context.moveTo(Math.round(x0) + 1.5, rows.guest.y);
  context.lineTo(Math.round(x0) + 1.5, y + 8.5);
  context.lineTo(x, y + 8.5);
  context.stroke();
  context.beginPath();
  context.roundRect(x, y, width, 12, 2);
  context.fill();
  context.stroke();
  paintText(scene, text, x + width / 2, y + 9.5, palette.font.tiny, palette.colour['text-2'], 'center');
  return x + width + 4;
}

function paintSelection({ context, rows, palette, previewing }: Scene, { x0, x1, slots }: Mark): void {
  const { guest } = rows;
  context.strokeStyle = palette.colour.accent;
  context.lineWidth = 2.5;
  context.strokeRect(x0 - 0.5, guest.y - 1.5, Math.max(3, x1 - x0) + 1, guest.h + 3);
  if (previewing || slots.length > 1 || x1 - x0 < 24) return;
  // The handle that resizes: a slot's start is moved, not pulled.
  const middle = guest.y + guest.h / 2;
  context.fillStyle = palette.colour.accent;
  context.strokeStyle = palette.colour.well;
  context.lineWidth = 1;
  context.beginPath();
  context.roundRect(x1 - 4, middle - 11, 8, 22, 2);
  context.fill();
  context.stroke();
  context.strokeStyle = palette.colour['on-accent'];
  context.lineWidth = 1.4;
  context.beginPath();
  context.moveTo(x1, middle - 5);
  context.lineTo(x1, middle + 5);
  context.stroke();
}

function paintRefusedOverlaps(scene: Scene): void {
  const { context, rows, palette } = scene;
  for (const ghost of scene.ghosts) {
    if (!ghost.refused || ghost.shape === 'chip') continue;
    const x0 = toX(scene, ghost.start);
    const width = Math.max(2, toX(scene, ghost.end) - x0);
    context.fillStyle = palette.pattern.bad;
    context.fillRect(x0, rows.guest.y + 1, width, rows.guest.h - 2);
    context.setLineDash([3, 3]);
    context.lineWidth = 1;
    context.strokeStyle = palette.colour.bad;
    context.strokeRect(x0 + 0.5, rows.guest.y + 1.5, width - 1, rows.guest.h - 3);
    context.setLineDash([]);
  }
}

export function paintStaged(scene: Scene): void {
  const { context, rows, palette } = scene;
  context.fillStyle = palette.colour.well;
  context.fillRect(rows.left, rows.staged.y, rows.span, rows.staged.h);
  const visible = scene.ghosts.filter((ghost) => toX(scene, ghost.end) > rows.left && toX(scene, ghost.start) < rows.left + rows.span);
  withinLanes(scene, () => {
    if (visible.length > MANY_SLOTS) {
      paintManyGhosts(scene, visible);
      return;
    }
    for (const ghost of visible) paintGhost(scene, ghost);
    for (const ghost of scene.ghosts) if (ghost.from) paintArrow(scene, ghost, ghost.from);
  });
}

/** Too many to name: where something is staged, and where it is refused. */
function paintManyGhosts(scene: Scene, ghosts: readonly Ghost[]): void {
  const { context, rows, palette } = scene;
  const { y, h } = rows.staged;
  const staged = new Uint8Array(Math.ceil(rows.span) + 1);
  for (const ghost of ghosts) {
    const from = Math.max(0, Math.floor(toX(scene, ghost.start) - rows.left));
    const to = Math.max(from + 1, Math.ceil(toX(scene, ghost.end) - rows.left));
    for (let x = from; x < to && x < staged.length; x++) staged[x] = Math.max(staged[x]!, ghost.refused ? 2 : 1);
  }
  for (let from = 0; from < staged.length; ) {
    let to = from + 1;
    while (to < staged.length && staged[to] === staged[from]) to++;
    if (staged[from]) {
      context.fillStyle = palette.colour[staged[from] === 2 ? 'bad' : 'staged'];
      context.fillRect(rows.left + from, y + 3, to - from, h - 6);
    }
    from = to;
  }
}

function paintGhost(scene: Scene, ghost: Ghost): void {
  const { context, rows, palette } = scene;
  const { y, h } = rows.staged;
  const colour = palette.colour[ghost.refused ? 'bad' : 'staged'];
  const full = toX(scene, ghost.end) - toX(scene, ghost.start);
  const chipText = rows.gutter ? ghost.label : ghost.shortLabel;
  const chip = ghost.shape === 'chip';
  const width = chip ? chipText.length * palette.smallWidth + 16 : Math.max(4, full);
  const x = chip ? toX(scene, ghost.start) + Math.max(0, (full - width) / 2) : toX(scene, ghost.start);
  context.fillStyle = palette.colour[ghost.refused ? 'bad-bg' : 'staged-bg'];
  context.strokeStyle = colour;
  context.lineWidth = ghost.entry === scene.hoverEntry ? 2.5 : 1.5;
  context.beginPath();
  context.roundRect(x + 1, y + (chip ? 3 : 1), Math.max(2, width - 2), h - (chip ? 6 : 2), chip ? 3 : 1);
  context.fill();
  if (ghost.refused) {
    context.fillStyle = palette.pattern.bad;
    context.fill();
  }
  context.setLineDash([5, 3]);
  context.stroke();
  context.setLineDash([]);
  if (ghost.refused) {
    const text = `× ${ghost.refusal}`;
    const room = rows.left + rows.span - (x + width + 6);
    const fits = room > text.length * palette.labelWidth;
    paintText(scene, text, fits ? x + width + 6 : x - 6, y + 15, palette.font.tiny, colour, fits ? 'left' : 'right');
    return;
  }
  if (chip) paintText(scene, chipText, x + width / 2, y + 15, palette.font.small, palette.colour.text, 'center');
  else if (width > ghost.label.length * palette.smallWidth + 16)
    paintText(scene, ghost.label, x + 9, y + 15, palette.font.small, palette.colour.text);
  else if (width > ghost.shortLabel.length * palette.smallWidth + 8) {
    paintText(scene, ghost.shortLabel, x + width / 2, y + 15, palette.font.small, palette.colour.text, 'center');
  } else paintText(scene, ghost.shortLabel, x + width + 5, y + 15, palette.font.small, palette.colour.text);
}

/** From the live slot up to the place where it would go. */
function paintArrow(scene: Scene, ghost: Ghost, from: { start: number; end: number }): void {
  const { context, rows, palette } = scene;
  const lean = ghost.start > from.start ? 0.22 : -0.22;
  const middle = (start: number, end: number, share: number): number => {
    const a = toX(scene, start);
    const b = toX(scene, end);
    return (a + b) / 2 + share * (b - a);
  };
  const x0 = middle(from.start, from.end, lean);
  const x1 = middle(ghost.start, ghost.end, -lean);
  const y0 = rows.guest.y - 4;
  const y1 = rows.staged.y + rows.staged.h + 3;
  const half = (y0 + y1) / 2;
  const colour = palette.colour[ghost.refused ? 'bad' : 'staged'];
  for (const [style, width] of [
    [palette.colour.pane, 4.5],
    [colour, 1.75],
  ] as const) {
    context.strokeStyle = style;
    context.lineWidth = width;
    context.beginPath();
    context.moveTo(x0, y0);
    context.bezierCurveTo(x0, half - 2, x1, half + 6, x1, y1 + 5);
    context.stroke();
  }
  context.fillStyle = colour;
  context.beginPath();
  context.arc(x0, y0, 2.5, 0, 2 * Math.PI);
  context.fill();
  context.beginPath();
  context.moveTo(x1, y1);
  context.lineTo(x1 + 5, y1 + 8);
  context.lineTo(x1 - 5, y1 + 8);
  context.fill();
}

/** The dotted line under the pointer and the address it stands on. */
export function paintCursor(scene: Scene): void {
  const { context, rows, palette, hoverGpa } = scene;
  if (hoverGpa === undefined) return;
  const x = Math.round(toX(scene, hoverGpa)) + 0.5;
  if (x < rows.left || x > rows.left + rows.span + 1) return;
  context.strokeStyle = palette.colour.text;
  context.globalAlpha = 0.8;
  context.lineWidth = 1;
  context.setLineDash([1, 2]);
  context.beginPath();
  context.moveTo(x, rows.ticks.y + 14);
  context.lineTo(x, rows.dirty.y + rows.dirty.h);
  context.stroke();
  context.setLineDash([]);
  context.globalAlpha = 1;
  const text = hex(Math.floor(hoverGpa / 4096) * 4096);
  const width = text.length * palette.smallWidth + 12;
  const left = Math.min(rows.width - width - 2, Math.max(2, x - width / 2));
  context.fillStyle = palette.colour.text;
  context.beginPath();
  context.roundRect(left, rows.ticks.y - 2, width, 16, 2);
  context.fill();
  paintText(scene, text, left + width / 2, rows.ticks.y + 10, palette.font.small, palette.colour.pane, 'center');
}
