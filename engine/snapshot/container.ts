/**
 * The outer form of a machine file: a head, named sections, an end mark. Every byte is under a CRC-32, lengths are bounded before anything
 * is allocated, and a file that is cut, changed or of another version is refused with the reason. Little-endian.
 *
 *   head     8 bytes  "MSLM" 0d 0a 1a 0a, u32 version, u32 CRC-32 of the 12 bytes before it
 *   section  8 bytes  name in ASCII, zero-filled; u32 packing (0 as it is, 1 raw DEFLATE); u32 stored bytes; u32 bytes when unpacked;
 *            u32 CRC-32 of the stored bytes; u32 CRC-32 of the 24 bytes before it; then the stored bytes
 *   end      a section "end" of no bytes, whose unpacked length counts the sections before it; nothing follows
 */
import { crc32 } from './crc32';
import { pump, TooLong } from './pump';

/** 2: hvas count from the start of host memory, and section vcpu begins with the version of its records. */
export const VERSION = 2;
const OLDEST = 1;
const MAGIC = Uint8Array.of(0x4d, 0x53, 0x4c, 0x4d, 0x0d, 0x0a, 0x1a, 0x0a);
const HEAD = 16;
const SECTION_HEAD = 28;
const END = 'end';
const DEFLATE = 1;
/** A smaller section is stored unpacked, bytes: lists of snapshots read the first section that way. */
const WORTH_PACKING = 512;
/** Sections to pack or unpack at the same time. */
const AT_ONCE = 4;

/** A refused file; the message is one line. */
export class Refused extends Error {}

export interface Section {
  name: string;
  bytes: Uint8Array;
}

/** A section of the file: its checksum is right, its contents are unchecked. */
export interface PackedSection {
  name: string;
  packing: number;
  /** bytes when unpacked */
  length: number;
  stored: Uint8Array;
}

/** Bytes done, and all bytes, both unpacked. */
export type Progress = (done: number, total: number) => void;

export async function packSections(sections: readonly Section[], progress?: Progress): Promise<Uint8Array<ArrayBuffer>> {
  const packed = await inTurns(sections, pack, ({ bytes }) => bytes.length, progress);
  const total = packed.reduce((sum, { stored }) => sum + SECTION_HEAD + stored.length, HEAD + SECTION_HEAD);
  const file = new Uint8Array(total);
  file.set(MAGIC);
  const view = new DataView(file.buffer);
  view.setUint32(8, VERSION, true);
  view.setUint32(12, crc32(file.subarray(0, 12)), true);
  let at = HEAD;
  for (const section of [...packed, { name: END, packing: 0, length: packed.length, stored: new Uint8Array(0) }]) {
    file.set(new TextEncoder().encode(section.name), at);
    view.setUint32(at + 8, section.packing, true);
    view.setUint32(at + 12, section.stored.length, true);
    view.setUint32(at + 16, section.length, true);
    view.setUint32(at + 20, crc32(section.stored), true);
    view.setUint32(at + 24, crc32(file.subarray(at, at + 24)), true);
    file.set(section.stored, at + SECTION_HEAD);
    at += SECTION_HEAD + section.stored.length;
  }
  return file;
}

async function pack({ name, bytes }: Section): Promise<PackedSection> {
  if (bytes.length < WORTH_PACKING) return { name, packing: 0, length: bytes.length, stored: bytes };
  const stored = await pump(bytes, new CompressionStream('deflate-raw'), Number.POSITIVE_INFINITY);
  if (stored.length >= bytes.length) return { name, packing: 0, length: bytes.length, stored: bytes };
  return { name, packing: DEFLATE, length: bytes.length, stored };
}

/**
 * The sections in the file's order, each checked against its checksum. `most`: the largest unpacked length by name; other names are refused.
 * `partial`: the bytes are the beginning of a file; returns the complete sections in it.
 */
