/**
 * The memory of a tab with a 256 MiB Linux over ten minutes in which the guest keeps making new code: it copies busybox, runs the copy long enough to
 * be compiled and removes it, so that its page cache is rewritten again and again. Pauses leave the processor to other processes.
 */
import { verdict } from '../statistics';
import type { Tab } from './browser';
import { type Memory, tabMemory } from './processes';

/** Upper limit, MiB; pages shared between the browser's processes count proportionally. */
const TARGET = 600;
/** MiB by which the second half may exceed the first, once the guest has written most of its memory. */
const FLAT = 30;
const SAMPLE_MS = 10_000;
const WORK =
  'i=0; while :; do i=$((i+1)); cp /bin/busybox /tmp/b$i; /tmp/b$i sha256sum /tmp/b$i /tmp/b$i /tmp/b$i; /tmp/b$i md5sum /tmp/b$i; /tmp/b$i sort /tmp/b$i; rm /tmp/b$i; sleep 0.2; done >/dev/null';

export interface MemoryRun {
  minutes: number;
  samples: (Memory & { seconds: number })[];
  /** `info jit` at the end: regions there, compiled and dropped. */
  regions: number;
  compiled: number;
}

export async function measureMemory(
  open: (address: string, waitFor: string) => Promise<Tab>,
  minutes: number,
  say: (text: string) => void,
): Promise<MemoryRun> {
  const tab = await open('?guest=linux', 'guest# ');
  await tab.type(`${WORK}\r`);
  const samples: MemoryRun['samples'] = [];
  const start = performance.now();
  for (let next = SAMPLE_MS; next <= minutes * 60_000; next += SAMPLE_MS) {
    await new Promise((resolve) => setTimeout(resolve, start + next - performance.now()));
    const sample = { seconds: Math.round((performance.now() - start) / 1000), ...tabMemory() };
    samples.push(sample);
    say(`${sample.seconds} s: ${sample.rss.toFixed(0)} MiB resident, ${sample.pss.toFixed(0)} by share`);
  }
  const text = await tab.monitor('info jit');
  const figure = (label: string): number => Number(new RegExp(`^${label} +(\\d+)`, 'm').exec(text)?.[1] ?? 0);
  await tab.close();
  return { minutes, samples, regions: figure('region count'), compiled: figure('regions compiled') };
}

export function reportMemory({ minutes, samples, regions, compiled }: MemoryRun): boolean {
  const most = (of: 'rss' | 'pss', from = 0, to = 1): number =>
    Math.max(...samples.slice(Math.floor(samples.length * from), Math.ceil(samples.length * to)).map((sample) => sample[of]));
  const growth = most('pss', 0.5) - most('pss', 0.2, 0.5);
  console.log(`Linux that makes code for ${minutes} minutes: ${compiled} regions compiled, ${regions} at the end`);
  return [
    verdict(
      most('pss') < TARGET,
      `the tab's renderer: at most ${most('pss').toFixed(0)} MiB, less than ${TARGET} (${most('rss').toFixed(0)} with all of the browser's shared files)`,
    ),
    verdict(growth < FLAT, `its most in the second half, over that from the first fifth on: ${growth.toFixed(0)} MiB, less than ${FLAT}`),
  ].every((each) => each);
}
