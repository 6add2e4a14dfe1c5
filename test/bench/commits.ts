/**
 * `npm run bench:commits [-- ROUNDS] [--accel jit|interp] [--chromium]`: what change sets of 1, 10 and 100 slots cost a guest that computes, in
 * Node (processor time) or in a worker of a real Chromium (by the clock), with zap 'slot' and with zap 'all'. Results: build/bench-commits.json.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { commitsInChromium } from './chromium';
import { type CommitCost, measureCommits } from './commit-cost';
import { BUILD, CORE, read } from './files';
import { buildImage } from './images';
import { verdict } from './statistics';

/** A change set of ten slots must cost the guest less than this with zap 'slot', us. */
const TARGET = 1000;
const TARGET_SLOTS = 10;

const HEAD =
  '| workload | zap | slots | lost by the guest | stopped | windows dropped | regions dropped | TLB misses |\n|---|---|---|---|---|---|---|---|';
const row = ({ workload, zap, slots, lost, stood, windows, regions, misses }: CommitCost): string =>
  `| ${workload} | ${zap} | ${slots} | ${lost.toFixed(0)} us | ${stood.toFixed(0)} us | ${windows.toFixed(1)} | ${regions.toFixed(1)} | ${misses.toFixed(1)} |`;

/** Processor time of this process, all threads, ms. On a busy machine the wall clock would count waiting too. */
function processorTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

async function main(): Promise<number> {
  const options = { accel: { type: 'string', default: 'jit' }, chromium: { type: 'boolean', default: false } } as const;
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  const { accel, chromium } = values;
  const rounds = Number(positionals[0] ?? '15');
  if (!Number.isInteger(rounds) || rounds < 1 || rounds > 999) throw new Error(`${positionals[0]}: ROUNDS must be a number from 1 to 999`);
  if (accel !== 'jit' && accel !== 'interp') throw new Error(`--accel ${accel}: jit or interp`);
  const load = loadavg()[0]!;
  const image = buildImage(64);
  const costs: CommitCost[] = [];
  const where = chromium ? 'a worker of Chromium' : `Node ${process.versions.node}`;
  console.log(`${cpus()[0]?.model.trim()}, ${where}, ${accel}, median of ${rounds}, load before: ${load.toFixed(1)}\n${HEAD}`);
  const say = (cost: CommitCost): void => {
    costs.push(cost);
    console.log(row(cost));
  };
  if (chromium) for (const cost of await commitsInChromium(image, accel, rounds)) say(cost);
  else await measureCommits({ core: read(CORE), image, accel, rounds }, processorTime, say);
  mkdirSync(BUILD, { recursive: true });
  const record = { processor: cpus()[0]?.model.trim(), where, accel, rounds, load, costs };
  writeFileSync(`${BUILD}/bench-commits${chromium ? '-chromium' : ''}.json`, `${JSON.stringify(record, null, 2)}\n`);
  const judged = costs.filter(({ zap, slots }) => zap === 'slot' && slots === TARGET_SLOTS);
  return judged
    .map(({ workload, lost }) =>
      verdict(lost < TARGET, `${TARGET_SLOTS} slots, zap slot, ${workload}: ${lost.toFixed(0)} us, less than ${TARGET}`),
    )
    .every((each) => each)
    ? 0
    : 1;
}

try {
  process.exit(await main());
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}
