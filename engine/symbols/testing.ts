/** Symbol files and kallsyms tables for tests, laid out as linkers and scripts/kallsyms.c do. */

export interface Made {
  name: string;
  address: bigint;
  size?: number;
}

const align8 = (value: number): number => Math.ceil(value / 8) * 8;

/** An ELF64 file with a symbol table and nothing else. */
export function elf64(symbols: readonly Made[]): Uint8Array {
  const encoder = new TextEncoder();
  let strings = '\0';
  const entries = new DataView(new ArrayBuffer(24 * (symbols.length + 1)));
  symbols.forEach(({ name, address, size = 0 }, index) => {
    const at = 24 * (index + 1);
    entries.setUint32(at, strings.length, true);
    entries.setUint8(at + 4, 0x12);
    entries.setUint16(at + 6, 1, true);
    entries.setBigUint64(at + 8, address, true);
    entries.setBigUint64(at + 16, BigInt(size), true);
    strings += `${name}\0`;
  });
  const names = encoder.encode(strings);
  const symtabAt = 64;
  const namesAt = symtabAt + entries.byteLength;
  const sectionsAt = align8(namesAt + names.length);
  const bytes = new Uint8Array(sectionsAt + 3 * 64);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setBigUint64(40, BigInt(sectionsAt), true);
  view.setUint16(58, 64, true);
  view.setUint16(60, 3, true);
  const section = (index: number, type: number, at: number, size: number, link: number, each: number): void => {
    const from = sectionsAt + 64 * index;
    view.setUint32(from + 4, type, true);
    view.setBigUint64(from + 24, BigInt(at), true);
    view.setBigUint64(from + 32, BigInt(size), true);
    view.setUint32(from + 40, link, true);
    view.setBigUint64(from + 56, BigInt(each), true);
  };
  section(1, 2, symtabAt, entries.byteLength, 2, 24);
  section(2, 3, namesAt, names.length, 0, 0);
  bytes.set(new Uint8Array(entries.buffer), symtabAt);
  bytes.set(names, namesAt);
  return bytes;
}

/** Bytes 0x80 and up stand for these tokens, the others for themselves. */
const PAIRS = ['do_', 'sys_', '_init', 'get_', 'set_', 'kernel_', 'free', 'alloc'];

/** Returns the offset of the token index. `base`: addresses count from it. `late`: the order of 6.4 and newer, without CONFIG_KALLSYMS_ABSOLUTE_PERCPU. */
export function kallsymsImage(symbols: readonly Made[], base: bigint, late: boolean): { bytes: Uint8Array; index: number } {
  const token = (code: number): string =>
    code >= 0x80 && code < 0x80 + PAIRS.length ? PAIRS[code - 0x80]! : String.fromCharCode(code === 0 ? 0xf7 : code);
  const compress = (name: string): number[] => {
    const codes: number[] = [];
    for (let at = 0; at < name.length; ) {
      const pair = PAIRS.findIndex((each) => name.startsWith(each, at));
      codes.push(pair < 0 ? name.charCodeAt(at) : 0x80 + pair);
      at += pair < 0 ? 1 : PAIRS[pair]!.length;
    }
    return codes;
  };
  const parts: { label: string; bytes: Uint8Array }[] = [];
  const words = (label: string, values: readonly number[]): void => {
    parts.push({ label, bytes: new Uint8Array(Int32Array.from(values).buffer) });
  };
  const offsets = (): void => {
    words(
      'offsets',
      symbols.map(({ address }) => Number(late ? address - base : address < base ? address : base - 1n - address)),
    );
    parts.push({ label: 'base', bytes: new Uint8Array(BigUint64Array.of(base).buffer) });
  };
  const names: number[] = [];
  const markers: number[] = [];
  symbols.forEach(({ name }, index) => {
    if (index % 256 === 0) markers.push(names.length);
    const codes = compress(`T${name}`);
    names.push(...(codes.length > 127 ? [(codes.length & 0x7f) | 0x80, codes.length >> 7] : [codes.length]), ...codes);
  });
  if (!late) offsets();
  words('num_syms', [symbols.length]);
  parts.push({ label: 'names', bytes: Uint8Array.from(names) });
  words('markers', markers);
  if (!late)
    words(
      'seqs',
      symbols.map((_symbol, index) => index),
    );
  const table: number[] = [];
  const index: number[] = [];
  for (let code = 0; code < 256; code++) {
    index.push(table.length);
    table.push(...[...token(code)].map((letter) => letter.charCodeAt(0)), 0);
  }
  parts.push({ label: 'table', bytes: Uint8Array.from(table) });
  parts.push({ label: 'index', bytes: new Uint8Array(Uint16Array.from(index).buffer) });
  if (late) {
    offsets();
    words(
      'seqs',
      symbols.map((_symbol, each) => each),
    );
  }
  const bytes = new Uint8Array(64 + parts.reduce((sum, part) => sum + align8(part.bytes.length), 0) + 64);
  let at = 64;
  let where = 0;
  for (const part of parts) {
    bytes.set(part.bytes, at);
    if (part.label === 'index') where = at;
    at += align8(part.bytes.length);
  }
  return { bytes, index: where };
}

/** Distinct names, every eighth with a two-byte length. */
export function manySymbols(count: number, base: bigint): Made[] {
  return Array.from({ length: count }, (_unused, index) => ({
    name: `${['do_', 'sys_get_', 'x', 'free_init'][index % 4]}n${index}${index % 8 === 0 ? 'q'.repeat(180) : ''}`,
    address: base + BigInt(16 * index),
  }));
}
