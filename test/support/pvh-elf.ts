/** ELF files with a Xen note, put together byte by byte. */
const SEGMENT_AT = 0x1000;
const NOTES_AT = 0x100;

export interface PvhElf {
  bits: 32 | 64;
  /** gpa of the one segment; `code` is its file part. */
  at: number;
  code: Uint8Array;
  memorySize?: number;
  /** Notes: owner, type, bytes. */
  notes: readonly (readonly [owner: string, type: number, bytes: readonly number[]])[];
  entry?: number;
}

export const le32 = (value: number): number[] => [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24];

function noteBytes(notes: PvhElf['notes']): number[] {
  const pad = (bytes: readonly number[]): number[] => [...bytes, ...new Array<number>((4 - (bytes.length % 4)) % 4).fill(0)];
  return notes.flatMap(([owner, type, bytes]) => {
    const name = [...new TextEncoder().encode(`${owner}\0`)];
    return [...le32(name.length), ...le32(bytes.length), ...le32(type), ...pad(name), ...pad(bytes)];
  });
}

export function pvhElf({ bits, at, code, memorySize = code.length, notes, entry = 0 }: PvhElf): Uint8Array {
  const image = new Uint8Array(SEGMENT_AT + code.length);
  const view = new DataView(image.buffer);
  const wide = bits === 64;
  const word = (offset: number, value: number): void =>
    wide ? view.setBigUint64(offset, BigInt(value), true) : view.setUint32(offset, value, true);
  const note = noteBytes(notes);
  image.set([0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, 1, 1]);
  view.setUint16(16, 2, true);
  view.setUint16(18, wide ? 62 : 3, true);
  word(24, entry);
  word(wide ? 32 : 28, 64);
  view.setUint16(wide ? 54 : 42, wide ? 56 : 32, true);
  view.setUint16(wide ? 56 : 44, 2, true);
  const header = (index: number, type: number, values: readonly number[]): void => {
    const base = 64 + index * (wide ? 56 : 32);
    view.setUint32(base, type, true);
    values.forEach((value, i) => {
      word(base + (wide ? 8 + 8 * i : 4 + 4 * i), value);
    });
  };
  header(0, 1, [SEGMENT_AT, at, at, code.length, memorySize]);
  header(1, 4, [NOTES_AT, 0, 0, note.length, note.length]);
  image.set(note, NOTES_AT);
  image.set(code, SEGMENT_AT);
  return image;
}
