/**
 * `npm run guests [-- NAME...]`: puts the guest images and their list (index.json) into public/guests/.
 * memlab is always there. A third-party guest that cannot be had is one line; it is an error only when it was asked for by name.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Guest, guests } from './catalog';
import { packagedFile, sha256, Unavailable } from './debian';

const root = fileURLToPath(new URL('..', import.meta.url));
const cache = join(root, '.cache/guests');
const target = join(root, 'public/guests');

/** An entry of public/guests/index.json. */
interface Entry {
  name: string;
  title: string;
  /** File in public/guests/ */
  kernel: string;
  append?: string;
  /** QEMU's -m */
  memory: string;
  /** of the kernel, hex */
  sha256: string;
  /** Where it came from and its licence, for people. */
  source: string;
}

function say(text: string): void {
  process.stderr.write(`guests: ${text}\n`);
}

function writeWhereDifferent(path: string, bytes: Uint8Array): void {
  if (existsSync(path) && readFileSync(path).equals(bytes)) return;
  writeFileSync(path, bytes);
  say(`${relative(root, path)}, ${bytes.length} bytes`);
}

async function prepare(guest: Guest): Promise<void> {
  if (typeof guest.from !== 'string' && listed(guest).length > 0) return;
  const path =
    typeof guest.from === 'string'
      ? join(root, guest.from)
      : await packagedFile(guest.from, cache, (text) => say(`${guest.name}: ${text}`));
  if (!existsSync(path)) throw new Unavailable(`${relative(root, path)} is missing: npx tsx guests/${guest.name}/build.ts makes it`);
  writeWhereDifferent(join(target, guest.kernel), readFileSync(path));
}

/** What is in public/guests/ now, in the catalog's order; a file that is not the catalog's (an older run's) is left out. */
function listed(guest: Guest): Entry[] {
  const path = join(target, guest.kernel);
  if (!existsSync(path)) return [];
  const checksum = sha256(readFileSync(path));
  if (typeof guest.from !== 'string' && guest.from.sha256 !== checksum) return [];
  const origin = typeof guest.from === 'string' ? guest.from : `Debian ${guest.from.package} ${guest.from.version}`;
  const entry: Entry = {
    name: guest.name,
    title: guest.title,
    kernel: guest.kernel,
    memory: guest.memory,
    sha256: checksum,
    source: `${origin}, ${guest.licence}`,
  };
  if (guest.append !== undefined) entry.append = guest.append;
  return [entry];
}

async function main(names: string[]): Promise<number> {
  const unknown = names.find((name) => !guests.some((guest) => guest.name === name));
  if (unknown !== undefined) {
    say(`${unknown}: there is no such guest; guests are ${guests.map((guest) => guest.name).join(', ')}`);
    return 1;
  }
  mkdirSync(target, { recursive: true });
  let status = 0;
  for (const guest of guests) {
    // memlab costs nothing and everything else counts on it
    const asked = names.includes(guest.name);
    if (names.length > 0 && !asked && guest.name !== 'memlab') continue;
    try {
      await prepare(guest);
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      say(`${guest.name}: left out: ${error.message}`);
      if (asked || guest.name === 'memlab') status = 1;
    }
  }
  const index = guests.flatMap(listed);
  writeWhereDifferent(join(target, 'index.json'), Buffer.from(`${JSON.stringify(index, null, 2)}\n`));
  say(`ready: ${index.map((entry) => entry.name).join(', ')}`);
  return status;
}

process.exitCode = await main(process.argv.slice(2));
