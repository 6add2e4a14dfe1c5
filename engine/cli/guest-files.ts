/** Reads the guest: files named by flags, or a prepared guest from public/guests. */
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import type { GuestImage } from '../machine/index';
import { FlagError } from './chardev-flag';
import type { LabFlags } from './flags';
import { type MemoryFlag, parseMemory } from './memory-flag';
import { readRegular, Unreadable } from './regular-file';

/** An entry of public/guests/index.json, which guests/prepare.ts writes. */
interface PreparedGuest {
  name: string;
  /** Files in public/guests, perhaps gzip-compressed. */
  kernel: string;
  initrd?: string;
  append?: string;
  /** -m */
  memory?: string;
  /** -cpu */
  cpu?: string;
}

export interface GuestChoice {
  guest: GuestImage;
  memory: MemoryFlag;
  /** -cpu; absent: lab64 */
  cpu?: string;
}

const DEFAULT_GUEST = 'memlab';
const DEFAULT_MEMORY = '128M';

/** root: the project's folder. Throws a FlagError that names the file or guest at fault. */
export async function chooseGuest(flags: LabFlags, root: string): Promise<GuestChoice> {
  if (flags.kernel !== undefined) {
    const kernel = await read('-kernel', flags.kernel);
    const initrd = flags.initrd === undefined ? undefined : await read('-initrd', flags.initrd);
    const guest: GuestImage = {
      name: basename(flags.kernel),
      kernel,
      ...(initrd && { initrd }),
      ...(flags.append !== undefined && { append: flags.append }),
    };
    return { guest, memory: flags.memory ?? parseMemory(DEFAULT_MEMORY), ...(flags.cpu && { cpu: flags.cpu }) };
  }
  const folder = join(root, 'public/guests');
  const name = flags.guest ?? DEFAULT_GUEST;
  const prepared = await find(folder, name);
  const append = flags.append ?? prepared.append;
  const guest: GuestImage = {
    name,
    kernel: await readPrepared(name, join(folder, prepared.kernel)),
    ...(prepared.initrd !== undefined && { initrd: await readPrepared(name, join(folder, prepared.initrd)) }),
    ...(append !== undefined && { append }),
  };
  const cpu = flags.cpu ?? prepared.cpu;
  return { guest, memory: flags.memory ?? parseMemory(prepared.memory ?? DEFAULT_MEMORY), ...(cpu && { cpu }) };
}

async function find(folder: string, name: string): Promise<PreparedGuest> {
  let list: PreparedGuest[];
  try {
    list = JSON.parse(await readFile(join(folder, 'index.json'), 'utf8')) as PreparedGuest[];
  } catch {
    throw new FlagError(`-guest ${name}: no guests are prepared; npm run guests prepares them`);
  }
  const prepared = list.find((guest) => guest.name === name);
  if (prepared) return prepared;
  throw new FlagError(
    `-guest ${name}: there is no such prepared guest; there are ${list.map((guest) => guest.name).join(', ')} (npm run guests prepares more)`,
  );
}

/** Prepared files may be stored compressed; a user's files are taken as they are. */
async function readPrepared(name: string, path: string): Promise<Uint8Array> {
  const bytes = await read(`-guest ${name}:`, path);
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return gunzipSync(bytes);
  } catch (error) {
    throw new FlagError(`-guest ${name}: ${path} is damaged (${(error as Error).message}): npm run guests -- ${name} prepares it again`);
  }
}

async function read(flag: string, path: string): Promise<Uint8Array> {
  try {
    return await readRegular(path);
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    throw new FlagError(`${flag} ${path}: could not open file '${path}': ${error.message}`);
  }
}
