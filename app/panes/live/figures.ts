/** Figures of fixed width, so that the layout does not move when they change. */
import { count } from '../../shared/format';

const FIGURE_SPACE = '\u2007';
const WIDTH = 7;

/** "  214.6" */
export const speed = (mips: number): string => mips.toFixed(1).padStart(WIDTH, FIGURE_SPACE);

/** " 12,345", " 1.23 M" */
export function rate(value: number): string {
  const text = value < 1e6 ? count(value) : `${(value / 1e6).toFixed(value < 1e7 ? 2 : value < 1e8 ? 1 : 0)} M`;
  return text.padStart(WIDTH, FIGURE_SPACE);
}
