/** Snapshots of a script's monitor: kept in memory until the process ends. */
import type { NamedSnapshot } from '../machine/index';
import type { SnapshotStore } from '../monitor/index';

export function memorySnapshots(): SnapshotStore {
  const kept = new Map<string, { bytes: Uint8Array; meta: NamedSnapshot }>();
  return {
    put: async (name, bytes, meta) => void kept.set(name, { bytes, meta }),
    get: async (name) => kept.get(name)?.bytes,
    delete: async (name) => void kept.delete(name),
    list: async () => [...kept.values()].map(({ meta }) => meta),
  };
}
