/** Machine snapshots as files: one NAME.mslm each in a folder. Writes are atomic. */
import { constants } from 'node:fs';
import { mkdir, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { NamedSnapshot } from '../machine/index';
import type { SnapshotStore } from '../monitor/index';
import { META_BYTES, readMeta } from '../snapshot/index';
import { writing } from './errno';
import { readRegular, unlessMissing } from './regular-file';
import { writeWhole } from './whole-file';

const SUFFIX = '.mslm';

/** Encoding makes any name a file name; a leading dot would hide the file or leave the folder. */
const fileOf = (name: string): string => encodeURIComponent(name).replace(/^\./, '%2E') + SUFFIX;

export function snapshotStore(folder: string): SnapshotStore {
  const missing = (error: NodeJS.ErrnoException): undefined => {
    if (error.code !== 'ENOENT') throw error;
    return undefined;
  };
  return {
    put(name, bytes) {
      const path = join(folder, fileOf(name));
      return writing(path, async () => {
        await mkdir(folder, { recursive: true });
        await writeWhole(path, bytes);
      });
    },
    get: (name) => readRegular(join(folder, fileOf(name))).catch(unlessMissing),
    delete: (name) => rm(join(folder, fileOf(name)), { force: true }),
    async list() {
      const files = (await readdir(folder).catch(missing)) ?? [];
      const wanted = files.filter((file) => file.endsWith(SUFFIX) && !file.startsWith('.'));
      const found = await Promise.all(wanted.map((file) => metaOf(folder, file)));
      return found.filter((meta) => meta !== undefined);
    },
  };
}

/** A file that is not a snapshot is listed with size and time only: loadvm reports what is wrong with it. */
async function metaOf(folder: string, name: string): Promise<NamedSnapshot | undefined> {
  const tag = nameOf(name);
  if (tag === undefined) return undefined;
  const file = await open(join(folder, name), constants.O_RDONLY | constants.O_NONBLOCK).catch(() => undefined);
  if (!file) return undefined;
  try {
    const found = await file.stat();
    if (!found.isFile()) return undefined;
    const { size, mtimeMs } = found;
    const { buffer, bytesRead } = await file.read(new Uint8Array(META_BYTES), 0, META_BYTES, 0);
    const meta = readMeta(buffer.subarray(0, bytesRead), size) ?? { size, date: mtimeMs, vmClockNs: 0, icount: 0 };
    return { name: tag, ...meta };
  } catch {
    return undefined;
  } finally {
    await file.close();
  }
}

function nameOf(file: string): string | undefined {
  try {
    return decodeURIComponent(file.slice(0, -SUFFIX.length));
  } catch {
    return undefined;
  }
}
