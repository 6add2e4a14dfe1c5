/** A strip along the top of the guest lane: memory of the machine that is a nested guest's. */
import type { NestedMemory } from '../../../engine/worker/protocol';
import { toX } from './places';
import { type Scene, withinLanes } from './scene';

const HEIGHT = 4;
/** px; a page is less */
const LEAST = 2;

export function paintNested(scene: Scene, nested: NestedMemory): void {
  const { context, rows, palette, window } = scene;
  const [left, right] = [window.axis.toGpa(window.u0), window.axis.toGpa(window.u1)];
  context.fillStyle = palette.colour.staged;
  withinLanes(scene, () => {
    let painted = Number.NEGATIVE_INFINITY;
    for (const { start, end } of nested.ranges) {
      if (end <= left || start >= right) continue;
      // Thousands of pages may share a pixel.
      const x0 = Math.max(painted, Math.round(toX(scene, start)));
      const x1 = Math.max(Math.round(toX(scene, start)) + LEAST, Math.round(toX(scene, end)));
      if (x1 <= x0) continue;
      context.fillRect(x0, rows.guest.y, x1 - x0, HEIGHT);
      painted = x1;
    }
  });
}
