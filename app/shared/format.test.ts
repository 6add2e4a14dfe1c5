import { describe, expect, it } from 'vitest';
import { parseNumber, sentence, size, sizeInput } from './format';

describe('numbers as the page writes and reads them', () => {
  it('writes sizes in the largest unit that keeps them short', () => {
    expect(size(640 * 1024)).toBe('640 KiB');
    expect(size(64 * 2 ** 20)).toBe('64 MiB');
    expect(size(3.625 * 2 ** 30)).toBe('3.63 GiB');
    expect(size(12)).toBe('12 B');
  });

  it('reads addresses and sizes as the monitor takes them', () => {
    expect(parseNumber('0x10000000')).toBe(0x10000000);
    expect(parseNumber(' 64M ')).toBe(64 * 2 ** 20);
    expect(parseNumber('4g')).toBe(4 * 2 ** 30);
    expect(parseNumber('4096')).toBe(4096);
  });

  it.each(['', '0x', '0x1000001z', '-1', '64X', '1.5G', '0xffffffffffffffff', '99999999999999T'])('reads "%s" as no number', (text) => {
    expect(parseNumber(text)).toBeUndefined();
  });

  it('gives back sizes that it would read as the same number', () => {
    for (const bytes of [4096, 640 * 1024, 95 * 2 ** 20, 2 ** 40, 5000]) expect(parseNumber(sizeInput(bytes))).toBe(bytes);
  });

  it('makes sentences of the one-line reasons of the engine', () => {
    expect(sentence('slot 4 overlaps slot 5')).toBe('Slot 4 overlaps slot 5.');
    expect(sentence('0x1000 is taken')).toBe('0x1000 is taken.');
  });
});
