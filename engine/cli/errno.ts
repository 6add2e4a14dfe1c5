/** Errors of files and sockets in the words that QEMU's users know. */
import { existsSync } from 'node:fs';
import type { ListenOptions } from 'node:net';
import { dirname } from 'node:path';

const TEXTS: Record<string, string> = {
  ENOENT: 'No such file or directory',
  EEXIST: 'File exists',
  EACCES: 'Permission denied',
  EISDIR: 'Is a directory',
  ENOTDIR: 'Not a directory',
  EADDRINUSE: 'Address already in use',
  ENAMETOOLONG: 'File name too long',
  ENOSPC: 'No space left on device',
  EDQUOT: 'Disk quota exceeded',
  EROFS: 'Read-only file system',
  EFBIG: 'File too large',
  EIO: 'Input/output error',
  EPIPE: 'Broken pipe',
  // A FIFO without a reader was opened for writing, without waiting.
  ENXIO: 'nobody reads from it',
};

export function errnoText(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return TEXTS[code ?? ''] ?? message;
}

/** Why nothing can listen there, and what would work. */
export function listenFailure(error: unknown, { path, port }: ListenOptions): string {
  const { code } = error as NodeJS.ErrnoException;
  // Node reports EACCES for a folder that does not exist.
  if (path !== undefined && !existsSync(dirname(path))) return `${TEXTS.ENOENT}: there is no folder ${dirname(path)}`;
  if (code === 'EADDRINUSE')
    return path === undefined
      ? `${TEXTS.EADDRINUSE}: end what listens there, or give another port`
      : `${TEXTS.EADDRINUSE}: it is not a socket`;
  if (code === 'EADDRNOTAVAIL') return 'no network interface here has this address; 0.0.0.0 is all of them';
  if (code === 'ENOTFOUND') return 'there is no host of this name; without a HOST it listens on the loopback interface only';
  if (code === 'EACCES' && port !== undefined && port < 1024) return `${TEXTS.EACCES}: ports from 1024 on need no privilege`;
  return errnoText(error);
}

/** Runs `write`; its failure becomes an error that names the file. */
export async function writing(path: string, write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (error) {
    throw new Error(`could not write file '${path}': ${errnoText(error)}`, { cause: error });
  }
}
