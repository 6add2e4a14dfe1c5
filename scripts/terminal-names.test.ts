/** The page's xterm.js, whose properties have short names, beside the package's: the same screen, replies and events for the same text. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type * as Xterm from '@xterm/xterm';
import { expect, test } from 'vitest';
import { shortNames } from './terminal-names.mjs';

const FOLDER = resolve(import.meta.dirname, '../build/terminal-names');
const PACKAGED = resolve(import.meta.dirname, '../node_modules/@xterm/xterm/lib/xterm.mjs');

const load = (file: string): Promise<typeof Xterm> => import(/* @vite-ignore */ pathToFileURL(file).href);

/** Texts of guests and shells: every kind of escape sequence, and what xterm.js looks up by a character or by a name. */
const TEXTS = [
  'plain, wide 日本, combining e\u0301, emoji 🎛\r\n',
  '\x1b(0lqqk\r\nx  x\r\nmqqj\x1b(B\x1b)A\x0e#\x0f',
  '\x1b[1;3;4;7;38;5;196;48;2;1;2;3mcolours\x1b[4:3;58:5:9mcurly\x1b[0m',
  '\x1b[2;3H\x1b7\x1b[10;20Hmoved\x1b8back\x1b[5X\x1b[2@\x1b[1P',
  '\x1b[2;5r\x1b[5;1H\n\n\x1b[3L\x1b[2M\x1b[2S\x1b[1T\x1b[r',
  '\x1b[?1049h alternate \x1b[2J\x1b[?1049l',
  '\x1b[?7l\x1b[?25l\x1b[?1000h\x1b[?1006h\x1b[?2004h\x1b[?1h\x1b=\x1b[4h',
  '\x1b]0;title\x07\x1b]8;;https://example.org\x1b\\link\x1b]8;;\x1b\\',
  '\x1b[6n\x1b[5n\x1b[c\x1b[>c\x1b[18t\x1b[?1006$p\x1bP$qm\x1b\\\x1bP$q q\x1b\\',
  '\x1b[3g\x1bH\t\x1b[I\x1b[2Z\x1b[6b\x1b#8\x1b[?6h\x1b[1;1H\x1b[!p',
  'a line that is longer than the terminal is wide, so that it wraps and flows back\r\n',
];

async function outcome(file: string) {
  const { Terminal } = await load(file);
  const terminal = new Terminal({ cols: 40, rows: 10, allowProposedApi: true, windowOptions: { getWinSizeChars: true } });
  const said: unknown[] = [];
  terminal.onData((data) => said.push(data));
  terminal.onTitleChange((title) => said.push(title));
  terminal.onResize(({ cols, rows }) => said.push({ cols, rows }));
  const after: unknown[] = [];
  for (const text of TEXTS) {
    await new Promise<void>((done) => terminal.write(text, done));
    const { active } = terminal.buffer;
    const cells = Array.from({ length: active.length }, (_, y) =>
      Array.from({ length: terminal.cols }, (_, x) => {
        const cell = active.getLine(y)?.getCell(x);
        return [cell?.getChars(), cell?.getFgColor(), cell?.getBgColor(), cell?.isBold(), cell?.isInverse(), cell?.isUnderline()];
      }),
    );
    after.push({ cells, x: active.cursorX, y: active.cursorY, type: active.type, modes: { ...terminal.modes } });
  }
  terminal.resize(25, 8);
  after.push(Array.from({ length: terminal.buffer.active.length }, (_, y) => terminal.buffer.active.getLine(y)?.translateToString()));
  terminal.dispose();
  return { after, said };
}

test('a terminal with short names behaves as the package does', async () => {
  const { code } = await shortNames();
  mkdirSync(FOLDER, { recursive: true });
  const file = resolve(FOLDER, 'xterm.mjs');
  writeFileSync(file, code);
  const expected = await outcome(PACKAGED);
  expect(expected.said.length).toBeGreaterThan(8);
  expect(JSON.stringify(expected.after[1])).toContain('┌');
  expect(await outcome(file)).toEqual(expected);
  expect(code.length).toBeLessThan(245_000);
});
