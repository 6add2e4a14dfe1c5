/** Guest images served beside the page: guests/index.json lists what `npm run guests` prepared; memlab is always there. */

export interface GuestEntry {
  name: string;
  /** File in guests/ */
  kernel: string;
  initrd?: string;
  append?: string;
  /** QEMU's -m, e.g. "64M"; the page's default when absent */
  memory?: string;
  title?: string;
}

export interface GuestFiles {
  name: string;
  kernel: Uint8Array;
  initrd?: Uint8Array;
  append?: string;
}

const GUESTS = new URL('guests/', document.baseURI);

export const MEMLAB: GuestEntry = { name: 'memlab', kernel: 'memlab.elf' };

export async function listGuests(): Promise<GuestEntry[]> {
  const response = await fetch(new URL('index.json', GUESTS));
  if (!response.ok) return [MEMLAB];
  const listed = (await response.json()) as GuestEntry[];
  return listed.some((guest) => guest.name === 'memlab') ? listed : [MEMLAB, ...listed];
}

export async function fetchGuest(entry: GuestEntry): Promise<GuestFiles> {
  const files: GuestFiles = { name: entry.name, kernel: await fetchFile(entry.kernel) };
  if (entry.initrd) files.initrd = await fetchFile(entry.initrd);
  if (entry.append) files.append = entry.append;
  return files;
}

async function fetchFile(name: string): Promise<Uint8Array> {
  const response = await fetch(new URL(name, GUESTS));
  if (!response.ok) throw new Error(`guests/${name} did not load: HTTP ${response.status}.`);
  return new Uint8Array(await response.arrayBuffer());
}
