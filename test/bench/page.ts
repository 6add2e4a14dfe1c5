/**
 * `npm run bench:page` (after `npm run build`): what a first visit fetches, then frame times of the built page in a real Chromium while the map is
 * zoomed and panned with a growing number of slots, with the guest idle and busy, and main-thread tasks over 50 ms. Writes build/bench-page.json.
 */
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { type Browser, type CDPSession, chromium, type Page } from '@playwright/test';
import { preview } from 'vite';
import { browserArgs, findBrowser } from '../../scripts/browser.mjs';
import { firstLoad, sum } from '../first-load';
import { longestWork } from './main-thread';

const root = fileURLToPath(new URL('../..', import.meta.url));
const PORT = Number(process.env.LAB_PORT ?? 4193);
/** Total number of slots, including the board's own. */
const SIZES = (process.argv.slice(2).length ? process.argv.slice(2) : ['10', '200', '5000', '32000']).map(Number);
const FRAMES = 180;
const AT_REST_MS = 5000;
const FIRST_ID = 100;
const FIRST_GPA = 2 ** 32;
const STEP = 8192;
/** Every third slot logs dirty pages, so that there is heat to query and draw. */
const LOGS_EVERY = 3;

interface Motion {
  /** ms between frames */
  p50: number;
  p95: number;
  max: number;
  /** average CPU time of the main thread per frame, ms */
  work: number;
  /** tasks over 50 ms of wall-clock time, ms; on a busy machine they mostly wait for a processor */
  longTasks: number[];
  /** CPU of the longest task, ms */
  longestWork: number;
}

interface Rest {
  longTasks: number[];
  longestWork: number;
}

interface Result {
  slots: number;
  /** ms until all slots were staged, and for the commit */
  staging: number;
  commit: number;
  idle: Record<'zoom' | 'pan', Motion>;
  busy: Record<'zoom' | 'pan', Motion> & { mips: number; rest: Rest };
}

const quantile = (sorted: readonly number[], share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? 0;
const rounded = (value: number): number => Math.round(value * 10) / 10;

/** The longtask observer's entries since the last call. */
const longTasks = (page: Page): Promise<number[]> =>
  page.evaluate(() => (window as unknown as { longTasks: number[] }).longTasks.splice(0));

async function taskSeconds(session: CDPSession): Promise<number> {
  const { metrics } = await session.send('Performance.getMetrics');
  return metrics.find(({ name }) => name === 'TaskDuration')?.value ?? 0;
}

/** One wheel event per frame, as a touchpad sends them: in and out, or right and left. */
async function move(page: Page, session: CDPSession, kind: 'zoom' | 'pan'): Promise<Motion> {
  await longTasks(page);
  const before = await taskSeconds(session);
  let deltas: number[] = [];
  const longest = await longestWork(page, async () => {
    deltas = await frames(page, kind);
  });
  const work = ((await taskSeconds(session)) - before) * 1000;
  const sorted = deltas.sort((a, b) => a - b);
  return {
    p50: rounded(quantile(sorted, 0.5)),
    p95: rounded(quantile(sorted, 0.95)),
    max: rounded(sorted.at(-1) ?? 0),
    work: rounded(work / FRAMES),
    longTasks: await longTasks(page),
    longestWork: rounded(longest),
  };
}

/** ms between frames while the map moves. */
function frames(page: Page, kind: 'zoom' | 'pan'): Promise<number[]> {
  return page.evaluate(
    async ({ kind: motion, count }) => {
      const canvas = document.querySelector<HTMLCanvasElement>('.stage canvas')!;
      const box = canvas.getBoundingClientRect();
      const found: number[] = [];
      let last = await new Promise<number>(requestAnimationFrame);
      for (let frame = 0; frame < count; frame++) {
        const there = frame < count / 2 ? 1 : -1;
        canvas.dispatchEvent(
          new WheelEvent('wheel', {
            clientX: box.left + box.width * 0.6,
            clientY: box.top + box.height / 2,
            deltaX: motion === 'pan' ? 12 * there : 0,
            deltaY: motion === 'zoom' ? -40 * there : 0,
            bubbles: true,
            cancelable: true,
          }),
        );
        const now = await new Promise<number>(requestAnimationFrame);
        found.push(now - last);
        last = now;
      }
      return found;
    },
    { kind, count: FRAMES },
  );
}

async function both(page: Page, session: CDPSession): Promise<Record<'zoom' | 'pan', Motion>> {
  // Half the layout on screen, so that there is somewhere to pan to.
  await page.getByRole('button', { name: 'Fit' }).click();
  const zoom = await move(page, session, 'zoom');
  await page.getByRole('button', { name: 'Zoom in' }).click();
  return { zoom, pan: await move(page, session, 'pan') };
}

async function addSlots(page: Page, wanted: number): Promise<{ staging: number; commit: number }> {
  return page.evaluate(
    async ({ wanted: slots, first, gpa, step, logs }) => {
      const there = ((await window.lab.layout()) as { memslots: unknown[] }).memslots.length;
      const start = performance.now();
      // tsx names functions with a helper that the page lacks, so no named function may appear here.
      await window.lab.monitor('changeset_begin');
      for (let i = 0; i < slots - there; i++) {
        const line = `memslot_add ${first + i} 0x${(gpa + i * step).toString(16)} 4k${i % logs ? '' : ' -l'}`;
        const printed = await window.lab.monitor(line);
        if (printed) throw new Error(`${line}: ${printed}`);
      }
      const staged = performance.now();
      const printed = await window.lab.monitor('changeset_commit');
      if (!printed.startsWith('generation')) throw new Error(printed);
      return { staging: Math.round(staged - start), commit: Math.round(performance.now() - staged) };
    },
    { wanted, first: FIRST_ID, gpa: FIRST_GPA, step: STEP, logs: LOGS_EVERY },
  );
}

async function measure(browser: Browser, slots: number): Promise<Result> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
  try {
    const page = await context.newPage();
    const session = await context.newCDPSession(page);
    // CPU time of the main thread, so that other processes do not count.
    await session.send('Performance.enable', { timeDomain: 'threadTicks' });
    await page.addInitScript(() => {
      const found: number[] = [];
      (window as unknown as { longTasks: number[] }).longTasks = found;
      new PerformanceObserver((list) => found.push(...list.getEntries().map((entry) => Math.round(entry.duration)))).observe({
        type: 'longtask',
        buffered: true,
      });
    });
    await page.goto(`http://localhost:${PORT}/`);
    await page.waitForFunction(() => window.lab.console.text().includes('lab>'), undefined, { timeout: 60_000 });
    const { staging, commit } = await addSlots(page, slots);
    await page.waitForTimeout(1000);
    const idle = await both(page, session);
    // The guest reads one word of each page, over and over.
    await page.evaluate(() => window.lab.console.type('sweep 0x1000000 64M\r'));
    await page.getByRole('tab', { name: 'Live' }).click();
    await page.waitForTimeout(1500);
    await longTasks(page);
    const longest = await longestWork(page, () => page.waitForTimeout(AT_REST_MS));
    const rest = { longTasks: await longTasks(page), longestWork: rounded(longest) };
    const mips = Number((await page.locator('header .speed b').innerText()).trim());
    const busy = { ...(await both(page, session)), mips, rest };
    return { slots, staging, commit, idle, busy };
  } finally {
    await context.close();
  }
}

