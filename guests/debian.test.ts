import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PackagedFile } from './catalog';
import { offered, packagedFile, parseOffer, sha256, Unavailable } from './debian';

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

  it('uses a file with the right checksum from the cache without fetching', async () => {
    writeFileSync(join(cache, 'image.bin'), content);
    await expect(packagedFile(file, cache, () => {})).resolves.toBe(join(cache, 'image.bin'));
  });

  it('names version, file and place where apt-get is missing', async () => {
    const attempt = packagedFile(file, cache, () => {});
    await expect(attempt).rejects.toThrow(Unavailable);
    await expect(attempt).rejects.toThrow(/no-such-package 1\.0-1.*boot\/image\.bin.*image\.bin/);
  });

  it('rejects a cached file with a different checksum', async () => {
    writeFileSync(join(cache, 'image.bin'), 'something else');
    await expect(packagedFile(file, cache, () => {})).rejects.toThrow(Unavailable);
  });

  it('rejects a downloaded package with a different checksum', async () => {
    mkdirSync(cache, { recursive: true });
    writeFileSync(join(cache, 'no-such-package_1.0-1_all.deb'), 'something else');
    await expect(packagedFile(file, cache, () => {})).rejects.toThrow(Unavailable);
  });
});

describe('what apt offers', () => {
  const record = [
    'Package: linux-image-cloud-amd64',
    'Source: linux-signed-amd64 (6.1.192+2)',
    'Version: 6.1.192-2',
    'Architecture: amd64',
    'Depends: linux-image-6.1.0-56-cloud-amd64 (= 6.1.192-2), kmod | busybox',
    `SHA256: ${'ab'.repeat(32)}`,
    'Description: Linux',
    ' Version: of no importance',
  ].join('\n');

  it('is the first record that apt-cache prints', () => {
    expect(parseOffer(`${record}\n\n${record.replace('192', '191')}\n`)).toEqual({
      package: 'linux-image-cloud-amd64',
      version: '6.1.192-2',
      architecture: 'amd64',
      packageSha256: 'ab'.repeat(32),
      depends: ['linux-image-6.1.0-56-cloud-amd64', 'kmod'],
    });
  });

  it('is nothing where a field is missing', () => {
    expect(parseOffer('')).toBeUndefined();
    expect(parseOffer(record.replace(/SHA256.*/, ''))).toBeUndefined();
  });

  it('is one line where there is no apt', async () => {
    const path = process.env.PATH;
    process.env.PATH = '/nonexistent';
    try {
      await expect(offered('linux-image-cloud-amd64', () => {})).rejects.toThrow(/^apt does not offer linux-image-cloud-amd64: .*$/);
    } finally {
      process.env.PATH = path;
    }
  });
});
