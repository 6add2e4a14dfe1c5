/** Guest images: those served with the page (guests/index.json lists what `npm run guests` prepared), and a person's own files. */
import { gunzip, isGzip, type Progress, readAll } from './bytes';
import type { MachineFlags } from './machine-flags';

export interface GuestEntry {
  name: string;
  /** File in guests/ */
  kernel: string;
  initrd?: string;
  append?: string;
  /** QEMU's -m, e.g. "64M"; the page's default when absent */
  memory?: string;
  /** QEMU's -cpu; lab64 when absent */
  cpu?: string;
  title?: string;
}

/** Files that somebody chose or dropped. */
export interface OwnGuest extends Partial<MachineFlags> {
  /** The kernel's file name */
  name: string;
  own: { kernel: Blob; initrd?: Blob; initrdName?: string };
}

export interface GuestFiles {
  name: string;
  kernel: Uint8Array<ArrayBuffer>;
  initrd?: Uint8Array<ArrayBuffer>;
  append?: string;
}

/** The current activity, with its progress in percent if known. */
export type Telling = (what: string, percent: number | undefined) => void;

const GUESTS = new URL('guests/', document.baseURI);
/** Bytes; more than any kernel or initrd, less than what a tab can hold. */
export const LARGEST_FILE = 512 * 2 ** 20;

export const MEMLAB: GuestEntry = { name: 'memlab', kernel: 'memlab.elf' };

/** For an own Linux where `linux` is not prepared: its self-tests off, plugged memory online by itself. */
const LINUX_APPEND = 'console=ttyS0 cryptomgr.notests memhp_default_state=online_movable';
const LINUX_MEMORY = '256M,slots=8,maxmem=4G';

export async function listGuests(): Promise<GuestEntry[]> {
  const response = await fetch(new URL('index.json', GUESTS));
  if (!response.ok) return [MEMLAB];
  const listed = (await response.json()) as GuestEntry[];
  return listed.some((guest) => guest.name === 'memlab') ? listed : [MEMLAB, ...listed];
}

/** Prepared guests, by name, that are unavailable now: there is no network, and the browser has not stored their files. */
export async function unreachable(guests: readonly GuestEntry[]): Promise<ReadonlySet<string>> {
  const gone = new Set<string>();
  if (navigator.onLine || typeof caches === 'undefined') return gone;
  for (const { name, kernel, initrd } of guests) {
    for (const file of [kernel, initrd]) {
      const kept = file === undefined || (await caches.match(new URL(file, GUESTS).href, { ignoreSearch: true }).catch(() => undefined));
      if (!kept) gone.add(name);
    }
  }
  return gone;
}

/** Throws one line that names the file at fault. */
export async function fetchGuest(guest: GuestEntry | OwnGuest, append: string, tell: Telling): Promise<GuestFiles> {
  const files: GuestFiles = { name: guest.name, kernel: 'own' in guest ? await ownKernel(guest, tell) : await served(guest.kernel, tell) };
  if ('own' in guest) {
    const { initrd, initrdName = 'initrd' } = guest.own;
    if (initrd) files.initrd = await ownFile(initrd, initrdName, tell);
  } else if (guest.initrd) files.initrd = await served(guest.initrd, tell);
  if (append.trim()) files.append = append.trim();
  return files;
}

async function served(name: string, tell: Telling): Promise<Uint8Array<ArrayBuffer>> {
  const response = await fetch(new URL(name, GUESTS));
  if (!response.ok) throw new Error(`guests/${name} did not load: HTTP ${response.status}.`);
  const length = Number(response.headers.get('Content-Length')) || undefined;
  const bytes = await readAll(response.body, length, LARGEST_FILE, percent(`Loading ${name}`, tell));
  return inflated(bytes, name, tell);
}

/** A server may have inflated the file already, so its bytes decide, not its name. */
async function inflated(bytes: Uint8Array<ArrayBuffer>, name: string, tell: Telling): Promise<Uint8Array<ArrayBuffer>> {
  if (!isGzip(bytes)) return bytes;
  try {
    return await gunzip(bytes, LARGEST_FILE, percent(`Inflating ${name}`, tell));
  } catch (error) {
    throw new Error(`${name} does not inflate: ${(error as Error).message || 'it is not a complete gzip file'}.`);
  }
}

async function ownFile(file: Blob, name: string, tell: Telling): Promise<Uint8Array<ArrayBuffer>> {
  if (file.size > LARGEST_FILE) throw new Error(`${name} has ${file.size} bytes, at most ${LARGEST_FILE} are read.`);
  tell(`Reading ${name}`, undefined);
  try {
    return new Uint8Array(await file.arrayBuffer());
  } catch {
    throw new Error(`${name} can no longer be read: choose it again.`);
  }
}

/** A compressed kernel must be inflated here; an initrd is passed on unchanged, since the guest inflates it. */
async function ownKernel({ name, own }: OwnGuest, tell: Telling): Promise<Uint8Array<ArrayBuffer>> {
  return inflated(await ownFile(own.kernel, name, tell), name, tell);
}

const percent =
  (what: string, tell: Telling): Progress =>
  (done, total) =>
    tell(what, total ? Math.min(100, Math.floor((done / total) * 100)) : undefined);

/** Decides which of the files is the kernel: a file that is clearly an archive or compressed is the initrd. Throws a readable message. */
export async function sortFiles(files: readonly File[]): Promise<OwnGuest> {
  if (files.length > 2) throw new Error(`${files.length} files: a kernel, or a kernel and an initrd, can be booted.`);
  const heads = await Promise.all(files.map(async (file) => new Uint8Array(await file.slice(0, 1024).arrayBuffer())));
  const archives = heads.map(isArchive);
  const kernelAt = files.length === 2 && archives[0] && !archives[1] ? 1 : 0;
  const kernel = files[kernelAt];
  const initrd = files[1 - kernelAt];
  if (!kernel) throw new Error('No file was chosen: choose a kernel.');
  const linux = isLinux(heads[kernelAt] ?? new Uint8Array());
  return {
    name: kernel.name,
    own: { kernel, ...(initrd ? { initrd, initrdName: initrd.name } : {}) },
    ...(linux ? { append: LINUX_APPEND, memory: LINUX_MEMORY } : {}),
  };
}

const starts = (bytes: Uint8Array, ...magic: number[]): boolean => magic.every((byte, at) => bytes[at] === byte);
const latin = (bytes: Uint8Array, from: number, to: number): string => String.fromCharCode(...bytes.subarray(from, to));

/** cpio, gzip, xz, zstd, lz4, bzip2. */
function isArchive(head: Uint8Array): boolean {
  if (/^07070[12]/.test(latin(head, 0, 6))) return true;
  const magics = [
    [0x1f, 0x8b],
    [0xfd, 0x37, 0x7a, 0x58],
    [0x28, 0xb5, 0x2f, 0xfd],
    [0x02, 0x21, 0x4c, 0x18],
    [0x42, 0x5a, 0x68],
  ];
  return magics.some((magic) => starts(head, ...magic));
}

/** A bzImage (boot protocol, "HdrS" at 0x202) or a 64-bit ELF file, which is a vmlinux more often than not. */
const isLinux = (head: Uint8Array): boolean =>
  latin(head, 0x202, 0x206) === 'HdrS' || (starts(head, 0x7f, 0x45, 0x4c, 0x46) && head[4] === 2);
