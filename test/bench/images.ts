/** Compiles test/bench/workloads for 32 and 64 bits with the host's gcc. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const sources = join(root, 'test/bench/workloads');
const out = join(root, 'build/bench');

/** In the order of the table `all` in workloads.c; the letter that starts one is 'a' + its index. */
export const workloads = ['sieve', 'crc32', 'chase 16K', 'chase 1M', 'fib', 'bytecode', 'qsort', 'hash'] as const;

const flags =
  '-O2 -std=gnu11 -ffreestanding -nostdlib -mgeneral-regs-only -mno-red-zone -fno-pic -fno-pie -fno-stack-protector ' +
  '-fno-asynchronous-unwind-tables -fno-ident -fcf-protection=none -Wall -Wextra -Werror';

function run(command: string, args: string[]): void {
  execFileSync(command, args, { cwd: sources, stdio: ['ignore', 'ignore', 'inherit'] });
}

/**
 * A multiboot image of all workloads.
 * @throws Error with one line when gcc is missing or cannot compile for this width
 */
export function buildImage(bits: 32 | 64): Uint8Array {
  mkdirSync(out, { recursive: true });
  // i686 rather than gcc's default: both widths then have cmov.
  const target = bits === 64 ? ['-m64'] : ['-m32', '-march=i686'];
  const at = (name: string) => join(out, `${name}${bits}`);
  try {
    for (const source of ['start.S', 'workloads.c']) run('gcc', [...target, ...flags.split(' '), '-c', source, '-o', `${at(source)}.o`]);
    const emulation = bits === 64 ? 'elf_x86_64' : 'elf_i386';
    const objects = [`${at('start.S')}.o`, `${at('workloads.c')}.o`];
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
    run('objcopy', ['-O', 'elf32-i386', '--strip-all', `${at('linked')}.elf`, `${at('bench')}.elf`]);
  } catch (error) {
    throw new Error(`the workloads do not compile for ${bits} bits (Debian: apt-get install gcc binutils): ${(error as Error).message}`);
  }
  return readFileSync(`${at('bench')}.elf`);
}
