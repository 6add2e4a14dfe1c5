/** Firefox by WebDriver BiDi: JSON over the WebSocket that `--remote-debugging-port` opens. Not here: several tabs, network and script events. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WebSocket } from 'ws';
import type { Driven } from './driven';

const START_MS = 60_000;

interface Answer {
  id?: number;
  type: 'success' | 'error' | 'event';
  result?: unknown;
  error?: string;
  message?: string;
  method?: string;
  params?: { level?: string; text?: string };
}

/** Starts Firefox headless with a fresh profile. */
export async function startFirefox(program: string): Promise<Driven> {
  const profile = mkdtempSync(join(tmpdir(), 'lab-firefox-'));
  const args = ['--headless', '--no-remote', '--profile', profile, '--remote-debugging-port', '0', 'about:blank'];
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const stop = async (): Promise<void> => {
    await ended(child);
    rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  };
  try {
    const connection = await Connection.open(`${await addressOf(child)}/session`);
    await connection.send('session.new', { capabilities: {} });
    const { contexts } = (await connection.send('browsingContext.getTree', {})) as { contexts: { context: string }[] };
    const context = contexts[0]?.context;
    await connection.send('session.subscribe', { events: ['log.entryAdded'] });
    return {
      errors: connection.errors,
      async go(url) {
        // A change of the fragment alone would not reload the page.
        await connection.send('browsingContext.navigate', { context, url: 'about:blank', wait: 'complete' });
        await connection.send('browsingContext.navigate', { context, url, wait: 'complete' });
      },
      async evaluate<T>(expression: string) {
        const wrapped = `(async () => JSON.stringify({ value: await (${expression}) }))()`;
        const sent = { expression: wrapped, target: { context }, awaitPromise: true };
        const { result, exceptionDetails } = (await connection.send('script.evaluate', sent)) as {
          result?: { value: string };
          exceptionDetails?: { text: string };
        };
        if (!result) throw new Error(exceptionDetails?.text ?? `no answer to ${expression}`);
        return JSON.parse(result.value).value as T;
      },
      async perform(actions) {
        await connection.send('input.performActions', { context, actions });
      },
      async resize(width, height) {
        await connection.send('browsingContext.setViewport', { context, viewport: { width, height } });
      },
      async close() {
        connection.close();
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Firefox prints the WebSocket's address to its standard error. */
function addressOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const timer = setTimeout(() => reject(new Error(`Firefox did not open its debugging port:\n${text}`)), START_MS);
    child.stderr?.on('data', (chunk) => {
      text += chunk;
      const found = /WebDriver BiDi listening on (ws:\S+)/.exec(text)?.[1];
      if (!found) return;
      clearTimeout(timer);
      resolve(found);
    });
    child.on('error', reject);
    child.on('exit', (code) => reject(new Error(`Firefox ended with status ${code}:\n${text}`)));
  });
}

function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.on('exit', () => resolve());
    child.kill();
  });
}

class Connection {
  readonly errors: string[] = [];
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #last = 0;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data) => this.#hear(JSON.parse(String(data)) as Answer));
  }

  static open(url: string): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(url);
      socket.on('open', () => resolve(new Connection(socket)));
      socket.on('error', reject);
    });
  }

  send(method: string, params: object): Promise<unknown> {
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, ({ type, result, error, message }) =>
        type === 'error' ? reject(new Error(`${method}: ${error}: ${message}`)) : resolve(result),
      );
      this.#socket.send(JSON.stringify({ id, method, params }));
    });
  }

  close(): void {
    this.#socket.close();
  }

  #hear(answer: Answer): void {
    if (answer.id === undefined) {
      if (answer.method === 'log.entryAdded' && answer.params?.level === 'error') this.errors.push(answer.params.text ?? '');
      return;
    }
    this.#waiting.get(answer.id)?.(answer);
    this.#waiting.delete(answer.id);
  }
}
