// npm start: sets up what is missing, builds, serves, prints the address.
import { resolve } from 'node:path';
import { setup } from './setup.mjs';
import { main, must, root, run, say } from './steps.mjs';

await main(async () => {
  await setup();
  const vite = resolve(root, 'node_modules/vite/bin/vite.js');
  say('building the page');
  await must(process.execPath, [vite, 'build', '--logLevel', 'warn']);
  // Started as node, not through npx: a killed npx leaves its server behind.
  return run(process.execPath, [vite, 'preview', ...process.argv.slice(2)]);
});
