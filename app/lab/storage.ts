/** Saved layouts (IndexedDB database memslot-lab, store layouts: name -> text as the engine wrote it, and when) and machine snapshots. */
import { createStore, del, delMany, entries, get, getMany, keys, set, setMany, type UseStore } from 'idb-keyval';
import type { FromWorker, NamedSnapshot, ToWorker } from '../../engine/worker/protocol';
import { sentence, size } from '../shared/format';

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
const changes = openChannel();

function openChannel(): BroadcastChannel | undefined {
  try {
    return new BroadcastChannel('memslot-lab layouts');
  } catch {
    // A frame without storage has no other tabs.
    return undefined;
  }
}

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

/**
 * Machine snapshots (database memslot-lab snapshots, store machines): the file under `file NAME` and what a list shows of it under
 * `meta NAME`, so that a list reads no files. Both are written in one transaction: a tab that is closed midway leaves the old data.
 */
let openedSnapshots: UseStore | undefined;
const snapshotStore = (): UseStore => {
  openedSnapshots ??= createStore('memslot-lab snapshots', 'machines');
  return openedSnapshots;
};
const FILE = 'file ';
const META = 'meta ';

/** What the page stores of a machine snapshot besides the engine's own data. */
export interface SnapshotNotes {
  guest?: string;
  /** QEMU's -m of the machine */
  memory?: string;
  smp?: number;
  /** QEMU's -cpu */
  cpu?: string;
  /** Its -object and -device */
  devices?: string;
  /** Slots as in a layout's text, for the small picture. */
  map?: string;
  /** The end of the guest's console text. */
  screen?: string;
}

export type SavedSnapshot = NamedSnapshot & SnapshotNotes;

export async function listSnapshots(): Promise<SavedSnapshot[]> {
  const names = (await keys<string>(snapshotStore())).map(String).filter((key) => key.startsWith(META));
  const found = await getMany<SavedSnapshot>(names, snapshotStore());
  return found.filter((meta) => meta !== undefined);
}

export async function readSnapshot(name: string): Promise<Uint8Array | undefined> {
  return get<Uint8Array>(FILE + name, snapshotStore());
}

export async function writeSnapshot(name: string, bytes: Uint8Array, meta: SavedSnapshot): Promise<void> {
  await setMany(
    [
      [FILE + name, bytes],
      [META + name, { ...meta, name }],
    ],
    snapshotStore(),
  );
  changes?.postMessage('changed');
}

export async function deleteSnapshot(name: string): Promise<void> {
  await delMany([FILE + name, META + name], snapshotStore());
  changes?.postMessage('changed');
}

/** Answers the worker; a storage failure becomes a readable error that the monitor can print. */
export async function answerStorage(
  request: Extract<FromWorker, { type: 'storage' }>,
  now: number,
  notes: SnapshotNotes = {},
): Promise<Extract<ToWorker, { type: 'storage-result' }>> {
  const { id, key = '' } = request;
  const answer = { type: 'storage-result' as const, id };
  try {
    switch (request.op) {
      case 'snapshot-put': {
        const { bytes, meta } = request;
        if (bytes && meta) await writeSnapshot(key, bytes, { ...meta, ...notes });
        return answer;
      }
      case 'snapshot-get': {
        const bytes = await readSnapshot(key);
        return bytes ? { ...answer, bytes } : answer;
      }
      case 'snapshot-delete':
        await deleteSnapshot(key);
        return answer;
      case 'snapshot-list':
        return { ...answer, snapshots: await listSnapshots() };
      case 'get': {
        const stored = await get<Stored>(key, store());
        return stored ? { ...answer, value: stored.text } : answer;
      }
      case 'set':
        await writeLayout(key, request.value ?? '', now);
        return answer;
      case 'delete':
        await deleteLayout(key);
        return answer;
      case 'keys':
        return { ...answer, keys: (await keys<string>(store())).map(String) };
    }
  } catch (error) {
    const needed = request.bytes?.length ?? request.value?.length;
    return { ...answer, error: storageFailure(error, needed, needed === undefined ? undefined : await storageUse()) };
  }
}

/** Bytes used and granted by the browser; undefined if it does not report them. */
export async function storageUse(): Promise<{ used: number; quota: number } | undefined> {
  const told = await navigator.storage?.estimate().catch(() => undefined);
  return told?.usage === undefined || told.quota === undefined ? undefined : { used: told.usage, quota: told.quota };
}

/** Chromium reports 10 GiB more than is used, regardless of the disk, so that pages cannot identify people by their disks. */
function leftWords(needed: number, use: { used: number; quota: number } | undefined): string {
  if (!use) return '';
  const left = Math.max(0, use.quota - use.used);
  return left < needed ? `, ${size(left)} are left` : `; it reports ${size(left)} free, but does not grant them`;
}

/** `needed`: bytes that were to be kept. */
export function storageFailure(error: unknown, needed?: number, use?: { used: number; quota: number }): string {
  const name = error instanceof Error ? error.name : '';
  if (name === 'QuotaExceededError') {
    const figures = needed === undefined ? '' : `: ${size(needed)} are needed${leftWords(needed, use)}`;
    return `The browser has no space left${figures}. Delete saved layouts or snapshots, or save a file instead.`;
  }
  // Chromium gives a frame of another site an UnknownError when it blocks that one's storage.
  if (name === 'InvalidStateError' || name === 'SecurityError' || /denied permission/.test(String(error)))
    return 'This browser keeps no data for this page (private window, a frame of another site, or storage is blocked).';
  return sentence(`Saved layouts and snapshots cannot be reached: ${error instanceof Error ? error.message : String(error)}`);
}
