/** Lanes over the guest's address axis: ticks, slots and holes, the cursor. */
import type { SlotView } from '../../../engine/worker/protocol';
import { hex, PAGE, plural, shortName, size } from '../../shared/format';
import { flagLetters } from '../change-set/staging';
import type { Colour, Kind } from './palette';
import { absence, firstVisible, grownIn, HANDLED, type Mark, marks, type Presence, presence, slotX, toX, WHOLE } from './places';
import { faded, kindNow, paintBox, paintText, type Scene, withinLanes } from './scene';

const LABEL_ROOM = 90;
const CURSOR_ROOM = 44;
/** px above the base of the guest lane that the flag letters take */
const LETTER_ROOM = 22;

export function paintTicks(scene: Scene): void {
  const { context, rows, palette, window } = scene;
  const { y, h } = rows.ticks;
  const perPixel = (window.u1 - window.u0) / rows.span;
  const step = 2 ** Math.ceil(Math.log2(Math.max(1, LABEL_ROOM * perPixel)));
  const cursor = scene.cursor === undefined ? Number.NEGATIVE_INFINITY : toX(scene, scene.cursor);
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
  const { context, rows, palette, motion } = scene;
  const { guest } = rows;
  context.fillStyle = palette.colour.well;
  context.fillRect(rows.left, guest.y, rows.span, guest.h);
  const found = marks(scene, scene.slots);
  withinLanes(scene, () => {
    paintHoles(scene);
    paintKept(scene);
    for (const slot of motion?.gone ?? []) paintGone(scene, slot, absence(motion!));
    // Moving slots are drawn over those that stay.
    const moves = ({ slots }: Mark): boolean => motion!.before.has(slots[0]!.slot);
    const order = motion ? [...found.filter((mark) => !moves(mark)), ...found.filter(moves)] : found;
    for (const mark of order) paintMark(scene, mark);
    paintRefusedOverlaps(scene);
    for (const mark of order) if (mark.slots.length === 1) paintLabel(scene, mark);
    paintCounts(
      scene,
      found.filter(({ slots }) => slots.length > 1),
    );
    paintUnderline(scene);
    const chosen = found.find((mark) => mark.slots.some((each) => each.slot === scene.selected));
    if (chosen) paintSelection(scene, chosen);
  });
  return found;
}

function paintMark(scene: Scene, { x0, x1, slots }: Mark): void {
  const { grown, alpha } = slots.every((slot) => scene.motion?.created.has(slot.slot)) ? presence(scene, slots[0]!) : WHOLE;
  const lane = grownIn(scene.rows.guest, grown);
  faded(scene, alpha, () => {
    for (const { kind, from, to, band } of partsOf(scene, { x0, x1: Math.max(x0 + 2, x1), slots })) {
      paintBox(scene, kind, from, to, band ? { y: lane.y + lane.h * band[0], h: lane.h * (band[1] - band[0]) } : lane);
    }
  });
}

interface Part {
  kind: Kind;
  from: number;
  to: number;
  /** Shares of the lane's height, from its top */
  band?: [number, number];
}

/** px: a narrower run of one kind could not be distinguished from its neighbours */
const RUN = 4;

/** Slots of several kinds in one mark: each kind from where it begins to where it ends, or where that is too narrow, one band above the other. */
function partsOf(scene: Scene, { x0, x1, slots }: Mark): Part[] {
  const first = kindNow(scene, slots[0]!);
  const runs: Part[] = [{ kind: first, from: x0, to: x1 }];
  const kinds = new Set<Kind>([first]);
  for (const slot of slots) {
    const kind = kindNow(scene, slot);
    const last = runs.at(-1)!;
    if (kind === last.kind) continue;
    kinds.add(kind);
    last.to = Math.max(last.from, slotX(scene, slot)[0]);
    runs.push({ kind, from: last.to, to: x1 });
  }
  if (kinds.size === 1 || runs.every(({ from, to }) => to - from >= RUN)) return runs;
  const height = 1 / kinds.size;
  return [...kinds].map((kind, index) => ({ kind, from: x0, to: x1, band: [index * height, (index + 1) * height] }));
}

function paintGone(scene: Scene, slot: SlotView, { grown, alpha }: Presence): void {
  const [x0, x1] = slotX(scene, slot);
  faded(scene, alpha, () => paintBox(scene, kindNow(scene, slot), x0, Math.max(x0 + 2, x1), grownIn(scene.rows.guest, grown)));
}

/** Under what changed in one frame, what was deleted too. */
function paintUnderline(scene: Scene): void {
  const { context, rows, palette } = scene;
  let painted = Number.NEGATIVE_INFINITY;
  context.fillStyle = palette.colour.accent;
  for (const { start, end } of scene.underlined) {
    const x0 = Math.max(painted, Math.round(toX(scene, start)));
    const x1 = Math.max(x0 + (x0 > painted ? 2 : 0), Math.round(toX(scene, end)));
    if (x1 > x0) context.fillRect(x0, rows.guest.y + rows.guest.h + 0.5, x1 - x0, 2);
    painted = x1;
  }
}

