/** The host processor's side: compiles native.c with gcc and feeds it cases. */
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Case, decodeOutput, encodeInput, INPUT_SIZE, OUTPUT_SIZE, type Outcome } from './case';
import { dataPattern } from './pattern';

const folder = import.meta.dirname;
const binary = resolve(folder, '../../build/differential-native');

/** Why cases cannot run natively here, or undefined where they can. */
export function buildNative(): string | undefined {
  if (process.arch !== 'x64') return `this is ${process.arch}, not x86-64`;
  mkdirSync(resolve(folder, '../../build'), { recursive: true });
  const gcc = spawnSync(
    'gcc',
    ['-O1', '-fpie', '-pie', '-mno-red-zone', '-fno-stack-protector', '-o', binary, resolve(folder, 'native.c')],
    {
      encoding: 'utf8',
    },
  );
  if (gcc.error) return 'there is no gcc';
  return gcc.status === 0 ? undefined : `gcc: ${gcc.stderr}`;
}

/** Why 32- and 16-bit code cannot run natively here, or undefined where it can. After buildNative. */
export function refusesLegacy(): string | undefined {
  const run = spawnSync(binary, ['legacy'], { encoding: 'utf8' });
  if (run.status === 0) return undefined;
  return run.stdout.trim() || `a far jump to 32-bit code ended the runner (${run.signal ?? run.status})`;
}

export function runNative(cases: readonly Case[]): Outcome[] {
  const pattern = dataPattern();
  const input = new Uint8Array(pattern.length + cases.length * INPUT_SIZE);
  input.set(pattern);
  cases.forEach((c, i) => {
    encodeInput(c, input.subarray(pattern.length + i * INPUT_SIZE, pattern.length + (i + 1) * INPUT_SIZE));
  });
  const run = spawnSync(binary, { input, maxBuffer: cases.length * OUTPUT_SIZE + 4096 });
  const out = run.stdout;
  if (out.length !== cases.length * OUTPUT_SIZE) {
    const at = Math.floor(out.length / OUTPUT_SIZE);
    throw new Error(
      `the native runner ended (${run.signal ?? run.status}) at case ${at}: ${cases[at]?.name} ${Buffer.from(cases[at]?.code ?? []).toString('hex')}`,
    );
  }
  return cases.map((_, i) => decodeOutput(out.subarray(i * OUTPUT_SIZE, (i + 1) * OUTPUT_SIZE)));
}
