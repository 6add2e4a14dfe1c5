// Writes the list of this version's files, with their hashes, into the built service worker.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const WORKER = 'sw.js';
// Guests are many megabytes and are stored when first used; the page starts with memlab.
const ALWAYS_KEPT = 'guests/memlab.elf';

const isKept = (path) => path !== WORKER && !path.endsWith('.map') && (!path.startsWith('guests/') || path === ALWAYS_KEPT);

const hash = (algorithm, bytes) => createHash(algorithm).update(bytes).digest('base64');

export function precacheOf(folder) {
  const paths = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(join(folder, '/').length).replaceAll('\\', '/'))
    .filter(isKept)
    .sort();
  const files = Object.fromEntries(
    paths.map((path) => [path === 'index.html' ? '' : path, `sha384-${hash('sha384', readFileSync(join(folder, path)))}`]),
  );
  return { version: hash('sha256', JSON.stringify(files)).slice(0, 12), files };
}

/** Can be repeated: the list is the first line. */
export function stampServiceWorker(folder) {
  const file = join(folder, WORKER);
  const code = readFileSync(file, 'utf8').replace(/^self\.precache=.*\n/, '');
  writeFileSync(file, `self.precache=${JSON.stringify(precacheOf(folder))};\n${code}`);
}
