/** A replay as a file: 8 bytes "MSLR" 0d 0a 1a 0a, u32 version (little-endian), then the bytes of a replay link. */
import { Refused } from './container';
import { MAX_INFLATED, packContent, unpackContent } from './link';

const MAGIC = Uint8Array.of(0x4d, 0x53, 0x4c, 0x52, 0x0d, 0x0a, 0x1a, 0x0a);
const VERSION = 1;
const HEAD = 12;

export const isReplayFile = (file: Uint8Array): boolean => file.length >= 4 && MAGIC.subarray(0, 4).every((byte, at) => byte === file[at]);

export async function packReplayFile(content: Uint8Array): Promise<Uint8Array<ArrayBuffer>> {
  const packed = await packContent(content);
  const file = new Uint8Array(HEAD + packed.length);
  file.set(MAGIC);
  new DataView(file.buffer).setUint32(8, VERSION, true);
  file.set(packed, HEAD);
  return file;
}

/** Throws Refused. */
export async function unpackReplayFile(file: Uint8Array): Promise<Uint8Array> {
  if (!MAGIC.every((byte, at) => byte === file[at])) throw new Refused('it is not a replay');
  if (file.length < HEAD) throw new Refused('it is cut off');
  if (file.length > MAX_INFLATED) throw new Refused(`it has ${file.length} bytes, at most ${MAX_INFLATED} are read`);
  const version = new DataView(file.buffer, file.byteOffset, HEAD).getUint32(8, true);
  if (version !== VERSION) throw new Refused(`it has version ${version}, this program reads version ${VERSION}`);
  const unpacked = await unpackContent(file.subarray(HEAD), 'it');
  if (!unpacked.ok) throw new Refused(unpacked.reason);
  return unpacked.bytes;
}
