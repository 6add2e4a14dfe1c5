import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { type CpioEntry, cpio, DIRECTORY, EXECUTABLE, SYMLINK } from './cpio';
import { initramfs, MODULES } from './initramfs';
import { unpackLz4Legacy } from './lz4';
import { unpackModule } from './packed';
import { vmlinuxOf } from './vmlinux';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (data: Uint8Array): string => new TextDecoder().decode(data);

/** Reads "newc" as the kernel does (init/initramfs.c): fields of 8 hex digits, name and data padded to 4 bytes. */
function readCpio(archive: Uint8Array): Map<string, { mode: number; data: Uint8Array; major: number; minor: number; links: number }> {
  const files = new Map<string, { mode: number; data: Uint8Array; major: number; minor: number; links: number }>();
  for (let at = 0; at < archive.length; ) {
    expect(text(archive.subarray(at, at + 6))).toBe('070701');
    const field = (n: number) => Number.parseInt(text(archive.subarray(at + 6 + n * 8, at + 14 + n * 8)), 16);
    const nameEnd = at + 110 + field(11) - 1;
    expect(archive[nameEnd]).toBe(0);
    const name = text(archive.subarray(at + 110, nameEnd));
    const start = Math.ceil((nameEnd + 1) / 4) * 4;
    const end = start + field(6);
    files.set(name, { mode: field(1), data: archive.subarray(start, end), major: field(9), minor: field(10), links: field(4) });
    at = Math.ceil(end / 4) * 4;
  }
  return files;
}

describe('cpio', () => {
  it('keeps names, modes and contents of every length', () => {
    const entries: CpioEntry[] = [0, 1, 2, 3, 4, 5].map((n) => ({
      path: `f${'x'.repeat(n)}`,
      mode: EXECUTABLE,
      data: bytes('a'.repeat(n)),
    }));
    const files = readCpio(cpio([{ path: 'dir', mode: DIRECTORY }, ...entries, { path: 'link', mode: SYMLINK, data: bytes('dir') }]));
    expect([...files.keys()]).toEqual(['dir', ...entries.map((entry) => entry.path), 'link', 'TRAILER!!!']);
    for (const { path, mode, data } of entries) expect(files.get(path)).toMatchObject({ mode, data });
    expect(files.get('dir')).toMatchObject({ mode: DIRECTORY, links: 2 });
    expect(text(files.get('link')!.data)).toBe('dir');
  });

  it('gives the same bytes for the same entries', () => {
    const entries = [{ path: 'a', mode: EXECUTABLE, data: bytes('a') }];
    expect(cpio(entries)).toEqual(cpio(entries));
  });
});

