/** The stock Linux that `npm run guests -- linux` prepared. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export interface LinuxFiles {
  /** vmlinux with its payload unpacked, gzipped on disk */
  vmlinux: string;
  bzImage: string;
  initrd: string;
  append: string;
}

/** @throws Error with one line that names the command to run */
export function findLinux(): LinuxFiles {
  const hint = 'the linux guest is not prepared: npm run guests -- linux';
  const index = join(ROOT, 'public/guests/index.json');
  if (!existsSync(index)) throw new Error(hint);
  const listed = JSON.parse(readFileSync(index, 'utf8')) as { name: string; kernel: string; initrd?: string; append?: string }[];
  const linux = listed.find((entry) => entry.name === 'linux');
  const bzImage = join(ROOT, '.cache/guests/vmlinuz');
  if (linux?.initrd === undefined || !existsSync(bzImage)) throw new Error(hint);
  const at = (name: string) => join(ROOT, 'public/guests', name);
  return { vmlinux: at(linux.kernel), bzImage, initrd: at(linux.initrd), append: linux.append ?? '' };
}
