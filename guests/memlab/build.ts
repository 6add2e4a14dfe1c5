/**
 * Builds guests/memlab/memlab.elf: `npx tsx guests/memlab/build.ts`. With `--check` it builds into another folder and compares byte for byte;
 * `--symbols DIR` is for gdb (docs/debugging.md). The committed image is made by Debian 12's gcc 12.2 and binutils 2.40; other compilers give
 * different bytes and are refused.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, run } from './compile';

const folder = fileURLToPath(new URL('.', import.meta.url));
const image = join(folder, 'memlab.elf');

/** Why this machine cannot make the same bytes, in one line; undefined if it can. */
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

/** `--symbols DIR`: builds there, with line numbers and with any compiler. */
function symbols(out: string): void {
  mkdirSync(out, { recursive: true });
  const made = build(out, true);
  console.log(`memlab: ${made.kernel} boots, ${made.symbols} has the symbols`);
}

function main(): void {
  const check = process.argv.includes('--check');
  const at = process.argv.indexOf('--symbols');
  if (at >= 0) {
    symbols(process.argv[at + 1] ?? '.');
    return;
  }
  const missing = missingTool();
  if (missing !== undefined) {
    console.log(`memlab: not built: ${missing}`);
    process.exitCode = check ? 0 : 1;
    return;
  }
  const out = mkdtempSync(join(tmpdir(), 'memlab-'));
  try {
    const { kernel: finished } = build(out);
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