describe('initramfs', () => {
  it('has what the kernel needs before init runs', () => {
    const modules = MODULES.map(bytes);
    const files = readCpio(initramfs(bytes('busybox'), modules));
    // In the order in which a shell lists them, too.
    const loaded = [...files].filter(([path]) => path.endsWith('.ko')).sort(([a], [b]) => (a < b ? -1 : 1));
    expect(loaded.map(([, { data }]) => text(data))).toEqual(MODULES);
    expect(text(files.get('bin/busybox')!.data)).toBe('busybox');
    expect(text(files.get('init')!.data)).toMatch(/^#!\/bin\/sh\n/);
    expect(files.get('dev/console')).toMatchObject({ mode: 0o020600, major: 5, minor: 1 });
    for (const path of ['proc', 'sys', 'tmp']) expect(files.get(path)?.mode).toBe(DIRECTORY);
  });
});

/** A legacy frame: magic, then blocks with their lengths. */
function frame(...blocks: number[][]): Uint8Array {
  const parts = blocks.flatMap((block) => [block.length & 0xff, block.length >> 8, 0, 0, ...block]);
  return Uint8Array.from([0x02, 0x21, 0x4c, 0x18, ...parts]);
}

describe('unpackLz4Legacy', () => {
  const abc = [0x61, 0x62, 0x63];

  it('unpacks literals, matches that overlap themselves, and long lengths', () => {
    // 3 literals, a match of 4 + 15 + 6 = 25 bytes at distance 3, then 1 literal
    const block = [0x3f, ...abc, 3, 0, 6, 0x10, 0x21];
    expect(text(unpackLz4Legacy(frame(block), 29))).toBe(`${'abc'.repeat(9)}a!`);
    const literals = Array.from({ length: 300 }, (_unused, i) => i & 0xff);
    expect([...unpackLz4Legacy(frame([0xf0, 255, 30, ...literals]), 300)]).toEqual(literals);
  });

  it('unpacks several blocks, and no match reaches into the one before', () => {
    expect(text(unpackLz4Legacy(frame([0x30, ...abc], [0x30, ...abc]), 6))).toBe('abcabc');
    expect(() => unpackLz4Legacy(frame([0x30, ...abc], [0x00, 3, 0]), 7)).toThrow(/match points outside/);
  });

  it.each([
    ['another magic', Uint8Array.from([0x04, 0x22, 0x4d, 0x18, 0, 0, 0, 0]), 4, /legacy frame magic/],
    ['nothing', new Uint8Array(), 4, /legacy frame magic/],
    ['a block that runs past the end', frame([0x30, ...abc]).subarray(0, 10), 3, /block runs past the end/],
    ['literals that run past the end', frame([0x40, ...abc]), 4, /literals run past/],
    ['a length that runs past the end', frame([0xf0, 255, 255]), 600, /length runs past/],
    ['distance 0', frame([0x30, ...abc, 0, 0]), 7, /match points outside/],
    ['a distance before the start', frame([0x30, ...abc, 4, 0]), 7, /match points outside/],
    ['more than was announced', frame([0x30, ...abc]), 2, /run past the end/],
    ['less than was announced', frame([0x30, ...abc]), 4, /unpacked 3 bytes, should be 4/],
  ])('says what is wrong: %s', (_name, data, size, reason) => {
    expect(() => unpackLz4Legacy(data, size)).toThrow(reason);
  });
});

describe('vmlinuxOf', () => {
  /** A bzImage with `payload` at 0x2cc of its protected-mode code. */
  function bzImage(payload: Uint8Array): Uint8Array {
    const image = new Uint8Array(1024 + 0x2cc + payload.length);
    const view = new DataView(image.buffer);
    image[0x1f1] = 1;
    view.setUint32(0x202, 0x53726448, true);
    view.setUint16(0x206, 0x20f, true);
    view.setUint32(0x248, 0x2cc, true);
    view.setUint32(0x24c, payload.length, true);
    image.set(payload, 1024 + 0x2cc);
    return image;
  }
  const packed = frame([0x30, 0x61, 0x62, 0x63]);
  const good = bzImage(Uint8Array.from([...packed, 3, 0, 0, 0]));

  it('takes the payload out', () => {
    expect(text(vmlinuxOf(good))).toBe('abc');
  });

  it('says what is wrong', () => {
    expect(() => vmlinuxOf(new Uint8Array(4096))).toThrow(/not a bzImage/);
    expect(() => vmlinuxOf(good.subarray(0, 100))).toThrow(/not a bzImage/);
    expect(() => vmlinuxOf(good.subarray(0, good.length - 1))).toThrow(/cut short/);
    expect(() => vmlinuxOf(bzImage(Uint8Array.from([...packed, 0, 0, 0, 0x7f])))).toThrow(/256 MiB/);
    expect(() => vmlinuxOf(bzImage(new Uint8Array(2)))).toThrow(/too short/);
    const lzma = bzImage(Uint8Array.from([0x5d, 0, 0, 0x80, 0, 0, 0, 0, 3, 0, 0, 0]));
    expect(() => vmlinuxOf(lzma)).toThrow(/legacy frame magic/);
  });

  /** A frame of one raw block. */
  const zstd = [0x28, 0xb5, 0x2f, 0xfd, 0x20, 3, 0x19, 0, 0, 0x61, 0x62, 0x63];
  const xz = [
    ...[0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 1, 0x69, 0x22, 0xde, 0x36, 2, 0, 0x21, 1, 0x16, 0, 0, 0, 0x74, 0x2f, 0xe5, 0xa3],
    ...[1, 0, 2, 0x61, 0x62, 0x63, 0, 0, 0xc2, 0x41, 0x24, 0x35, 0, 1, 0x17, 3, 7, 0x60, 0xc, 0xbc, 0x90, 0x42, 0x99, 0xd],
    ...[1, 0, 0, 0, 0, 1, 0x59, 0x5a],
  ];

  it.skipIf(spawnSync('dpkg-deb', ['--version']).error)('takes a payload of zstd and modules of xz, as Debian packs Linux 6.12', () => {
    expect(text(vmlinuxOf(bzImage(Uint8Array.from([...zstd, 3, 0, 0, 0]))))).toBe('abc');
    expect(() => vmlinuxOf(bzImage(Uint8Array.from([...zstd, 4, 0, 0, 0])))).toThrow('unpacks to 3 bytes, and should to 4');
    expect(() => vmlinuxOf(bzImage(Uint8Array.from([...zstd.slice(0, 9), 3, 0, 0, 0])))).toThrow(/^dpkg-deb does not unpack zst: /);
    expect(text(unpackModule(Uint8Array.from(xz)))).toBe('abc');
    expect(text(unpackModule(bytes('abc')))).toBe('abc');
  });
});
