/**
 * Memory of the built page with a busy guest and endless change sets, as fast as a monitor accepts them. Every list that a page fills has a bound
 * (app/shared/bounds.ts); once all are full, the heaps of page and worker, DOM nodes and listeners must stop growing.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Browser, type CDPSession, chromium, type Page } from '@playwright/test';
import { preview } from 'vite';
import { browserArgs, findBrowser } from '../../scripts/browser.mjs';
import { MIB } from '../guests/harness';
import type { Soak } from './soak';

const root = fileURLToPath(new URL('../..', import.meta.url));
const PORT = Number(process.env.LAB_PORT ?? 4193);
const MINUTES = Number(process.env.LAB_SOAK_MINUTES ?? 12);
const SAMPLE_SECONDS = 20;
/** Share of the time for lists that fill at a fixed rate (charts, 256 commits). */
const WARM_UP = 0.4;
/** Lines that fill the console's scrollback, 20 rows each, and inputs of 4 KiB that end the recording of a replay. */
const FILL_CONSOLE = 300;
const FILL_JOURNAL = 300;
/** Bytes by which a heap may grow in the second half of the remaining time; this includes code that V8 compiles and optimizes late. */
const SLACK = 1.5 * MIB;
interface Region {
  slot: number;
  name: string;
  guestPhysAddr: number;
}

/** Change sets in one call from here. */
const BURST = 10;

interface Sample {
  seconds: number;
  commits: number;
  /** bytes in use after a collection */
  page: number;
  worker: number;
  nodes: number;
  listeners: number;
}

const used = async (session: Pick<CDPSession, 'send'>): Promise<number> => {
  await session.send('HeapProfiler.collectGarbage');
  const { usedSize } = await session.send('Runtime.getHeapUsage');
  return usedSize;
};

/** The worker's own session: messages for it travel inside the page's. */
async function workerSession(cdp: CDPSession): Promise<() => Promise<number>> {
  const attached = new Promise<string>((resolve) => {
    cdp.on('Target.attachedToTarget', ({ sessionId, targetInfo }) => {
      if (targetInfo.type === 'worker') resolve(sessionId);
    });
  });
  await cdp.send('Target.setAutoAttach', { autoAttach: true, waitForDebuggerOnStart: false, flatten: false });
  const sessionId = await attached;
  const waiting = new Map<number, (result: { usedSize?: number }) => void>();
  cdp.on('Target.receivedMessageFromTarget', ({ message }) => {
    const { id, result } = JSON.parse(message) as { id?: number; result?: { usedSize?: number } };
    if (id !== undefined) waiting.get(id)?.(result ?? {});
  });
  let last = 0;
  const send = (method: string): Promise<{ usedSize?: number }> =>
    new Promise((done) => {
      const id = ++last;
      waiting.set(id, done);
      void cdp.send('Target.sendMessageToTarget', { sessionId, message: JSON.stringify({ id, method }) });
    });
  return async () => {
    await send('HeapProfiler.collectGarbage');
    return (await send('Runtime.getHeapUsage')).usedSize ?? 0;
  };
}

const monitor = (page: Page, line: string): Promise<string> => page.evaluate((text) => window.lab.monitor(text), line);

/** Two DIMMs exchange their addresses repeatedly. The loop runs in the page, since one call from here costs more than a change set. */
const exchange = (page: Page, lines: readonly string[]): Promise<void> =>
  page.evaluate(async (all) => {
    for (const line of all) {
      const answer = await window.lab.monitor(line);
      if (answer.startsWith('Error')) throw new Error(`${line}: ${answer}`);
    }
  }, lines);

const linesOf = (a: Region, b: Region): string[] =>
  [
    [a.guestPhysAddr, b.guestPhysAddr],
    [b.guestPhysAddr, a.guestPhysAddr],
  ].flatMap(([first, second]) => [
    'changeset_begin',
    `memslot_move ${a.slot} ${second}`,
    `memslot_move ${b.slot} ${first}`,
    'changeset_commit',
  ]);

