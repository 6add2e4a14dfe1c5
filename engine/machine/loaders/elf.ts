/** The part of ELF that a boot loader needs: class, entry, PT_LOAD segments and notes (System V gABI, chapters 4 and 5). */

export interface ElfSegment {
  /** File bytes; memory beyond them up to `memorySize` is zero. */
  bytes: Uint8Array;
  physical: number;
  virtual: number;
  memorySize: number;
}

export interface Elf {
  bits: 32 | 64;
  machine: number;
  entry: number;
  segments: ElfSegment[];
}

export const EM_386 = 3;
export const EM_X86_64 = 62;
const PT_LOAD = 1;
const PT_NOTE = 4;

export function isElf(image: Uint8Array): boolean {
  return image.length >= 52 && image[0] === 0x7f && image[1] === 0x45 && image[2] === 0x4c && image[3] === 0x46;
}

interface ProgramHeader {
  type: number;
  offset: number;
  virtual: number;
  physical: number;
  fileSize: number;
  memorySize: number;
}

export interface ElfNote {
  owner: string;
  type: number;
  bytes: Uint8Array;
}

function readHeaders(image: Uint8Array): { wide: boolean; entry: number; machine: number; headers: ProgramHeader[] } {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const wide = image[4] === 2;
  if ((image[4] !== 1 && !wide) || image[5] !== 1) throw new Error('the ELF file is not 32-bit or 64-bit little-endian');
  if (wide && image.length < 64) throw new Error('the ELF header is cut short');
  const word = (at: number) => (wide ? Number(view.getBigUint64(at, true)) : view.getUint32(at, true));
  const table = word(wide ? 32 : 28);
  const entrySize = view.getUint16(wide ? 54 : 42, true);
  const count = view.getUint16(wide ? 56 : 44, true);
  if (entrySize < (wide ? 56 : 32) || table + count * entrySize > image.length) throw new Error('the ELF program headers are cut short');
  const headers: ProgramHeader[] = [];
  for (let index = 0; index < count; index++) {
    const at = table + index * entrySize;
    const fields = wide ? [8, 16, 24, 32, 40] : [4, 8, 12, 16, 20];
    const [offset, virtual, physical, fileSize, memorySize] = fields.map((field) => word(at + field)) as [
      number,
      number,
      number,
      number,
      number,
    ];
    headers.push({ type: view.getUint32(at, true), offset, virtual, physical, fileSize, memorySize });
  }
  return { wide, entry: word(24), machine: view.getUint16(18, true), headers };
}

/** Throws an Error with the reason. */
export function readElf(image: Uint8Array): Elf {
  const { wide, entry, machine, headers } = readHeaders(image);
  const segments: ElfSegment[] = [];
  for (const [index, { type, offset, virtual, physical, fileSize, memorySize }] of headers.entries()) {
    if (type !== PT_LOAD) continue;
    if (offset + fileSize > image.length)
      throw new Error(`ELF segment ${index} is cut short: the file has ${image.length} bytes of ${offset + fileSize}`);
    if (fileSize > memorySize) throw new Error(`ELF segment ${index} is longer in the file than in memory`);
    if (memorySize > 0) segments.push({ bytes: image.subarray(offset, offset + fileSize), physical, virtual, memorySize });
  }
  if (segments.length === 0) throw new Error('the ELF file has nothing to load');
  return { bits: wide ? 64 : 32, machine, entry, segments };
}

/** More notes than any kernel has. */
const MAX_NOTES = 1024;

/** The first MAX_NOTES whole notes of the file. A truncated note ends its segment; a file that is not ELF has none. */
export function readNotes(image: Uint8Array): ElfNote[] {
  let headers: ProgramHeader[];
  try {
    ({ headers } = readHeaders(image));
  } catch {
    return [];
  }
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const align4 = (value: number): number => Math.ceil(value / 4) * 4;
  const notes: ElfNote[] = [];
  for (const { type: kind, offset, fileSize } of headers) {
    const end = Math.min(offset + fileSize, image.length);
    for (let at = offset; kind === PT_NOTE && at + 12 <= end && notes.length < MAX_NOTES; ) {
      const [nameSize, size, type] = [0, 4, 8].map((field) => view.getUint32(at + field, true)) as [number, number, number];
      const data = at + 12 + align4(nameSize);
      if (data + size > end) break;
      const owner = new TextDecoder('latin1').decode(image.subarray(at + 12, at + 12 + Math.max(nameSize - 1, 0)));
      notes.push({ owner, type, bytes: image.subarray(data, data + size) });
      at = data + align4(size);
    }
  }
  return notes;
}