export function readSections(file: Uint8Array, most: { readonly [name: string]: number }, partial = false): PackedSection[] {
  checkHead(file);
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const sections: PackedSection[] = [];
  let at = HEAD;
  for (;;) {
    if (at + SECTION_HEAD > file.length) {
      if (partial) return sections;
      throw new Refused(`it is cut short at byte ${file.length}`);
    }
    const name = nameAt(file, at);
    if (crc32(file.subarray(at, at + 24)) !== view.getUint32(at + 24, true))
      throw new Refused(`the head of a section at byte ${at} is damaged`);
    const packing = view.getUint32(at + 8, true);
    const size = view.getUint32(at + 12, true);
    const length = view.getUint32(at + 16, true);
    if (name === END) {
      if (length !== sections.length) throw new Refused(`it has ${sections.length} sections, its end mark counts ${length}`);
      if (at + SECTION_HEAD < file.length) throw new Refused(`${file.length - at - SECTION_HEAD} bytes follow its end`);
      return sections;
    }
    const bound = Object.hasOwn(most, name) ? most[name]! : undefined;
    if (bound === undefined) throw new Refused(`section ${JSON.stringify(name)} is not known`);
    if (length > bound || size > bound) throw new Refused(`section ${name}: ${Math.max(length, size)} bytes, at most ${bound} are read`);
    if (packing > DEFLATE || (packing === 0 && size !== length)) throw new Refused(`section ${name}: packing ${packing} is not known`);
    const start = at + SECTION_HEAD;
    if (start + size > file.length) {
      if (partial) return sections;
      throw new Refused(`it is cut short at byte ${file.length}, in section ${name}`);
    }
    const stored = file.subarray(start, start + size);
    if (crc32(stored) !== view.getUint32(at + 20, true)) throw new Refused(`section ${name}: its checksum differs`);
    sections.push({ name, packing, length, stored });
    at = start + size;
  }
}

/** Does it begin like a machine snapshot? */
export const isContainer = (file: Uint8Array): boolean => MAGIC.every((byte, index) => index >= file.length || byte === file[index]);

function checkHead(file: Uint8Array): void {
  if (!isContainer(file)) throw new Refused('it is not a machine snapshot');
  if (file.length < HEAD) throw new Refused(`it is cut short at byte ${file.length}`);
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  const version = view.getUint32(8, true);
  if (version > VERSION) throw new Refused(`version ${version} is newer than this lab's ${VERSION}`);
  if (version < OLDEST) throw new Refused(`version ${version} is not known, this lab reads ${OLDEST} to ${VERSION}`);
  if (crc32(file.subarray(0, 12)) !== view.getUint32(12, true)) throw new Refused('its head is damaged');
}

/** For a file that `readSections` accepts. */
export const versionOf = (file: Uint8Array): number => new DataView(file.buffer, file.byteOffset, HEAD).getUint32(8, true);

function nameAt(file: Uint8Array, at: number): string {
  let end = at;
  while (end < at + 8 && file[end] !== 0) end += 1;
  return String.fromCharCode(...file.subarray(at, end));
}

/** Passes each section's bytes to `each`, in the order of unpacking; the first refusal ends it. */
export async function unpackSections(
  sections: readonly PackedSection[],
  each: (bytes: Uint8Array, index: number) => void,
  progress?: Progress,
): Promise<void> {
  const unpack = async (section: PackedSection, index: number): Promise<void> => each(await unpackSection(section), index);
  await inTurns(sections, unpack, ({ length }) => length, progress);
}

/** Throws Refused. */
export async function unpackSection({ name, packing, length, stored }: PackedSection): Promise<Uint8Array> {
  if (packing === 0) return stored;
  let bytes: Uint8Array;
  try {
    bytes = await pump(stored, new DecompressionStream('deflate-raw'), length);
  } catch (error) {
    if (error instanceof RangeError) throw error;
    throw new Refused(`section ${name}: ${error instanceof TooLong ? `it unpacks to more than ${length} bytes` : 'it does not unpack'}`);
  }
  if (bytes.length !== length) throw new Refused(`section ${name}: it unpacks to ${bytes.length} bytes, not ${length}`);
  return bytes;
}

/** AT_ONCE at a time; after a failure no more are started. */
async function inTurns<T, R>(
  items: readonly T[],
  work: (item: T, index: number) => Promise<R>,
  weight: (item: T) => number,
  progress?: Progress,
): Promise<R[]> {
  const results: R[] = [];
  const total = items.reduce((sum, item) => sum + weight(item), 0);
  let done = 0;
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length) {
      const index = next++;
      try {
        results[index] = await work(items[index]!, index);
      } catch (error) {
        next = items.length;
        throw error;
      }
      done += weight(items[index]!);
      progress?.(done, total);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results;
}
