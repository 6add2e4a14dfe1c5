/** docs/memslots.md names tests; they must exist. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const folders = ['test/conformance', 'test/properties', 'test/guests/selftests', 'engine/memory'];
const sources = new Map(
  folders.flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith('.test.ts'))
      .map((name) => [name, readFileSync(`${folder}/${name}`, 'utf8')]),
  ),
);

it('every test that an invariant names is there', () => {
  const rows = readFileSync('docs/memslots.md', 'utf8')
    .split('\n')
    .filter((line) => /^\| I\d+ /.test(line));
  expect(rows.length).toBeGreaterThan(15);
  const missing: string[] = [];
  for (const row of rows) {
    for (const part of row.split(';')) {
      const file = /`([\w-]+\.test\.ts)`/.exec(part)?.[1];
      const source = file === undefined ? '' : (sources.get(file) ?? '');
      if (file && !source) missing.push(file);
      if (file)
        for (const [, name] of part.slice(part.indexOf(file)).matchAll(/"([^"]+)"/g))
          if (!source.includes(name!)) missing.push(`${file}: ${name}`);
    }
  }
  expect(missing).toEqual([]);
});
