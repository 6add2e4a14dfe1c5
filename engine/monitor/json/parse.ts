/**
 * JSON values from tokens, with QEMU's error texts. Integers are exact: number up to 2^53, bigint up to 64 bits; a number with a fraction or exponent
 * is not an integer.
 */
import type { Token } from './lexer';

/** A number that was not written as an integer, or is too large for 64 bits. Where an integer is expected it is refused, whatever its value. */
export class JsonFloat {
  constructor(readonly value: number) {}
}

export type JsonValue = null | boolean | number | bigint | string | JsonFloat | JsonValue[] | { [member: string]: JsonValue };

/** The error without QEMU's "JSON parse error, ". */
export class JsonError extends Error {}

/** Throws JsonError. The tokens are one value, or the beginning of something that is not one. */
export function parseTokens(tokens: readonly Token[]): JsonValue {
  let at = 0;

  const value = (): JsonValue => {
    const token = tokens[at++];
    if (!token) throw new JsonError('premature EOI');
    switch (token.type) {
      case '{':
        return object();
      case '[':
        return list();
      case 'string':
        return unquoted(token.text);
      case 'integer':
      case 'float':
        return numberOf(token);
      case 'keyword':
        return keyword(token.text);
      default:
        throw new JsonError('expecting value');
    }
  };

  /** Is the closing token next, or a separator with something after it? */
  const goesOn = (close: '}' | ']', where: string): boolean => {
    const token = tokens[at++];
    if (!token) throw new JsonError('premature EOI');
    if (token.type === close) return false;
    if (token.type !== ',') throw new JsonError(`expected separator in ${where}`);
    return true;
  };

  const list = (): JsonValue[] => {
    const items: JsonValue[] = [];
    if (tokens[at]?.type === ']') {
      at++;
      return items;
    }
    do items.push(value());
    while (goesOn(']', 'list'));
    return items;
  };

  const object = (): { [member: string]: JsonValue } => {
    const members = new Map<string, JsonValue>();
    if (tokens[at]?.type === '}') at++;
    else {
      do {
        const name = value();
        if (typeof name !== 'string') throw new JsonError('key is not a string in object');
        const colon = tokens[at++];
        if (!colon) throw new JsonError('premature EOI');
        if (colon.type !== ':') throw new JsonError('missing : in object pair');
        const member = value();
        if (members.has(name)) throw new JsonError('duplicate key');
        members.set(name, member);
      } while (goesOn('}', 'dict'));
    }
    // Own members, whatever their names.
    return Object.fromEntries(members);
  };

  return value();
}

function keyword(word: string): JsonValue {
  if (word === 'true' || word === 'false') return word === 'true';
  if (word === 'null') return null;
  throw new JsonError(`invalid keyword '${word}'`);
}

const LEAST = -(2n ** 63n);
const MOST = 2n ** 64n - 1n;

function numberOf({ type, text }: Token): JsonValue {
  if (type === 'integer') {
    const plain = Number(text);
    if (Number.isSafeInteger(plain)) return plain + 0;
    const exact = BigInt(text);
    if (exact >= LEAST && exact <= MOST) return exact;
  }
  const value = Number(text);
  if (!Number.isFinite(value)) throw new JsonError(`${text.slice(0, 40)} is not a number that can be represented`);
  return new JsonFloat(value);
}

const ESCAPES: Record<string, string> = { '"': '"', "'": "'", '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };

/** A string token's text. Throws JsonError for an invalid escape, half a surrogate pair, or invalid UTF-8. */
function unquoted(token: string): string {
  let text = '';
  const end = token.length - 1;
  let at = 1;
  while (at < end) {
    const char = token[at]!;
    if (char !== '\\') {
      const { code, length } = codePointAt(token, at);
      if (code < 0) throw new JsonError('invalid UTF-8 sequence in string');
      text += String.fromCodePoint(code);
      at += length;
      continue;
    }
    const letter = token[at + 1]!;
    const plain = ESCAPES[letter];
    if (plain !== undefined) {
      text += plain;
      at += 2;
    } else if (letter === 'u') {
      const { code, length } = escapedAt(token, at);
      text += String.fromCodePoint(code);
      at += length;
    } else throw new JsonError('invalid escape sequence in string');
  }
  return text;
}

/** \uXXXX, or two of them for a code point above 0xFFFF. */
function escapedAt(token: string, at: number): { code: number; length: number } {
  const hex = (from: number): number =>
    /^[0-9a-fA-F]{4}$/.test(token.slice(from, from + 4)) ? Number.parseInt(token.slice(from, from + 4), 16) : -1;
  const isHigh = (code: number): boolean => code >= 0xd800 && code <= 0xdbff;
  let code = hex(at + 2);
  let length = 6;
  if (isHigh(code) && token.slice(at + 6, at + 8) === '\\u') {
    const low = hex(at + 8);
    const isLow = low >= 0xdc00 && low <= 0xdfff;
    code = isLow ? 0x10000 + (code - 0xd800) * 0x400 + (low - 0xdc00) : -1;
    if (isLow) length = 12;
  }
  if (!isCharacter(code)) throw new JsonError(`${token.slice(at, at + length)} is not a valid Unicode character`);
  return { code, length };
}

/** Within Unicode, and neither a surrogate nor a noncharacter. */
function isCharacter(code: number): boolean {
  if (code < 0 || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return false;
  return !(code >= 0xfdd0 && code <= 0xfdef) && (code & 0xfffe) !== 0xfffe;
}

/**
 * The character at a byte of text (Latin-1): code -1 for invalid bytes, with those that are invalid together. UTF-8 in its shortest form, except the
 * two bytes C0 80, which QEMU reads as U+0000.
 */
export function codePointAt(text: string, at: number): { code: number; length: number } {
  const lead = text.charCodeAt(at);
  if (lead < 0x80) return { code: lead, length: 1 };
  const wanted = Math.clz32(~(lead << 24));
  if (wanted < 2 || wanted > 6) return { code: -1, length: 1 };
  let code = lead & (0x7f >> wanted);
  let length = 1;
  for (; length < wanted; length++) {
    const byte = text.charCodeAt(at + length);
    if ((byte & 0xc0) !== 0x80) return { code: -1, length };
    code = code * 64 + (byte & 0x3f);
  }
  const least = [0, 0, 0x80, 0x800, 0x10000][wanted] ?? Number.POSITIVE_INFINITY;
  const right = isCharacter(code) && (code >= least || (code === 0 && wanted === 2));
  return { code: right ? code : -1, length };
}
