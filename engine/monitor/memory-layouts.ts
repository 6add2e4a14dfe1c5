/** Saved layouts that last as long as the process, for scripts and tests. */
import type { LayoutStore } from './types';

export function memoryLayouts(kept: Map<string, string> = new Map()): LayoutStore {
  return {
    get: async (name) => kept.get(name),
    set: async (name, text) => void kept.set(name, text),
    delete: async (name) => void kept.delete(name),
    keys: async () => [...kept.keys()],
  };
}
