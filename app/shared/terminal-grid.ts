/**
 * The size of the console's grid. A serial line has no size: guests assume 80 columns and 25 rows, and those that paint the screen lose the rest on a
 * smaller grid.
 */
const COLUMNS = 80;
const ROWS = 25;

/** `auto`: what fits the pane, and 80 by 25 at least; `pane`: what fits, however little; else columns by rows. */
export const SIZES = ['auto', 'pane', '80×24', '80×25', '80×50', '132×43'] as const;
export type SizeChoice = (typeof SIZES)[number];

export interface Grid {
  columns: number;
  rows: number;
}

/** The minimum for the choice; undefined if only the pane decides. */
export function leastOf(choice: SizeChoice): Grid | undefined {
  if (choice === 'pane') return undefined;
  if (choice === 'auto') return { columns: COLUMNS, rows: ROWS };
  const [columns = COLUMNS, rows = ROWS] = choice.split('×').map(Number);
  return { columns, rows };
}

/**
 * Font size and grid for a pane that fits `fits[i]` cells of the i-th font size. Chooses the largest size that shows the whole requested grid;
 * otherwise one that shows all columns; otherwise the largest, with lines that wrap at the pane's edge.
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
