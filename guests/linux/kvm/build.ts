/**
 * Builds the programs of this folder: `npx tsx guests/linux/kvm/build.ts`. With `--check` it builds into another folder and compares byte for byte.
 * The committed images are made by Debian 12's gcc 12.2 and binutils 2.40; other compilers give different bytes and are refused.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { PROGRAMS } from './programs';

const folder = fileURLToPath(new URL('.', import.meta.url));
const shared = ['sys.c', 'vm.c'];
/** Additional sources of one program. */
const parts: Readonly<Record<string, readonly string[]>> = { 'kvm-modes': ['modes.c'] };
const flags =
  '-m64 -Os -std=gnu11 -ffreestanding -nostdlib -static -fno-pic -fno-pie -no-pie -mgeneral-regs-only -mno-red-zone ' +
  '-fno-stack-protector -fno-asynchronous-unwind-tables -fno-ident -fcf-protection=none -Wall -Wextra -Werror -s ' +
  '-Wl,--build-id=none -Wl,-z,noexecstack -Wl,-z,norelro';

function run(command: string, args: string[]): string {
  return execFileSync(command, args, {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

/** Why this machine cannot make the same bytes, in one line; undefined if it can. */
function missingTool(): string | undefined {
  try {
    const gcc = run('gcc', ['-dumpfullversion']).trim();
    if (!/^12\.2\./.test(gcc)) return `gcc is ${gcc}; the images are made by gcc 12.2 (Debian 12: apt-get install gcc)`;
    const ld = run('ld', ['--version']).split('\n')[0] ?? '';
    if (!/ 2\.40$/.test(ld)) return `the linker is "${ld}"; the images are made by binutils 2.40 (Debian 12: apt-get install binutils)`;
    if (run('gcc', ['-dumpmachine']).trim() !== 'x86_64-linux-gnu') return 'gcc does not compile for x86_64-linux-gnu';
    run('gcc', ['-E', '-include', 'linux/kvm.h', '-x', 'c', '/dev/null', '-o', '/dev/null']);
    return undefined;
  } catch {
    return "gcc, ld or the kernel's headers are missing (Debian 12: apt-get install gcc binutils linux-libc-dev)";
  }
}

function main(): void {
  const check = process.argv.includes('--check');
  const missing = missingTool();
  if (missing !== undefined) {
    console.log(`kvm programs: not built: ${missing}`);
    process.exitCode = check ? 0 : 1;
    return;
  }
  const out = mkdtempSync(join(tmpdir(), 'kvm-programs-'));
  try {
    for (const name of PROGRAMS) {
      const made = join(out, name);
      run('gcc', [...flags.split(' '), '-o', made, ...shared, ...(parts[name] ?? []), `${name}.c`]);
      const bytes = readFileSync(made);
      if (!check) writeFileSync(join(folder, name), bytes, { mode: 0o755 });
      else if (!bytes.equals(readFileSync(join(folder, name)))) {
        console.log(`kvm programs: ${name} is not what its sources build: run npx tsx guests/linux/kvm/build.ts and commit the image`);
        process.exitCode = 1;
        return;
      }
      console.log(`kvm programs: ${name}, ${bytes.length} bytes, ${check ? 'is what its sources build' : 'built'}`);
    }
  } catch (error) {
    const text = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error);
    console.log(`kvm programs: the build failed\n${text}`);
    process.exitCode = 1;
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

main();
