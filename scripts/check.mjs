// npm run check: types, lint, format, the layer rule, the rule about operation numbers. Prints what is wrong and ends with status 1.
import { resolve } from 'node:path';
import { checkLayers } from './layers.mjs';
import { checkOperations } from './operations.mjs';
import { main, root, run, say } from './steps.mjs';

const bin = (path) => resolve(root, 'node_modules', path);

await main(async () => {
  const failures = [];
  const step = async (name, status) => {
    if ((await status) !== 0) failures.push(name);
  };
  await step('lint and format', run(bin('@biomejs/biome/bin/biome'), ['check', '--error-on-warnings', ...process.argv.slice(2)]));
  // What did not change since the last check is not checked again.
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
  if (failures.length === 0) return 0;
  say(`check failed: ${failures.join(', ')}`);
  return 1;
});
