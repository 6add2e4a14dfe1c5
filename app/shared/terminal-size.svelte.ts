/** The console's grid on xterm.js: the stored choice, and scrolling for a grid that is larger than its pane. */
import type { FitAddon } from '@xterm/addon-fit';
import type { Terminal } from '@xterm/xterm';
import { type Grid, gridFor, SIZES, type SizeChoice } from './terminal-grid';

const KEY = 'memslot-lab console size';

/** Largest first: smaller letters where the rows would not fit otherwise. 11 px is the least that the page writes. */
const LETTERS = [
  { fontSize: 12, lineHeight: 1.2 },
  { fontSize: 12, lineHeight: 1 },
  { fontSize: 11, lineHeight: 1 },
] as const;

class ConsoleSize {
  choice = $state<SizeChoice>(read());

  choose(choice: SizeChoice): void {
    this.choice = choice;
    try {
      localStorage.setItem(KEY, choice);
    } catch {
      // Storage is blocked: the choice lasts as long as the page.
    }
  }
}

export const consoleSize = new ConsoleSize();

/** Sets the terminal's grid from its pane and the choice; returns the rows in view. */
export function fitGrid(terminal: Terminal, fit: FitAddon, pane: HTMLElement, choice: SizeChoice): number {
  const fits: Grid[] = [];
  for (const letters of LETTERS) {
    Object.assign(terminal.options, letters);
    const proposed = fit.proposeDimensions();
    if (!proposed) return terminal.rows;
    fits.push({ columns: proposed.cols, rows: proposed.rows });
    if (choice === 'pane') break;
  }
  const { letters, grid } = gridFor(choice, fits);
  Object.assign(terminal.options, LETTERS[letters]);
  if (terminal.cols !== grid.columns || terminal.rows !== grid.rows) terminal.resize(grid.columns, grid.rows);
  const inView = Math.min(grid.rows, fits[letters]?.rows ?? grid.rows);
  // The rest of the grid can be scrolled to.
  const screen = terminal.element?.querySelector<HTMLElement>('.xterm-screen');
  const beyond = inView < grid.rows || (fits[letters]?.columns ?? 0) < grid.columns;
  pane.classList.toggle('beyond', beyond);
  if (terminal.element && screen) {
    terminal.element.style.minHeight = beyond ? screen.style.height : '';
    terminal.element.style.minWidth = beyond ? screen.style.width : '';
  }
  return inView;
}

/** If the grid is larger than its pane, the pane follows the cursor. Returns a function that ends it. */
export function followCursor(terminal: Terminal, pane: HTMLElement): () => void {
  let [x, y] = [-1, -1];
  const rendered = terminal.onRender(() => {
    const { cursorX, cursorY } = terminal.buffer.active;
    if ((cursorX === x && cursorY === y) || !pane.classList.contains('beyond')) return;
    [x, y] = [cursorX, cursorY];
    const screen = terminal.element?.querySelector<HTMLElement>('.xterm-screen');
    if (!screen) return;
    const [width, height] = [screen.clientWidth / terminal.cols, screen.clientHeight / terminal.rows];
    pane.scrollTop = Math.min(cursorY * height, Math.max(pane.scrollTop, (cursorY + 1) * height - pane.clientHeight));
    pane.scrollLeft = Math.min(cursorX * width, Math.max(pane.scrollLeft, (cursorX + 2) * width - pane.clientWidth));
  });
  return () => rendered.dispose();
}

function read(): SizeChoice {
  try {
    const kept = localStorage.getItem(KEY);
    return SIZES.find((size) => size === kept) ?? 'auto';
  } catch {
    return 'auto';
  }
}
