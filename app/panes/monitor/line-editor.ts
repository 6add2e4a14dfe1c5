/** One editable line with history, as in a shell. Pure: it takes keys as a terminal sends them and returns what to do. */

import { LINE_HISTORY, LINE_LENGTH } from '../../shared/bounds';

export type Editing =
  /** The line or the cursor changed: draw it again. */
  | { do: 'redraw' }
  | { do: 'submit'; line: string }
  | { do: 'complete'; head: string }
  /** Ctrl C: leave the line unchanged and begin a new one. */
  | { do: 'cancel' }
  /** Ctrl L */
  | { do: 'clear' }
  | { do: 'nothing' };

const REDRAW: Editing = { do: 'redraw' };
const NOTHING: Editing = { do: 'nothing' };

export class LineEditor {
  line = '';
  /** 0..line.length */
  cursor = 0;
  readonly history: string[];
  #at: number;
  #draft = '';

  constructor(history: readonly string[] = []) {
    this.history = history.slice(-LINE_HISTORY);
    this.#at = this.history.length;
  }

  /** One key (an escape sequence counts as one) or a run of printable text without control characters. */
  key(input: string): Editing {
    const bound = KEYS[input];
    if (bound) return bound(this);
    if (input < ' ' || input === '\x7f' || input.startsWith('\x1b')) return NOTHING;
    this.insert(input);
    return REDRAW;
  }

  insert(text: string): void {
    const room = LINE_LENGTH - this.line.length;
    const taken = text.slice(0, Math.max(0, room));
    this.line = this.line.slice(0, this.cursor) + taken + this.line.slice(this.cursor);
    this.cursor += taken.length;
  }

  /** Keeps the line in the history and begins an empty one. */
  submit(): string {
    const { line } = this;
    if (line.trim() && this.history.at(-1) !== line) this.history.push(line);
    if (this.history.length > LINE_HISTORY) this.history.shift();
    this.reset();
    return line;
  }

  reset(): void {
    this.line = '';
    this.cursor = 0;
    this.#at = this.history.length;
  }

  move(to: number): Editing {
    const next = Math.min(this.line.length, Math.max(0, to));
    if (next === this.cursor) return NOTHING;
    this.cursor = next;
    return REDRAW;
  }

  /** Deletes from the cursor to `to`, either way. */
  erase(to: number): Editing {
    const end = Math.min(this.line.length, Math.max(0, to));
    const [a, b] = end < this.cursor ? [end, this.cursor] : [this.cursor, end];
    if (a === b) return NOTHING;
    this.line = this.line.slice(0, a) + this.line.slice(b);
    this.cursor = a;
    return REDRAW;
  }

  /** Where the character before the cursor begins: one outside the BMP takes two places. */
  get before(): number {
    const pair = /[\ud800-\udbff][\udc00-\udfff]$/.test(this.line.slice(0, this.cursor));
    return this.cursor - (pair ? 2 : 1);
  }

  get after(): number {
    return this.cursor + ((this.line.codePointAt(this.cursor) ?? 0) > 0xffff ? 2 : 1);
  }

  wordStart(): number {
    return this.line.slice(0, this.cursor).replace(/[^\s]*\s*$/, '').length;
  }

  wordEnd(): number {
    const rest = /^\s*[^\s]*/.exec(this.line.slice(this.cursor));
    return this.cursor + (rest?.[0].length ?? 0);
  }

  recall(step: 1 | -1): Editing {
    const next = this.#at + step;
    if (next < 0 || next > this.history.length) return NOTHING;
    if (this.#at === this.history.length) this.#draft = this.line;
    this.#at = next;
    this.line = this.history[next] ?? this.#draft;
    this.cursor = this.line.length;
    return REDRAW;
  }
}

const KEYS: Record<string, (editor: LineEditor) => Editing> = {
  '\r': (editor) => ({ do: 'submit', line: editor.submit() }),
  '\n': (editor) => ({ do: 'submit', line: editor.submit() }),
  '\t': (editor) => ({ do: 'complete', head: editor.line.slice(0, editor.cursor) }),
  '\x03': (editor) => {
    editor.reset();
    return { do: 'cancel' };
  },
  '\x0c': () => ({ do: 'clear' }),
  '\x7f': (editor) => editor.erase(editor.before),
  '\b': (editor) => editor.erase(editor.before),
  '\x1b[3~': (editor) => editor.erase(editor.after),
  '\x04': (editor) => editor.erase(editor.after),
  '\x1b[D': (editor) => editor.move(editor.before),
  '\x1b[C': (editor) => editor.move(editor.after),
  '\x02': (editor) => editor.move(editor.before),
  '\x06': (editor) => editor.move(editor.after),
  '\x1b[1;5D': (editor) => editor.move(editor.wordStart()),
  '\x1b[1;5C': (editor) => editor.move(editor.wordEnd()),
  '\x1bb': (editor) => editor.move(editor.wordStart()),
  '\x1bf': (editor) => editor.move(editor.wordEnd()),
  '\x1b[H': (editor) => editor.move(0),
  '\x1b[F': (editor) => editor.move(editor.line.length),
  '\x1b[1~': (editor) => editor.move(0),
  '\x1b[4~': (editor) => editor.move(editor.line.length),
  '\x01': (editor) => editor.move(0),
  '\x05': (editor) => editor.move(editor.line.length),
  '\x15': (editor) => editor.erase(0),
  '\x0b': (editor) => editor.erase(editor.line.length),
  '\x17': (editor) => editor.erase(editor.wordStart()),
  '\x1b[A': (editor) => editor.recall(-1),
  '\x1b[B': (editor) => editor.recall(1),
  '\x10': (editor) => editor.recall(-1),
  '\x0e': (editor) => editor.recall(1),
};

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences and control keys are what is looked for
const KEY = /\x1b\[[0-9;]*[A-Za-z~]|\x1b[A-Za-z]|\r\n|[\x00-\x1f\x7f]|[^\x00-\x1f\x7f]+/g;

/** Splits what a terminal sends (typing or a paste) into keys and runs of text. */
export function splitKeys(data: string): string[] {
  return data.match(KEY)?.map((key) => (key === '\r\n' ? '\r' : key)) ?? [];
}

/** The longest beginning that all candidates share. */
export function commonStart(candidates: readonly string[]): string {
  let common = candidates[0] ?? '';
  for (const candidate of candidates) {
    while (!candidate.startsWith(common)) common = common.slice(0, -1);
  }
  return common;
}
