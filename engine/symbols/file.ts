/** A symbol file: ELF (a vmlinux, any program) or a System.map. */
import { elfSymbols, type Reading } from './elf';
import { SymbolError } from './error';
import { systemMapSymbols } from './system-map';
import type { SymbolTable } from './table';

/** A file, read in pieces: of the 500 MB of a vmlinux with line numbers only 20 are needed. */
export interface FilePieces {
  /** bytes */
  size: number;
  /** Returns fewer bytes at the end of the file. */
  read(offset: number, length: number): Promise<Uint8Array>;
}

const MOST_TEXT = 64 * 1024 * 1024;
const ELF_MAGIC = 0x7f454c46;

const isElf = (head: Uint8Array): boolean =>
  head.length >= 4 && new DataView(head.buffer, head.byteOffset).getUint32(0, false) === ELF_MAGIC;
const isText = (head: Uint8Array): boolean =>
  head.length > 0 && head.every((byte) => byte === 9 || byte === 10 || byte === 13 || byte >= 32);

/** Throws SymbolError with the reason. */
export async function readSymbols(file: FilePieces): Promise<SymbolTable> {
  const head = await file.read(0, 64);
  if (head.length === 0) throw new SymbolError('the file is empty');
  if (isElf(head)) {
    const reading = elfSymbols();
    let step = reading.next();
    while (!step.done) {
      const { offset, length } = step.value;
      step = reading.next(offset >= file.size ? new Uint8Array() : await file.read(offset, Math.min(length, file.size - offset)));
    }
    return step.value;
  }
  if (head[0] === 0x1f && head[1] === 0x8b) throw new SymbolError('it is compressed: unpack it with gunzip first');
  if (!isText(head)) throw new SymbolError('it is neither an ELF file nor a System.map');
  if (file.size > MOST_TEXT) throw new SymbolError(`it has ${file.size} bytes of text, at most ${MOST_TEXT} are read`);
  return systemMapSymbols(new TextDecoder('latin1').decode(await file.read(0, file.size)));
}

/** The symbols of an ELF image in memory; undefined if it has none or is not ELF. */
export function imageSymbols(image: Uint8Array): SymbolTable | undefined {
  if (!isElf(image.subarray(0, 4))) return undefined;
  const reading: Reading = elfSymbols();
  try {
    let step = reading.next();
    while (!step.done) {
      const { offset, length } = step.value;
      step = reading.next(image.subarray(offset, offset + length));
    }
    return step.value;
  } catch (error) {
    if (error instanceof SymbolError) return undefined;
    throw error;
  }
}
