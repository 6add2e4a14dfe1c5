/** The Staged lane: where each entry of the change set would take effect, and an arrow from where it is now. */
import { count } from '../../shared/format';
import { type Ghost, kindsOf } from '../change-set/staging';
import { toX } from './places';
import { faded, MANY_SLOTS, paintText, type Scene, withinLanes } from './scene';

export function paintStaged(scene: Scene): void {
  const { context, rows, palette, motion } = scene;
  context.fillStyle = palette.colour.well;
  context.fillRect(rows.left, rows.staged.y, rows.span, rows.staged.h);
  withinLanes(scene, () => {
    paintGhosts(scene, scene.ghosts);
    if (motion?.ghosts.length) faded(scene, 1 - motion.share, () => paintGhosts(scene, motion.ghosts));
  });
}

function paintGhosts(scene: Scene, ghosts: readonly Ghost[]): void {
  const { rows } = scene;
  const visible = ghosts.filter((ghost) => toX(scene, ghost.end) > rows.left && toX(scene, ghost.start) < rows.left + rows.span);
  if (visible.length > MANY_SLOTS) {
    paintManyGhosts(scene, visible);
    return;
  }
  const boxes = visible.map((ghost) => boxOf(scene, ghost));
  visible.forEach((ghost, index) => {
    paintGhost(scene, ghost, boxes[index]!);
  });
  // Text that does not fit into a box is drawn beside it, if there is room.
  const taken = [...boxes];
  visible.forEach((ghost, index) => {
    for (const { text, wide } of besideOf(scene, ghost, boxes[index]!)) {
      const place = placeBeside(scene, boxes[index]!, wide, taken);
      if (!place) continue;
      taken.push(place);
      const { font, colour } = scene.palette;
      const bold = ghost.refused;
      const tone = bold ? colour.bad : text === NOT_ASKED ? colour.warn : colour.text;
      paintText(scene, text, place.x, rows.staged.y + 15, bold ? font.tiny : font.small, tone);
      break;
    }
  });
  for (const ghost of ghosts) if (ghost.from) paintArrow(scene, ghost, ghost.from);
}

/** px */
interface Box {
  x: number;
  width: number;
}

const NOT_ASKED = 'guest not asked';

/** px between a box and the words beside it */
const BESIDE = 6;

function boxOf(scene: Scene, ghost: Ghost): Box {
  const x = toX(scene, ghost.start);
  const full = toX(scene, ghost.end) - x;
  if (ghost.shape !== 'chip') return { x, width: Math.max(4, full) };
  const width = chipText(scene, ghost).length * scene.palette.smallWidth + 16;
  return { x: x + Math.max(0, (full - width) / 2), width };
}

const chipText = ({ rows }: Scene, ghost: Ghost): string => (rows.gutter ? ghost.label : ghost.shortLabel);

/** The label that fits into the box; undefined where none does. */
function inside(scene: Scene, ghost: Ghost, { width }: Box): string | undefined {
  const { smallWidth } = scene.palette;
  if (ghost.refused) return undefined;
  if (ghost.shape === 'chip') return chipText(scene, ghost);
  if (width > ghost.label.length * smallWidth + 16) return ghost.label;
  return width > ghost.shortLabel.length * smallWidth + 8 ? ghost.shortLabel : undefined;
}

/** Words for beside the box, the longest first. */
function besideOf(scene: Scene, ghost: Ghost, box: Box): { text: string; wide: number }[] {
  const asked = ghost.unasked ? [{ text: NOT_ASKED, wide: NOT_ASKED.length * scene.palette.smallWidth }] : [];
  if (inside(scene, ghost, box) !== undefined) return asked;
  const words = ghost.refused ? [`× ${ghost.refusal}`, `× ${ghost.shortLabel}`, '×'] : [ghost.shortLabel];
  return words.map((text) => ({ text, wide: text.length * scene.palette.smallWidth }));
}

function placeBeside({ rows }: Scene, box: Box, width: number, taken: readonly Box[]): Box | undefined {
  const free = (x: number): boolean =>
    x >= rows.left &&
    x + width <= rows.left + rows.span &&
    !taken.some((other) => x < other.x + other.width + 3 && other.x - 3 < x + width);
  const x = [box.x + box.width + BESIDE, box.x - BESIDE - width].find(free);
  return x === undefined ? undefined : { x, width };
}

/** Nothing; a chip, which takes no place of its own; a range; something refused */
const [NOTHING, CHIP, RANGE, REFUSED] = [0, 1, 2, 3];

/** Too many to name each: where something is staged and where it is refused, what takes no place as a line at the foot, and how many of each kind. */
function paintManyGhosts(scene: Scene, ghosts: readonly Ghost[]): void {
  const { context, rows, palette } = scene;
  const { y, h } = rows.staged;
  const staged = new Uint8Array(Math.ceil(rows.span) + 1);
  for (const ghost of ghosts) {
    const from = Math.max(0, Math.floor(toX(scene, ghost.start) - rows.left));
    const to = Math.max(from + 1, Math.ceil(toX(scene, ghost.end) - rows.left));
    const what = ghost.refused ? REFUSED : ghost.shape === 'chip' ? CHIP : RANGE;
    for (let x = from; x < to && x < staged.length; x++) staged[x] = Math.max(staged[x]!, what!);
  }
  let room: Box = { x: rows.left, width: 0 };
  for (let from = 0; from < staged.length; ) {
    let to = from + 1;
    while (to < staged.length && staged[to] === staged[from]) to++;
    const box = { x: rows.left + from, width: to - from };
    if (staged[from] === NOTHING && box.width > room.width) room = box;
    if (staged[from] !== NOTHING) {
      context.fillStyle = palette.colour[staged[from] === REFUSED ? 'bad' : 'staged'];
      if (staged[from] === CHIP) context.fillRect(box.x, y + h - 6, box.width, 3);
      else context.fillRect(box.x, y + 3, box.width, h - 6);
    }
    from = to;
  }
  const words = [`${count(ghosts.length)} entries in view: ${kindsOf(ghosts)}`, `${count(ghosts.length)} entries`];
  const text = words.find((each) => each.length * palette.smallWidth + 12 <= room.width);
  if (text) paintText(scene, text, room.x + 6, y + 15, palette.font.small, palette.colour.text);
}

function paintGhost(scene: Scene, ghost: Ghost, box: Box): void {
  const { context, rows, palette } = scene;
  const { x, width } = box;
  const { y, h } = rows.staged;
  const chip = ghost.shape === 'chip';
  context.fillStyle = palette.colour[ghost.refused ? 'bad-bg' : 'staged-bg'];
  context.strokeStyle = palette.colour[ghost.refused ? 'bad' : 'staged'];
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
  const label = inside(scene, ghost, box);
  if (label === undefined) return;
  const centred = chip || label !== ghost.label;
  paintText(scene, label, centred ? x + width / 2 : x + 9, y + 15, palette.font.small, palette.colour.text, centred ? 'center' : 'left');
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