async function measure(browser: Browser, say: (text: string) => void): Promise<Sample[]> {
  const page = await browser.newPage({ baseURL: `http://localhost:${PORT}/` });
  const cdp = await page.context().newCDPSession(page);
  await page.goto('./');
  await page.waitForFunction(() => /lab> ?$/.test(window.lab?.console.text() ?? ''), undefined, { timeout: 120_000 });
  for (const id of [1, 2]) {
    await monitor(page, `object_add memory-backend-ram,id=m${id},size=64M`);
    await monitor(page, `device_add pc-dimm,id=d${id},memdev=m${id}`);
  }
  const { memslots } = (await page.evaluate(() => window.lab.layout())) as { memslots: Region[] };
  const [a, b] = ['d1', 'd2'].map((id) => memslots.find(({ name }) => name.startsWith(id)));
  if (!a || !b) throw new Error(`no memslots of the DIMMs among ${memslots.map(({ name }) => name).join(', ')}`);
  const lines = Array.from({ length: BURST / 2 }, () => linesOf(a, b)).flat();
  const worker = await workerSession(cdp);
  await page.evaluate(
    async ([inputs, rows]) => {
      for (let each = 0; each < inputs!; each++) await window.lab.monitor(`cont${' '.repeat(4000)}`);
      for (let each = 0; each < rows!; each++) window.lab.console.type('help\r');
    },
    [FILL_JOURNAL, FILL_CONSOLE],
  );
  await page.waitForFunction(
    () => (window.lab.console.text().match(/\n/g)?.length ?? 0) > 4000 && /lab> ?$/.test(window.lab.console.text()),
    undefined,
    {
      timeout: 300_000,
      polling: 1000,
    },
  );
  await page.evaluate(() => window.lab.console.type('sweep\r'));
  const start = performance.now();
  const samples: Sample[] = [];
  let commits = 0;
  let next = 0;
  for (;;) {
    const seconds = (performance.now() - start) / 1000;
    if (seconds >= next) {
      next = seconds + SAMPLE_SECONDS;
      const heaps = { page: await used(cdp), worker: await worker() };
      const { nodes, jsEventListeners: listeners } = await cdp.send('Memory.getDOMCounters');
      const sample = { seconds: Math.round(seconds), commits, ...heaps, nodes, listeners };
      samples.push(sample);
      const mib = (bytes: number): string => (bytes / MIB).toFixed(2);
      say(
        `${sample.seconds} s, ${commits} change sets: page ${mib(sample.page)} MiB, worker ${mib(sample.worker)} MiB, ${nodes} nodes, ${listeners} listeners`,
      );
    }
    if (seconds >= MINUTES * 60) return samples;
    await exchange(page, lines);
    commits += BURST;
  }
}

/** The minimum over a stretch: memory in use when nothing is waiting to be drawn or sent. */
const least = (samples: readonly Sample[], of: (sample: Sample) => number): number => Math.min(...samples.map(of));

function judge(samples: readonly Sample[]): string {
  const rest = samples.slice(Math.ceil(samples.length * WARM_UP));
  const [before, after] = [rest.slice(0, rest.length >> 1), rest.slice(rest.length >> 1)];
  const growth = (of: (sample: Sample) => number): number => least(after, of) - least(before, of);
  for (const heap of ['page', 'worker'] as const) {
    const bytes = growth((sample) => sample[heap]);
    if (bytes > SLACK) throw new Error(`the ${heap}'s heap still grows when all of its lists are full: ${(bytes / MIB).toFixed(2)} MiB`);
  }
  const nodes = growth(({ nodes: count }) => count);
  if (nodes > 200) throw new Error(`${nodes} DOM nodes were added and not removed`);
  const { commits, page, worker } = samples.at(-1)!;
  return `${commits} change sets in ${MINUTES} minutes; page ${(page / MIB).toFixed(1)} MiB, worker ${(worker / MIB).toFixed(1)} MiB`;
}

export const pageMemory: Soak = {
  name: 'page-memory',
  title: `${MINUTES} minutes of change sets beside a busy guest: what page and worker keep`,
  async run(say) {
    if (!existsSync(`${root}dist/index.html`)) throw new Error('there is no built page: npm run build');
    const server = await preview({ root, preview: { port: PORT, strictPort: true }, logLevel: 'warn' });
    const browser = await chromium.launch({ executablePath: await findBrowser(), args: browserArgs });
    try {
      return judge(await measure(browser, say));
    } finally {
      await browser.close();
      await server.close();
    }
  },
};
