// The headless machine as one file of JavaScript: Node loads it in a tenth of the time that the several hundred TypeScript files take.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './steps.mjs';

const folder = join(root, 'build/lab');

/** A hash of what the file is made from: every source of the engine, and the versions of the packages. */
function sourcesHash() {
  const hash = createHash('sha256').update(readFileSync(join(root, 'package-lock.json')));
  for (const file of readdirSync(join(root, 'engine'), { recursive: true }).sort()) {
    if (!file.endsWith('.ts') || file.endsWith('.test.ts')) continue;
    hash.update(`${file}\0`).update(readFileSync(join(root, 'engine', file)));
  }
  return hash.digest('hex').slice(0, 16);
}

/** Builds the file under a temporary name and renames it, so that two labs that start at once do not disturb each other. */
async function bundle(name) {
  const { build } = await import('vite');
  const made = join(folder, `making-${process.pid}`);
  await build({
    configFile: false,
    root,
    publicDir: false,
    logLevel: 'error',
    build: {
      ssr: 'engine/cli/main.ts',
      outDir: made,
      target: 'node20',
      minify: false,
      rolldownOptions: { output: { entryFileNames: name } },
    },
  });
  renameSync(join(made, name), join(folder, name));
  rmSync(made, { recursive: true });
}

/** The path of the file for the current sources; builds it if they changed. */
export async function labProgram() {
  const name = `${sourcesHash()}.mjs`;
  const path = join(folder, name);
  if (existsSync(path)) return path;
  mkdirSync(folder, { recursive: true });
  await bundle(name);
  for (const other of readdirSync(folder)) if (other.endsWith('.mjs') && other !== name) rmSync(join(folder, other), { force: true });
  return path;
}
