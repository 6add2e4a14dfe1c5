import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { checkTarget, readRegular, unlessMissing } from './regular-file';

const folder = mkdtempSync(join(tmpdir(), 'lab-files-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a file that is read whole', () => {
  it('is a regular one of a bounded size', async () => {
    const path = join(folder, 'x');
    writeFileSync(path, 'twelve bytes');
    expect(new TextDecoder().decode(await readRegular(path, 12))).toBe('twelve bytes');
    await expect(readRegular(path, 11)).rejects.toThrow('it has 12 bytes, at most 11 are read');
    await expect(readRegular('/dev/zero')).rejects.toThrow('Not a regular file');
    await expect(readRegular(folder)).rejects.toThrow('Is a directory');
    await expect(readRegular(join(folder, 'none'))).rejects.toThrow('No such file or directory');
    expect(await readRegular(join(folder, 'none')).catch(unlessMissing)).toBeUndefined();
    await expect(readRegular('/dev/zero').catch(unlessMissing)).rejects.toThrow('Not a regular file');
  });

  it('is written to a new name or a device that takes bytes', async () => {
    await checkTarget('/dev/null');
    await checkTarget(join(folder, 'new'));
  });
});
