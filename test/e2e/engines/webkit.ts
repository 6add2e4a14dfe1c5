/** WebKitGTK by W3C WebDriver: JSON over HTTP to WebKitWebDriver, which starts the browser. GTK needs an X server: where there is no screen, Xvfb. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';
import type { Driven } from './driven';

const START_MS = 30_000;
const PAUSE_MS = 50;
/** px: the largest window border around the page */
const FRAME = 120;

export async function startWebKit({ driver, browser }: { driver: string; browser: string }): Promise<Driven> {
  const started: ChildProcess[] = [];
  const stop = (): void => {
    for (const child of started.reverse()) child.kill();
  };
  try {
    const display = process.env.DISPLAY ?? (await startScreen(started));
    const port = await freePort();
    const child = spawn(driver, [`--port=${port}`], { stdio: 'ignore', env: { ...process.env, DISPLAY: display } });
    started.push(child);
    const call = async (method: string, path: string, body?: object): Promise<unknown> => {
      const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method, ...(body ? { body: JSON.stringify(body) } : {}) });
      const { value } = (await answer.json()) as { value: unknown };
      if (!answer.ok) throw new Error(`${path}: ${JSON.stringify(value)}`);
      return value;
    };
    await ready(child, () => call('GET', '/status'));
    const options = { 'webkitgtk:browserOptions': { binary: browser, args: ['--automation'] } };
    const { sessionId } = (await call('POST', '/session', { capabilities: { alwaysMatch: options } })) as { sessionId: string };
    const session = `/session/${sessionId}`;
    const errors: string[] = [];
    const evaluate = async <T>(expression: string): Promise<T> => {
      const script = `return (async () => JSON.stringify({ value: await (${expression}), errors: (window.labErrors ?? []).splice(0) }))()`;
      const answer = JSON.parse(String(await call('POST', `${session}/execute/sync`, { script, args: [] })));
      errors.push(...answer.errors);
      return answer.value as T;
    };
    return {
      errors,
      evaluate,
      async go(url) {
        await call('POST', `${session}/url`, { url: 'about:blank' });
        await call('POST', `${session}/url`, { url });
        // WebDriver has no log, so the page records its own errors from now on.
        await evaluate(`(() => {
          window.labErrors = [];
          addEventListener('error', ({ message }) => window.labErrors.push(String(message)));
          addEventListener('unhandledrejection', ({ reason }) => window.labErrors.push(String(reason)));
        })()`);
      },
      async perform(actions) {
        await call('POST', `${session}/actions`, { actions });
      },
      async resize(width, height) {
        await call('POST', `${session}/window/rect`, { width, height: height + FRAME });
        const [w, h] = await evaluate<[number, number]>('[innerWidth, innerHeight]');
        await call('POST', `${session}/window/rect`, { width: width + width - w, height: height + FRAME + height - h });
      },
      async close() {
        await call('DELETE', session).catch(() => undefined);
        stop();
      },
    };
  } catch (error) {
    stop();
    throw error;
  }
}

/** Xvfb chooses a free number and writes it to file descriptor 3. */
function startScreen(started: ChildProcess[]): Promise<string> {
  const args = ['-displayfd', '3', '-screen', '0', '1920x1200x24', '-nolisten', 'tcp'];
  const child = spawn('Xvfb', args, { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
  started.push(child);
  return new Promise((resolve, reject) => {
    child.stdio[3]?.once('data', (chunk) => resolve(`:${String(chunk).trim()}`));
    child.on('error', reject);
    child.on('exit', (code) => reject(new Error(`Xvfb ended with status ${code}`)));
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}

async function ready(child: ChildProcess, ask: () => Promise<unknown>): Promise<void> {
  for (const end = Date.now() + START_MS; Date.now() < end; ) {
    if (child.exitCode !== null) throw new Error(`WebKitWebDriver ended with status ${child.exitCode}`);
    try {
      await ask();
      return;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
  throw new Error('WebKitWebDriver does not answer');
}
