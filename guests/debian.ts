/**
 * Files from Debian packages, fetched with apt-get and dpkg-deb and kept in .cache/: either a file at a fixed version, with its checksums in the
 * catalog, or the version that apt offers now, with its checksum in apt's signed lists.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import type { PackagedFile } from './catalog';

const execute = promisify(execFile);

/** The file is not available here: one line that says what to do. */
export class Unavailable extends Error {}

/** A package as apt offers it. */
export interface Offer {
  package: string;
  version: string;
  architecture: string;
  /** SHA-256 of the .deb, hex */
  packageSha256: string;
  /** Names only, alternatives and versions left out. */
  depends: string[];
}

export type Say = (text: string) => void;

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function good(path: string, checksum: string): boolean {
  return existsSync(path) && sha256(readFileSync(path)) === checksum;
}

/** .deb file name as apt-get spells it. */
function packageName(file: Pick<Offer, 'package' | 'version' | 'architecture'>): string {
  return `${file.package}_${file.version.replaceAll(':', '%3a')}_${file.architecture}.deb`;
}

async function output(program: string, args: string[], cwd?: string): Promise<string | undefined> {
  try {
    return (await execute(program, args, { cwd, maxBuffer: 1 << 24 })).stdout;
  } catch {
    return undefined;
  }
}

const succeeds = async (program: string, args: string[], cwd: string): Promise<boolean> => (await output(program, args, cwd)) !== undefined;

/** A fresh container has no package lists: fetches them if permitted. */
async function updateLists(say: Say): Promise<boolean> {
  if (process.getuid?.() !== 0 || (await output('apt-get', ['--version'])) === undefined) return false;
  say('apt-get update');
  return (await output('apt-get', ['update', '-q'])) !== undefined;
}

async function download(file: Pick<Offer, 'package' | 'version'>, cache: string, say: Say): Promise<boolean> {
  const args = ['download', '-q', `${file.package}=${file.version}`];
  if (await succeeds('apt-get', args, cache)) return true;
  return (await updateLists(say)) && (await succeeds('apt-get', args, cache));
}

/** Path of the .deb in the cache. Throws Unavailable. */
async function packageFile(file: Omit<Offer, 'depends'>, cache: string, hint: string, say: Say): Promise<string> {
  mkdirSync(cache, { recursive: true });
  const archive = join(cache, packageName(file));
  if (good(archive, file.packageSha256)) return archive;
  say(`downloading ${file.package} ${file.version} with apt-get`);
  rmSync(archive, { force: true });
  if (!(await download(file, cache, say)))
    throw new Unavailable(`apt-get does not deliver ${file.package} ${file.version} (Debian 12: apt-get update); ${hint}`);
  if (!good(archive, file.packageSha256)) throw new Unavailable(`${archive} has a different checksum than ${file.packageSha256}; ${hint}`);
  return archive;
}

/** Calls `take` with a folder that holds the unpacked packages, one over the other, and then deletes the folder. */
async function unpacked<T>(archives: readonly string[], cache: string, hint: string, take: (folder: string) => T): Promise<T> {
  const folder = join(cache, `unpacking-${process.pid}`);
  try {
    for (const archive of archives)
      if (!(await succeeds('dpkg-deb', ['-x', archive, folder], cache)))
        throw new Unavailable(`dpkg-deb does not unpack ${archive}; ${hint}`);
    return take(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Path of the file in the cache, fetched if necessary.
 * @throws Unavailable if apt-get cannot deliver this exact version, or a checksum differs
 */
export async function packagedFile(file: PackagedFile, cache: string, say: Say): Promise<string> {
  const result = join(cache, basename(file.path));
  if (good(result, file.sha256)) return result;
  const hint = `or put ${file.path} of Debian's ${packageName(file)} at ${result}`;
  const archive = await packageFile(file, cache, hint, say);
  await unpacked([archive], cache, hint, (folder) => renameSync(join(folder, file.path), result));
  if (!good(result, file.sha256)) throw new Unavailable(`${result} has a different checksum than ${file.sha256}; ${hint}`);
  return result;
}

/** The first record of what `apt-cache show` prints; undefined where a field is missing. */
export function parseOffer(text: string): Offer | undefined {
  const record = text.split(/\n\n/, 1)[0] ?? '';
  const field = (name: string): string | undefined => new RegExp(`^${name}: *(.*)$`, 'm').exec(record)?.[1];
  const [name, version, architecture, packageSha256] = ['Package', 'Version', 'Architecture', 'SHA256'].map(field);
  if (!name || !version || !architecture || !packageSha256) return undefined;
  const depends = (field('Depends') ?? '').split(',').flatMap((part) => /^ *([a-z0-9.+-]+)/.exec(part)?.[1] ?? []);
  return { package: name, version, architecture, packageSha256, depends };
}

/**
 * The version of a package that apt would install now.
 * @throws Unavailable if there is no apt, or it does not know the package
 */
export async function offered(name: string, say: Say): Promise<Offer> {
  const ask = async () => parseOffer((await output('apt-cache', ['show', '--no-all-versions', name])) ?? '');
  const offer = (await ask()) ?? ((await updateLists(say)) ? await ask() : undefined);
  if (offer) return offer;
  throw new Unavailable(`apt does not offer ${name}: this needs Debian 12 or newer (apt-get update)`);
}

/**
 * Bytes of one file of the package.
 * @throws Unavailable if it cannot be fetched
 */
export async function offeredFile(offer: Offer, path: string, cache: string, say: Say): Promise<Uint8Array> {
  return (await offeredFiles(offer, [path], cache, say))[0]!;
}

/** The same for several files of one package, in order. If a file has several possible names, the first existing one counts. */
export async function offeredFiles(
  offer: Offer,
  paths: readonly (string | readonly string[])[],
  cache: string,
  say: Say,
): Promise<Uint8Array[]> {
  const hint = 'try again later';
  const archive = await packageFile(offer, cache, hint, say);
  return await unpacked([archive], cache, hint, (folder) =>
    paths.map((path) => {
      const names = typeof path === 'string' ? [path] : path;
      const found = names.map((name) => join(folder, name)).find((file) => existsSync(file));
      if (found === undefined) throw new Unavailable(`${offer.package} ${offer.version} has no file ${names[0]}`);
      return readFileSync(found);
    }),
  );
}

/**
 * Calls `take` with a folder that the packages were unpacked into, one over the other, and clears it away afterwards.
 * @throws Unavailable where one cannot be had
 */
export async function offeredTree<T>(offers: readonly Offer[], cache: string, say: Say, take: (folder: string) => T): Promise<T> {
  const hint = 'try again later';
  const archives: string[] = [];
  for (const offer of offers) archives.push(await packageFile(offer, cache, hint, say));
  return await unpacked(archives, cache, hint, take);
}
