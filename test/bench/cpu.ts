/**
 * `npm run bench [-- ROUNDS] [--core FILE]`: integer workloads from one C source, on v86 (compiled for 32 bits, all it can run) and on
 * this project's core (32 and 64 bits), in the same process. Each round runs every workload on every emulator in turn; the median
 * counts. `--core` adds another build of the core, to see what a change did. The target is at least twice v86's interpreter, geometric
 * mean. Results: build/bench-cpu.json.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Contender, Measured } from './contender';
import { buildImage, workloads } from './images';
import { startLab } from './lab';
import { startV86, v86Version } from './v86';

const TARGET = 2;
const OUT = fileURLToPath(new URL('../../build', import.meta.url));

function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function geometricMean(values: number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

/** results[contender][workload][round] */
async function measure(contenders: Contender[], rounds: number): Promise<Measured[][][]> {
  const results: Measured[][][] = contenders.map(() => workloads.map(() => []));
  // Round 0 warms the wasm engine's tiers up and does not count.
  for (let round = 0; round <= rounds; round++) {
    for (const [w, name] of workloads.entries()) {
      const letter = String.fromCharCode(97 + w);
      for (const [c, contender] of contenders.entries()) {
        progress(`round ${round} of ${rounds}: ${name} on ${contender.name}`);
        const measured = await contender.run(letter);
        if (round > 0) results[c]![w]!.push(measured);
      }
      const sums = new Set(results.flatMap((result) => result[w]!.map((measured) => measured.checksum)));
      if (sums.size > 1) throw new Error(`${name}: the emulators do not agree: ${[...sums].join(', ')}`);
    }
  }
  progress('');
  return results;
}

interface Row {
  workload: string;
  /** One per contender: median ms, and millions of guest instructions a second. */
  ms: number[];
  mips: number[];
  /** Speed over the first contender (v86's interpreter). */
  ratio: number[];
}

function rowOf(w: number, results: Measured[][][]): Row {
  const ms = results.map((result) => median(result[w]!.map((measured) => measured.ms)));
  const mips = results.map((result) => median(result[w]!.map((measured) => measured.instructions / measured.ms / 1000)));
  return { workload: workloads[w]!, ms, mips, ratio: ms.map((time) => ms[0]! / time) };
}

function printTable(names: string[], rows: Row[], means: number[]): void {
  const width = 26;
  const line = (first: string, cells: string[]) =>
    console.log(`${first.padEnd(10)} ${cells.map((cell) => cell.padStart(width)).join(' ')}`);
  line('', names);
  for (const row of rows) {
    line(
      row.workload,
      row.ms.map((time, c) => `${time.toFixed(0)} ms ${row.mips[c]!.toFixed(0).padStart(4)} MIPS ${row.ratio[c]!.toFixed(2).padStart(5)}x`),
    );
  }
  line(
    'geo. mean',
    means.map((mean) => `${mean.toFixed(2)}x`),
  );
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({ options: { core: { type: 'string' } }, allowPositionals: true });
  const argument = positionals[0] ?? '5';
  const rounds = Number(argument);
  const other = values.core;
  if (other !== undefined && !existsSync(other)) {
    console.error(`bench: --core ${other}: there is no such file`);
    return 1;
  }
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 99) {
    console.error(`bench: ${argument}: rounds are a number from 1 to 99`);
    return 1;
  }
  const image32 = buildImage(32);
  const image64 = buildImage(64);
  const contenders = [
    await startV86(image32, false),
    await startV86(image32, true),
    await startLab(image64, 64, 'interp'),
    await startLab(image32, 32, 'interp'),
  ];
  if (other !== undefined) contenders.push(await startLab(image64, 64, 'interp', other), await startLab(image32, 32, 'interp', other));
  const results = await measure(contenders, rounds);
  const rows = workloads.map((_, w) => rowOf(w, results));
  const means = contenders.map((_, c) => geometricMean(rows.map((row) => row.ratio[c]!)));
  const names = contenders.map((contender) => contender.name);
  console.log(
    `${cpus()[0]?.model.trim()}, Node ${process.versions.node}, v86 ${v86Version}, median of ${rounds}, ratios to v86's interpreter`,
  );
  printTable(names, rows, means);
  mkdirSync(OUT, { recursive: true });
  const record = { node: process.versions.node, v86: v86Version, rounds, contenders: names, rows, geometricMeans: means };
  writeFileSync(`${OUT}/bench-cpu.json`, `${JSON.stringify(record, null, 2)}\n`);
  for (const contender of contenders) await contender.close();
  const reached = means[2]! >= TARGET;
  console.log(`${reached ? 'reached' : 'MISSED'}: ${means[2]!.toFixed(2)}x of at least ${TARGET}x v86's interpreter`);
  return reached ? 0 : 1;
}

// v86 leaves timers behind that would keep the process alive.
process.exit(await main());
