/** The Worker: a Session joined to postMessage, to timers and to fetch; and the lock by which the page knows that it lives. */
import type { FromWorker, ToWorker } from './protocol';
import { Session } from './session';

interface WorkerScope {
  name: string;
  navigator: { locks?: { request(name: string, hold: () => Promise<never>): Promise<never> } };
  postMessage(message: FromWorker): void;
  onmessage: ((event: { data: ToWorker }) => void) | null;
}

const scope = globalThis as unknown as WorkerScope;

/** A turn for other messages: quicker than a timer, which browsers hold back for 4 ms. */
const channel = new MessageChannel();
const turns: (() => void)[] = [];
channel.port1.onmessage = () => turns.shift()?.();

/** A policy may forbid workers to compile, and let the page: the core is the page's then, and guest code is not compiled. */
let given = (_core: Extract<ToWorker, { type: 'core' }>): void => {};
const coreOfPage = (url: string): Promise<WebAssembly.Module> =>
  new Promise((resolve, reject) => {
    given = ({ module, error }) => (module === undefined ? reject(new Error(error)) : resolve(module));
    scope.postMessage({ type: 'core-wanted', url });
  });

const session = new Session((message) => scope.postMessage(message), {
  async fetchCore(url) {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`core.wasm did not load: HTTP ${response.status} for ${url}`);
    const bytes = new Uint8Array(await response.arrayBuffer());
    return WebAssembly.validate(bytes) ? WebAssembly.compile(bytes).catch(() => coreOfPage(url)) : bytes;
  },
  wallClock: () => Date.now(),
  monotonic: () => performance.now(),
  yieldTurn: () =>
    new Promise<void>((resolve) => {
      turns.push(resolve);
      channel.port2.postMessage(0);
    }),
  setTimer: (wake, ms) => setTimeout(wake, ms),
  clearTimer: (timer) => clearTimeout(timer as number),
});

scope.onmessage = ({ data }) => (data.type === 'core' ? given(data) : session.receive(data));

// The browser frees the lock when this worker ends, however it ends. Pages without secure context have no locks, frames without storage may not hold any.
const locked = scope.navigator.locks?.request(scope.name, () => {
  scope.postMessage({ type: 'living' });
  return new Promise<never>(() => {});
});
locked?.catch(() => {});
