/** The last own guests that booted, by name (IndexedDB database memslot-lab guests, store files), with their files and flags. */
import { createStore, del, entries, set, type UseStore } from 'idb-keyval';
import { KEPT_GUEST_BYTES, KEPT_GUESTS } from '../shared/bounds';
import type { OwnGuest } from './guests';
import type { MachineFlags } from './machine-flags';

interface Kept extends OwnGuest {
  /** ms since 1970 */
  usedAt: number;
}

let opened: UseStore | undefined;
const store = (): UseStore => {
  opened ??= createStore('memslot-lab guests', 'files');
  return opened;
};

/** Newest first; empty if the browser stores nothing. */
export async function recentGuests(): Promise<OwnGuest[]> {
  const all = await entries<string, Kept>(store()).catch(() => []);
  return all.map(([, kept]) => kept).sort((a, b) => b.usedAt - a.usedAt);
}

/** A failure to store it is not reported: the guest runs, and its original files still exist. */
export async function rememberGuest(guest: OwnGuest, flags: MachineFlags, now: number): Promise<void> {
  if (guest.own.kernel.size + (guest.own.initrd?.size ?? 0) > KEPT_GUEST_BYTES) return;
  try {
    await set(guest.name, { ...guest, ...flags, usedAt: now } satisfies Kept, store());
    for (const old of (await recentGuests()).slice(KEPT_GUESTS)) await del(old.name, store());
  } catch {
    // private window, or no space
  }
}

export async function forgetGuest(name: string): Promise<void> {
  await del(name, store()).catch(() => {});
}
