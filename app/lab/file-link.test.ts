import { describe, expect, it } from 'vitest';
import { fileLink, nameOf, readFileLink } from './file-link';

const base = 'https://lab.example/page/';
const hash = 'ab'.repeat(32);
const read = (fragment: string) => () => readFileLink(fragment, base);

describe('a link to a file', () => {
  it('leads back to hash and address, relative ones beside the page', () => {
    for (const [address, href] of [
      ['machines/linux 6.1.mslm', 'https://lab.example/page/machines/linux%206.1.mslm'],
      ['https://files.example/a?b=c#d', 'https://files.example/a?b=c#d'],
      ['../x.replay', 'https://lab.example/x.replay'],
    ]) {
      const link = fileLink(base, hash, address!);
      const { sha256, address: found } = readFileLink(new URL(link).hash.slice(1), base);
      expect([sha256, found.href]).toEqual([hash, href]);
    }
    expect(nameOf(new URL('machines/linux%206.1.mslm', base))).toBe('linux 6.1.mslm');
  });

  it('is refused in words', () => {
    expect(read('f=2.x')).toThrow("version 2 is newer than this page's 1");
    expect(read(`f=1.${hash.slice(1)}.x`)).toThrow('it has no SHA-256');
    expect(read(`f=1.${hash}.`)).toThrow('it has no SHA-256');
    expect(read(`f=1.${hash}.javascript%3Aalert(1)`)).toThrow('can be fetched, not javascript');
    expect(read(`f=1.${hash}.data%3A%2Cx`)).toThrow('can be fetched, not data');
    expect(read(`f=1.${hash}.https%3A%2F%2F`)).toThrow('is not an address');
    expect(read(`f=1.${hash}.${'x'.repeat(3000)}`)).toThrow('at most 2000');
    expect(read('f=nonsense')).toThrow('it is not a link to a file');
    expect(() => fileLink(base, hash, '')).toThrow('is not an address');
  });
});
