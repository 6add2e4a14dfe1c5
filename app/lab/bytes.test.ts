import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { gunzip, isGzip } from './bytes';

const plain = Uint8Array.from({ length: 300_000 }, (_unused, index) => (index * 7) % 251);
const packed = new Uint8Array(gzipSync(plain));

describe('a file that was packed by gzip', () => {
  it('is recognized by its bytes, unpacked whole, and reports its progress up to the end', async () => {
    const told: [number, number | undefined][] = [];
    expect(isGzip(packed)).toBe(true);
    expect(isGzip(plain)).toBe(false);
    expect(await gunzip(packed, plain.length, (done, total) => told.push([done, total]))).toEqual(plain);
    expect(told.at(-1)).toEqual([plain.length, plain.length]);
  });

  it('is refused when it is larger than allowed, or cut', async () => {
    await expect(gunzip(packed, 1000, () => {})).rejects.toThrow('more than 1000 bytes');
    await expect(gunzip(packed.slice(0, 200), plain.length, () => {})).rejects.toThrow();
  });
});
