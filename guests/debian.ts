/** Fetches a file out of a Debian package with apt-get and dpkg-deb, and keeps both in .cache/. Checksums decide what is good. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import type { PackagedFile } from './catalog';

const execute = promisify(execFile);

/** The file cannot be had here: one line that says what to do. */
export class Unavailable extends Error {}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function good(path: string, checksum: string): boolean {
  return existsSync(path) && sha256(readFileSync(path)) === checksum;
}

/** .deb file name as apt-get and the archive spell it. */
function packageName(file: PackagedFile): string {
  return `${file.package}_${file.version}_${file.architecture}.deb`;
}

async function run(program: string, args: string[], cwd: string): Promise<boolean> {
  try {
    await execute(program, args, { cwd });
    return true;
  } catch {
    return false;
  }
}

/** Updates apt's lists only where the plain download fails and we may: a fresh container has none. */
async function download(file: PackagedFile, cache: string, say: (text: string) => void): Promise<boolean> {
  const args = ['download', '-q', `${file.package}=${file.version}`];
  if (await run('apt-get', args, cache)) return true;
  if (process.getuid?.() !== 0 || !(await run('apt-get', ['--version'], cache))) return false;
  say('apt-get update');
  return (await run('apt-get', ['update', '-q'], cache)) && (await run('apt-get', args, cache));
}

/**
 * Path of the file in the cache, fetched at need.
 * @throws Unavailable where apt-get cannot deliver this very version, or a checksum differs
 */
export async function packagedFile(file: PackagedFile, cache: string, say: (text: string) => void): Promise<string> {
  mkdirSync(cache, { recursive: true });
  const result = join(cache, basename(file.path));
  if (good(result, file.sha256)) return result;
  const archive = join(cache, packageName(file));
  const hint = `put ${file.path} of Debian's ${packageName(file)} at ${result}`;
  if (!good(archive, file.packageSha256)) {
    say(`downloading ${file.package} ${file.version} with apt-get`);
    if (!(await download(file, cache, say))) {
      throw new Unavailable(`apt-get does not deliver ${file.package} ${file.version} (Debian 12: apt-get update); or ${hint}`);
    }
    if (!good(archive, file.packageSha256)) throw new Unavailable(`${archive} has another checksum than ${file.packageSha256}; ${hint}`);
  }
  const folder = join(cache, 'unpacking');
  rmSync(folder, { recursive: true, force: true });
  if (!(await run('dpkg-deb', ['-x', archive, folder], cache))) throw new Unavailable(`dpkg-deb does not unpack ${archive}; ${hint}`);
  renameSync(join(folder, file.path), result);
  rmSync(folder, { recursive: true, force: true });
  if (!good(result, file.sha256)) throw new Unavailable(`${result} has another checksum than ${file.sha256}; ${hint}`);
  return result;
}
