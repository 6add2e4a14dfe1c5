/** Saved layouts and machine snapshots: the page owns IndexedDB, so every operation is a message and its answer. */
import type { LayoutStore, SnapshotStore } from '../monitor/index';
import type { FromWorker, ToWorker } from './protocol';

type Answer = Extract<ToWorker, { type: 'storage-result' }>;
type Question = Extract<FromWorker, { type: 'storage' }>;

export class StorageClient implements LayoutStore {
  private nextId = 1;
  private readonly waiting = new Map<number, { resolve(answer: Answer): void; reject(error: Error): void }>();

  constructor(private readonly post: (message: FromWorker) => void) {}

  async get(name: string): Promise<string | undefined> {
    return (await this.ask({ op: 'get', key: name })).value;
  }
  async set(name: string, text: string): Promise<void> {
    await this.ask({ op: 'set', key: name, value: text });
  }
  async delete(name: string): Promise<void> {
    await this.ask({ op: 'delete', key: name });
  }
  async keys(): Promise<string[]> {
    return (await this.ask({ op: 'keys' })).keys ?? [];
  }

  readonly snapshots: SnapshotStore = {
    put: async (name, bytes, meta) => {
      await this.ask({ op: 'snapshot-put', key: name, bytes, meta });
    },
    get: async (name) => (await this.ask({ op: 'snapshot-get', key: name })).bytes,
    delete: async (name) => {
      await this.ask({ op: 'snapshot-delete', key: name });
    },
    list: async () => (await this.ask({ op: 'snapshot-list' })).snapshots ?? [],
  };

  answer(message: Answer): void {
    const waiting = this.waiting.get(message.id);
    this.waiting.delete(message.id);
    if (message.error) waiting?.reject(new StorageError(message.error));
    else waiting?.resolve(message);
  }

  private ask(question: Omit<Question, 'type' | 'id'>): Promise<Answer> {
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.post({ type: 'storage', id, ...question });
    });
  }
}

/** The page could not store or read: its error text. */
export class StorageError extends Error {}
