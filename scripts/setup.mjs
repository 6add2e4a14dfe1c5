// Prepares a fresh machine to build the project: packages, the wasm core, the guests. Safe to run again: existing files are kept.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { canInstallPackages, installPackages, main, must, output, root, say, tsx, UserError } from './steps.mjs';

const oldest = [20, 19];

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  if (major > oldest[0] || (major === oldest[0] && minor >= oldest[1])) return;
  throw new UserError(`Node ${process.versions.node} is too old: install Node ${oldest.join('.')} or newer`);
}

/** npm ci, if package-lock.json is not the one that node_modules was made from. */
async function installDependencies() {
  const stamp = resolve(root, 'node_modules/.lab-lock');
  const lock = createHash('sha256')
    .update(readFileSync(resolve(root, 'package-lock.json')))
    .digest('hex');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return;
  say('installing packages from the npm registry');
  await must('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { stdio: ['ignore', 'ignore', 'inherit'] });
  writeFileSync(stamp, lock);
}

async function buildCore() {
  if (!existsSync(resolve(root, 'build/core.wasm'))) say('building the wasm core (about a minute)');
  if ((await tsx('scripts/build-core.ts')) !== 0) throw new UserError('the wasm core does not build (see above)');
}

async function prepareGuests(names, quiet) {
  if ((await tsx('guests/prepare.ts', quiet ? ['--quiet', ...names] : names)) !== 0)
    throw new UserError('the guests could not be prepared (see above)');
}

/** The compiler for memlab; only the check of its committed image needs it. */
async function installCompiler() {
  if ((await output('gcc', ['--version'])) && (await output('ld', ['--version']))) return;
  if (await canInstallPackages()) await installPackages(['gcc', 'binutils', 'libc6-dev']);
  else say('no gcc: the check that memlab rebuilds to the same bytes is left out (Debian: apt-get install gcc)');
}

/** The debugger that tests the gdb stub; nothing else needs it. */
async function installDebugger() {
  if (await output('gdb', ['--version'])) return;
  if (await canInstallPackages()) await installPackages(['gdb']);
  else say('no gdb: the gdb stub is not tested with it (Debian: apt-get install gdb)');
}

/**
 * `guests`: third-party guests that are required; `wishes`: those that may be left out if unavailable, by default the small ones (`npm run guests`
 * prepares all); `compiler`: also install gcc and gdb if possible; `quiet`: print only what takes long or is left out.
 */
export async function setup({ guests = [], wishes = ['memtest86+'], compiler = false, quiet = false } = {}) {
  checkNode();
  await installDependencies();
  await buildCore();
  await prepareGuests([...guests, '--optional', ...wishes], quiet);
  if (!quiet) tellOfLinux();
  if (!compiler) return;
  await installCompiler();
  await installDebugger();
}

function tellOfLinux() {
  if (existsSync(resolve(root, 'public/guests/linux.vmlinux.gz'))) return;
  say('the guest "linux" (28 MB from Debian) comes with: npm run guests -- linux');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(() => setup());
