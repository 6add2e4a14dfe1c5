import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const image = new Uint8Array(readFileSync(new URL('memlab.elf', import.meta.url)));
const view = new DataView(image.buffer);

describe('memlab.elf', () => {
  it('is what its sources build, byte for byte', () => {
    const text = execFileSync(process.execPath, ['node_modules/tsx/dist/cli.mjs', 'guests/memlab/build.ts', '--check'], {
      cwd: root,
      encoding: 'utf8',
    });
    // Another compiler, or none, cannot make these bytes: the script then says so and the check is left out.
    expect(text).toMatch(/^memlab: (memlab\.elf, \d+ bytes, is what its sources build|not built: )/);
  });

  it('is a 32-bit ELF file with one segment that ends below 2 MiB', () => {
    expect(image.length).toBeLessThan(64 * 1024);
    expect(view.getUint32(0, false)).toBe(0x7f454c46);
    expect(image[4]).toBe(1);
    expect(view.getUint16(44, true)).toBe(1);
    const header = view.getUint32(28, true);
    const start = view.getUint32(header + 12, true);
    const size = view.getUint32(header + 20, true);
    expect(start).toBe(0x100000);
    expect(start + size).toBeLessThanOrEqual(0x200000);
  });

  it('carries a multiboot 1 header in its first 8 KiB', () => {
    const at = Array.from({ length: 2048 }, (_, i) => i * 4).find((offset) => view.getUint32(offset, true) === 0x1badb002);
    expect(at).toBeDefined();
    const sum = [0, 4, 8].reduce((total, offset) => total + view.getUint32(at! + offset, true), 0);
    expect(sum % 2 ** 32).toBe(0);
  });

  it('names no path of the machine that built it', () => {
    const text = Buffer.from(image).toString('latin1');
    expect(text).not.toMatch(/\/(home|work|tmp|root|usr)\//);
    expect(text).not.toContain('GCC:');
  });
});
