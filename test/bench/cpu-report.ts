/** The table and the verdicts of `npm run bench`, in Node and in Chromium. */
import type { Measured } from './contender';
import { geometricMean, median, verdict } from './statistics';

/** v86 is contender 0 unless peers are left out; QEMU, where installed, is contender 1. Ratios are speeds: above 1 means faster than the peer. */
export interface Row {
  workload: string;
  /** median or least, one per contender */
  ms: number[];
  /** every round's time, one list per contender */
  rounds: number[][];
  /** speed over contender 0, one per contender */
  overFirst: number[];
}

/** The lowest acceptable ratio for workloads that may be slower than on v86. All others: 0.8. */
const LEAST: Record<string, number> = { 'page faults': 0.7, 'CR3 flush': 0.7, 'INVLPG churn': 0.7, 'chase 32 MiB': 0.85 };
const LEAST_ELSE = 0.8;

/**
 * results[contender][workload][round]. `least`: take the shortest round instead of the median, since on a busy machine longer rounds mostly measure
 * other processes.
 */
export function rowsOf(names: readonly string[], results: Measured[][][], least = false): Row[] {
  const pick = (times: number[]): number => (least ? Math.min(...times) : median(times));
  return names.map((workload, w) => {
    const rounds = results.map((result) => result[w]!.map((measured) => measured.ms));
    const ms = rounds.map(pick);
    return { workload, ms, rounds, overFirst: ms.map((time) => ms[0]! / time) };
  });
}

export const meanOver = (rows: readonly Row[], contender: number, peer: number): number =>
  geometricMean(rows.map(({ ms }) => ms[peer]! / ms[contender]!));

export function printTable(names: readonly string[], rows: readonly Row[]): void {
  const width = Math.max(22, ...names.map((name) => name.length));
  const line = (first: string, cells: string[]) =>
    console.log(`${first.padEnd(18)} ${cells.map((cell) => cell.padStart(width)).join(' ')}`);
  line('', [...names]);
  for (const { workload, ms, overFirst } of rows)
    line(
      workload,
      ms.map((time, c) => `${time.toFixed(time < 20 ? 1 : 0)} ms ${overFirst[c]!.toFixed(2).padStart(6)}x`),
    );
  line(
    'geometric mean',
    names.map((_, c) => `${meanOver(rows, c, 0).toFixed(2)}x`),
  );
}

/** No workload of `contender` may be much slower than v86. */
export function leastVerdict(rows: readonly Row[], contender: number): boolean {
  const short = rows.filter(({ workload, overFirst }) => overFirst[contender]! < (LEAST[workload] ?? LEAST_ELSE));
  const list = short.map(({ workload, overFirst }) => `${workload} ${overFirst[contender]!.toFixed(2)}x`).join(', ');
  return verdict(
    short.length === 0,
    `single workloads at 0.8x v86 or more (faults and page tables 0.7x, chase 32 MiB 0.85x)${list && `: ${list}`}`,
  );
}

/** How much slower than the other build of the core a workload may be, in percent. */
const SLOWER = 3;

/**
 * A table of times, and a verdict: no workload of contender `now` may take much longer than that of contender `before`. The verdict uses the median
 * of the ratios per round. Both run one after the other within a round, so a machine that gets slower affects both.
 */
export function compareBuilds(rows: readonly Row[], now: number, before: number, name: string): boolean {
  console.log(`times relative to ${name}; median, least and most of the rounds:`);
  const compared = rows.map(({ workload, ms, rounds }) => {
    const ratios = rounds[now]!.map((time, round) => time / rounds[before]![round]!);
    const ratio = median(ratios);
    const [least, most] = [Math.min(...ratios), Math.max(...ratios)].map(percent);
    const times = [before, now].map((contender) => `${ms[contender]!.toFixed(1).padStart(8)} ms`).join(' ->');
    console.log(`${workload.padEnd(18)}${times} ${percent(ratio).padStart(9)}  (${least} to ${most})`);
    return { workload, ratio };
  });
  console.log(`${'geometric mean'.padEnd(18)}${percent(geometricMean(compared.map(({ ratio }) => ratio))).padStart(35)}`);
  const slow = compared.filter(({ ratio }) => ratio > 1 + SLOWER / 100);
  const list = slow.map(({ workload, ratio }) => `${workload} ${percent(ratio)}`).join(', ');
  return verdict(slow.length === 0, `no workload over ${SLOWER} % slower than ${name}${list && `: ${list}`}`);
}

const percent = (ratio: number): string => `${ratio < 1 ? '' : '+'}${((ratio - 1) * 100).toFixed(1)} %`;
