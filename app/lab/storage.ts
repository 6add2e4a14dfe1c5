/** Saved layouts in IndexedDB (database memslot-lab, store layouts): name -> text as the engine wrote it, and when. */
import { createStore, del, entries, get, keys, set, type UseStore } from 'idb-keyval';
import type { FromWorker, ToWorker } from '../../engine/worker/protocol';

export interface SavedLayout {
  name: string;
  text: string;
  /** ms since 1970 */
  savedAt: number;
}

interface Stored {
  text: string;
  savedAt: number;
}

let opened: UseStore | undefined;
const store = (): UseStore => {
  opened ??= createStore('memslot-lab', 'layouts');
  return opened;
};

/** Other tabs show the same list. */
const changes = typeof BroadcastChannel === 'undefined' ? undefined : new BroadcastChannel('memslot-lab layouts');

export function onLayoutsChanged(listener: () => void): void {
  changes?.addEventListener('message', listener);
}

export async function listLayouts(): Promise<SavedLayout[]> {
  const all = await entries<string, Stored>(store());
  return all.map(([name, stored]) => ({ name, ...stored })).sort((a, b) => b.savedAt - a.savedAt);
}

export async function writeLayout(name: string, text: string, savedAt: number): Promise<void> {
  await set(name, { text, savedAt } satisfies Stored, store());
  changes?.postMessage('changed');
}

export async function deleteLayout(name: string): Promise<void> {
  await del(name, store());
  changes?.postMessage('changed');
}

/** Answers the worker; a failing store becomes an error in words, so that the monitor can print it. */
export async function answerStorage(
  request: Extract<FromWorker, { type: 'storage' }>,
  now: number,
): Promise<Extract<ToWorker, { type: 'storage-result' }>> {
  const { id, op, key = '', value = '' } = request;
  const answer = { type: 'storage-result' as const, id };
  try {
    switch (op) {
      case 'get': {
        const stored = await get<Stored>(key, store());
        return stored ? { ...answer, value: stored.text } : answer;
      }
      case 'set':
        await writeLayout(key, value, now);
        return answer;
      case 'delete':
        await deleteLayout(key);
        return answer;
      case 'keys':
        return { ...answer, keys: (await keys<string>(store())).map(String) };
    }
  } catch (error) {
    return { ...answer, error: storageFailure(error) };
  }
}

export function storageFailure(error: unknown): string {
  const name = error instanceof Error ? error.name : '';
  if (name === 'QuotaExceededError') return 'The browser has no room left for saved layouts: delete some, or share this one as a link.';
  if (name === 'InvalidStateError' || name === 'SecurityError')
    return 'This browser keeps no data for this page (private window, or storage is blocked).';
  return `Saved layouts cannot be reached: ${error instanceof Error ? error.message : String(error)}.`;
}
