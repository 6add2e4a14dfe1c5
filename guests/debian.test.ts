import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PackagedFile } from './catalog';
import { packagedFile, sha256, Unavailable } from './debian';

const content = Buffer.from('an image');
const file: PackagedFile = {
  package: 'no-such-package',
  version: '1.0-1',
  architecture: 'all',
  packageSha256: '0'.repeat(64),
  path: 'boot/image.bin',
  sha256: sha256(content),
};

describe('packagedFile', () => {
  let cache: string;
  const path = process.env.PATH;

  beforeEach(() => {
    cache = mkdtempSync(join(tmpdir(), 'guests-'));
    // A machine without apt-get and dpkg-deb.
    process.env.PATH = join(cache, 'nothing');
  });

  afterEach(() => {
    process.env.PATH = path;
    rmSync(cache, { recursive: true, force: true });
  });

  it('takes a file with the right checksum from the cache and asks nobody', async () => {
    writeFileSync(join(cache, 'image.bin'), content);
    await expect(packagedFile(file, cache, () => {})).resolves.toBe(join(cache, 'image.bin'));
  });

  it('names version, file and place where apt-get is missing', async () => {
    const attempt = packagedFile(file, cache, () => {});
    await expect(attempt).rejects.toThrow(Unavailable);
    await expect(attempt).rejects.toThrow(/no-such-package 1\.0-1.*boot\/image\.bin.*image\.bin/);
  });

  it('does not believe a cached file with another checksum', async () => {
    writeFileSync(join(cache, 'image.bin'), 'something else');
    await expect(packagedFile(file, cache, () => {})).rejects.toThrow(Unavailable);
  });

  it('does not believe a downloaded package with another checksum', async () => {
    mkdirSync(cache, { recursive: true });
    writeFileSync(join(cache, 'no-such-package_1.0-1_all.deb'), 'something else');
    await expect(packagedFile(file, cache, () => {})).rejects.toThrow(Unavailable);
  });
});
