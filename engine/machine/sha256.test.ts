import { createHash } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import { sha256, sha256InScript } from './sha256';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const expected = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

describe('sha256InScript', () => {
  it('gives the example of FIPS 180-4', () => {
    expect(hex(sha256InScript(new TextEncoder().encode('abc')))).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  });

  it('agrees with node:crypto at every length around its blocks, and on a long input', () => {
    for (let length = 0; length <= 260; length++) {
      const bytes = Uint8Array.from({ length }, (_, i) => (i * 167 + length * 31) & 0xff);
      expect(hex(sha256InScript(bytes)), `${length} bytes`).toBe(expected(bytes));
    }
    const long = Uint8Array.from({ length: 1_000_003 }, (_, i) => (i * 7919) >>> 5);
    expect(hex(sha256InScript(long))).toBe(expected(long));
  });

  it('is used if there is no crypto.subtle', async () => {
    vi.stubGlobal('crypto', {});
    try {
      expect(hex(await sha256(Uint8Array.of(1, 2, 3)))).toBe(expected(Uint8Array.of(1, 2, 3)));
    } finally {
      vi.unstubAllGlobals();
    }
  });
});
