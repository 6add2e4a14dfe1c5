// Small helpers that every script shares: run a program, report progress, end with one clear line.
import { spawn } from 'node:child_process';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');

/** An error for the user: printed as one line, without a stack. */
export class UserError extends Error {}

export function say(text) {
  process.stderr.write(`memslot-lab: ${text}\n`);
}

/** Runs a program in the project's folder; resolves to its exit status. */
export function run(program, args, options = {}) {
  return new Promise((done, fail) => {
    const child = spawn(program, args, { cwd: root, stdio: 'inherit', ...options });
    child.on('error', fail);
    child.on('exit', (code, signal) => done(code ?? (signal ? 128 : 1)));
  });
}

/** Like run, but a status other than 0 is an error. */
export async function must(program, args, options = {}) {
  const status = await run(program, args, options);
  if (status !== 0) throw new UserError(`${program} ${args.join(' ')} ended with status ${status}`);
}

/** Runs a TypeScript file in a new Node process. */
export function tsx(file, args = [], options = {}) {
  return run(process.execPath, [resolve(root, 'node_modules/tsx/dist/cli.mjs'), file, ...args], options);
}

/** The output of a program, or undefined if it cannot be started or fails. */
export function output(program, args, options = {}) {
  return new Promise((done) => {
    let text = '';
    const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'ignore'], ...options });
    child.stdout.on('data', (chunk) => {
      text += chunk;
    });
    child.on('error', () => done(undefined));
    child.on('exit', (code) => done(code === 0 ? text : undefined));
  });
}

/** Is this a Debian system where packages can be installed without asking? */
export async function canInstallPackages() {
  return process.getuid?.() === 0 && (await output('apt-get', ['--version'])) !== undefined;
}

let updated = false;
/** Installs Debian packages (root on Debian only; check with canInstallPackages). */
export async function installPackages(names) {
  say(`installing ${names.join(' ')} with apt-get (about a minute)`);
  const options = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }, stdio: ['ignore', 'ignore', 'inherit'] };
  if (!updated) await must('apt-get', ['update', '-q'], options);
  updated = true;
  await must('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...names], options);
}

/** Runs a script's main function; a UserError becomes one line and status 1. */
export async function main(body) {
  try {
    process.exitCode = (await body()) ?? 0;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    say(error.message);
    process.exitCode = 1;
  }
}
