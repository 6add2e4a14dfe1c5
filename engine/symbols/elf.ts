/**
 * The symbol table of an ELF file (System V gABI, chapter 4: .symtab, else .dynsym), 32 or 64 bits, little-endian. Only the headers and the two
 * tables are read, however large the file is. Nothing in it is trusted.
 */
import { MOST_NAME, printable, STT_FUNC, STT_NOTYPE, STT_OBJECT } from './elf-symbol';
import { SymbolError } from './error';
import { type Named, type SymbolTable, tableOf } from './table';

/** The range that the reader needs next. At the end of the file fewer bytes may come back. */
export interface Wanted {
  offset: number;
  length: number;
}
export type Reading = Generator<Wanted, SymbolTable, Uint8Array>;

/** Larger tables are refused: a kernel with everything built in has 600,000 symbols. */
const MOST_SECTIONS = 65_536;
const MOST_SYMBOLS = 2_000_000;
const MOST_BYTES = 128 * 1024 * 1024;

const SHT_SYMTAB = 2;
const SHT_DYNSYM = 11;
const STT_GNU_IFUNC = 10;
const SHN_UNDEF = 0;
const SHN_ABS = 0xfff1;
const STB_LOCAL = 0;

interface Section {
  type: number;
  /** gva */
  address: number;
  offset: number;
  size: number;
  link: number;
  entrySize: number;
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function* exactly(what: string, offset: number, length: number): Generator<Wanted, Uint8Array, Uint8Array> {
  if (length > MOST_BYTES) throw new SymbolError(`${what} has ${length} bytes, at most ${MOST_BYTES} are read`);
  const bytes = yield { offset, length };
  if (bytes.length < length) throw new SymbolError(`${what} is cut short: bytes ${offset} to ${offset + length} are missing`);
  return bytes;
}

/** Throws SymbolError with the reason. */
export function* elfSymbols(): Reading {
  const head = yield { offset: 0, length: 64 };
  const wide = head[4] === 2;
  if ((head[4] !== 1 && !wide) || head[5] !== 1) throw new SymbolError('it is an ELF file, but not a 32-bit or 64-bit little-endian one');
  if (head.length < (wide ? 64 : 52)) throw new SymbolError('its ELF header is cut short');
  const view = viewOf(head);
  const at = wide ? Number(view.getBigUint64(40, true)) : view.getUint32(32, true);
  const entrySize = view.getUint16(wide ? 58 : 46, true);
  let count = view.getUint16(wide ? 60 : 48, true);
  if (at === 0) throw new SymbolError('it is an ELF file without sections, so it has no symbols');
  if (entrySize < (wide ? 64 : 40)) throw new SymbolError(`its section headers have ${entrySize} bytes each, ${wide ? 64 : 40} are needed`);
  if (count === 0) {
    // More than fit into the header: the count is in section 0.
    const first = yield* exactly('section header 0', at, entrySize);
    count = wide ? Number(viewOf(first).getBigUint64(32, true)) : viewOf(first).getUint32(20, true);
  }
  if (count > MOST_SECTIONS) throw new SymbolError(`it claims ${count} sections, at most ${MOST_SECTIONS} are read`);
  const sections = readSections(yield* exactly('the table of sections', at, count * entrySize), count, entrySize, wide);
  const table = sections.find(({ type }) => type === SHT_SYMTAB) ?? sections.find(({ type }) => type === SHT_DYNSYM);
  if (!table) throw new SymbolError('it is an ELF file without symbols: it was stripped');
  const names = sections[table.link];
  if (!names) throw new SymbolError(`its symbols name section ${table.link} for their names, there are ${sections.length}`);
  const each = wide ? 24 : 16;
  if (table.entrySize !== each) throw new SymbolError(`its symbols have ${table.entrySize} bytes each, ${each} are needed`);
  const symbols = Math.floor(table.size / each);
  if (symbols > MOST_SYMBOLS) throw new SymbolError(`it has ${symbols} symbols, at most ${MOST_SYMBOLS} are read`);
  const entries = yield* exactly('the symbol table', table.offset, symbols * each);
  const strings = yield* exactly('the table of names', names.offset, names.size);
  const found = readSymbols(entries, strings, symbols, wide, sections);
  if (found.length === 0) throw new SymbolError('its symbol table has no functions and no objects');
  return tableOf(found);
}

function readSections(bytes: Uint8Array, count: number, entrySize: number, wide: boolean): Section[] {
  const view = viewOf(bytes);
  const word = (at: number): number => (wide ? Number(view.getBigUint64(at, true)) : view.getUint32(at, true));
  return Array.from({ length: count }, (_unused, index) => {
    const at = index * entrySize;
    return {
      type: view.getUint32(at + 4, true),
      address: word(at + (wide ? 16 : 12)),
      offset: word(at + (wide ? 24 : 16)),
      size: word(at + (wide ? 32 : 20)),
      link: view.getUint32(at + (wide ? 40 : 24), true),
      entrySize: word(at + (wide ? 56 : 36)),
    };
  });
}

function readSymbols(entries: Uint8Array, strings: Uint8Array, count: number, wide: boolean, sections: readonly Section[]): Named[] {
  const view = viewOf(entries);
  const latin1 = new TextDecoder('latin1');
  const nameAt = (at: number): string => {
    let end = at;
    while (end < strings.length && end - at < MOST_NAME && strings[end] !== 0) end += 1;
    return latin1.decode(strings.subarray(at, end));
  };
  const found: Named[] = [];
  for (let index = 1; index < count; index++) {
    const at = index * (wide ? 24 : 16);
    const info = entries[at + (wide ? 4 : 12)]!;
    const kind = info & 15;
    const section = view.getUint16(at + (wide ? 6 : 14), true);
    if (section === SHN_UNDEF || section === SHN_ABS) continue;
    if (kind !== STT_FUNC && kind !== STT_OBJECT && kind !== STT_NOTYPE && kind !== STT_GNU_IFUNC) continue;
    const name = nameAt(view.getUint32(at, true));
    if (name === '' || !printable(name)) continue;
    const address = wide ? view.getBigUint64(at + 8, true) : BigInt(view.getUint32(at + 4, true));
    const size = (wide ? Number(view.getBigUint64(at + 16, true)) : view.getUint32(at + 8, true)) || roomBehind(sections[section], address);
    const kindRank = size === 0 ? 4 : kind === STT_NOTYPE ? 2 : 0;
    found.push({ address, name, size, rank: kindRank + (info >> 4 === STB_LOCAL ? 1 : 0) });
  }
  return found;
}

/** Symbols from assembly have no size: they end with the section at the latest. A mark at its end names nothing. */
function roomBehind(section: Section | undefined, address: bigint): number {
  if (!section) return Number.POSITIVE_INFINITY;
  return Math.max(0, section.address + section.size - Number(address));
}
