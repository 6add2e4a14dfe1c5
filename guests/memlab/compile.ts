/** Compiles memlab. The code is the same with and without symbols. */
import { execFileSync } from 'node:child_process';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('.', import.meta.url));
const sources = [
  'boot.S',
  'main.c',
  'shell.c',
  'console.c',
  'text.c',
  'cpu.c',
  'paging.c',
  'trap.c',
  'irq.c',
  'multiboot.c',
  'hotplug.c',
  'memory.c',
  'watch.c',
  'memtest.c',
  'bench.c',
];
const flags =
  '-m64 -Os -std=gnu11 -ffreestanding -nostdlib -mgeneral-regs-only -mno-red-zone -mcmodel=small -fno-pic -fno-pie ' +
  '-fno-stack-protector -fno-asynchronous-unwind-tables -fno-ident -fcf-protection=none -Wall -Wextra -Werror';

export function run(command: string, args: string[]): string {
  return execFileSync(command, args, {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/**
 * Compiles everything into `out`: the bootable image and the 64-bit ELF it is made from, with line numbers if `debug`. `files`, paths relative to
 * this folder, builds another guest that starts in the same way.
 */
export function build(out: string, debug = false, files: readonly string[] = sources): { kernel: string; symbols: string } {
  const objects = files.map((source) => {
    const object = join(out, `${basename(source)}.o`);
    run('gcc', [...flags.split(' '), ...(debug ? ['-g'] : []), '-c', source, '-o', object]);
    return object;
  });
  const linked = join(out, 'memlab64.elf');
  run('ld', [
    '-m',
    'elf_x86_64',
    '-n',
    '-T',
    'memlab.ld',
    '--build-id=none',
    '--no-warn-rwx-segments',
    '-z',
    'noexecstack',
    '-o',
    linked,
    ...objects,
  ]);
  const finished = join(out, 'memlab.elf');
  // Multiboot 1 knows 32-bit ELF only; the code inside stays 64-bit. Its symbols stay, for monitor and page.
  run('objcopy', ['-I', 'elf64-x86-64', '-O', 'elf32-i386', '--strip-debug', linked, finished]);
  return { kernel: finished, symbols: linked };
}
