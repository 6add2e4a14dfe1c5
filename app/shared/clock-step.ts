/** The resolution of this browser's clock; shorter times measure as 0. */
const MOST_LOOKS = 200_000;
let known: number | undefined;

/** Microseconds. Takes a few of these steps the first time. */
export function clockStep(): number {
  known ??= Math.round(Math.min(oneStep(), oneStep(), oneStep()) * 1000) || 1;
  return known;
}

/** ms */
function oneStep(): number {
  const start = performance.now();
  let now = start;
  for (let look = 0; look < MOST_LOOKS && now === start; look++) now = performance.now();
  return now - start;
}
