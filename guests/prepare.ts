/**
 * `npm run guests [-- [--quiet] NAME...] [--optional NAME...]`: puts the guest images and their list (index.json) into public/guests/. Without names:
 * all. memlab is always included. A third-party guest that is not available is reported in one line; it is an error only if it was named, and not
 * after --optional. --quiet prints only what takes long or is left out.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Guest, guests, type MadeOfPackages } from './catalog';
import { packagedFile, sha256, Unavailable } from './debian';
import { makeLinux, offeredLinux } from './linux/prepare';

const root = fileURLToPath(new URL('..', import.meta.url));
const cache = join(root, '.cache/guests');
const target = join(root, 'public/guests');

/** An entry of public/guests/index.json. Files that start with gzip's magic number (1f 8b) must be inflated before use. */
interface Entry {
  name: string;
  title: string;
  /** File in public/guests/ */
  kernel: string;
  /** File in public/guests/ */
  initrd?: string;
  append?: string;
  /** QEMU's -m */
  memory: string;
  /** -cpu */
  cpu?: string;
  /** of the kernel file, hex */
  sha256: string;
  /** of the initrd file, hex */
  initrdSha256?: string;
  /** Origin and licence, as text. */
  source: string;
}

const quiet = process.argv[2] === '--quiet';

function say(text: string): void {
  process.stderr.write(`guests: ${text}\n`);
}

/** Progress that --quiet does not print. */
function mention(text: string): void {
  if (!quiet) say(text);
}

/** Replaces the file atomically: readers see either the old one or the new one. */
function writeWhereDifferent(path: string, bytes: Uint8Array): void {
  if (existsSync(path) && readFileSync(path).equals(bytes)) return;
  const part = `${path}.${process.pid}.part`;
  writeFileSync(part, bytes);
  renameSync(part, path);
  mention(`${relative(root, path)}, ${bytes.length} bytes`);
}

/** The list as it was before this run. */
function oldIndex(): Entry[] {
  try {
    return JSON.parse(readFileSync(join(target, 'index.json'), 'utf8')) as Entry[];
  } catch {
    return [];
  }
}

const checksumOf = (file: string): string | undefined => {
  const path = join(target, file);
  return existsSync(path) ? sha256(readFileSync(path)) : undefined;
};

function described(guest: Guest, checksum: string, source: string): Entry {
  const { name, title, kernel, memory, append, cpu } = guest;
  return { name, title, kernel, memory, sha256: checksum, source, ...(append === undefined ? {} : { append }), ...(cpu ? { cpu } : {}) };
}

/** The entry of an earlier run, if its files still match it. */
function madeBefore(guest: Guest, from: MadeOfPackages, index: readonly Entry[]): Entry | undefined {
  const old = index.find((entry) => entry.name === guest.name);
  if (!old || old.kernel !== guest.kernel || old.initrd !== from.initrd) return undefined;
  if (checksumOf(old.kernel) !== old.sha256 || checksumOf(from.initrd) !== old.initrdSha256) return undefined;
  return { ...described(guest, old.sha256, old.source), initrd: from.initrd, initrdSha256: old.initrdSha256! };
}

/** Linux in the version that apt offers now. If apt is out of reach, the earlier files stay. */
async function make(guest: Guest, from: MadeOfPackages, old: Entry | undefined): Promise<Entry> {
  const tell = (text: string) => say(`${guest.name}: ${text}`);
  try {
    const { kernel, busybox, source } = await offeredLinux(from, tell);
    if (old?.source === source && existsSync(join(cache, from.bzImage))) return old;
    const made = await makeLinux(from.variant, kernel, busybox, cache, tell);
    writeWhereDifferent(join(cache, from.bzImage), made.bzImage);
    writeWhereDifferent(join(target, guest.kernel), made.kernel);
    writeWhereDifferent(join(target, from.initrd), made.initrd);
    const entry = described(guest, sha256(made.kernel), source);
    return { ...entry, initrd: from.initrd, initrdSha256: sha256(made.initrd) };
  } catch (error) {
    if (!(error instanceof Unavailable) || !old) throw error;
    tell(`kept as it was prepared earlier: ${error.message}`);
    return old;
  }
}

async function prepare(guest: Guest, index: readonly Entry[]): Promise<Entry> {
  const { from } = guest;
  if (typeof from === 'object' && 'made' in from) return make(guest, from, madeBefore(guest, from, index));
  const old = listed(guest, index);
  if (typeof from === 'object' && old) return old;
  const path = typeof from === 'string' ? join(root, from) : await packagedFile(from, cache, (text) => say(`${guest.name}: ${text}`));
  if (!existsSync(path)) throw new Unavailable(`${relative(root, path)} is missing: npx tsx guests/${guest.name}/build.ts makes it`);
  writeWhereDifferent(join(target, guest.kernel), readFileSync(path));
  return listed(guest, index)!;
}

/** The files in public/guests/; files that are not in the catalog (from an older run) are left out. */
function listed(guest: Guest, index: readonly Entry[]): Entry | undefined {
  const { from } = guest;
  if (typeof from === 'object' && 'made' in from) return madeBefore(guest, from, index);
  const checksum = checksumOf(guest.kernel);
  if (checksum === undefined || (typeof from === 'object' && from.sha256 !== checksum)) return undefined;
  const origin = typeof from === 'string' ? from : `Debian ${from.package} ${from.version}`;
  return described(guest, checksum, `${origin}, ${guest.licence}`);
}

async function main(args: string[]): Promise<number> {
  const split = args.includes('--optional') ? args.indexOf('--optional') : args.length;
  const demanded = args.slice(0, split);
  const names = [...demanded, ...args.slice(split + 1)];
  const unknown = names.find((name) => !guests.some((guest) => guest.name === name));
  if (unknown !== undefined) {
    say(`${unknown}: there is no such guest; guests are ${guests.map((guest) => guest.name).join(', ')}`);
    return 1;
  }
  mkdirSync(target, { recursive: true });
  mkdirSync(cache, { recursive: true });
  const before = oldIndex();
  const index: Entry[] = [];
  let status = 0;
  for (const guest of guests) {
    // memlab costs nothing, and everything else depends on it
    const wanted = args.length === 0 || names.includes(guest.name) || guest.name === 'memlab';
    try {
      const entry = wanted ? await prepare(guest, before) : listed(guest, before);
      if (entry) index.push(entry);
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      say(`${guest.name}: left out: ${error.message}`);
      if (demanded.includes(guest.name) || guest.name === 'memlab') status = 1;
    }
  }
  writeWhereDifferent(join(target, 'index.json'), Buffer.from(`${JSON.stringify(index, null, 2)}\n`));
  mention(`ready: ${index.map((entry) => entry.name).join(', ')}`);
  return status;
}

process.exitCode = await main(process.argv.slice(quiet ? 3 : 2));
