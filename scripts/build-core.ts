/**
 * npm run asm: generates the interpreter and compiles engine/cpu to build/core.wasm, unless the result is newer than all of its sources. `--force`
 * builds anyway, `-o FILE` writes elsewhere, `--debug` keeps names and a source map, `--profile` counts how often each handler runs (PROFILE_COUNTERS
 * in engine/abi/layout.ts).
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { ASC_DATA_END } from '../engine/abi/layout';
import { checkCore } from './core/check-wasm';
import { generate } from './core/generate';

const root = resolve(import.meta.dirname, '..');
const argument = (name: string): string | undefined => {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1];
};
const target = resolve(argument('-o') ?? join(root, 'build/core.wasm'));
const flavour = process.argv.includes('--debug') ? 'debug' : 'release';

function newest(folder: string): number {
  let time = 0;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && !path.includes('generated') && !path.endsWith('.test.ts')) time = Math.max(time, statSync(path).mtimeMs);
  }
  return time;
}

function upToDate(): boolean {
  if (process.argv.includes('--force') || !existsSync(target)) return false;
  const sources = ['engine/cpu', 'engine/abi', 'scripts/core'].map((folder) => newest(join(root, folder)));
  const files = ['scripts/build-core.ts', 'asconfig.json'].map((file) => statSync(join(root, file)).mtimeMs);
  return statSync(target).mtimeMs > Math.max(...sources, ...files);
}

function build(): void {
  const handlers = generate(root, process.argv.includes('--profile'));
  mkdirSync(dirname(target), { recursive: true });
  // Build to a temporary file and rename it, so that readers never see a half-written one.
  const fresh = `${target}.${process.pid}`;
  const asc = join(root, 'node_modules/assemblyscript/bin/asc.js');
  try {
    // Warning 112: v128 parameters cannot cross to JavaScript. None does; only functions of the core pass them.
    execFileSync(
      process.execPath,
      [
        ...[asc, '--config', 'asconfig.json', '--target', flavour, '--disableWarning', '112'],
        ...['--transform', './scripts/core/outline.mjs', '-o', relative(root, fresh)],
      ],
      {
        cwd: root,
        stdio: 'inherit',
      },
    );
    checkCore(readFileSync(fresh), ASC_DATA_END, handlers);
    renameSync(fresh, target);
  } catch (error) {
    rmSync(fresh, { force: true });
    throw error;
  }
}

if (!upToDate()) {
  try {
    build();
  } catch (error) {
    console.error(`npm run asm: ${error instanceof Error ? error.message : String(error)}`);
    process.exitCode = 1;
  }
}
