/** Saved layouts as files: one NAME.json each in a folder. Writes are atomic. */
import { mkdir, readdir, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { LayoutStore } from '../monitor/types';
import { MAX_LAYOUT_TEXT } from '../snapshot/index';
import { writing } from './errno';
import { readRegular, unlessMissing } from './regular-file';
import { writeWhole } from './whole-file';

const SUFFIX = '.json';

/** $XDG_DATA_HOME/memslot-lab/layouts, or ~/.local/share/... */
export function layoutFolder(env: NodeJS.ProcessEnv): string {
  return join(env.XDG_DATA_HOME || join(homedir(), '.local/share'), 'memslot-lab/layouts');
}

/** Encoding makes any name a file name; a leading dot would hide the file or leave the folder. */
const fileOf = (name: string): string => encodeURIComponent(name).replace(/^\./, '%2E') + SUFFIX;

/** Empty for a file that was not saved as a layout. */
function nameOf(file: string): string[] {
  try {
    return [decodeURIComponent(file.slice(0, -SUFFIX.length))];
  } catch {
    return [];
  }
}

export function layoutStore(folder: string): LayoutStore {
  const missing = (error: NodeJS.ErrnoException): undefined => {
    if (error.code !== 'ENOENT') throw error;
    return undefined;
  };
  return {
    get: async (name) => {
      const bytes = await readRegular(join(folder, fileOf(name)), MAX_LAYOUT_TEXT * 4).catch(unlessMissing);
      return bytes && new TextDecoder().decode(bytes);
    },
    set(name, text) {
      const path = join(folder, fileOf(name));
      return writing(path, async () => {
        await mkdir(folder, { recursive: true });
        await writeWhole(path, new TextEncoder().encode(text));
      });
    },
    delete: (name) => rm(join(folder, fileOf(name)), { force: true }),
    async keys() {
      const files = (await readdir(folder).catch(missing)) ?? [];
      return files
        .filter((file) => file.endsWith(SUFFIX) && !file.startsWith('.'))
        .flatMap(nameOf)
        .sort();
    },
  };
}

const none = async (): Promise<never> => {
  throw new Error('a replay has no saved layouts');
};

/** For the monitor of a replay: none of its commands reads or writes a file. */
export const noLayouts: LayoutStore = { get: none, set: none, delete: none, keys: async () => [] };
