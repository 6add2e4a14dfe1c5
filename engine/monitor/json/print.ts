/** JSON in QEMU's format: ASCII, a blank after each colon and comma. */
import { JsonFloat, type JsonValue } from './parse';

/** Text printed as a value without quotes. */
class Printed {
  constructor(readonly text: string) {}
}

/** Members are printed in insertion order. */
export function stringify(value: unknown): string {
  return print(value, Object.entries);
}

/** A client's value, to be sent back: its members are in the order of QEMU's hash table, as QEMU sends them. */
export const echo = (value: JsonValue): unknown => new Printed(print(value, inOrder));

function print(value: unknown, entries: (members: object) => [string, unknown][]): string {
  if (value instanceof Printed) return value.text;
  if (value instanceof JsonFloat) return floatText(value.value);
  if (Array.isArray(value)) return `[${value.map((each) => print(each, entries)).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = entries(value).filter(([, member]) => member !== undefined);
    return `{${members.map(([name, member]) => `${quoted(name)}: ${print(member, entries)}`).join(', ')}}`;
  }
  if (typeof value === 'string') return quoted(value);
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') return String(value);
  return 'null';
}

const SHORT: Record<string, string> = { '"': '\\"', '\\': '\\\\', '\b': '\\b', '\f': '\\f', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function quoted(text: string): string {
  const escaped = (char: string): string => SHORT[char] ?? `\\u${char.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`;
  return `"${text.replace(/["\\]|[^ -~]/g, escaped)}"`;
}

const CHAINS = 512;

/** Members in the order of QEMU's QDict: by chain of its hash table, the newest of a chain first. Checks use that order too. */
export function inOrder<T>(members: { [name: string]: T }): [string, T][];
export function inOrder(members: object): [string, unknown][];
export function inOrder(members: object): [string, unknown][] {
  return Object.entries(members)
    .reverse()
    .map(([name, member]) => ({ name, member, chain: chainOf(name) }))
    .sort((a, b) => a.chain - b.chain)
    .map(({ name, member }) => [name, member]);
}

/** TDB's hash of the name's bytes, which QDict uses (qobject/qdict.c): arithmetic modulo 2^32. */
function chainOf(name: string): number {
  const bytes = new TextEncoder().encode(name);
  let hash = Math.imul(0x238f13af, bytes.length);
  bytes.forEach((byte, index) => {
    hash = (hash + (byte << ((index * 5) % 24))) | 0;
  });
  return ((Math.imul(hash, 1103515243) + 12345) >>> 0) % CHAINS;
}

/** C's "%.17g". */
function floatText(value: number): string {
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  const [mantissa = '', exponentText = '0'] = value.toExponential(16).split('e');
  const exponent = Number(exponentText);
  if (exponent >= -4 && exponent < 17) return trimmed(value.toFixed(Math.max(0, 16 - exponent)));
  return `${trimmed(mantissa)}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

const trimmed = (digits: string): string => (digits.includes('.') ? digits.replace(/\.?0+$/, '') : digits);
