/** A real userland program of the x86-64-v2 kind, compiled here, in a stock Linux. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cpio, EXECUTABLE } from '../../guests/linux/cpio';
import { MIB } from './harness';
import { Linux, linuxImage, missing } from './linux';

/** What the program prints on a real processor: its results leave no choice to compilers and makers. */
const CHECKSUM = 'x86-64-v2: 8d2a3120';

const folder = mkdtempSync(join(tmpdir(), 'lab-v2-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** The static program, or why there is none. */
function compile(): Uint8Array | string {
  const file = join(folder, 'v2');
  const flags = ['-O2', '-ftree-vectorize', '-static', '-march=x86-64-v2', '-o', file, join(import.meta.dirname, 'x86-64-v2.c')];
  const gcc = spawnSync('gcc', flags, { encoding: 'utf8' });
  if (gcc.error) return 'there is no gcc';
  return gcc.status === 0 ? readFileSync(file) : `gcc cannot build a static program for x86-64-v2: ${gcc.stderr.split('\n')[0]}`;
}

const program = missing ?? compile();
if (typeof program === 'string') console.warn(`left out: ${program}`);

describe.skipIf(typeof program === 'string')('a program built for x86-64-v2', () => {
  let linux: Linux;

  beforeAll(async () => {
    const image = linuxImage();
    // The kernel unpacks archives that follow each other into one root.
    const added = cpio([{ path: 'v2', mode: EXECUTABLE, data: program as Uint8Array }]);
    linux = await Linux.boot({ ram: 128 * MIB, guest: { ...image, initrd: Buffer.concat([image.initrd!, added]) } });
  });

  it('finds a processor of that level, and right results in every kind of instruction', () => {
    expect(linux.sh('/v2')).toBe(CHECKSUM);
    expect(linux.sh('grep -o -w -E "pni|ssse3|cx16|sse4_1|sse4_2|popcnt|lahf_lm" /proc/cpuinfo')).toBe(
      ['pni', 'ssse3', 'cx16', 'sse4_1', 'sse4_2', 'popcnt', 'lahf_lm'].join('\n'),
    );
  });

  it('gets SIGBUS for an unaligned access once it has set RFLAGS.AC', () => {
    expect(linux.sh('/v2 alignment')).toBe('alignment: SIGBUS, code 1'); // BUS_ADRALN
    expect(linux.complaints()).toEqual([]);
  });
});
