/** Reads whole files: only regular ones, up to a size. Reading a FIFO or a device might never begin or end. */
import { constants } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { errnoText } from './errno';

/** The message is the reason, without the name. */
export class Unreadable extends Error {
  constructor(
    reason: string,
    /** There is no file of that name. */
    readonly missing = false,
  ) {
    super(reason);
  }
}

const notRegular = 'Not a regular file';

/** Throws Unreadable. `most`: bytes. */
export async function readRegular(path: string, most = 2 ** 31 - 1): Promise<Uint8Array<ArrayBuffer>> {
  let file: Awaited<ReturnType<typeof open>> | undefined;
  try {
    // Without O_NONBLOCK, opening a FIFO waits for a writer.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const found = await file.stat();
    if (!found.isFile()) throw new Unreadable(found.isDirectory() ? 'Is a directory' : notRegular);
    if (found.size > most) throw new Unreadable(`it has ${found.size} bytes, at most ${most} are read`);
    return new Uint8Array(await file.readFile());
  } catch (error) {
    if (error instanceof Unreadable) throw error;
    throw new Unreadable(errnoText(error), (error as NodeJS.ErrnoException).code === 'ENOENT');
  } finally {
    await file?.close();
  }
}

/** Throws Unreadable if a write to this name would wait or never end; a new name or a plain device (/dev/null) is fine. */
export async function checkTarget(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isFIFO() || found?.isSocket()) throw new Unreadable(notRegular);
}

/** For `catch`: undefined if the file does not exist. */
export function unlessMissing(error: unknown): undefined {
  if (error instanceof Unreadable && error.missing) return undefined;
  throw error;
}
