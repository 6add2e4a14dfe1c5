/** The Worker: connects a Session to postMessage, timers and fetch, and holds the lock by which the page detects that the worker lives. */
// Loaded by machines that compile, so by nearly all: part of this script, not a file to wait for.
import '../jit/index';
import type { MachineOptions } from '../machine/index';
import type { FromWorker, ToWorker } from './protocol';
import { Session } from './session';

interface WorkerScope {
  name: string;
  navigator: { locks?: { request(name: string, hold: () => Promise<never>): Promise<never> } };
  postMessage(message: FromWorker): void;
  onmessage: ((event: { data: ToWorker }) => void) | null;
}

const scope = globalThis as unknown as WorkerScope;

/** Lets other messages be handled: faster than a timer, which browsers delay by 4 ms. */
const channel = new MessageChannel();
const turns: (() => void)[] = [];
channel.port1.onmessage = () => turns.shift()?.();

/** A policy may forbid compilation to workers but not to the page: the page then compiles the core, and guest code is not compiled. */
let given = (_core: Extract<ToWorker, { type: 'core' }>): void => {};
const coreOfPage = (url: string): Promise<WebAssembly.Module> =>
  new Promise((resolve, reject) => {
    given = ({ module, error }) => (module === undefined ? reject(new Error(error)) : resolve(module));
    scope.postMessage({ type: 'core-wanted', url });
  });

async function fetchCore(url: string): Promise<MachineOptions['core']> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`core.wasm did not load: HTTP ${response.status} for ${url}`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  return WebAssembly.validate(bytes) ? WebAssembly.compile(bytes).catch(() => coreOfPage(url)) : bytes;
}

/** The core of the machine that will be requested. */
let ahead: { url: string; core: Promise<MachineOptions['core']> } | undefined;

/** Loads the core while the page loads the guest's files. Whoever boots the machine gets the error, if there is one. */
function prepare(url: string): void {
  ahead = { url, core: fetchCore(url) };
  ahead.core.catch(() => {});
}

const session = new Session((message) => scope.postMessage(message), {
  fetchCore: (url) => (ahead?.url === url ? ahead.core : fetchCore(url)),
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

scope.onmessage = ({ data }) => {
  if (data.type === 'core') given(data);
  else if (data.type === 'prepare') prepare(data.coreUrl);
  else session.receive(data);
};

// The browser releases the lock when this worker ends for any reason. Insecure contexts have no locks, and frames without storage may not hold any.
const locked = scope.navigator.locks?.request(scope.name, () => {
  scope.postMessage({ type: 'living' });
  return new Promise<never>(() => {});
});
locked?.catch(() => {});
