/** xterm.js as both terminals use it: the page's tokens as its theme, fitted to its pane, F6 and F8 left to the page. */
import { FitAddon } from '@xterm/addon-fit';
import { type IDisposable, type ITheme, Terminal } from '@xterm/xterm';
import { addressesIn } from './addresses';
import { token } from './theme.svelte';

const SCROLLBACK = 5000;
/** Function keys that belong to the page even while a terminal has the focus. */
const PAGE_KEYS = new Set(['F6', 'F8']);

/** The sixteen colours in the page's own: only what has a meaning gets a tint. */
export function terminalTheme(): ITheme {
  const [well, text, text2, text3, accent, staged, bad, ok, warn] = [
    'well',
    'text',
    'text-2',
    'text-3',
    'accent',
    'staged',
    'bad',
    'ok',
    'warn',
  ].map(token);
  const dimm = token('dimm-mark');
  const theme: Record<string, string | undefined> = {
    background: well,
    foreground: text,
    cursor: text,
    cursorAccent: well,
    selectionBackground: token('accent-bg'),
    selectionInactiveBackground: token('raised'),
    scrollbarSliderBackground: token('line'),
    scrollbarSliderHoverBackground: token('edge'),
    scrollbarSliderActiveBackground: token('edge'),
    black: well,
    red: bad,
    green: ok,
    yellow: warn,
    blue: accent,
    magenta: staged,
    cyan: dimm,
    white: text2,
    brightBlack: text3,
    brightRed: bad,
    brightGreen: ok,
    brightYellow: warn,
    brightBlue: accent,
    brightMagenta: staged,
    brightCyan: dimm,
    brightWhite: text,
  };
  return theme as ITheme;
}

export function makeTerminal(label: string): Terminal {
  const terminal = new Terminal({
    fontFamily: token('mono'),
    fontSize: 12,
    lineHeight: 1.2,
    scrollback: SCROLLBACK,
    cursorBlink: !matchMedia('(prefers-reduced-motion: reduce)').matches,
    convertEol: false,
    screenReaderMode: true,
    minimumContrastRatio: 4.5,
    theme: terminalTheme(),
  });
  terminal.attachCustomKeyEventHandler((event) => {
    // In screen reader mode xterm.js leaves Tab to the browser, which would take the focus away.
    if (event.key === 'Tab') event.preventDefault();
    return !PAGE_KEYS.has(event.key);
  });
  terminalLabels.set(terminal, label);
  return terminal;
}

const terminalLabels = new WeakMap<Terminal, string>();

/** Opens the terminal in the element and keeps it as large as that. Returns what undoes it. */
export function openTerminal(terminal: Terminal, element: HTMLElement, resized?: (columns: number, rows: number) => void): () => void {
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  terminal.open(element);
  terminal.textarea?.setAttribute('aria-label', terminalLabels.get(terminal) ?? 'Terminal');
  const refit = () => {
    if (element.clientWidth > 40 && element.clientHeight > 20) fit.fit();
    resized?.(terminal.cols, terminal.rows);
  };
  const observer = new ResizeObserver(refit);
  observer.observe(element);
  return () => {
    observer.disconnect();
    terminal.dispose();
  };
}

/** Everything on the terminal as plain text, wrapped lines joined, empty lines at the end left out. */
export function terminalText(terminal: Terminal): string {
  const buffer = terminal.buffer.active;
  const lines: string[] = [];
  for (let y = 0; y < buffer.length; y++) {
    const line = buffer.getLine(y);
    if (!line) continue;
    const continued = buffer.getLine(y + 1)?.isWrapped ?? false;
    const text = line.translateToString(!continued);
    if (line.isWrapped && lines.length) lines[lines.length - 1] += text;
    else lines.push(text);
  }
  return lines.join('\n').trimEnd();
}

/** The text with the blanks before the cursor, which `terminalText` leaves out: a prompt ends in one. */
export function terminalScreen(terminal: Terminal): string {
  const text = terminalText(terminal);
  const { cursorX, cursorY, baseY } = terminal.buffer.active;
  const line = terminal.buffer.active.getLine(baseY + cursorY)?.translateToString(true, 0, cursorX) ?? '';
  const last = text.slice(text.lastIndexOf('\n') + 1);
  return line.trim() !== '' && last === line.trimEnd() ? text + ' '.repeat(Math.max(0, cursorX - last.length)) : text;
}

/** Addresses in the text become links, where `find` knows what to do with one. */
export function linkAddresses(terminal: Terminal, find: (address: number, inHost: boolean) => (() => void) | undefined): IDisposable {
  return terminal.registerLinkProvider({
    provideLinks(y, callback) {
      const text = terminal.buffer.active.getLine(y - 1)?.translateToString(true) ?? '';
      const links = addressesIn(text).flatMap(({ text: digits, at, address, inHost }) => {
        const activate = find(address, inHost);
        if (!activate) return [];
        return [{ text: digits, range: { start: { x: at + 1, y }, end: { x: at + digits.length, y } }, activate }];
      });
      callback(links);
    },
  });
}