function paintHoles(scene: Scene): void {
  const { slots, window } = scene;
  const first = firstVisible(scene, slots);
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

/** The range of a virtio-mem device: a line at its foot, with the device's id. */
function paintKept(scene: Scene): void {
  const { context, rows, palette } = scene;
  const { guest } = rows;
  for (const { id, addr, maxSize } of scene.state.virtioMems) {
    const left = Math.max(rows.left, toX(scene, addr));
    const right = Math.min(rows.left + rows.span, toX(scene, addr + maxSize));
    if (right - left < 4) continue;
    context.strokeStyle = palette.mark.vmem;
    context.lineWidth = 1;
    context.setLineDash([2, 3]);
    context.strokeRect(Math.round(left) + 0.5, guest.y + 0.5, Math.round(right - left) - 1, guest.h - 1);
    context.setLineDash([]);
    const text = `kept for ${id}`;
    if (right - left > text.length * palette.smallWidth + 12) {
      paintText(scene, text, right - 6, guest.y + 12, palette.font.small, palette.colour['text-3'], 'right');
    }
  }
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

/** Its size; or INVALID, with the number of retries. */
function secondLines({ palette, invalid, rows }: Scene, kind: Kind, slot: SlotView, width: number): Line[] {
  if (kind !== 'inv') return [[size(slot.memorySize), palette.smallWidth, 35, 'slot-text-2']];
  const lines: Line[] = [['INVALID', palette.labelWidth, 35, 'slot-text']];
  const retries = invalid.get(slot.slot) ?? 0;
  const words = plural(retries, 'retry', 'retries');
  if (retries > 0 && rows.guest.h > 54 && width > words.length * palette.smallWidth + 16)
    lines.push([words, palette.smallWidth, 52, 'staged']);
  return lines;
}

function paintLabel(scene: Scene, mark: Mark): void {
  const { context, rows } = scene;
  const { grown, alpha } = presence(scene, mark.slots[0]!);
  if (grown === 1 && alpha === 1) {
    paintWholeLabel(scene, mark);
    return;
  }
  const { y, h } = grownIn(rows.guest, grown);
  context.save();
  context.beginPath();
  context.rect(mark.x0, y, mark.x1 - mark.x0, h);
  context.clip();
  faded(scene, alpha, () => paintWholeLabel(scene, mark));
  context.restore();
}

function paintWholeLabel(scene: Scene, { x0, x1, slots }: Mark): void {
  const { context, rows, palette } = scene;
  const { guest } = rows;
  const slot = slots[0]!;
  const kind = kindNow(scene, slot);
  const left = Math.max(x0, rows.left);
  const width = Math.min(x1, rows.left + rows.span) - left;
  const letters = flagLetters(slot.flags ?? 0);
  const lettersWidth = letters ? 16 * letters.length + 4 : 0;
  // The hatch of a refused entry may lie over it.
  const hatched = scene.ghosts.some((ghost) => ghost.refused);
  const named = `${slot.slot} ${shortName(slot.name)}`;
  const both = width > 74 && width > named.length * palette.labelWidth + 16;
  const label = both ? named : String(slot.slot);
  if (width > 26 && width > label.length * palette.labelWidth + 12) {
    const lines: Line[] = [[label, palette.labelWidth, 18, 'slot-text']];
    if (both) lines.push(...secondLines(scene, kind, slot, width));
    for (const [text, charWidth, dy, tint] of lines) {
      const bold = tint === 'slot-text';
      // Beside the letters, or not at all.
      if (dy > guest.h - LETTER_ROOM && text.length * charWidth + 13 > width - lettersWidth) continue;
      if (kind !== 'ram' || hatched) {
        context.fillStyle = palette.fill[kind];
        context.fillRect(left + 4, guest.y + dy - 13, text.length * charWidth + 9, 17);
      }
      paintText(scene, text, left + 9, guest.y + dy, bold ? palette.font.label : palette.font.small, palette.colour[tint]);
    }
  }
  [...letters].forEach((letter, index) => {
    const x = Math.round(Math.min(x1, rows.left + rows.span)) - 19.5 - 16 * (letters.length - 1 - index);
    if (x < left + (width > 26 ? 14 : 2)) return;
    const y = Math.round(guest.y + guest.h) - 19.5;
    context.fillStyle = palette.colour.pane;
    context.strokeStyle = palette.mark[kind];
    context.lineWidth = 1;
    context.beginPath();
    context.roundRect(x, y, 14, 14, 2);
    context.fill();
    context.stroke();
    paintText(scene, letter, x + 7, y + 10.5, palette.font.tiny, palette.colour.text, 'center');
  });
}

/** Boxes above slots that are too narrow to tell apart, left to right: "3 slots", or the number alone where the next box is near. */
function paintCounts(scene: Scene, counted: readonly Mark[]): void {
  let free = Number.NEGATIVE_INFINITY;
  counted.forEach((mark, index) => {
    free = paintCount(scene, mark, free, counted[index + 1]?.x0 ?? scene.rows.left + scene.rows.span);
  });
}

/** Returns where the next box may begin. */
function paintCount(scene: Scene, mark: Mark, free: number, next: number): number {
  const { context, rows, palette } = scene;
  const { x0, slots } = mark;
  const x = Math.round(x0) + 5.5;
  if (x < free) return free;
  const widthOf = (words: string): number => words.length * 6.5 + 9;
  const long = plural(slots.length, 'slot');
  const text = x + widthOf(long) < next ? long : String(slots.length);
  const width = widthOf(text);
  mark.box = { x0: x0 - 1, x1: x + width };
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
  if (previewing || slots.length > 1 || x1 - x0 < HANDLED) return;
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

/** The dotted line under the pointer and the address it stands on. */
export function paintCursor(scene: Scene): void {
  const { context, rows, palette, cursor } = scene;
  if (cursor === undefined) return;
  const x = Math.round(toX(scene, cursor)) + 0.5;
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
  const text = hex(Math.floor(cursor / PAGE) * PAGE);
  const width = text.length * palette.smallWidth + 12;
  const left = Math.min(rows.width - width - 2, Math.max(2, x - width / 2));
  context.fillStyle = palette.colour.text;
  context.beginPath();
  context.roundRect(left, rows.ticks.y - 2, width, 16, 2);
  context.fill();
  paintText(scene, text, left + width / 2, rows.ticks.y + 10, palette.font.small, palette.colour.pane, 'center');
}
