import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { monitorDocs } from './docs';
import { NOTES } from './notes';
import { commands, infoCommands } from './table';
import { VERSION } from './version';

const root = resolve(import.meta.dirname, '../..');
const file = resolve(root, 'docs/monitor.md');

describe('docs/monitor.md', () => {
  it('agrees with the command table', () => {
    if (process.env.LAB_UPDATE_DOCS) writeFileSync(file, monitorDocs());
    expect(readFileSync(file, 'utf8')).toBe(monitorDocs());
  });
});

describe('a note for docs/monitor.md', () => {
  it('belongs to a command', () => {
    const names = [...commands.map(({ name }) => name), ...infoCommands.map(({ name }) => `info ${name}`)];
    expect(Object.keys(NOTES).filter((name) => !names.includes(name))).toEqual([]);
  });
});

describe('the version', () => {
  it('is the package’s', () => {
    expect(JSON.parse(readFileSync(resolve(root, 'package.json'), 'utf8')).version).toBe(VERSION);
  });
});
