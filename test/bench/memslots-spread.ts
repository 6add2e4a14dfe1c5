/**
 * The lookups at 32,763 slots in many fresh processes. Where a process's heap lies, and what V8 has compiled by then, moves each figure by up to a half,
 * so that one process says little. Run as a script, this file is such a process: it prints its figures as JSON.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { median } from '../../engine/worker/index-workload';
import { cTree } from './memslots-contenders';
import { lookups } from './memslots-lookups';
import { table } from './memslots-measure';
import { LARGE } from './memslots-memory';

const C_TREE = 'C red-black tree, gcc -O2';
const OURS = ['btree', 'btree, vCPU cache', 'btree, last used slot of the set', 'btree, memslotAt'];
const PEERS = ['sorted-btree', C_TREE];

type Sample = Record<string, number>;

function fresh(): { uniform: Sample; local: Sample } {
  const said = execFileSync(process.execPath, ['--import', 'tsx', fileURLToPath(import.meta.url)], { encoding: 'utf8' });
  return JSON.parse(said.trimEnd().split('\n').at(-1)!);
}

function range(values: readonly number[]): string {
  return `${Math.min(...values).toFixed(2)} to ${Math.max(...values).toFixed(2)} x`;
}

function print(title: string, samples: readonly Sample[]): void {
  // Without gcc there is no C tree.
  const peers = PEERS.filter((peer) => samples[0]![peer] !== undefined);
  const rows = [...OURS, ...peers].map((name) => {
    const times = samples.map((sample) => sample[name]!);
    const ratios = peers.map((peer) => (peer === name ? '' : range(samples.map((sample) => sample[name]! / sample[peer]!))));
    return [name, Math.min(...times), median(times), Math.max(...times), ...ratios];
  });
  table(title, ['', 'least', 'median', 'most', ...peers.map((peer) => `/ ${peer}`)], rows);
}

export function measureSpread(processes: number): void {
  const samples = Array.from({ length: processes }, fresh);
  print(
    `Lookup by gfn at ${LARGE} slots, uniform random, in ${processes} processes`,
    samples.map(({ uniform }) => uniform),
  );
  print(
    'The same, 90 % in the slot used last',
    samples.map(({ local }) => local),
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const c = cTree();
  const column = (localPercent: number): Sample =>
    Object.fromEntries(Object.entries(lookups(localPercent, c, [LARGE])).map(([name, row]) => [name, row[LARGE]!]));
  console.log(JSON.stringify({ uniform: column(0), local: column(90) }));
}
