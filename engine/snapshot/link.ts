/**
 * Share links: "#l=1.<base64url>", 1 being the version of the packing; the bytes are a CRC-32 (little-endian) of the text and the text itself, UTF-8,
 * deflated raw. Everything is bounded while it is unpacked, and every failure has a reason.
 */
import { crc32 } from './crc32';
import { pump, TooLong } from './pump';

const PREFIX = 'l=';
const VERSION = '1';
/** Characters of a link that are looked at at all. */
export const MAX_LINK = 262_144;
/** Bytes that a link may inflate to. */
export const MAX_INFLATED = 4 * 1024 * 1024;
const CHECKSUM = 4;

export type UnpackedLink = { ok: true; text: string } | { ok: false; reason: string };

/** Does this fragment (location.hash) carry a layout? */
export const isLayoutLink = (fragment: string): boolean => fragment.replace(/^#/, '').startsWith(PREFIX);

/** base + "#l=1....". */
export async function packLink(text: string, base: string): Promise<string> {
  const plain = new TextEncoder().encode(text);
  const packed = await pump(plain, new CompressionStream('deflate-raw'), Number.POSITIVE_INFINITY);
  const bytes = new Uint8Array(CHECKSUM + packed.length);
  new DataView(bytes.buffer).setUint32(0, crc32(plain), true);
  bytes.set(packed, CHECKSUM);
  return `${base.replace(/#.*$/s, '')}#${PREFIX}${VERSION}.${toBase64Url(bytes)}`;
}

/** Never throws. */
export async function unpackLink(fragment: string): Promise<UnpackedLink> {
  const wrong = (reason: string): UnpackedLink => ({ ok: false, reason });
  if (fragment.length > MAX_LINK) return wrong(`the link has ${fragment.length} characters, at most ${MAX_LINK} are read`);
  const match = /^#?l=(\d{1,9})\.([A-Za-z0-9_-]*)$/.exec(fragment);
  if (!match) return wrong('the link is not of the form #l=1.<letters, digits, - and _>');
  if (match[1] !== VERSION) return wrong(`the link has version ${match[1]}, this program reads version ${VERSION}`);
  const bytes = fromBase64Url(match[2]!);
  if (!bytes || bytes.length <= CHECKSUM) return wrong('the link is cut off');
  try {
    const plain = await pump(bytes.subarray(CHECKSUM), new DecompressionStream('deflate-raw'), MAX_INFLATED);
    if (crc32(plain) !== new DataView(bytes.buffer).getUint32(0, true)) return wrong('the link is damaged: its checksum does not match');
    return { ok: true, text: new TextDecoder('utf-8', { fatal: true }).decode(plain) };
  } catch (error) {
    return wrong(
      error instanceof TooLong ? `the link unpacks to more than ${MAX_INFLATED} bytes` : 'the link is damaged: it does not unpack',
    );
  }
}

function toBase64Url(bytes: Uint8Array): string {
  let binary = '';
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

function fromBase64Url(text: string): Uint8Array | undefined {
  try {
    const binary = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
    return Uint8Array.from(binary, (char) => char.charCodeAt(0));
  } catch {
    return undefined;
  }
}
