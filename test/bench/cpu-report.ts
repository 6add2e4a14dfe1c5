/** The table and the verdicts of `npm run bench`, in Node and in Chromium. */
import type { Measured } from './contender';
import { geometricMean, median } from './statistics';

/** v86 is contender 0; QEMU, where it is there, contender 1. Ratios are speeds: over 1 is faster than the peer. */
export interface Row {
  workload: string;
  /** median, one per contender */
  ms: number[];
  /** speed over v86, one per contender */
  overV86: number[];
}

/** Workloads that need not be as fast as v86: the least ratio that counts as reached. Every other one: 0.8. */
const LEAST: Record<string, number> = { 'page faults': 0.7, 'CR3 flush': 0.7, 'INVLPG churn': 0.7, 'chase 32 MiB': 0.85 };
const LEAST_ELSE = 0.8;

/** results[contender][workload][round] */
export function rowsOf(names: readonly string[], results: Measured[][][]): Row[] {
  return names.map((workload, w) => {
    const ms = results.map((result) => median(result[w]!.map((measured) => measured.ms)));
    return { workload, ms, overV86: ms.map((time) => ms[0]! / time) };
  });
}

export const meanOver = (rows: readonly Row[], contender: number, peer: number): number =>
  geometricMean(rows.map(({ ms }) => ms[peer]! / ms[contender]!));

export function printTable(names: readonly string[], rows: readonly Row[]): void {
  const width = Math.max(22, ...names.map((name) => name.length));
  const line = (first: string, cells: string[]) =>
    console.log(`${first.padEnd(18)} ${cells.map((cell) => cell.padStart(width)).join(' ')}`);
  line('', [...names]);
  for (const { workload, ms, overV86 } of rows)
    line(
      workload,
      ms.map((time, c) => `${time.toFixed(time < 20 ? 1 : 0)} ms ${overV86[c]!.toFixed(2).padStart(6)}x`),
    );
  line(
    'geometric mean',
    names.map((_, c) => `${meanOver(rows, c, 0).toFixed(2)}x`),
  );
}

export function verdict(ok: boolean, text: string): boolean {
  console.log(`${ok ? 'reached' : 'MISSED'}: ${text}`);
  return ok;
}

/** No workload of `contender` may be much slower than v86. */
export function leastVerdict(rows: readonly Row[], contender: number): boolean {
  const short = rows.filter(({ workload, overV86 }) => overV86[contender]! < (LEAST[workload] ?? LEAST_ELSE));
  const list = short.map(({ workload, overV86 }) => `${workload} ${overV86[contender]!.toFixed(2)}x`).join(', ');
  return verdict(
    short.length === 0,
    `single workloads at 0.8x v86 or more (faults and page tables 0.7x, chase 32 MiB 0.85x)${list && `: ${list}`}`,
  );
}
