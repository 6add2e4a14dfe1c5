/** The part of ELF that a boot loader needs: class, entry and PT_LOAD segments (System V gABI, chapters 4 and 5). */

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

export function isElf(image: Uint8Array): boolean {
  return image.length >= 52 && image[0] === 0x7f && image[1] === 0x45 && image[2] === 0x4c && image[3] === 0x46;
}

/** Throws an Error with the reason. */
export function readElf(image: Uint8Array): Elf {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  const wide = image[4] === 2;
  if ((image[4] !== 1 && !wide) || image[5] !== 1) throw new Error('the ELF file is not 32-bit or 64-bit little-endian');
  if (wide && image.length < 64) throw new Error('the ELF header is cut short');
  const word = (at: number) => (wide ? Number(view.getBigUint64(at, true)) : view.getUint32(at, true));
  const table = word(wide ? 32 : 28);
  const entrySize = view.getUint16(wide ? 54 : 42, true);
  const count = view.getUint16(wide ? 56 : 44, true);
  if (entrySize < (wide ? 56 : 32) || table + count * entrySize > image.length) throw new Error('the ELF program headers are cut short');
  const segments: ElfSegment[] = [];
  for (let index = 0; index < count; index++) {
    const at = table + index * entrySize;
    if (view.getUint32(at, true) !== PT_LOAD) continue;
    const [offset, virtual, physical, fileSize, memorySize] = wide
      ? [word(at + 8), word(at + 16), word(at + 24), word(at + 32), word(at + 40)]
      : [word(at + 4), word(at + 8), word(at + 12), word(at + 16), word(at + 20)];
    if (offset + fileSize > image.length)
      throw new Error(`ELF segment ${index} is cut short: the file has ${image.length} bytes of ${offset + fileSize}`);
    if (fileSize > memorySize) throw new Error(`ELF segment ${index} is longer in the file than in memory`);
    if (memorySize > 0) segments.push({ bytes: image.subarray(offset, offset + fileSize), physical, virtual, memorySize });
  }
  if (segments.length === 0) throw new Error('the ELF file has nothing to load');
  return { bits: wide ? 64 : 32, machine: view.getUint16(18, true), entry: word(24), segments };
}
