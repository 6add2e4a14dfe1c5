/**
 * Linux's kallsyms tables in guest memory (scripts/kallsyms.c, kernel/kallsyms.c), 64-bit kernels with CONFIG_KALLSYMS_BASE_RELATIVE:
 *
 *   up to 6.3:  offsets, relative_base, num_syms, names, markers, (seqs_of_names), token_table, token_index
 *   since 6.4:  num_syms, names, markers, token_table, token_index, offsets, relative_base, seqs_of_names
 *
 * each at a multiple of 8. The token index can be recognized: 256 rising 16-bit offsets after the 256 strings that they point to.
 * Everything else is found from there and must be consistent, so other bytes are refused.
 * Not supported: symbols of modules (modules.ts reads them), kernels with absolute addresses (before 4.6), 32-bit kernels.
 */
import { printable } from './elf-symbol';
import { SymbolTable } from './table';

const TOKENS = 256;
const INDEX_BYTES = 2 * TOKENS;
const MOST_TOKEN = 128;
const MOST_SYMBOLS = 2_000_000;
const LEAST_SYMBOLS = 256;
/** Most bytes between two markers, that is of 256 names. */
const MOST_BLOCK = 256 * 514;
/** Farthest start of the markers before the token table: seqs_of_names may lie between. */
const MARKER_REACH = 8 * 1024 * 1024;
const KERNEL_HALF = 1n << 63n;
/** Limits of one search, against memory made to mislead it: names, and positions where markers may begin. */
const MOST_NAMES_SEEN = 16_000_000;
const MOST_MARKERS_SEEN = 64;
/** Characters that stand for themselves in any kernel's table. */
const OWN = '0123456789_abcdefghijklmnopqrstuvwxyz';

const align8 = (value: number): number => Math.ceil(value / 8) * 8;

/** Offsets in `bytes`, multiples of 8, where a token index may begin, at most 16. `bytes` begins at a multiple of 8. */
export function tokenIndexes(bytes: Uint8Array): number[] {
  const half = new Uint16Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 1);
  const found: number[] = [];
  for (let at = 0; at + TOKENS <= half.length && found.length < 16; at += 4) {
    if (half[at] !== 0 || half[at + 1]! < 2 || half[at + 1]! > MOST_TOKEN) continue;
    let index = 1;
    while (index < TOKENS && half[at + index]! > half[at + index - 1]! && half[at + index]! - half[at + index - 1]! <= MOST_TOKEN)
      index += 1;
    if (index === TOKENS) found.push(at * 2);
  }
  return found;
}

/** Memory around a token index: `index` is its offset in `bytes`, which begins at a multiple of 8. */
export interface Around {
  bytes: Uint8Array;
  index: number;
}

/** The symbols of this token index; undefined: it is not one. */
export function kallsymsAt({ bytes, index }: Around): SymbolTable | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const table = tokenTable(bytes, view, index);
  if (!table) return undefined;
  const budget = { names: MOST_NAMES_SEEN };
  let seen = 0;
  for (const markers of markersBefore(view, table.start)) {
    seen += 1;
    if (seen > MOST_MARKERS_SEEN || budget.names <= 0) return undefined;
    const names = namesBefore(bytes, view, markers, budget);
    if (!names) continue;
    const addresses = addressesOf(view, names, index);
    if (addresses) return build(bytes, names, table.tokens, addresses);
  }
  return undefined;
}

function tokenTable(bytes: Uint8Array, view: DataView, index: number): { start: number; tokens: string[] } | undefined {
  if (index + INDEX_BYTES > bytes.length) return undefined;
  const offsets = Array.from({ length: TOKENS }, (_unused, token) => view.getUint16(index + 2 * token, true));
  const last = offsets[TOKENS - 1]!;
  for (let length = 1; length < MOST_TOKEN; length += 8) {
    // Up to seven bytes pad the table: any of the eight lengths gives the same start.
    const start = index - align8(last + length + 1);
    if (start < 0) return undefined;
    const tokens = tokensAt(bytes, start, offsets, index);
    if (tokens) return { start, tokens };
  }
  return undefined;
}

function tokensAt(bytes: Uint8Array, start: number, offsets: readonly number[], end: number): string[] | undefined {
  const tokens: string[] = [];
  for (const [token, offset] of offsets.entries()) {
    const from = start + offset;
    let to = from;
    while (to < end && bytes[to] !== 0) to += 1;
    if (to >= end) return undefined;
    if (token < TOKENS - 1 ? to + 1 !== start + offsets[token + 1]! : end - to > 8) return undefined;
    tokens.push(String.fromCharCode(...bytes.subarray(from, to)));
  }
  return [...OWN].every((letter) => tokens[letter.charCodeAt(0)] === letter) ? tokens : undefined;
}

interface Markers {
  start: number;
  /** Offsets into the names, one per 256 names */
  offsets: number[];
}

