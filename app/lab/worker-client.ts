/** The engine's worker as typed messages and promises. One client lives as long as one worker; a dead worker is never revived. */
import entryUrl from '../../engine/worker/entry.ts?worker&url';
import type { FromWorker, StageAction, ToWorker } from '../../engine/worker/protocol';
import { scriptUrl } from '../shared/script-url';
import { PULSE_MS, Pulse } from './pulse';

/** The worker's messages other than answers, and its silence. */
export type Announcement =
  | Exclude<FromWorker, { type: 'result' | 'pong' | 'living' | 'core-wanted' }>
  /** It has not answered for this many seconds; 0: it answers again. `asked`: what it may be busy with. */
  | { type: 'silent'; seconds: number; asked: string | undefined };

type Request = DistributiveOmit<
  Extract<
    ToWorker,
    {
      type:
        | 'monitor'
        | 'complete'
        | 'call'
        | 'go-to'
        | 'query'
        | 'seek'
        | 'go'
        | 'who-wrote'
        | 'stage'
        | 'inspect-file'
        | 'hash-file'
        | 'symbols'
        | 'inspect-link'
        | 'share'
        | 'export'
        | 'load';
    }
  >,
  'id'
>;
type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

interface Pending {
  words: string | undefined;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** Time limit for a worker's first message, in seconds; its script may load over a slow network. */
const STARTS_WITHIN = 30;

export class WorkerClient {
  #worker: Worker;
  #pending = new Map<number, Pending>();
  #nextId = 1;
  #alive = true;
  /** It has sent a message. */
  #heard = false;
  readonly #ended = new AbortController();
  readonly #pulse: Pulse;

  constructor(onAnnouncement: (message: Announcement) => void) {
    // Also the name of the lock that the worker holds: no other tab has the same.
    const name = `memslot-lab engine ${crypto.getRandomValues(new Uint32Array(2)).join('-')}`;
    this.#worker = new Worker(scriptUrl(entryUrl), { type: 'module', name });
    const fatal = (reason: string): void => {
      if (this.#alive) onAnnouncement({ type: 'fatal', reason });
    };
    this.#pulse = new Pulse({
      ping: () => this.post({ type: 'ping' }),
      visible: () => document.visibilityState === 'visible',
      now: () => performance.now(),
      tell: (seconds) => {
        if (!this.#heard && seconds >= STARTS_WITHIN) fatal(`It did not start within ${seconds} s.`);
        else onAnnouncement({ type: 'silent', seconds, asked: this.#asked });
      },
    });
    const timer = setInterval(() => this.#pulse.tick(), PULSE_MS);
    this.#ended.signal.addEventListener('abort', () => clearInterval(timer));
    this.#worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
      if (!this.#alive) return;
      this.#heard = true;
      this.#pulse.heard();
      if (data.type === 'result') this.#answer(data.id, data.value, data.error);
      else if (data.type === 'living') void this.#outlive(name, fatal);
      else if (data.type === 'core-wanted') void this.#compile(data.url);
      else if (data.type !== 'pong') onAnnouncement(data);
    };
    this.#worker.onerror = (event) => {
      event.preventDefault();
      fatal(event.message || 'The worker script did not load.');
    };
  }

  /** Compiles for a worker that may not compile itself. */
  async #compile(url: string): Promise<void> {
    try {
      const response = await fetch(url);
      this.post({ type: 'core', module: await WebAssembly.compile(await response.arrayBuffer()) });
    } catch (error) {
      this.post({ type: 'core', error: `neither worker nor page may compile WebAssembly: ${(error as Error).message}` });
    }
  }

  /** A worker that ends by itself or is killed sends no event, but it releases its lock. */
  async #outlive(lock: string, fatal: (reason: string) => void): Promise<void> {
    try {
      await navigator.locks.request(lock, { signal: this.#ended.signal }, () => fatal('It ended without an error.'));
    } catch {
      // Terminated by this page.
    }
  }

  /** The oldest unanswered request, as text. */
  get #asked(): string | undefined {
    return this.#pending.values().next().value?.words;
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** Rejects with the engine's one-line refusal, or when the worker ends first. */
  request<T>(message: Request): Promise<T> {
    if (!this.#alive) return Promise.reject(new Error('The worker has stopped.'));
    const id = this.#nextId++;
    return new Promise<T>((resolve, reject) => {
      this.#pending.set(id, { words: wordsOf(message), resolve: resolve as (value: unknown) => void, reject });
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
    this.#ended.abort();
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

/** Text for requests that may take long. */
function wordsOf(message: Request): string | undefined {
  switch (message.type) {
    case 'monitor':
      return message.line.slice(0, 60);
    case 'stage':
      return message.action.do === 'commit' || message.action.do === 'finish' ? 'commit' : undefined;
    case 'go':
      return 'going back';
    case 'who-wrote':
      return 'who wrote this';
    case 'load':
    case 'export':
    case 'share':
    case 'go-to':
      return message.type;
    case 'call':
      return message.method;
    default:
      return undefined;
  }
}
