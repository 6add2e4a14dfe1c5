/**
 * Stores one complete version of the page for use without a network. scripts/precache.mjs lists the files of a version with their hashes in the first
 * line of the built file. A version is installed only if every file matches its hash, and is served only as a whole. Guests that `npm run guests`
 * prepared are stored when used. A waiting version takes over on request; while other tabs are open the files of their versions stay.
 */

interface Precache {
  version: string;
  /** Path from the scope ('' is the page itself) to Subresource Integrity. */
  files: Record<string, string>;
}

/** The globals of a service worker that are used here; TypeScript's own types for them conflict with the DOM's. */
interface Lasting extends Event {
  waitUntil(promise: Promise<unknown>): void;
}
interface Fetching extends Lasting {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
}
interface Scope {
  readonly precache: Precache;
  readonly registration: { readonly scope: string };
  readonly clients: { claim(): Promise<void>; matchAll(options: object): Promise<readonly unknown[]> };
  skipWaiting(): Promise<void>;
  addEventListener(type: 'install' | 'activate', listener: (event: Lasting) => void): void;
  addEventListener(type: 'fetch', listener: (event: Fetching) => void): void;
  addEventListener(type: 'message', listener: (event: MessageEvent & Lasting) => void): void;
}

const worker = self as unknown as Scope;
const { version, files } = worker.precache;
const { scope } = worker.registration;
/** Caches belong to the origin, which may host another copy in another folder. */
const OURS = `memslot-lab ${scope} `;
const FILES = `${OURS}${version}`;
const GUESTS = `${OURS}guests`;

const addressOf = (path: string): string => new URL(path, scope).href;

async function install(): Promise<void> {
  const cache = await caches.open(FILES);
  await Promise.all(
    Object.entries(files).map(async ([path, integrity]) => {
      const response = await fetch(addressOf(path), { integrity, cache: 'no-cache' });
      if (!response.ok) throw new Error(`${path} did not load: HTTP ${response.status}`);
      // A page must not be answered with a response that was redirected.
      await cache.put(addressOf(path), new Response(await response.blob(), { headers: response.headers }));
    }),
  );
}

const windows = async (): Promise<number> => (await worker.clients.matchAll({ type: 'window', includeUncontrolled: true })).length;

/** Older versions go when no tab can be running one. */
async function tidy(): Promise<void> {
  if ((await windows()) > 1) return;
  for (const name of await caches.keys()) {
    if (name.startsWith(OURS) && name !== FILES && name !== GUESTS) await caches.delete(name);
  }
}

async function isComplete(): Promise<boolean> {
  const cache = await caches.open(FILES);
  const found = await Promise.all(Object.keys(files).map((path) => cache.match(addressOf(path))));
  return found.every((response) => response !== undefined);
}

async function kept(path: string, request: Request): Promise<Response> {
  const cache = await caches.open(FILES);
  return (await cache.match(addressOf(path))) ?? fetch(request);
}

/** A file of another version: of a tab that was opened with it, or of a page that is newer than this worker. */
async function ofAnotherVersion(request: Request): Promise<Response> {
  for (const name of await caches.keys()) {
    const found = name.startsWith(OURS) && (await (await caches.open(name)).match(request));
    if (found) return found;
  }
  return fetch(request);
}

/** The newest one while there is a network. */
async function guest(event: Fetching): Promise<Response> {
  const cache = await caches.open(GUESTS);
  try {
    const response = await fetch(event.request);
    // Failing to store a copy is no reason to fail.
    if (response.ok) event.waitUntil(cache.put(event.request, response.clone()).catch(() => {}));
    return response;
  } catch (error) {
    const found = await cache.match(event.request);
    if (found) return found;
    throw error;
  }
}

worker.addEventListener('install', (event) => event.waitUntil(install()));

worker.addEventListener('activate', (event) => event.waitUntil(Promise.all([worker.clients.claim(), tidy()])));

worker.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  const here = `${url.origin}${url.pathname}`;
  if (request.method !== 'GET' || !here.startsWith(scope)) return;
  const path = here.slice(scope.length);
  if (request.mode === 'navigate') {
    if (path !== '' && path !== 'index.html') return;
    event.respondWith(kept('', request));
    event.waitUntil(tidy());
  } else if (path in files) event.respondWith(kept(path, request));
  else if (path.startsWith('guests/')) event.respondWith(guest(event));
  else if (path.startsWith('assets/')) event.respondWith(ofAnotherVersion(request));
});

worker.addEventListener('message', (event) => {
  const answer = (value: boolean): void => event.ports[0]?.postMessage(value);
  const take = async (): Promise<void> => {
    await worker.skipWaiting();
    answer(true);
  };
  if (event.data === 'is complete') event.waitUntil(isComplete().then(answer));
  else if (event.data === 'take over') event.waitUntil(take());
  else if (event.data === 'take over if alone') event.waitUntil(windows().then((count) => (count > 1 ? answer(false) : take())));
});
