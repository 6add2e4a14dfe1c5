/**
 * A small AML writer (ACPI 6.4 chapter 20): each function returns the bytes of one term. Names are given as in ASL:
 * 'COM1', '_CRS', '\\_SB.MHPC'.
 */

export type Aml = readonly number[];

const EXT = 0x5b;

export function name(path: string): Aml {
  const rooted = path.startsWith('\\');
  const parts = path.slice(rooted ? 1 : 0).split('.');
  const segments = parts.flatMap((part) => {
    if (!/^[A-Z_][A-Z0-9_]{0,3}$/.test(part)) throw new Error(`'${path}' is not an AML name`);
    return bytesOf(part.padEnd(4, '_'));
  });
  const prefix = parts.length === 1 ? [] : parts.length === 2 ? [0x2e] : [0x2f, parts.length];
  return [...(rooted ? [0x5c] : []), ...prefix, ...segments];
}

/** Integer constant in its shortest form. */
export function integer(value: number | bigint): Aml {
  const big = BigInt(value);
  if (big === 0n) return [0x00];
  if (big === 1n) return [0x01];
  if (big <= 0xffn) return [0x0a, ...le(big, 1)];
  if (big <= 0xffffn) return [0x0b, ...le(big, 2)];
  if (big <= 0xffffffffn) return [0x0c, ...le(big, 4)];
  return [0x0e, ...le(big, 8)];
}

export function string(text: string): Aml {
  return [0x0d, ...bytesOf(text), 0];
}

