/** Short motions: the clock of one, and the curve that all follow (the tokens `--t-...` and `--ease`). */

type Point = readonly [x: number, y: number];

/** CSS' cubic-bezier(x1, y1, x2, y2) as a function of time; a straight line when the text is none. */
export function easing(text: string): (time: number) => number {
  const [x1, y1, x2, y2] = /^cubic-bezier\(([^)]*)\)$/.exec(text.trim())?.[1]?.split(',').map(Number) ?? [];
  if (x1 === undefined || y1 === undefined || x2 === undefined || y2 === undefined) return (time) => time;
  const at = (a: number, b: number, t: number): number => 3 * a * t * (1 - t) ** 2 + 3 * b * t ** 2 * (1 - t) + t ** 3;
  const point = (t: number): Point => [at(x1, x2, t), at(y1, y2, t)];
  return (time) => {
    if (time <= 0 || time >= 1) return Math.min(1, Math.max(0, time));
    let low = 0;
    let high = 1;
    // x grows with t: halved often enough for a screen.
    for (let step = 0; step < 20; step++) {
      const middle = (low + high) / 2;
      if (point(middle)[0] < time) low = middle;
      else high = middle;
    }
    return point((low + high) / 2)[1];
  };
}

/** Milliseconds of a token such as "180ms", which the build may have made ".18s"; 0 when it is none. */
export function milliseconds(text: string): number {
  const [, value, unit] = /^(\d*\.?\d+)(m?s)$/.exec(text.trim()) ?? [];
  return Number(value ?? 0) * (unit === 's' ? 1000 : 1);
}

/** Calls `step` once a frame with the share of the time that has passed, from 0 to 1, where it ends. Returns what ends it before. */
export function glide(ms: number, step: (share: number) => void): () => void {
  let start: number | undefined;
  let frame = 0;
  const next = (now: number): void => {
    start ??= now;
    const share = Math.min(1, (now - start) / ms);
    if (share < 1) frame = requestAnimationFrame(next);
    step(share);
  };
  frame = requestAnimationFrame(next);
  return () => cancelAnimationFrame(frame);
}
