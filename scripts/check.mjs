// npm run check: types, lint, format, and this project's own rules. Prints what is wrong and exits with status 1. `--write` fixes what Biome can fix.
import { resolve } from 'node:path';
import { checkDialect } from './dialect.mjs';
import { checkLayers } from './layers.mjs';
import { checkOperations } from './operations.mjs';
import { checkPictures } from './pictured.mjs';
import { main, root, run, say } from './steps.mjs';
import { checkTyped } from './typed.mjs';
import { checkUnused } from './unused.mjs';

const bin = (path) => resolve(root, 'node_modules', path);

await main(async () => {
  const failures = [];
  const step = async (name, status) => {
    if ((await status) !== 0) failures.push(name);
  };
  await step('lint and format', run(bin('@biomejs/biome/bin/biome'), ['check', '--error-on-warnings', ...process.argv.slice(2)]));
  await step('lint and format of engine/cpu', checkDialect({ write: process.argv.includes('--write') }));
  // Files that have not changed since the last check are skipped.
  const kept = ['--incremental', '--tsBuildInfoFile', resolve(root, 'build/types.tsbuildinfo')];
  await step('types', run(process.execPath, [bin('typescript/bin/tsc'), '-p', '.', ...kept]));
  await step(
    'svelte',
    run(process.execPath, [bin('svelte-check/bin/svelte-check'), '--fail-on-warnings', '--incremental', '--output', 'human']),
  );
  const rule = (name, breaches) => {
    for (const breach of breaches) say(breach);
    if (breaches.length > 0) failures.push(name);
  };
  rule('layers', checkLayers());
  rule('operation numbers', checkOperations());
  rule('pictures', checkPictures());
  rule('files that are not type-checked', checkTyped());
  rule('unused exports', checkUnused());
  if (failures.length === 0) return 0;
  say(`check failed: ${failures.join(', ')}`);
  return 1;
});