/** Positions before the token table where rising offsets begin, nearest first. */
function* markersBefore(view: DataView, table: number): Iterable<Markers> {
  for (let start = table - 8; start >= Math.max(8, table - MARKER_REACH); start -= 8) {
    if (view.getUint32(start, true) !== 0) continue;
    const second = view.getUint32(start + 4, true);
    if (second < 2 * 256 || second > MOST_BLOCK) continue;
    const offsets = [0];
    for (let at = start + 4; at < table; at += 4) {
      const offset = view.getUint32(at, true);
      const step = offset - offsets.at(-1)!;
      if (step < 2 * 256 || step > MOST_BLOCK) break;
      offsets.push(offset);
    }
    yield { start, offsets };
  }
}

interface Names {
  /** Offset of the word with their number. */
  countAt: number;
  /** Offset of each name's first byte, after its length */
  starts: Uint32Array;
  lengths: Uint16Array;
}

/** The names that end where the markers begin. */
function namesBefore(bytes: Uint8Array, view: DataView, { start: end, offsets }: Markers, budget: { names: number }): Names | undefined {
  const least = offsets.at(-1)!;
  for (let start = end - align8(least); start >= Math.max(8, end - align8(least + MOST_BLOCK)) && budget.names > 0; start -= 8) {
    const count = view.getUint32(start - 8, true);
    if (count < LEAST_SYMBOLS || count > MOST_SYMBOLS || view.getUint32(start - 4, true) !== 0) continue;
    // Bytes that look like more markers may follow them.
    const blocks = Math.ceil(count / 256);
    if (blocks > offsets.length) continue;
    const names = walkNames(bytes, start, end, count, offsets, budget);
    if (names) return { countAt: start - 8, ...names };
  }
  return undefined;
}

function walkNames(
  bytes: Uint8Array,
  start: number,
  end: number,
  count: number,
  offsets: readonly number[],
  budget: { names: number },
): Omit<Names, 'countAt'> | undefined {
  const starts = new Uint32Array(count);
  const lengths = new Uint16Array(count);
  let at = start;
  for (let index = 0; index < count; index++) {
    budget.names -= 1;
    if ((index % 256 === 0 && at - start !== offsets[index / 256]) || budget.names <= 0) return undefined;
    // ULEB128 of at most two bytes.
    let length = bytes[at]!;
    at += 1;
    if (length & 0x80) {
      length = (length & 0x7f) | (bytes[at]! << 7);
      at += 1;
    }
    if (length < 1 || at + length > end) return undefined;
    starts[index] = at;
    lengths[index] = length;
    at += length;
  }
  return align8(at - start) === end - start ? { starts, lengths } : undefined;
}

function addressesOf(view: DataView, { countAt, starts }: Names, index: number): BigUint64Array | undefined {
  const bytes = align8(4 * starts.length);
  const places = [
    { offsets: countAt - 8 - bytes, base: countAt - 8 },
    { offsets: index + INDEX_BYTES, base: index + INDEX_BYTES + bytes },
  ];
  for (const { offsets, base } of places) {
    if (offsets < 0 || base + 8 > view.byteLength) continue;
    const relative = view.getBigUint64(base, true);
    const addresses = relative >= KERNEL_HALF && relative % 4096n === 0n ? decode(view, offsets, starts.length, relative) : undefined;
    if (addresses) return addresses;
  }
  return undefined;
}

/** With CONFIG_KALLSYMS_ABSOLUTE_PERCPU a non-negative offset is absolute; without it all offsets are relative to the base. */
function decode(view: DataView, at: number, count: number, base: bigint): BigUint64Array | undefined {
  const addresses = new BigUint64Array(count);
  const signed = view.getInt32(at + 4 * (count - 1), true) < 0 && view.getInt32(at + 4 * (count >> 1), true) < 0;
  let before = 0n;
  for (let index = 0; index < count; index++) {
    const offset = view.getInt32(at + 4 * index, true);
    const address = signed ? (offset < 0 ? base - 1n - BigInt(offset) : BigInt(offset)) : base + BigInt(offset >>> 0);
    if (address < before) return undefined;
    addresses[index] = address;
    before = address;
  }
  return addresses.at(-1)! >= KERNEL_HALF ? addresses : undefined;
}

/** Copies what it needs, since guest memory keeps changing. */
function build(bytes: Uint8Array, { starts, lengths }: Names, tokens: readonly string[], all: BigUint64Array): SymbolTable | undefined {
  const first = starts[0]!;
  const text = bytes.slice(first, starts.at(-1)! + lengths.at(-1)!);
  // Offsets into per-CPU areas come first; they are not addresses.
  let skip = 0;
  while (skip < all.length && all[skip]! < KERNEL_HALF) skip += 1;
  const addresses = all.slice(skip);
  const whole = (index: number): string => {
    const from = starts[index + skip]! - first;
    let name = '';
    for (let at = from; at < from + lengths[index + skip]!; at++) name += tokens[text[at]!];
    return name;
  };
  // The first letter of each is its type, as in nm.
  const sound = (index: number): boolean => /^[A-Za-z?]/.test(whole(index)) && printable(whole(index));
  for (let index = 0; index < addresses.length; index += 61) if (!sound(index)) return undefined;
  return new SymbolTable({ addresses, name: (index) => whole(index).slice(1) });
}
