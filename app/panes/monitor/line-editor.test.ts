import { describe, expect, it } from 'vitest';
import { commonStart, LineEditor, splitKeys } from './line-editor';

const type = (editor: LineEditor, data: string) => splitKeys(data).map((key) => editor.key(key));

describe('LineEditor', () => {
  it('edits inside the line', () => {
    const editor = new LineEditor();
    type(editor, 'info memsots\x1b[D\x1b[D\x1b[Dl');
    expect(editor.line).toBe('info memslots');
  });

  it('steps over a character outside the BMP as one', () => {
    const editor = new LineEditor();
    type(editor, 'a😀b\x1b[D\x7f');
    expect(editor.line).toBe('ab');
    type(editor, '😀\x1b[D\x1b[3~');
    expect(editor.line).toBe('ab');
  });

  it('submits one line per Enter of a paste', () => {
    const editor = new LineEditor();
    const lines = type(editor, 'changeset_begin\r\nmemslot_move 4 0x14000000\rinfo').flatMap((e) => (e.do === 'submit' ? [e.line] : []));
    expect(lines).toEqual(['changeset_begin', 'memslot_move 4 0x14000000']);
    expect(editor.line).toBe('info');
  });

  it('recalls earlier lines and returns to the draft', () => {
    const editor = new LineEditor(['info status', 'info memslots']);
    type(editor, 'dra\x1b[A');
    expect(editor.line).toBe('info memslots');
    type(editor, '\x1b[A');
    expect(editor.line).toBe('info status');
    type(editor, '\x1b[A\x1b[B\x1b[B');
    expect(editor.line).toBe('dra');
  });

  it('does not keep a line twice in a row, nor an empty one', () => {
    const editor = new LineEditor(['stop']);
    type(editor, 'stop\r  \r');
    expect(editor.history).toEqual(['stop']);
  });

  it('erases words and ends of lines', () => {
    const editor = new LineEditor();
    type(editor, 'object_add memory-backend-ram\x17');
    expect(editor.line).toBe('object_add ');
    type(editor, '\x15x y\x1b[H\x0b');
    expect(editor.line).toBe('');
  });

  it('ignores sequences that it does not know', () => {
    const editor = new LineEditor();
    type(editor, 'a\x1b[15~\x1b[200~b');
    expect(editor.line).toBe('ab');
  });
});

describe('commonStart', () => {
  it('is the common prefix of all candidates', () => {
    expect(commonStart(['memslot_add', 'memslot_move', 'memslot_merge'])).toBe('memslot_');
    expect(commonStart([])).toBe('');
  });
});
