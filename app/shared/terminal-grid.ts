/** How large the console's grid is. A serial line carries no size: guests count on 80 columns and 25 rows, and those that paint the screen lose what lies beyond. */
const COLUMNS = 80;
const ROWS = 25;

/** `auto`: what fits the pane, and 80 by 25 at least; `pane`: what fits, however little; else columns by rows. */
export const SIZES = ['auto', 'pane', '80×24', '80×25', '80×50', '132×43'] as const;
export type SizeChoice = (typeof SIZES)[number];

export interface Grid {
  columns: number;
  rows: number;
}

/** The least that the choice asks for; undefined where the pane alone decides. */
export function leastOf(choice: SizeChoice): Grid | undefined {
  if (choice === 'pane') return undefined;
  if (choice === 'auto') return { columns: COLUMNS, rows: ROWS };
  const [columns = COLUMNS, rows = ROWS] = choice.split('×').map(Number);
  return { columns, rows };
}

/**
 * The letters and the grid for a pane in which `fits[i]` cells of the i-th letters have room. The largest letters that show all that is asked for;
 * else those that show all columns; else the largest, and a line that the pane is too narrow for wraps at its edge.
 */
export function gridFor(choice: SizeChoice, fits: readonly Grid[]): { letters: number; grid: Grid } {
  const least = leastOf(choice);
  const largest = fits[0] ?? { columns: COLUMNS, rows: ROWS };
  if (!least) return { letters: 0, grid: largest };
  const wide = (fit: Grid): boolean => fit.columns >= least.columns;
  const whole = fits.findIndex((fit) => wide(fit) && fit.rows >= least.rows);
  const letters = whole >= 0 ? whole : Math.max(0, fits.findIndex(wide));
  const fit = fits[letters] ?? largest;
  if (choice !== 'auto') return { letters, grid: least };
  return { letters, grid: { columns: fit.columns, rows: Math.max(least.rows, fit.rows) } };
}
