/**
 * Links to machines and replays that do not fit into a link: `#f=1.SHA256.ADDRESS` names a file by its location and its hash. The file is fetched
 * with a bound, and not parsed until its hash matches the link's. docs/snapshots.md has the format.
 */
import { readAll } from './bytes';
import type { Telling } from './guests';

/** Bytes; a machine of 1 GiB packs into less. */
const LARGEST = 512 * 2 ** 20;
const LONGEST_ADDRESS = 2000;

export interface FileLink {
  /** 64 hex digits */
  sha256: string;
  address: URL;
  /** For display: the last part of the address. */
  name: string;
}

/** ADDRESS may be relative to the page's. Throws one line that says what is wrong with it. */
export function fileLink(base: string, sha256: string, address: string): string {
  resolve(address, base);
  return `${base}#f=1.${sha256}.${encodeURIComponent(address)}`;
}

/** Throws one line if the fragment (without '#') is not such a link. */
export function readFileLink(fragment: string, base: string): FileLink {
  const [, version, rest = ''] = /^f=(\d+)\.(.*)$/s.exec(fragment) ?? [];
  if (version === undefined) throw new Error('it is not a link to a file (#f=1.SHA256.ADDRESS)');
  if (version !== '1') throw new Error(`version ${version} is newer than this page's 1`);
  const [, sha256, packed] = /^([0-9a-f]{64})\.(.+)$/s.exec(rest) ?? [];
  if (sha256 === undefined || packed === undefined) throw new Error('it has no SHA-256 of 64 hex digits or no address');
  const address = resolve(unescaped(packed), base);
  return { sha256, address, name: nameOf(address) };
}

export const nameOf = (address: URL): string => unescaped(address.pathname.split('/').at(-1) ?? '').slice(0, 80) || address.host;

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function resolve(address: string, base: string): URL {
  if (address.length > LONGEST_ADDRESS) throw new Error(`an address of ${address.length} characters: at most ${LONGEST_ADDRESS} are read`);
  let url: URL | undefined;
  try {
    url = new URL(address, base);
  } catch {
    // Said below.
  }
  if (!address.trim() || !url) throw new Error(`“${address}” is not an address`);
  if (!/^https?:$/.test(url.protocol)) throw new Error(`only https and http addresses can be fetched, not ${url.protocol.slice(0, -1)}`);
  return url;
}

/** Throws one line that says what went wrong and who can fix it. */
export async function fetchLinked({ address, name }: FileLink, tell: Telling, signal: AbortSignal): Promise<Uint8Array<ArrayBuffer>> {
  const what = `Fetching ${name}`;
  tell(what, undefined);
  const response = await fetch(address, { credentials: 'omit', referrerPolicy: 'no-referrer', signal }).catch((error: Error) => {
    if (signal.aborted) throw error;
    const allowed = address.origin === location.origin ? '' : ', or does not let other pages read it (Access-Control-Allow-Origin)';
    throw new Error(`${address.host} did not answer${allowed}`);
  });
  if (!response.ok) throw new Error(`${address.host} answered HTTP ${response.status} for ${name}`);
  const length = Number(response.headers.get('Content-Length')) || undefined;
  if (length !== undefined && length > LARGEST) {
    await response.body?.cancel();
    throw new Error(`it has ${length} bytes, at most ${LARGEST} are read`);
  }
  return readAll(response.body, length, LARGEST, (done, total) => tell(what, total ? Math.floor((done / total) * 100) : undefined));
}
