/** What the system says of a file or socket, as QEMU's users know it. */

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
  // Opening a FIFO without a reader for writing, without waiting.
  ENXIO: 'nobody reads from it',
};

export function errnoText(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return TEXTS[code ?? ''] ?? message;
}

/** Runs `write`; its failure becomes an error in words that names the file. */
export async function writing(path: string, write: () => Promise<void>): Promise<void> {
  try {
    await write();
  } catch (error) {
    throw new Error(`could not write file '${path}': ${errnoText(error)}`, { cause: error });
  }
}
