import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type LabFlags, parseFlags } from './flags';
import { chooseGuest } from './guest-files';

let root: string;
const text = (bytes: Uint8Array | undefined): string => new TextDecoder().decode(bytes);

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'lab-'));
  const folder = join(root, 'public/guests');
  mkdirSync(folder, { recursive: true });
  const packed = gzipSync('the kernel');
  writeFileSync(join(folder, 'k.gz'), packed);
  writeFileSync(join(folder, 'cut.gz'), packed.subarray(0, 20));
  writeFileSync(join(folder, 'i'), 'the initrd');
  const entries = [
    { name: 'packed', kernel: 'k.gz', initrd: 'i', append: 'quiet', memory: '96M' },
    { name: 'cut', kernel: 'cut.gz' },
  ];
  writeFileSync(join(folder, 'index.json'), JSON.stringify(entries));
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

const choose = (...args: string[]) => chooseGuest(parseFlags(args) as LabFlags, root);

describe('chooseGuest', () => {
  it('inflates a prepared guest, and uses its command line and memory', async () => {
    const { guest, memory } = await choose('-guest', 'packed');
    expect([text(guest.kernel), text(guest.initrd), guest.append]).toEqual(['the kernel', 'the initrd', 'quiet']);
    expect(memory.ram).toBe(96 << 20);
  });

  it('finds a file by its exact name', async () => {
    const { guest } = await choose('-kernel', join(root, 'public/guests/k.gz'));
    expect(guest.kernel[0]).toBe(0x1f);
  });

  it('reports that a prepared file is damaged, and how to prepare it again', async () => {
    await expect(choose('-guest', 'cut')).rejects.toThrow(/-guest cut: .*cut\.gz is damaged .*npm run guests -- cut prepares it again/);
  });
});
