/**
 * A machine that is being started next to the running one. It replaces the running one only when it has booted, and otherwise disappears silently.
 */
import type { ToWorker } from '../../engine/worker/protocol';
import { type Announcement, WorkerClient } from './worker-client';

type BootMessage = Extract<ToWorker, { type: 'boot' }>;
type StorageRequest = Extract<Announcement, { type: 'storage' }>;

export class BootAttempt {
  readonly client: WorkerClient;
  /** Rejects with the machine's reason. */
  readonly booted: Promise<void>;
  #held: Announcement[] = [];
  #hear: ((message: Announcement) => void) | undefined;

  /** Starts the worker, which loads the core while the caller loads the guest's files. `boot` must follow. */
  constructor(
    private readonly coreUrl: string,
    onStorage: (client: WorkerClient, request: StorageRequest) => void,
  ) {
    let done = (): void => {};
    let failed = (_reason: Error): void => {};
    this.booted = new Promise((resolve, reject) => {
      done = resolve;
      failed = reject;
    });
    this.client = new WorkerClient((said) => {
      if (said.type === 'storage') onStorage(this.client, said);
      else if (this.#hear) this.#hear(said);
      else if (said.type === 'silent') return;
      else if (said.type === 'boot-error' && !said.fallback) failed(new Error(said.reason));
      else if (said.type === 'fatal') failed(new Error(said.reason));
      else {
        this.#held.push(said);
        if (said.type === 'booted') done();
      }
    });
    // Whoever waits for it gets the reason; until the files are there nobody does.
    this.booted.catch(() => {});
    this.client.post({ type: 'prepare', coreUrl });
  }

  boot(message: Omit<BootMessage, 'type' | 'coreUrl'>): void {
    const { kernel, initrd } = message.guest ?? {};
    this.client.post(
      { type: 'boot', coreUrl: this.coreUrl, ...message },
      [kernel?.buffer, initrd?.buffer].filter((buffer) => buffer instanceof ArrayBuffer),
    );
  }

  /** From here on `hear` gets the worker's messages, first those received so far; without `console`, the guest's earlier output is left out. */
  adopt(hear: (message: Announcement) => void, console: boolean): void {
    this.#hear = hear;
    for (const said of this.#held.splice(0)) if (console || said.type !== 'console') hear(said);
  }
}
