/** Compiles test/bench/workloads for 32 and 64 bits with the host's gcc. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = join(root, 'test/bench/workloads');
const out = join(root, 'build/bench');

const common =
  '-O2 -std=gnu11 -ffreestanding -nostdlib -mno-red-zone -fno-pic -fno-pie -fno-stack-protector -fno-math-errno -fno-tree-vectorize ' +
  '-fno-tree-loop-distribute-patterns -fno-asynchronous-unwind-tables -fno-ident -fcf-protection=none -Wall -Wextra -Werror';
const general = '-mgeneral-regs-only';
const sources: Record<string, string> = {
  'start.S': general,
  'main.c': general,
  'compute.c': general,
  'memory.c': general,
  'system.c': general,
  'simd.c': '-msse2 -mfpmath=sse',
  'x87.c': '-mno-sse -mfpmath=387',
};

function run(command: string, args: string[]): void {
  execFileSync(command, args, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] });
}

/** Where `buildImage` leaves the image. */
export const imagePath = (bits: 32 | 64): string => `${join(out, `bench${bits}`)}.elf`;

/**
 * A multiboot image of all workloads.
 * @throws Error with one line when gcc is missing or cannot compile for this width
 */
export function buildImage(bits: 32 | 64): Uint8Array<ArrayBuffer> {
  mkdirSync(out, { recursive: true });
  // i686 rather than gcc's default: both widths then have cmov.
  const target = bits === 64 ? ['-m64'] : ['-m32', '-march=i686'];
  const at = (name: string) => join(out, `${name}${bits}`);
  try {
    for (const [source, own] of Object.entries(sources))
      run('gcc', [...target, ...`${common} ${own}`.split(' '), '-c', source, '-o', `${at(source)}.o`]);
    const emulation = bits === 64 ? 'elf_x86_64' : 'elf_i386';
    const objects = Object.keys(sources).map((source) => `${at(source)}.o`);
    run('ld', [
      '-m',
      emulation,
      '-n',
      '-T',
      'image.ld',
      '--build-id=none',
      '--no-warn-rwx-segments',
      '-o',
      `${at('linked')}.elf`,
      ...objects,
    ]);
    run('objcopy', ['-O', 'elf32-i386', '--strip-all', `${at('linked')}.elf`, imagePath(bits)]);
  } catch (error) {
    throw new Error(`the workloads do not compile for ${bits} bits (Debian: apt-get install gcc binutils): ${(error as Error).message}`);
  }
  return new Uint8Array(readFileSync(imagePath(bits)));
}
