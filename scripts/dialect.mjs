// Lint and format for engine/cpu. AssemblyScript allows decorators on functions and variables, which Biome cannot parse. So each decorator is on a
// separate line, and Biome checks a copy of the tree in which that line is a comment. Line numbers are the same in both.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { readSources } from './sources.mjs';
import { root, run, say } from './steps.mjs';

const FOLDER = 'engine/cpu';
const decorator = /^(\s*)@(\w.*)$/gm;
const masked = /^(\s*)\/\/@(\w.*)$/gm;
/** `@inline function f()` on one line: the linter would miss the whole function. */
const shared = /^\s*@\w+(\([^)]*\))?\s+\S/;

/** The text as TypeScript that Biome can parse. */
export const hideDecorators = (text) => text.replace(decorator, '$1//@$2');
/** The inverse of hideDecorators. */
export const showDecorators = (text) => text.replace(masked, '$1@$2');

/** Decorators that share their line with code, as one line each. */
export const sharedLines = (file, text) =>
  text
    .split('\n')
    .flatMap((row, line) => (shared.test(row) ? [`${file}:${line + 1} put the decorator on a separate line: ${row.trim()}`] : []));

/** The rules of biome.json, applied to every file of the tree. */
function configuration() {
  const config = JSON.parse(readFileSync(resolve(root, 'biome.json'), 'utf8'));
  return JSON.stringify({ ...config, $schema: undefined, root: true, files: { includes: ['**'] } });
}

/**
 * Lints and formats the core's sources, or those given as { path: text }. `write` fixes the files in place where that is safe.
 * Resolves to the exit status, 0 when all is well; `options` go to `run`.
 */
export async function checkDialect({ sources = coreSources(), write = false, mirror = resolve(root, 'build/dialect'), options = {} } = {}) {
  const hidden = Object.entries(sources).flatMap(([file, text]) => sharedLines(file, text));
  for (const line of hidden) say(line);
  rmSync(mirror, { recursive: true, force: true });
  for (const [path, text] of Object.entries(sources)) {
    mkdirSync(dirname(join(mirror, path)), { recursive: true });
    writeFileSync(join(mirror, path), hideDecorators(text));
  }
  writeFileSync(join(mirror, 'biome.json'), configuration());
  const biome = resolve(root, 'node_modules/@biomejs/biome/bin/biome');
  const status = await run(process.execPath, [biome, 'check', '--error-on-warnings', ...(write ? ['--write'] : []), FOLDER], {
    cwd: mirror,
    ...options,
  });
  if (write) {
    for (const [path, text] of Object.entries(sources)) {
      const mended = showDecorators(readFileSync(join(mirror, path), 'utf8'));
      if (mended !== text) writeFileSync(resolve(root, path), mended);
    }
  }
  return hidden.length > 0 ? 1 : status;
}

/** The core's AssemblyScript. Its tests are TypeScript, which Biome checks with everything else. */
const coreSources = () => readSources([FOLDER], /(?<!\.test)\.ts$/);
