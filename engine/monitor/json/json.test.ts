/** What QEMU 7.2 answers to the same bytes. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from './print';
import { JsonStream, type Message } from './stream';

const bytes = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0));
/** Values as printed, errors as texts. */
const shown = (messages: Message[]): string[] => messages.map((each) => ('error' in each ? each.error : stringify(each.value)));
/** One character is one byte. */
const read = (text: string, limit = 1000): string[] => shown(new JsonStream(limit).push(bytes(text)));

describe('values', () => {
  it('come cut anywhere, several at once, with braces in strings', () => {
    const stream = new JsonStream(1000);
    expect(shown(stream.push(bytes('{"a": "}{')))).toEqual([]);
    expect(shown(stream.push(bytes('\\"", "b": [1]} {"c": 2}{')))).toEqual(['{"a": "}{\\"", "b": [1]}', '{"c": 2}']);
    expect(shown(stream.push(bytes('"d": 3}')))).toEqual(['{"d": 3}']);
  });

  it('without brackets end at the following byte', () => {
    expect(read('12 true null "x"-0.0 1E2,')).toEqual(['12', 'true', 'null', '"x"', '-0', '100', 'JSON parse error, expecting value']);
    expect(read('12')).toEqual([]);
  });

  it('print as C does: %.17g', () => {
    expect(read('[0.1, 1e300, 1e-5, 123456789.123, 1e16, 1e17, 5e-324, 0.0001]')).toEqual([
      '[0.10000000000000001, 1.0000000000000001e+300, 1.0000000000000001e-05, 123456789.123, 10000000000000000, 1e+17, 4.9406564584124654e-324, 0.0001]',
    ]);
  });
});

describe('invalid JSON', () => {
  it.each([
    ['{"a" 1}', ['missing : in object pair']],
    ['{"a": 1 "b": 2}', ['expected separator in dict']],
    ['[1 2]', ['expected separator in list']],
    ['{"a": 1,}', ['expecting value']],
    ['[1,]', ['expecting value']],
    ['{1: 2}', ['key is not a string in object']],
    ['{"a": 1, "a": 2}', ['duplicate key']],
    ['nul ', ["invalid keyword 'nul'"]],
    ['}', ['expecting value']],
    ['{]', ['expecting value']],
    ['{"a"]', ['missing : in object pair']],
    ['{"a": 01}', ["stray '01'", 'expecting value']],
    ['{"a": .5}', ["stray '.'", 'expecting value']],
    ['{"a": -x}', ["stray '-x'", 'expecting value']],
    ['{"a": 1e+}', ["stray '1e+}'"]],
    ['"a\tb"\n', ["stray '\"a\t'"]],
    ['"\\q"', ['invalid escape sequence in string']],
    ['"\\ud834"', ['\\ud834 is not a valid Unicode character']],
    ['"\\ud834\\u0041"', ['\\ud834 is not a valid Unicode character']],
    ['"\\udd1e"', ['\\udd1e is not a valid Unicode character']],
    ['"\\uffff"', ['\\uffff is not a valid Unicode character']],
    ['"\x80"', ['invalid UTF-8 sequence in string']],
    ['"\xc1\x81"', ['invalid UTF-8 sequence in string']],
    ['"\xed\xa0\x80"', ['invalid UTF-8 sequence in string']],
    ['"\xff', ["stray '\"\ufffd'"]],
    ['"\xf0\x9f\x98\xff', ["stray '\"\ufffd\ufffd'"]],
    ['1e999 ', ['1e999 is not a number that can be represented']],
  ])('%j is refused in words', (text, errors) => {
    expect(read(text)).toEqual(errors.map((error) => `JSON parse error, ${error}`));
  });

  it('is skipped up to a byte that can start a new value; a tab cannot', () => {
    expect(read('/ 1 "2" \t{"a": 3}')).toEqual(["JSON parse error, stray '/'", '{"a": 3}']);
    expect(read('garbage\n{"a": 1}')).toEqual(["JSON parse error, invalid keyword 'garbage'", '{"a": 1}']);
  });

  it('is bounded: long values, long words, deep ones', () => {
    const limit = 'JSON token size limit exceeded';
    expect(read(`{"a": "${'x'.repeat(2000)}"}`)[0]).toBe(limit);
    expect(read(`[${'1,'.repeat(2000)}`)[0]).toBe(limit);
    expect(read('['.repeat(1025), 1e6)).toEqual(['JSON nesting depth limit exceeded']);
    expect(read(`${'['.repeat(1024)}${']'.repeat(1024)}`, 1e6)).toHaveLength(1);
    expect(read(`${'x'.repeat(3000)} \n{"b": 2}`).at(-1)).toBe('{"b": 2}');
  });

  it('never stops the stream: a client that sends 0xFF and a line is understood again', () => {
    const seed = Number(process.env.LAB_SEED ?? 20_210_202);
    console.log(`json stream: seed ${seed}`);
    const piece = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      '"',
      "'",
      '\\',
      ':',
      ',',
      '1',
      '-',
      'e',
      'a',
      '\n',
      ' ',
      '\t',
      '\x01',
      '\x80',
      '\xc3\xa4',
      '\xff',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
        const stream = new JsonStream(1000);
        for (const each of pieces) for (const item of stream.push(bytes(each))) expect('value' in item || 'error' in item).toBe(true);
        stream.push(Uint8Array.of(0xff));
        expect(shown(stream.push(bytes('\n{"a": 1}')))).toEqual(['{"a": 1}']);
      }),
      { seed, numRuns: 500 },
    );
  });
});
