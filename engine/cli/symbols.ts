/** -symbols FILE: read before the machine starts, so that a wrong file is reported as a wrong flag. */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Machine } from '../machine/index';
import { SymbolError, symbolsOf } from '../symbols/index';
import { FlagError } from './chardev-flag';
import { errnoText } from './errno';

/** Throws FlagError. */
export async function loadSymbols(machine: Machine, path: string): Promise<void> {
  const wrong = (reason: string): FlagError => new FlagError(`-symbols ${path}: ${reason}`);
  let file: FileHandle | undefined;
  try {
    // Without O_NONBLOCK, opening a FIFO waits for a writer.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const found = await file.stat();
    if (!found.isFile()) throw wrong('it is not a regular file');
    const { size } = found;
    const read = async (offset: number, length: number): Promise<Uint8Array> => {
      const bytes = new Uint8Array(Math.max(0, Math.min(length, size - offset)));
      const { bytesRead } = await file!.read(bytes, 0, bytes.length, offset);
      return bytes.subarray(0, bytesRead);
    };
    await symbolsOf(machine).load(basename(path), { size, read });
  } catch (error) {
    if (error instanceof FlagError) throw error;
    throw wrong(error instanceof SymbolError ? error.message : `could not open file: ${errnoText(error)}`);
  } finally {
    await file?.close();
  }
}
