/**
 * Checks whether an initrd is complete. Only an uncompressed cpio archive ("newc", Documentation/driver-api/early-userspace/buffer-format.rst) can be
 * checked beforehand; a compressed one is left to the guest.
 */

const HEADER = 110;
const NEWC = '070701';
const CRC = '070702';

const align4 = (value: number): number => Math.ceil(value / 4) * 4;

/** What is wrong with the archive, for "the initrd is ..."; undefined: nothing found. */
export function brokenArchive(initrd: Uint8Array): string | undefined {
  const decoder = new TextDecoder('latin1');
  const text = (from: number, to: number): string => decoder.decode(initrd.subarray(from, to));
  if (!isArchive(text(0, 6))) return undefined;
  for (let at = 0, last = ''; ; ) {
    if (at + HEADER > initrd.length) return `cut short after ${last}: it ends at byte ${initrd.length} without the archive's trailer`;
    if (!isArchive(text(at, at + 6))) return `damaged: byte ${at} should start an entry of the archive`;
    const size = Number.parseInt(text(at + 54, at + 62), 16);
    const nameSize = Number.parseInt(text(at + 94, at + 102), 16);
    if (!(size >= 0 && nameSize > 0)) return `damaged: the entry at byte ${at} has no size`;
    const name = text(at + HEADER, at + HEADER + nameSize - 1);
    const end = align4(at + HEADER + nameSize) + size;
    // Anything may follow a trailer: the kernel accepts several archives, compressed or not.
    if (name === 'TRAILER!!!') return undefined;
    if (end > initrd.length) return `cut short in '${name}': it has ${initrd.length} bytes of at least ${end}`;
    last = `'${name}'`;
    at = align4(end);
  }
}

function isArchive(magic: string): boolean {
  return magic === NEWC || magic === CRC;
}
