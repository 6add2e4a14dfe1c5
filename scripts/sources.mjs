// The source files below a folder of the project, as paths from its root with forward slashes. Generated files do not count.
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve, sep } from 'node:path';
import { root } from './steps.mjs';

export function* filesBelow(folder, names = /\.ts$/) {
  for (const entry of readdirSync(resolve(root, folder), { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (entry.name !== 'generated' && entry.name !== 'node_modules') yield* filesBelow(path, names);
    } else if (names.test(entry.name)) yield path.split(sep).join('/');
  }
}

/** The texts of the source files below some folders: { path: text }. */
export function readSources(folders, names) {
  const files = folders.flatMap((folder) => [...filesBelow(folder, names)]);
  return Object.fromEntries(files.map((file) => [file, readFileSync(resolve(root, file), 'utf8')]));
}
