import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { layoutFolder, layoutStore } from './layout-store';
import { completer } from './line-editor';
import { terminalKeys } from './terminal-keys';

describe('raw terminal', () => {
  function make() {
    let quits = 0;
    const told: string[] = [];
    const keys = terminalKeys({ quit: () => quits++, tell: (text) => told.push(text) });
    const type = (text: string): string => Buffer.from(keys(Buffer.from(text))).toString();
    return { type, told, quits: () => quits };
  }

  it('passes on everything but its escape', () => {
    const { type, quits } = make();
    expect(type('ls\r\x03\x1b[A')).toBe('ls\r\x03\x1b[A');
    expect(type('\x01\x01')).toBe('\x01');
    expect(type('\x01a')).toBe('\x01');
    expect(type('\x01z')).toBe('');
    expect(quits()).toBe(0);
  });

  it('Ctrl-A x leaves, also if the two keys arrive separately', () => {
    const { type, quits } = make();
    expect(type('ab\x01')).toBe('ab');
    expect(quits()).toBe(0);
    expect(type('xcd')).toBe('cd');
    expect(quits()).toBe(1);
  });

  it('Ctrl-A h explains', () => {
    const { type, told } = make();
    type('\x01h');
    expect(told[0]).toContain('Ctrl-A x: leave');
  });
});

describe('tab completion', () => {
  it('replaces the word at the end of the line', () => {
    const complete = completer({ complete: (line) => (line === 'info mem' ? ['memdev', 'memory-devices'] : []) });
    expect(complete('info mem')).toEqual([['memdev', 'memory-devices'], 'mem']);
    expect(complete('info ')).toEqual([[], '']);
  });
});

describe('saved layouts', () => {
  const folder = mkdtempSync(join(tmpdir(), 'lab-layouts-'));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('keeps any name as a file inside its folder', async () => {
    const store = layoutStore(join(folder, 'deep'));
    expect(await store.keys()).toEqual([]);
    expect(await store.get('nothing')).toBeUndefined();
    const names = ['plain', '../escape', '.hidden', 'a/b c', '\u00e4'];
    for (const name of names) await store.set(name, `layout of ${name}`);
    await store.set('plain', 'newer');
    expect(readdirSync(folder)).toEqual(['deep']);
    expect((await store.keys()).sort()).toEqual([...names].sort());
    expect(await store.get('plain')).toBe('newer');
    expect(await store.get('../escape')).toBe('layout of ../escape');
    await store.delete('plain');
    await store.delete('plain');
    expect(await store.get('plain')).toBeUndefined();
  });

  it('is where XDG says', () => {
    expect(layoutFolder({ XDG_DATA_HOME: '/data' })).toBe('/data/memslot-lab/layouts');
    expect(layoutFolder({})).toMatch(/\/\.local\/share\/memslot-lab\/layouts$/);
  });
});
