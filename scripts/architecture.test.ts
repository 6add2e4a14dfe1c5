/** ARCHITECTURE.md shows the way: what it names is there. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = resolve(import.meta.dirname, '..');
const text = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8');
const there = (path: string): boolean => existsSync(join(root, path));
const FOLDERS = /^(app|engine|guests|scripts|test|docs)\//;

/** Paths in the order in which they stand. A file without a folder lies in the folder named before it, or beside the file named before it. */
function pathsOf(line: string): string[] {
  const paths: string[] = [];
  let folder: string | undefined;
  for (const [, name] of line.matchAll(/`([\w./-]+)`/g)) {
    const isFile = /\.(ts|mjs|md|svelte)$/.test(name!);
    if (!FOLDERS.test(name!) && !(isFile && folder !== undefined)) continue;
    const path = FOLDERS.test(name!) ? name! : join(folder!, name!);
    paths.push(path);
    folder = isFile ? dirname(path) : path;
  }
  return paths;
}

describe('ARCHITECTURE.md', () => {
  it('names files and folders that exist', () => {
    const paths = text.split('\n').flatMap(pathsOf);
    expect(paths.length).toBeGreaterThan(100);
    expect(paths.filter((path) => !there(path))).toEqual([]);
  });

  it('answers "where is it done?" with files that have the functions in parentheses', () => {
    const rows = text.slice(text.indexOf('## Where is it done?')).match(/^\| .* \|$/gm)!;
    expect(rows.length).toBeGreaterThan(10);
    for (const row of rows)
      for (const [, path, names] of row.matchAll(/`([\w./-]+\.ts)` \(([^)]*`[^)]*)\)/g)) {
        const source = readFileSync(join(root, path!), 'utf8');
        for (const [, name] of names!.matchAll(/`(#?\w+)`/g)) expect(source, `${path}: ${name}`).toMatch(new RegExp(`${name}\\b`));
      }
  });

  it('has every folder of the engine in its map', () => {
    const map = text.slice(text.indexOf('```'), text.indexOf('Which folder may import which'));
    const folders = readdirSync(join(root, 'engine')).filter((name) => statSync(join(root, 'engine', name)).isDirectory());
    expect(folders.filter((name) => !map.includes(`engine/${name}/`))).toEqual([]);
  });
});
