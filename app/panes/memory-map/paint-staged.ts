/** The Staged lane: where each entry of the change set would take effect, and an arrow from where it is now. */
import type { Ghost } from '../staging';
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
  for (const ghost of visible) paintGhost(scene, ghost);
  for (const ghost of ghosts) if (ghost.from) paintArrow(scene, ghost, ghost.from);
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
