/** The line of a chart as an SVG path: x in seconds before now (negative), y from 0 (the highest value) to 1 (nothing). */

/** Least height of the scale, so that a figure which hardly moves does not fill its chart. */
const LEAST_TOP = 1;
/** Digits behind the point: a hundredth of a second, a thousandth of the height. */
const fixed = (value: number, digits: number): string => `${Number(value.toFixed(digits))}`;

/** `ages` and `values` go together, oldest first; '' while there are fewer than two. `peak`: the highest value. */
export function chartPath(ages: readonly number[], values: readonly number[], peak: number): string {
  if (values.length < 2) return '';
  const top = Math.max(peak, LEAST_TOP);
  return values.map((value, index) => `${index ? 'L' : 'M'}${fixed(ages[index]!, 2)} ${fixed(1 - value / top, 3)}`).join('');
}
