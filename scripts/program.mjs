// Identifies this program: a hash of everything that a machine's behaviour depends on. A replay or state made by another program may lead to another
// result.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { root } from './steps.mjs';

const FOLDERS = [
  'engine/abi',
  'engine/cpu',
  'engine/memory',
  'engine/devices',
  'engine/machine',
  'engine/monitor',
  'engine/snapshot',
  'engine/replay',
];
const DIGITS = 12;

/** Twelve hex digits; sources count, tests do not. */
export function programId() {
  const hash = createHash('sha256');
  for (const folder of FOLDERS) {
    for (const file of readdirSync(resolve(root, folder), { recursive: true }).sort()) {
      if (!file.endsWith('.ts') || file.endsWith('.test.ts') || file.startsWith('generated')) continue;
      hash.update(`${folder}/${file}\0`).update(readFileSync(join(root, folder, file)));
    }
  }
  return hash.digest('hex').slice(0, DIGITS);
}
