// npm run --silent lab -- FLAGS: the headless machine. Only lab itself writes to stdout.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { labProgram } from './lab-program.mjs';
import { programId } from './program.mjs';
import { main, root, run, UserError } from './steps.mjs';

/** Runs a script with its output on stderr. */
async function step(...args) {
  const status = await run(process.execPath, args, { stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new UserError(`node ${args.join(' ')} ended with status ${status}`);
}

function newest(folder) {
  let time = 0;
  for (const entry of readdirSync(join(root, folder), { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && !path.includes('generated') && !path.endsWith('.test.ts')) time = Math.max(time, statSync(path).mtimeMs);
  }
  return time;
}

/** The wasm core exists and is not older than its sources (build-core.ts makes the final decision). */
function coreIsFresh() {
  const core = join(root, 'build/core.wasm');
  return existsSync(core) && statSync(core).mtimeMs > Math.max(newest('engine/cpu'), newest('engine/abi'), newest('scripts/core'));
}

const tsx = join(root, 'node_modules/tsx/dist/cli.mjs');

async function prepare() {
  if (!coreIsFresh()) await step(tsx, join(root, 'scripts/build-core.ts'));
  if (!existsSync(join(root, 'public/guests/index.json'))) await step(tsx, join(root, 'guests/prepare.ts'), 'memlab');
}

await main(async () => {
  if (!existsSync(tsx)) await step(join(root, 'scripts/setup.mjs'));
  globalThis.__LAB_PROGRAM__ = programId();
  const lab = await import(pathToFileURL(await labProgram()).href);
  const status = await lab.main(process.argv.slice(2), root, process, prepare);
  // Timers and sockets of an ended machine must not keep the process alive.
  process.exit(status);
});
