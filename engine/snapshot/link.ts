/**
 * Share links: "#l=1.<base64url>", `l` a layout, `s` a machine's state, `r` a replay, 1 the version of the packing; the bytes are a CRC-32
 * (little-endian) of the content and the content itself, deflated raw. Everything is bounded while it is unpacked, and every failure has a reason.
 */
import { crc32 } from './crc32';
import { pump, TooLong } from './pump';

const VERSION = '1';
/** Characters of the longest link that is read or created. */
export const MAX_LINK = 262_144;
/** Bytes that a link may inflate to. */
export const MAX_INFLATED = 4 * 1024 * 1024;
const CHECKSUM = 4;

export type LinkKind = 'l' | 's' | 'r';
export type UnpackedLink = { ok: true; text: string } | { ok: false; reason: string };
export type UnpackedBytes = { ok: true; bytes: Uint8Array } | { ok: false; reason: string };

/** The kind of contents that a fragment (location.hash) claims; undefined: it is not a share link. */
export function linkKind(fragment: string): LinkKind | undefined {
  const kind = /^#?([lsr])=/.exec(fragment)?.[1];
  return kind as LinkKind | undefined;
}

/** Does this fragment carry a layout? */
export const isLayoutLink = (fragment: string): boolean => linkKind(fragment) === 'l';

/** base + "#l=1....". */
export const packLink = (text: string, base: string): Promise<string> => packBytesLink('l', new TextEncoder().encode(text), base);

export async function packBytesLink(kind: LinkKind, content: Uint8Array, base: string): Promise<string> {
  return `${base.replace(/#.*$/s, '')}#${kind}=${VERSION}.${toBase64Url(await packContent(content))}`;
}

/** Never throws. */
export async function unpackLink(fragment: string): Promise<UnpackedLink> {
  const unpacked = await unpackBytesLink('l', fragment);
  if (!unpacked.ok) return unpacked;
  try {
    return { ok: true, text: new TextDecoder('utf-8', { fatal: true }).decode(unpacked.bytes) };
  } catch {
    return { ok: false, reason: 'the link is damaged: it does not unpack' };
  }
}

/** Never throws. */
export async function unpackBytesLink(kind: LinkKind, fragment: string): Promise<UnpackedBytes> {
  const wrong = (reason: string): UnpackedBytes => ({ ok: false, reason });
  if (fragment.length > MAX_LINK) return wrong(`the link has ${fragment.length} characters, at most ${MAX_LINK} are read`);
  const match = /^#?([lsr])=(\d{1,9})\.([A-Za-z0-9_-]*)$/.exec(fragment);
  if (match?.[1] !== kind) return wrong(`the link is not of the form #${kind}=1.<letters, digits, - and _>`);
  if (match[2] !== VERSION) return wrong(`the link has version ${match[2]}, this program reads version ${VERSION}`);
  const bytes = fromBase64Url(match[3]!);
  return bytes ? unpackContent(bytes, 'the link') : wrong('the link is cut off');
}

/** CRC-32 and deflated content: the bytes behind a link's letters, and after the head of a replay file. */
export async function packContent(content: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  const packed = await pump(content, new CompressionStream('deflate-raw'), Number.POSITIVE_INFINITY);
  const bytes = new Uint8Array(CHECKSUM + packed.length);
  new DataView(bytes.buffer).setUint32(0, crc32(content), true);
  bytes.set(packed, CHECKSUM);
  return bytes;
}

/** `what`: named in reasons such as cut off, damaged, too long. Never throws. */
export async function unpackContent(bytes: Uint8Array, what: string): Promise<UnpackedBytes> {
  const wrong = (reason: string): UnpackedBytes => ({ ok: false, reason: `${what} ${reason}` });
  if (bytes.length <= CHECKSUM) return wrong('is cut off');
  try {
    const content = await pump(bytes.subarray(CHECKSUM), new DecompressionStream('deflate-raw'), MAX_INFLATED);
    const checksum = new DataView(bytes.buffer, bytes.byteOffset, CHECKSUM).getUint32(0, true);
    if (crc32(content) !== checksum) return wrong('is damaged: its checksum does not match');
    if (await endsBefore(bytes.subarray(CHECKSUM))) return wrong('is damaged: bytes follow its end');
    return { ok: true, bytes: content };
  } catch (error) {
    return wrong(error instanceof TooLong ? `unpacks to more than ${MAX_INFLATED} bytes` : 'is damaged: it does not unpack');
  }
}

/** Does the deflated content end before the last byte? Browsers refuse that themselves; Node's stream ignores the rest. */
async function endsBefore(packed: Uint8Array): Promise<boolean> {
  try {
    await pump(packed.subarray(0, -1), new DecompressionStream('deflate-raw'), MAX_INFLATED);
    return true;
  } catch {
    return false;
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
