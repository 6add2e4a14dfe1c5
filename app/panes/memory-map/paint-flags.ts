/** Flags of breakpoints over the guest lane: a post at the first byte, a shape for the kind, the number. */
import { KIND_GLYPHS } from '../debug/words';
import { toX } from './places';
import { paintText, type Scene, withinLanes } from './scene';

/** More in view are counted. */
const MOST = 8;
const WIDTH = 30;
const HEIGHT = 16;

export function paintFlags(scene: Scene): void {
  const { context, rows, palette, breakpoints, stopped } = scene;
  const { colour } = palette;
  const found = breakpoints.flatMap((each) =>
    each.spans.map((span) => ({ each, x: Math.round(toX(scene, span.start)), end: toX(scene, span.end) })),
  );
  const flags = found.filter(({ x }) => x >= rows.left - 1 && x <= rows.left + rows.span).sort((a, b) => a.x - b.x);
  if (flags.length === 0) return;
  const y = rows.guest.y - HEIGHT - 3;
  withinLanes(scene, () => {
    let free = Number.NEGATIVE_INFINITY;
    for (const { each, x, end } of flags) {
      const hit = stopped.has(each.id);
      const ink = each.enabled ? colour.text : colour['text-3'];
      context.fillStyle = ink;
      context.fillRect(x, rows.guest.y, 3, rows.guest.h);
      if (each.kind === 'slot') context.fillRect(x, rows.guest.y - 3, Math.max(1, Math.round(end) - x), 1.5);
      // Flags without room overlap; only the first is readable.
      if (x < free || flags.length > MOST) continue;
      free = x + WIDTH + 2;
      paintFlag(scene, x, y, `${KIND_GLYPHS[each.kind]} ${each.id}`, ink, hit);
    }
    if (flags.length > MOST)
      paintFlag(
        scene,
        flags[0]!.x,
        y,
        `${flags.length}`,
        colour.text,
        flags.some(({ each }) => stopped.has(each.id)),
      );
  });
}

function paintFlag(scene: Scene, x: number, y: number, text: string, ink: string, hit: boolean): void {
  const { context, palette } = scene;
  const { colour } = palette;
  context.fillStyle = hit ? colour['accent-bg'] : colour.raised;
  context.strokeStyle = hit ? colour.accent : colour.edge;
  context.lineWidth = 1;
  context.beginPath();
  context.roundRect(x - 0.5, y + 0.5, WIDTH, HEIGHT, 2);
  context.fill();
  context.stroke();
  paintText(scene, text, x + 4, y + 12, palette.font.small, ink);
}
