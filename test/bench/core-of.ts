/** Another build of the core for `npm run bench -- --core`: a file, or a commit that is built beside the results. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { BUILD } from './files';

const root = resolve(BUILD, '..');

function git(...args: string[]): string {
  return execFileSync('git', ['-C', root, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
}

/** A whole checkout in build/cores, since a core is driven by its own engine (buildOf). It is kept, since a commit never changes. */
function build(commit: string): string {
  const folder = join(BUILD, 'cores', commit.slice(0, 10));
  const core = join(folder, 'build/core.wasm');
  if (existsSync(core)) return core;
  console.error(`building the core of ${commit.slice(0, 10)}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const archive = join(folder, 'commit.tar');
  git('archive', '-o', archive, commit);
  execFileSync('tar', ['-xf', archive, '-C', folder]);
  rmSync(archive);
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const tsx = createRequire(import.meta.url).resolve('tsx/cli');
  execFileSync(process.execPath, [tsx, 'scripts/build-core.ts'], { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
  return core;
}

/** @throws Error with one line when it is neither a file nor a commit, or does not build */
export function coreOf(text: string): string {
  if (existsSync(text)) return text;
  let commit: string;
  try {
    commit = git('rev-parse', '--verify', '--end-of-options', `${text}^{commit}`);
  } catch {
    throw new Error(`--core ${text}: there is no such file or commit`);
  }
  return build(commit);
}
