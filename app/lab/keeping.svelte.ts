/**
 * Protects unsaved work: a page with unsaved work asks before it closes, and regularly stores a replay of the work, which the next page offers after
 * a crash or a reload.
 */
import { createStore, del, entries, set, type UseStore } from 'idb-keyval';
import type { LabState, ShareKind } from '../../engine/worker/protocol';
import { clock } from '../shared/format';
import type { Notices } from './notices';

/** Minimum ms between two saves; more if a save takes long. */
const PACE = 10_000;
/** Saving takes at most one part in this many of the time. */
const SHARE = 40;
/** Maximum bytes of a stored replay. */
const LARGEST = 8 * 2 ** 20;
/** ms: older replays are not offered. */
const OLDEST = 7 * 24 * 3600 * 1000;
const LOCK = 'memslot-lab page ';

export interface KeptRun {
  /** Of the page that it is of. */
  page: string;
  /** ms since 1970 */
  at: number;
  guest: string;
  bytes: Uint8Array;
}

let opened: UseStore | undefined;
const store = (): UseStore => {
  opened ??= createStore('memslot-lab kept', 'runs');
  return opened;
};

/** The parts of the lab that it needs. */
interface KeepingLab extends Notices {
  readonly state: LabState | undefined;
  readonly phase: 'loading' | 'ready' | 'stopped';
  readonly starter: { openKept(bytes: Uint8Array): Promise<void> };
  readonly replay: { readonly running: unknown };
  exported(what: ShareKind): Promise<Uint8Array>;
}

export class Keeping {
  readonly #lab: KeepingLab;
  readonly #page = Array.from(crypto.getRandomValues(new Uint32Array(2)), (word) => word.toString(36)).join('');
  readonly #since = Date.now();
  /** Counts what a person did to the machine. */
  #done = 0;
  #savedAt = 0;
  #keptAt = 0;
  #next = 0;
  #busy = false;

  constructor(lab: KeepingLab) {
    this.#lab = lab;
  }

  /** Work since the machine was started or saved would be lost. */
  get unsaved(): boolean {
    return this.#done > this.#savedAt && this.#lab.phase === 'ready';
  }

  /** The person acted on the machine. */
  did(): void {
    this.#done++;
    if (this.#next === 0) this.#next = performance.now() + PACE;
  }

  /** The whole machine is saved. */
  saved(): void {
    this.#savedAt = this.#done;
    void this.#forget(this.#page);
  }

  /** Another machine runs, still unused. */
  restart(): void {
    this.#done = 0;
    this.#savedAt = 0;
    this.#keptAt = 0;
    this.#next = 0;
  }

  async start(): Promise<void> {
    addEventListener('beforeunload', (event) => {
      if (!this.unsaved) return;
      void this.#keep();
      event.preventDefault();
    });
    document.addEventListener('visibilitychange', () => {
      if (document.visibilityState === 'hidden') void this.#keep();
    });
    setInterval(() => {
      if (this.#next > 0 && performance.now() >= this.#next) void this.#keep();
    }, 1000);
    // Held while the page is open, so that other pages do not offer its replay.
    navigator.locks?.request(LOCK + this.#page, () => new Promise<never>(() => {})).catch(() => {});
    const found = await this.#left().catch(() => undefined);
    if (found) this.#offer(found);
  }

  /** The newest one that a page has left behind; old ones are deleted. */
  async #left(): Promise<KeptRun | undefined> {
    const all = (await entries<string, KeptRun>(store())).map(([, kept]) => kept);
    const held = new Set((await navigator.locks?.query())?.held?.map(({ name }) => name));
    const orphans = all.filter(({ page, at }) => page !== this.#page && !held.has(LOCK + page) && at <= this.#since);
    orphans.sort((a, b) => b.at - a.at);
    const [newest, ...older] = orphans;
    for (const { page } of older) await this.#forget(page);
    if (newest && this.#since - newest.at > OLDEST) {
      await this.#forget(newest.page);
      return undefined;
    }
    return newest;
  }

  #offer(kept: KeptRun): void {
    const lab = this.#lab;
    lab.tell({
      kind: 'kept',
      tone: 'ok',
      title: `What you did with ${kept.guest} is kept,`,
      text: `up to ${clock(kept.at)}. It will be replayed from its start and continue from there.`,
      action: {
        label: 'Bring it back',
        run: () => {
          lab.dismiss('kept');
          void lab.starter.openKept(kept.bytes);
        },
      },
      closed: () => void this.#forget(kept.page),
    });
  }

  async #keep(): Promise<void> {
    const lab = this.#lab;
    if (this.#busy || this.#done === this.#keptAt || !this.unsaved || lab.replay.running) return;
    this.#busy = true;
    const done = this.#done;
    const began = performance.now();
    try {
      const bytes = await lab.exported('replay');
      const guest = lab.state?.guest ?? 'the guest';
      if (bytes.length <= LARGEST) await set(this.#page, { page: this.#page, at: Date.now(), guest, bytes } satisfies KeptRun, store());
      this.#keptAt = done;
    } catch {
      // No replay can be made or stored: closing still asks.
    } finally {
      this.#busy = false;
      const now = performance.now();
      this.#next = this.#done > done ? now + Math.max(PACE, SHARE * (now - began)) : 0;
    }
  }

  async #forget(page: string): Promise<void> {
    await del(page, store()).catch(() => {});
  }
}