/** EisaId("PNP0501"): a compressed id, as an integer. */
export function eisaId(id: string): Aml {
  const letters = [...id.slice(0, 3)].map((letter) => letter.charCodeAt(0) - 0x40);
  const product = Number.parseInt(id.slice(3), 16);
  const value = (letters[0]! << 26) | (letters[1]! << 21) | (letters[2]! << 16) | product;
  return [0x0c, (value >>> 24) & 0xff, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
}

export const local = (index: number): Aml => [0x60 + index];
export const arg = (index: number): Aml => [0x68 + index];

export const declare = (at: string, value: Aml): Aml => [0x08, ...name(at), ...value];
export const scope = (at: string, ...terms: Aml[]): Aml => [0x10, ...packaged([...name(at), ...terms.flat()])];
export const device = (at: string, ...terms: Aml[]): Aml => [EXT, 0x82, ...packaged([...name(at), ...terms.flat()])];

export function method(at: string, args: number, serialized: boolean, ...terms: Aml[]): Aml {
  return [0x14, ...packaged([...name(at), args | (serialized ? 8 : 0), ...terms.flat()])];
}

export function packageOf(...elements: Aml[]): Aml {
  return [0x12, ...packaged([elements.length, ...elements.flat()])];
}

export function buffer(bytes: readonly number[]): Aml {
  return [0x11, ...packaged([...integer(bytes.length), ...bytes])];
}

export const SystemMemory = 0;
export const SystemIO = 1;

export function operationRegion(at: string, space: number, offset: number, length: number): Aml {
  return [EXT, 0x80, ...name(at), space, ...integer(offset), ...integer(length)];
}

export const ByteAcc = 1;
export const DWordAcc = 3;
export const Preserve = 0;
export const WriteAsZeros = 2;

/** fields: [name, bits]; a name of '' skips that many bits. */
export function field(region: string, access: number, update: number, fields: readonly (readonly [string, number])[]): Aml {
  const list = fields.flatMap(([at, bits]) => (at === '' ? [0x00, ...length(bits)] : [...bytesOf(at.padEnd(4, '_')), ...length(bits)]));
  return [EXT, 0x81, ...packaged([...name(region), access | (update << 5), ...list])];
}

export const mutex = (at: string): Aml => [EXT, 0x01, ...name(at), 0];
export const acquire = (at: string): Aml => [EXT, 0x23, ...name(at), 0xff, 0xff];
export const release = (at: string): Aml => [EXT, 0x27, ...name(at)];

export const store = (value: Aml, to: Aml): Aml => [0x70, ...value, ...to];
export const add = (a: Aml, b: Aml, to: Aml): Aml => [0x72, ...a, ...b, ...to];
export const subtract = (a: Aml, b: Aml, to: Aml): Aml => [0x74, ...a, ...b, ...to];
export const shiftLeft = (a: Aml, b: Aml, to: Aml): Aml => [0x79, ...a, ...b, ...to];
export const and = (a: Aml, b: Aml): Aml => [0x7b, ...a, ...b, 0x00];
export const or = (a: Aml, b: Aml, to: Aml): Aml => [0x7d, ...a, ...b, ...to];
export const increment = (a: Aml): Aml => [0x75, ...a];
export const equal = (a: Aml, b: Aml): Aml => [0x93, ...a, ...b];
export const less = (a: Aml, b: Aml): Aml => [0x95, ...a, ...b];
export const notify = (at: string, value: Aml): Aml => [0x86, ...name(at), ...value];
export const call = (at: string, ...args: Aml[]): Aml => [...name(at), ...args.flat()];
export const giveBack = (value: Aml): Aml => [0xa4, ...value];
export const when = (condition: Aml, ...terms: Aml[]): Aml => [0xa0, ...packaged([...condition, ...terms.flat()])];
export const otherwise = (...terms: Aml[]): Aml => [0xa1, ...packaged(terms.flat())];
export const loopWhile = (condition: Aml, ...terms: Aml[]): Aml => [0xa2, ...packaged([...condition, ...terms.flat()])];
/** CreateQWordField(source, byte offset, name) */
export const qwordField = (source: Aml, offset: number, at: string): Aml => [0x8f, ...source, ...integer(offset), ...name(at)];

/** PkgLength of a term with this content; the length includes itself. */
function packaged(content: readonly number[]): Aml {
  for (const extra of [1, 2, 3, 4]) {
    const total = content.length + extra;
    if (extra === 1 ? total < 0x40 : total < 2 ** (4 + 8 * (extra - 1))) return [...packageLength(total, extra), ...content];
  }
  throw new Error('AML package too long');
}

/** PkgLength as fields use it: a number on its own. */
function length(value: number): Aml {
  for (const bytes of [1, 2, 3, 4]) if (bytes === 1 ? value < 0x40 : value < 2 ** (4 + 8 * (bytes - 1))) return packageLength(value, bytes);
  throw new Error('AML field too long');
}

function packageLength(value: number, bytes: number): Aml {
  if (bytes === 1) return [value];
  return [((bytes - 1) << 6) | (value & 15), ...le(BigInt(value >> 4), bytes - 1)];
}

export function le(value: bigint, bytes: number): number[] {
  return Array.from({ length: bytes }, (_unused, index) => Number((value >> BigInt(8 * index)) & 0xffn));
}

function bytesOf(text: string): number[] {
  return [...text].map((letter) => letter.charCodeAt(0));
}

// Resource descriptors (ACPI 6.4, 6.4): the bytes of a ResourceTemplate.

export const template = (...descriptors: (readonly number[])[]): Aml => buffer([...descriptors.flat(), 0x79, 0]);

/** IO (Decode16, base, base, 0, length) */
export const ioPorts = (base: number, count: number): number[] => [0x47, 1, ...le(BigInt(base), 2), ...le(BigInt(base), 2), 0, count];

/** IRQNoFlags {irq}: edge, active high */
export const isaIrq = (irq: number): number[] => [0x22, ...le(BigInt(1 << irq), 2)];

/** Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive) {gsi} */
export const edgeInterrupt = (gsi: number): number[] => [0x89, 6, 0, 0x03, 1, ...le(BigInt(gsi), 4)];

/** Interrupt (ResourceConsumer, Level, ActiveHigh, Exclusive) {gsi} */
export const levelInterrupt = (gsi: number): number[] => [0x89, 6, 0, 0x01, 1, ...le(BigInt(gsi), 4)];

/** Memory32Fixed (ReadWrite, base, length) */
export const fixedMemory = (base: number, length: number): number[] => [0x86, 9, 0, 1, ...le(BigInt(base), 4), ...le(BigInt(length), 4)];

/** Byte offsets of min, max and length inside `qwordMemory`. */
export const QWORD_MIN = 14;
export const QWORD_MAX = 22;
export const QWORD_LENGTH = 38;

/** QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, Cacheable, ReadWrite, ...) to be filled in at run time. */
export function qwordMemory(): number[] {
  return [
    0x8a,
    0x2b,
    0,
    0,
    0x0c,
    0x03,
    ...le(0n, 8),
    ...le(0n, 8),
    ...le(0xfffffffffffffffen, 8),
    ...le(0n, 8),
    ...le(0xffffffffffffffffn, 8),
  ];
}
