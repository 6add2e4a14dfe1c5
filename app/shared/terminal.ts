/** xterm.js as both terminals use it: the page's tokens as its theme, fitted to its pane, F6 and F8 left to the page. */
import { FitAddon } from '@xterm/addon-fit';
import { type ITheme, Terminal } from '@xterm/xterm';
import { SCROLLBACK_LINES } from './bounds';
import { screenReader } from './screen-reader.svelte';
import { type ClipboardKeys, clipboardKey, takeTextWithoutKeys } from './terminal-input';
import { token } from './theme.svelte';

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

export function makeTerminal(label: string, keys: ClipboardKeys): Terminal {
  const terminal = new Terminal({
    fontFamily: token('mono'),
    fontSize: 12,
    lineHeight: 1.2,
    scrollback: SCROLLBACK_LINES,
    // A guest may ask how many rows and columns there are (CSI 18 t); where the cursor is (CSI 6 n) xterm.js answers anyway.
    windowOptions: { getWinSizeChars: true },
    cursorBlink: !matchMedia('(prefers-reduced-motion: reduce)').matches,
    convertEol: false,
    screenReaderMode: screenReader.on,
    minimumContrastRatio: 4.5,
    theme: terminalTheme(),
  });
  terminal.attachCustomKeyEventHandler((event) => {
    if (PAGE_KEYS.has(event.key)) return false;
    if (event.type !== 'keydown') return true;
    if (clipboardKey(terminal, event, keys)) return false;
    // An input method or the keyboard of a phone: its text follows without a key.
    if (event.keyCode === 229 && !event.isComposing) return false;
    // In screen reader mode xterm.js leaves keys to the browser too: Tab would take the focus away, F5 the machine.
    if (event.key === 'Tab' || /^F\d+$/.test(event.key)) event.preventDefault();
    return true;
  });
  terminalLabels.set(terminal, label);
  return terminal;
}

const terminalLabels = new WeakMap<Terminal, string>();

/** Opens the terminal in the element and keeps it as large as that, or as `size` says whenever it is called. */
export function openTerminal(
  terminal: Terminal,
  element: HTMLElement,
  size?: (fit: FitAddon) => void,
): { refit: () => void; close: () => void } {
  const fit = new FitAddon();
  terminal.loadAddon(fit);
  const untake = takeTextWithoutKeys(terminal, element);
  terminal.open(element);
  terminal.textarea?.setAttribute('aria-label', terminalLabels.get(terminal) ?? 'Terminal');
  const refit = () => {
    if (element.clientWidth <= 40 || element.clientHeight <= 20) return;
    if (size) size(fit);
    else fit.fit();
  };
  const observer = new ResizeObserver(refit);
  observer.observe(element);
  const close = (): void => {
    observer.disconnect();
    untake();
    terminal.dispose();
  };
  return { refit, close };
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

/** The rows in view as plain text, empty ones at the end left out. */
export function terminalRows(terminal: Terminal): string {
  const buffer = terminal.buffer.active;
  const rows = Array.from({ length: terminal.rows }, (_, y) => buffer.getLine(buffer.viewportY + y)?.translateToString(true) ?? '');
  return rows.join('\n').trimEnd();
}

/** The text with the blanks before the cursor, which `terminalText` leaves out: a prompt ends in one. */
export function terminalScreen(terminal: Terminal): string {
  const text = terminalText(terminal);
  const { cursorX, cursorY, baseY } = terminal.buffer.active;
  const line = terminal.buffer.active.getLine(baseY + cursorY)?.translateToString(true, 0, cursorX) ?? '';
  const last = text.slice(text.lastIndexOf('\n') + 1);
  return line.trim() !== '' && last === line.trimEnd() ? text + ' '.repeat(Math.max(0, cursorX - last.length)) : text;
}
