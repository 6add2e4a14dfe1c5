/** The engine's worker as typed messages and promises. One client lives as long as one worker; a dead worker is never revived. */
import entryUrl from '../../engine/worker/entry.ts?worker&url';
import type { FromWorker, StageAction, ToWorker } from '../../engine/worker/protocol';
import { scriptUrl } from '../shared/script-url';

/** What the worker says unasked: everything but the answers to requests. */
export type Announcement = Exclude<FromWorker, { type: 'result' }>;

type Request = DistributiveOmit<
  Extract<
    ToWorker,
    { type: 'monitor' | 'complete' | 'call' | 'go-to' | 'query' | 'stage' | 'inspect-file' | 'inspect-link' | 'share' | 'export' | 'load' }
  >,
  'id'
>;
type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

export class WorkerClient {
  #worker: Worker;
  #pending = new Map<number, Pending>();
  #nextId = 1;
  #alive = true;

  constructor(onAnnouncement: (message: Announcement) => void) {
    this.#worker = new Worker(scriptUrl(entryUrl), { type: 'module', name: 'memslot-lab engine' });
    this.#worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      if (!this.#alive) return;
      if (data.type === 'result') this.#answer(data.id, data.value, data.error);
      else onAnnouncement(data);
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      if (!this.#alive) return;
      onAnnouncement({ type: 'fatal', reason: event.message || 'The worker script did not load.' });
    };
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** Rejects with the engine's one-line refusal, or when the worker ends first. */
  request<T>(message: Request): Promise<T> {
    if (!this.#alive) return Promise.reject(new Error('The worker has stopped.'));
    const id = this.#nextId++;
    return new Promise<T>((resolve, reject) => {
      this.#pending.set(id, { resolve: resolve as (value: unknown) => void, reject });
      this.#worker.postMessage({ ...message, id } as ToWorker);
    });
  }

  /** The engine's reason, or '' when the action was taken. */
  async stage(action: StageAction): Promise<string> {
    try {
      const refusal = await this.request<unknown>({ type: 'stage', action });
      return typeof refusal === 'string' ? refusal : '';
    } catch (error) {
      return (error as Error).message;
    }
  }

  post(message: Exclude<ToWorker, { id: number }> | Extract<ToWorker, { type: 'storage-result' }>, transfer: Transferable[] = []): void {
    if (this.#alive) this.#worker.postMessage(message, transfer);
  }

  terminate(): void {
    this.#alive = false;
    this.#worker.terminate();
    for (const { reject } of this.#pending.values()) reject(new Error('The worker has stopped.'));
    this.#pending.clear();
  }

  #answer(id: number, value: unknown, error: string | undefined): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (error) pending?.reject(new Error(error));
    else pending?.resolve(value);
  }
}
