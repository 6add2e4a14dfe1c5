/**
 * Share links: "#l=1.<base64url>", 1 being the version of the packing; the bytes are a CRC-32 (little-endian) of the text and the text itself, UTF-8,
 * deflated raw. Everything is bounded while it is unpacked, and every failure has a reason.
 */

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

class TooLong extends Error {}

/** Through a (de)compression stream, stopping as soon as more than `most` bytes came out. */
async function pump(input: Uint8Array, stream: CompressionStream | DecompressionStream, most: number): Promise<Uint8Array> {
  const writer = stream.writable.getWriter();
  const reader = stream.readable.getReader();
  // Errors of the writing side come out of the reading side too; here they only must not go unhandled.
  const written = writer
    .write(input.slice())
    .then(() => writer.close())
    .catch(() => {});
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > most) {
      await reader.cancel().catch(() => {});
      throw new TooLong();
    }
    chunks.push(value);
  }
  await written;
  const all = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.length;
  }
  return all;
}

/** CRC-32 of IEEE 802.3 (polynomial 0xedb88320 reflected), as gzip and PNG use it. */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
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