const HEAD =
  '| slots | guest | motion | p50 | p95 | max | CPU a frame | longest task, CPU | tasks over 50 ms by the clock |\n|---|---|---|---|---|---|---|---|---|';

function print({ slots, idle, busy }: Result): void {
  for (const [guest, motions] of [['idle', idle] as const, ['flat out', busy] as const]) {
    for (const kind of ['zoom', 'pan'] as const) {
      const { p50, p95, max, work, longestWork: longest, longTasks: long } = motions[kind];
      console.log(
        `| ${slots} | ${guest} | ${kind} | ${p50} | ${p95} | ${max} | ${work} | ${longest} | ${long.length ? long.join(', ') : 0} |`,
      );
    }
  }
  const { longTasks: waits, longestWork: longest } = busy.rest;
  console.log(
    `| ${slots} | flat out, ${busy.mips} MIPS | none, ${AT_REST_MS / 1000} s | | | | | ${longest} | ${waits.length ? waits.join(', ') : 0} |`,
  );
}

function printCommits(results: readonly Result[]): void {
  for (const { slots, staging, commit } of results)
    console.log(`${slots} slots: staged line by line in ${staging} ms, committed in ${commit} ms`);
}

async function main(): Promise<void> {
  if (!existsSync(`${root}dist/index.html`)) throw new Error('there is no built page: run npm run build first');
  const { atPrompt, all } = firstLoad(`${root}dist`);
  const load = { atPrompt: sum(atPrompt), all: sum(all), allUncompressed: sum(all, 'bytes') };
  console.log(
    `First load by zlib, level 9: ${load.atPrompt} bytes up to the prompt, ${load.all} with all that comes after it (${load.allUncompressed} uncompressed)\n`,
  );
  const server = await preview({ root, preview: { port: PORT, strictPort: true }, logLevel: 'warn' });
  const browser = await chromium.launch({ executablePath: await findBrowser(), args: browserArgs });
  try {
    const results: Result[] = [];
    console.log(HEAD);
    for (const slots of SIZES) {
      const result = await measure(browser, slots);
      results.push(result);
      print(result);
    }
    printCommits(results);
    mkdirSync(`${root}build`, { recursive: true });
    const machine = { cpu: cpus()[0]?.model, cores: cpus().length, load: loadavg().map(rounded), chromium: browser.version() };
    writeFileSync(`${root}build/bench-page.json`, `${JSON.stringify({ machine, load, results }, null, 2)}\n`);
  } finally {
    await browser.close();
    await server.close();
  }
}

await main();
