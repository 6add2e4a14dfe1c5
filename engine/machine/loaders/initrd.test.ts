import { describe, expect, it } from 'vitest';
import { brokenArchive } from './initrd';

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

/** One entry of a "newc" archive, padded. */
function entry(name: string, data: string): string {
  const hex = (value: number) => value.toString(16).padStart(8, '0');
  const fields = [1, 0o100755, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length + 1, 0].map(hex).join('');
  const pad = (text: string) => text.padEnd(Math.ceil(text.length / 4) * 4, '\0');
  return pad(pad(`070701${fields}${name}\0`) + data);
}

const whole = entry('init', 'hello') + entry('TRAILER!!!', '');

describe('brokenArchive', () => {
  it('accepts a complete archive, whatever follows it, and compressed data', () => {
    expect(brokenArchive(encode(whole))).toBeUndefined();
    expect(brokenArchive(encode(`${whole}\0\0\0\0\x1f\x8b and more`))).toBeUndefined();
    expect(brokenArchive(Uint8Array.of(0x1f, 0x8b, 8))).toBeUndefined();
    expect(brokenArchive(new Uint8Array())).toBeUndefined();
  });

  it('says where a truncated archive ends, wherever that is', () => {
    const bytes = encode(whole);
    const trailer = entry('init', 'hello').length;
    for (let length = 6; length < bytes.length - 4; length++) {
      const wrong = brokenArchive(bytes.subarray(0, length));
      if (length < trailer + 110 + 10) expect(wrong, `${length} bytes`).toMatch(/^cut short|^damaged/);
    }
    expect(brokenArchive(bytes.subarray(0, 118))).toMatch(/^cut short in 'init': it has 118 bytes of at least 121/);
    expect(brokenArchive(bytes.subarray(0, trailer + 50))).toMatch(/^cut short after 'init'/);
  });

  it('names the place of a value that makes no sense', () => {
    const at = entry('init', 'hello').length;
    expect(brokenArchive(encode(`${entry('init', 'hello')}${'x'.repeat(200)}`))).toBe(
      `damaged: byte ${at} should start an entry of the archive`,
    );
    expect(brokenArchive(encode(whole.replace('00000005', 'zzzzzzzz')))).toMatch(/no size/);
  });
});
