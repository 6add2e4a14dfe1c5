/** Writes cpio archives in the "newc" format (Linux Documentation/driver-api/early-userspace/buffer-format.rst), the format of an initramfs. */

export interface CpioEntry {
  path: string;
  /** st_mode: type and permission bits. */
  mode: number;
  data?: Uint8Array;
  /** Device number of a character or block device. */
  device?: { major: number; minor: number };
}

export const DIRECTORY = 0o040755;
export const EXECUTABLE = 0o100755;
export const FILE = 0o100644;
export const SYMLINK = 0o120777;
export const CHARACTER_DEVICE = 0o020600;

const hex = (value: number): string => value.toString(16).padStart(8, '0');
const padding = (length: number): Uint8Array => new Uint8Array((4 - (length % 4)) % 4);

function header(index: number, entry: CpioEntry, size: number, nameLength: number): string {
  const links = entry.mode === DIRECTORY ? 2 : 1;
  const fields = [index, entry.mode, 0, 0, links, 0, size, 0, 0, entry.device?.major ?? 0, entry.device?.minor ?? 0, nameLength, 0];
  return `070701${fields.map(hex).join('')}`;
}

/** The archive, with its trailer. Owner root, time 0: the same entries give the same bytes. */
export function cpio(entries: readonly CpioEntry[]): Uint8Array {
  const encoder = new TextEncoder();
  const parts: Uint8Array[] = [];
  const add = (index: number, entry: CpioEntry) => {
    const data = entry.data ?? new Uint8Array();
    const name = encoder.encode(`${entry.path}\0`);
    const head = encoder.encode(header(index, entry, data.length, name.length));
    parts.push(head, name, padding(head.length + name.length), data, padding(data.length));
  };
  entries.forEach((entry, i) => {
    add(i + 1, entry);
  });
  add(0, { path: 'TRAILER!!!', mode: 0 });
  return new Uint8Array(Buffer.concat(parts));
}
