/** A page for tests of the session, without a Worker: records the messages and keeps layouts and snapshots in maps. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Machine } from '../machine/index';
import { createMachine } from '../machine/index';
import type { Answer, FromWorker, LabState, NamedSnapshot, ToWorker } from './protocol';
import { Session } from './session';

const MIB = 0x100000;
const root = resolve(import.meta.dirname, '../..');
const core = new Uint8Array(readFileSync(process.env.LAB_CORE ?? resolve(root, 'build/core.wasm')));
const memlab = new Uint8Array(readFileSync(resolve(root, 'guests/memlab/memlab.elf')));
export const config = { ram: 64 * MIB, slots: 8, maxmem: 1024 * MIB, smp: 1, accel: 'interp' } as const;

export type Of<T extends FromWorker['type']> = Extract<FromWorker, { type: T }>;

export class Page {
  readonly heard: FromWorker[] = [];
  readonly saved = new Map<string, string>();
  readonly snapshots = new Map<string, { bytes: Uint8Array; meta: NamedSnapshot }>();
  storageError: string | undefined;
  readonly kernel = memlab;
  /** The machine itself, for what no message reports. */
  machine: Machine | undefined;
  readonly session: Session;
  private nextId = 1;
  private readonly watchers = new Set<() => void>();

  constructor() {
    this.session = new Session((message) => this.hear(message), {
      fetchCore: async (url) => {
        if (url !== 'https://lab.example/core.wasm') throw new Error(`HTTP 404 for ${url}`);
        return core;
      },
      wallClock: () => Date.now(),
      monotonic: () => performance.now(),
      yieldTurn: () =>
        new Promise<void>((done) => {
          setImmediate(() => {
            this.wake();
            done();
          });
        }),
      setTimer: (wake, ms) =>
        setTimeout(() => {
          wake();
          this.wake();
        }, ms),
      clearTimer: (timer) => clearTimeout(timer as NodeJS.Timeout),
      createMachine: async (options) => {
        const machine = await createMachine(options);
        this.machine ??= machine;
        return machine;
      },
    });
  }

  boot(more: Partial<Extract<ToWorker, { type: 'boot' }>> = {}): void {
    this.session.receive({
      type: 'boot',
      config,
      coreUrl: 'https://lab.example/core.wasm',
      linkBase: 'https://lab.example/',
      guest: { name: 'memlab', kernel: memlab },
      ...more,
    });
  }

  async until<T>(find: () => T | undefined): Promise<T> {
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => {
        const watcher = (): void => {
          this.watchers.delete(watcher);
          resolve();
        };
        this.watchers.add(watcher);
      });
    }
  }

  /** Polls on every turn that the session yields, and on a timer, since no message announces it. */
  async holds(condition: () => boolean): Promise<void> {
    await this.until(() => condition() || undefined);
  }

  first<T extends FromWorker['type']>(type: T): Promise<Of<T>> {
    return this.until(() => this.heard.find((message): message is Of<T> => message.type === type));
  }

  async ask(
    message:
      | { type: 'monitor' | 'complete'; line: string }
      | { type: 'go-to'; index: number }
      | { type: 'call'; method: 'layout' | 'digest' | 'share' | 'undo' | 'redo' }
      | Omit<Extract<ToWorker, { type: 'stage' }>, 'id'>
      | Omit<Extract<ToWorker, { type: 'query' }>, 'id'>
      | Omit<Extract<ToWorker, { type: 'share' }>, 'id'>
      | Omit<Extract<ToWorker, { type: 'export' }>, 'id'>
      | Omit<Extract<ToWorker, { type: 'load' }>, 'id'>
      | Omit<Extract<ToWorker, { type: 'seek' }>, 'id'>
      | Omit<Extract<ToWorker, { type: 'go' }>, 'id'>
      | Omit<Extract<ToWorker, { type: 'who-wrote' }>, 'id'>
      | Omit<Extract<ToWorker, { type: 'inspect-link' }>, 'id'>,
  ): Promise<Of<'result'>> {
    const id = this.nextId++;
    this.session.receive({ ...message, id } as ToWorker);
    return this.until(() => this.heard.find((each): each is Of<'result'> => each.type === 'result' && each.id === id));
  }

  async monitor(line: string): Promise<string> {
    return ((await this.ask({ type: 'monitor', line })).value as Answer).text;
  }

  get state(): LabState | undefined {
    return this.heard.filter((message): message is Of<'state'> => message.type === 'state').at(-1)?.state;
  }

  get console(): string {
    return this.heard
      .filter((message): message is Of<'console'> => message.type === 'console')
      .map((message) => message.text)
      .join('');
  }

  private hear(message: FromWorker): void {
    this.heard.push(structuredClone(message));
    if (message.type === 'storage') this.store(message);
    this.wake();
  }

  private wake(): void {
    for (const watcher of [...this.watchers]) watcher();
  }

  private store({ id, op, key = '', value = '', bytes, meta }: Of<'storage'>): void {
    const answer = { type: 'storage-result', id } as const;
    queueMicrotask(() => {
      if (this.storageError) return this.session.receive({ ...answer, error: this.storageError });
      if (op === 'set') this.saved.set(key, value);
      if (op === 'delete') this.saved.delete(key);
      if (op === 'snapshot-put') this.snapshots.set(key, { bytes: bytes!, meta: meta! });
      if (op === 'snapshot-delete') this.snapshots.delete(key);
      const snapshot = op === 'snapshot-get' ? this.snapshots.get(key)?.bytes : undefined;
      const found = op === 'get' ? this.saved.get(key) : undefined;
      this.session.receive({
        ...answer,
        ...(found === undefined ? {} : { value: found }),
        ...(op === 'keys' ? { keys: [...this.saved.keys()] } : {}),
        ...(snapshot ? { bytes: snapshot } : {}),
        ...(op === 'snapshot-list' ? { snapshots: [...this.snapshots.values()].map((each) => each.meta) } : {}),
      });
    });
  }
}
