/**
 * `npm run bench:tab [-- PART...] [--rounds N] [--minutes N]` (after `npm run build`): the JIT's targets in the page, in a real Chromium. Parts:
 * `boot` Linux to its shell beside Node, `busy` long tasks while a guest computes, `idle` processor time of an idle guest, `memory` what a tab holds
 * over ten minutes of new code (runs only when named). Results: build/bench-tab.json.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { measureBoot, reportBoot } from './boot';
import { ROOT, withPages } from './browser';
import { measureBusy, reportBusy } from './busy';
import { measureIdle, reportIdle } from './idle';
import { measureMemory, reportMemory } from './memory';

const PARTS = ['boot', 'busy', 'idle', 'memory'] as const;
type Part = (typeof PARTS)[number];
/** Without a name: what takes a minute or two. */
const DEFAULT: readonly Part[] = ['boot', 'busy', 'idle'];
const FILE = `${ROOT}build/bench-tab.json`;

function keep(part: Part, result: unknown): void {
  let all: Record<string, unknown> = {};
  try {
    all = JSON.parse(readFileSync(FILE, 'utf8')) as Record<string, unknown>;
  } catch {
    // The first run.
  }
  mkdirSync(`${ROOT}build`, { recursive: true });
  writeFileSync(FILE, `${JSON.stringify({ ...all, [part]: result }, null, 2)}\n`);
}

async function main(): Promise<number> {
  const options = { rounds: { type: 'string', default: '3' }, minutes: { type: 'string', default: '10' } } as const;
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  const parts = positionals.length > 0 ? positionals : DEFAULT;
  const unknown = parts.find((part) => !(PARTS as readonly string[]).includes(part));
  if (unknown !== undefined) throw new Error(`${unknown}: PART is one of ${PARTS.join(', ')}`);
  const [rounds, minutes] = [Number(values.rounds), Number(values.minutes)];
  if (!(rounds >= 1 && minutes > 0)) throw new Error('--rounds and --minutes are numbers above 0');
  console.log(`${cpus()[0]?.model.trim()}, ${cpus().length} cores, load before: ${loadavg()[0]!.toFixed(1)}`);
  let reached = true;
  await withPages(async (open) => {
    const run = async <T>(part: Part, measure: () => Promise<T>, report: (result: T) => boolean): Promise<void> => {
      if (!parts.includes(part)) return;
      const result = await measure();
      keep(part, result);
      reached = report(result) && reached;
    };
    await run('boot', () => measureBoot(open, rounds), reportBoot);
    await run('busy', () => measureBusy(open), reportBusy);
    await run('idle', () => measureIdle(open), reportIdle);
    await run('memory', () => measureMemory(open, minutes, (text) => console.error(text)), reportMemory);
  });
  return reached ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
