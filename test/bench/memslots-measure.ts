/**
 * Timing: interleaved rounds, medians, and a separate copy of the loop for each contender, so that none is measured with the type feedback of
 * another.
 */
import { median } from '../../engine/worker/index-workload';

export const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 7);

/** name -> size -> ns */
export type Figures = Record<string, Record<string, number>>;

export const now = (): number => Number(process.hrtime.bigint());

type Loop = (find: (gfn: number) => number, list: Float64Array) => number;

let copies = 0;

/**
 * A fresh copy of a function, from its parameters and body: V8 keeps type feedback per source. So each copy's source differs, by a number: from the
 * second use of the same source on `new Function` returns functions that share their feedback.
 */
export function ownCopy(...parametersAndBody: string[]): unknown {
  const body = parametersAndBody.at(-1)!;
  return new Function(...parametersAndBody.slice(0, -1), `// copy ${copies++}\n${body}`);
}

export function ownLoop(): Loop {
  return ownCopy('find', 'list', 'let sum = 0; for (let i = 0; i < list.length; i++) sum += find(list[i]); return sum;') as Loop;
}

const CHUNK = 2000;

/**
 * Nanoseconds per lookup: the median over chunks that are shorter than a time slice, so that other processes disturb a few whole chunks rather than a
 * part of each. c/rbtree.c does the same.
 */
export function lookupTime(loop: Loop, find: (gfn: number) => number, list: Float64Array): number {
  const took: number[] = [];
  for (let start = 0; start + CHUNK <= list.length; start += CHUNK) {
    const chunk = list.subarray(start, start + CHUNK);
    took.push(timed(CHUNK, () => loop(find, chunk)));
  }
  return median(took);
}

/** Nanoseconds per call of `act`, which does `count` operations. */
export function timed(count: number, act: () => void): number {
  const start = now();
  act();
  return (now() - start) / count;
}

export function perSize(measure: (n: number) => Record<string, number>, sizes: readonly number[]): Figures {
  const figures: Figures = {};
  for (const n of sizes) put(figures, n, measure(n));
  return figures;
}

export function put(figures: Figures, size: number, column: Record<string, number>): void {
  for (const [name, ns] of Object.entries(column)) {
    figures[name] ??= {};
    figures[name][size] = ns;
  }
}

/** Medians over rounds. Every contender runs once per round, so that noise affects all of them alike. */
export function rounds(count: number, jobs: Record<string, () => number>): Record<string, number> {
  const samples: Record<string, number[]> = {};
  for (let round = 0; round < count; round++)
    for (const [name, job] of Object.entries(jobs)) {
      samples[name] ??= [];
      samples[name].push(job());
    }
  return Object.fromEntries(Object.entries(samples).map(([name, list]) => [name, median(list)]));
}

export function collectGarbage(): void {
  const { gc } = globalThis as { gc?: () => void };
  gc?.();
  gc?.();
}

/** Rows of numbers with a head; ns below 10 µs, then µs and ms. */
export function table(title: string, heads: readonly string[], rows: readonly (readonly (string | number)[])[]): void {
  const cells = [heads, ...rows].map((row) => row.map((cell) => (typeof cell === 'number' ? duration(cell) : cell)));
  const widths = heads.map((_, i) => Math.max(...cells.map((row) => row[i]?.length ?? 0)));
  console.log(`\n${title}`);
  for (const row of cells) console.log(row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '));
}

export function duration(ns: number): string {
  if (ns < 10_000) return `${ns.toFixed(ns < 100 ? 1 : 0)} ns`;
  return ns < 10_000_000 ? `${(ns / 1000).toFixed(1)} us` : `${(ns / 1e6).toFixed(1)} ms`;
}
