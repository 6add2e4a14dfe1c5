/**
 * Builds guests/memlab/memlab.elf: `npx tsx guests/memlab/build.ts`. With `--check` it builds beside it and compares byte for byte.
 * The committed image is made by Debian 12's gcc 12.2 and binutils 2.40; another compiler gives other bytes, so it is refused.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('.', import.meta.url));
const image = join(folder, 'memlab.elf');
const sources = [
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

function run(command: string, args: string[]): string {
  return execFileSync(command, args, {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Why this machine cannot make the same bytes, in one line; undefined where it can. */
function missingTool(): string | undefined {
  try {
    const gcc = run('gcc', ['-dumpfullversion']).trim();
    if (!/^12\.2\./.test(gcc)) return `gcc is ${gcc}; the image is made by gcc 12.2 (Debian 12: apt-get install gcc)`;
    const ld = run('ld', ['--version']).split('\n')[0] ?? '';
    if (!/ 2\.40$/.test(ld)) return `the linker is "${ld}"; the image is made by binutils 2.40 (Debian 12: apt-get install binutils)`;
    if (run('gcc', ['-dumpmachine']).trim() !== 'x86_64-linux-gnu') return 'gcc does not compile for x86_64-linux-gnu';
    return undefined;
  } catch {
    return 'gcc or ld is missing (Debian 12: apt-get install gcc binutils)';
  }
}

/** Compiles everything into `out` and returns the path of the finished image. */
function build(out: string): string {
  const objects = ['boot.S', ...sources].map((source) => {
    const object = join(out, `${source}.o`);
    run('gcc', [...flags.split(' '), '-c', source, '-o', object]);
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
  // Multiboot 1 knows 32-bit ELF only; the code inside stays 64-bit.
  run('objcopy', ['-I', 'elf64-x86-64', '-O', 'elf32-i386', '--strip-all', linked, finished]);
  return finished;
}

function main(): void {
  const check = process.argv.includes('--check');
  const missing = missingTool();
  if (missing !== undefined) {
    console.log(`memlab: not built: ${missing}`);
    process.exitCode = check ? 0 : 1;
    return;
  }
  const out = mkdtempSync(join(tmpdir(), 'memlab-'));
  try {
    const finished = build(out);
    const bytes = readFileSync(finished);
    if (!check) writeFileSync(image, bytes);
    else if (!bytes.equals(readFileSync(image))) {
      console.log('memlab: memlab.elf is not what its sources build: run npx tsx guests/memlab/build.ts and commit the image');
      process.exitCode = 1;
      return;
    }
    console.log(`memlab: memlab.elf, ${bytes.length} bytes, ${check ? 'is what its sources build' : 'built'}`);
  } catch (error) {
    const text = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error);
    console.log(`memlab: the build failed\n${text}`);
    process.exitCode = 1;
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

main();
