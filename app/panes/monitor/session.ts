/** The monitor's dialogue on a terminal: prompt, editing, completion, output, history over reloads. */
import type { Terminal } from '@xterm/xterm';
import type { Lab } from '../../lab/lab.svelte';
import { colourOutput } from './colour';
import { commonStart, LineEditor, splitKeys } from './line-editor';

/** Made by Vite from package.json. */
declare const __LAB_VERSION__: string;

const PROMPT = '(lab) ';
const PROMPT_COLOURED = '\x1b[1;34m(lab)\x1b[0m ';
const HISTORY_KEY = 'memslot-lab monitor history';

export class MonitorSession {
  #terminal: Terminal;
  #lab: Lab;
  #editor: LineEditor;
  /** Keys that came while a command ran. */
  #waiting: string[] = [];
  #busy = false;
  /** Row of the cursor within the drawn line, and rows that the line takes, for drawing it again. */
  #cursorRow = 0;

  constructor(terminal: Terminal, lab: Lab) {
    this.#terminal = terminal;
    this.#lab = lab;
    this.#editor = new LineEditor(readHistory());
    terminal.write(`memslot-lab ${__LAB_VERSION__} monitor - type 'help' for more information\r\n`);
    this.#draw();
  }

  input(data: string): void {
    this.#waiting.push(...splitKeys(data));
    void this.#work();
  }

  /** An event message of the machine; the line being edited moves below it. */
  event(text: string): void {
    if (this.#busy) {
      this.#terminal.write(`${colourOutput(text.trimEnd())}\r\n`);
      return;
    }
    this.#terminal.write(`${this.#toStart()}${colourOutput(text.trimEnd())}\r\n`);
    this.#cursorRow = 0;
    this.#draw();
  }

  async #work(): Promise<void> {
    if (this.#busy) return;
    for (let key = this.#waiting.shift(); key !== undefined; key = this.#waiting.shift()) {
      const before = this.#editor.line;
      const result = this.#editor.key(key);
      if (result.do === 'redraw') this.#draw();
      else if (result.do === 'clear') this.#clear();
      else if (result.do === 'cancel') this.#newLine(before, '^C');
      else if (result.do === 'complete') await this.#locked(() => this.#complete(result.head));
      else if (result.do === 'submit') await this.#locked(() => this.#execute(result.line));
    }
  }

  async #locked(action: () => Promise<void>): Promise<void> {
    this.#busy = true;
    try {
      await action();
    } finally {
      this.#busy = false;
    }
  }

  async #execute(line: string): Promise<void> {
    this.#leave(line, '');
    keepHistory(this.#editor.history);
    if (line.trim()) {
      let printed: string;
      try {
        printed = (await this.#lab.monitor(line)).text;
      } catch (error) {
        printed = `Error: ${(error as Error).message}`;
      }
      if (printed) this.#terminal.write(`${colourOutput(printed.replace(/\n$/, ''))}\r\n`);
    }
    this.#draw();
  }

  async #complete(head: string): Promise<void> {
    const found = await this.#lab.complete(head).catch(() => []);
    if (!found.length) return;
    const word = head.slice(head.search(/[^\s,=]*$/));
    const common = commonStart(found);
    if (common.startsWith(word) && common.length > word.length) {
      this.#editor.insert(common.slice(word.length));
      if (found.length === 1 && !/[=,]$/.test(common)) this.#editor.insert(' ');
    } else if (found.length === 1 && common === word) this.#editor.insert(' ');
    else if (found.length > 1) {
      this.#leave(this.#editor.line, '');
      this.#terminal.write(`${columns(found, this.#terminal.cols)}\r\n`);
    }
    this.#draw();
  }

  #newLine(line: string, mark: string): void {
    this.#leave(line, mark);
    this.#draw();
  }

  /** Goes below the line as it stands. */
  #leave(line: string, mark: string): void {
    const { cols } = this.#terminal;
    const last = Math.floor((PROMPT.length + line.length) / cols);
    const down = last - this.#cursorRow;
    this.#terminal.write(`${down > 0 ? `\x1b[${down}B` : ''}\r\x1b[${((PROMPT.length + line.length) % cols) + 1}G${mark}\r\n`);
    this.#cursorRow = 0;
  }

  #clear(): void {
    this.#terminal.write('\x1b[2J\x1b[3J\x1b[H');
    this.#cursorRow = 0;
    this.#draw();
  }

  #toStart(): string {
    return `${this.#cursorRow ? `\x1b[${this.#cursorRow}A` : ''}\r\x1b[J`;
  }

  #draw(): void {
    const { line, cursor } = this.#editor;
    const { cols } = this.#terminal;
    const length = PROMPT.length + line.length;
    // A line that fills its last row leaves the cursor pending at the edge: step to the next row, so that all sums agree.
    const wrap = length % cols === 0 ? '\r\n' : '';
    const endRow = Math.floor(length / cols);
    const at = PROMPT.length + cursor;
    const row = Math.floor(at / cols);
    const up = endRow - row;
    const place = `${up ? `\x1b[${up}A` : ''}\r${at % cols ? `\x1b[${at % cols}C` : ''}`;
    this.#terminal.write(`${this.#toStart()}${PROMPT_COLOURED}${line}${wrap}${place}`);
    this.#cursorRow = row;
  }
}

/** Names side by side, as wide as the terminal allows. */
function columns(names: readonly string[], width: number): string {
  const cell = Math.max(...names.map((name) => name.length)) + 2;
  const perRow = Math.max(1, Math.floor(width / cell));
  const rows: string[] = [];
  for (let i = 0; i < names.length; i += perRow) {
    rows.push(
      names
        .slice(i, i + perRow)
        .map((name) => name.padEnd(cell))
        .join('')
        .trimEnd(),
    );
  }
  return rows.join('\r\n');
}

function readHistory(): string[] {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(HISTORY_KEY) ?? '[]');
    return Array.isArray(kept) ? kept.filter((line): line is string => typeof line === 'string') : [];
  } catch {
    return [];
  }
}

function keepHistory(history: readonly string[]): void {
  try {
    localStorage.setItem(HISTORY_KEY, JSON.stringify(history));
  } catch {
    // Storage is blocked or full: the history lasts as long as the page.
  }
}
