/** Atomic files: an interrupted write, even by a power cut, leaves the previous file. */
import { randomUUID } from 'node:crypto';
import { open, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FlagError } from './chardev-flag';

/** The folder must exist. */
export async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const fresh = join(dirname(path), `.${randomUUID()}.tmp`);
  try {
    const file = await open(fresh, 'wx');
    try {
      await file.writeFile(bytes);
      // The contents reach the disk before the name does.
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(fresh, path);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
}

/** For a file that is written at the end: throws a FlagError at the start if that cannot work. */
export async function checkWritable(flag: string, path: string): Promise<void> {
  const wrong = (why: string): FlagError => new FlagError(`${flag} ${path}: could not write file '${path}': ${why}`);
  const found = await stat(path).catch(() => undefined);
  if (found && !found.isFile()) throw wrong(found.isDirectory() ? 'Is a directory' : 'Not a regular file');
  const folder = dirname(path);
  const probe = join(folder, `.${randomUUID()}.tmp`);
  try {
    await (await open(probe, 'wx')).close();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw wrong(code === 'ENOENT' ? `there is no folder '${folder}'` : code === 'EACCES' ? 'Permission denied' : message);
  } finally {
    await rm(probe, { force: true });
  }
}
