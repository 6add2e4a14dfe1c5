/** Programs of the tests' own for the Linux guests: compiled here, when the test runs, and added to the initramfs. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MachineOptions } from '../../engine/machine/index';
import { cpio, EXECUTABLE } from '../../guests/linux/cpio';

type Image = NonNullable<MachineOptions['guest']>;

/** The static program of a C file beside the tests, or why there is none. */
export function staticProgram(source: string, flags: readonly string[]): Uint8Array | string {
  const folder = mkdtempSync(join(tmpdir(), 'lab-program-'));
  try {
    const file = join(folder, 'program');
    const gcc = spawnSync('gcc', [...flags, '-static', '-o', file, join(import.meta.dirname, source)], { encoding: 'utf8' });
    if (gcc.error) return 'there is no gcc';
    return gcc.status === 0 ? readFileSync(file) : `gcc cannot build ${source} as a static program: ${gcc.stderr.split('\n')[0]}`;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The image with a program at `/path`: the kernel unpacks archives that follow each other into one root. */
export function withProgram(image: Image, path: string, program: Uint8Array): Image {
  return { ...image, initrd: Buffer.concat([image.initrd!, cpio([{ path, mode: EXECUTABLE, data: program }])]) };
}
