/** The built page in a real Chromium, which records when its guest started, what the guest printed, and long tasks. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type Page } from '@playwright/test';
import { preview } from 'vite';
import { browserArgs, findBrowser } from '../../../scripts/browser.mjs';
import { longestWork } from '../main-thread';

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const PORT = Number(process.env.LAB_PORT ?? 4193);

/** The page's mark where its machine is started. */
const BOOTED = 'machine asked for';

export interface LongTask {
  /** ms since the page's start */
  start: number;
  duration: number;
}

/** In the page. */
interface Notes {
  /** ms since the page's start: when the machine was requested from the worker, and when the guest printed the expected text. */
  booted?: number;
  printed?: number;
  tasks: LongTask[];
}

declare const window: {
  notes: Notes;
  lab: { console: { text(): string; type(text: string): void }; monitor(line: string): Promise<string> };
};

/** Serves the page until `act` is done. */
export async function withPages<T>(act: (open: (address: string, waitFor: string) => Promise<Tab>) => Promise<T>): Promise<T> {
  if (!existsSync(`${ROOT}dist/index.html`)) throw new Error('there is no built page: run npm run build first');
  const server = await preview({ root: ROOT, preview: { port: PORT, strictPort: true }, logLevel: 'warn' });
  try {
    return await act((address, waitFor) => Tab.open(`http://localhost:${PORT}/${address}`, waitFor));
  } finally {
    await server.close();
  }
}

/** One page in a browser of its own. */
export class Tab {
  /** CPU time of the longest main-thread task from the machine's start until the guest printed the expected text, ms. */
  private constructor(
    readonly browser: Browser,
    readonly page: Page,
    readonly longest: number,
  ) {}

  /** Opens the address and waits until its guest has printed `waitFor`. */
  static async open(address: string, waitFor: string): Promise<Tab> {
    const browser = await chromium.launch({ executablePath: await findBrowser(), args: browserArgs });
    const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    // tsx names functions with a helper that the page lacks.
    await page.addInitScript({ content: 'globalThis.__name = (value) => value;' });
    await page.addInitScript(note, { waitFor, booted: BOOTED });
    const boot = async (): Promise<void> => {
      await page.goto(address);
      await page.waitForFunction(() => window.notes.printed !== undefined, undefined, { timeout: 120_000 });
    };
    return new Tab(browser, page, await longestWork(page, boot, BOOTED));
  }

  notes(): Promise<Notes> {
    return this.page.evaluate(() => window.notes);
  }

  /** Long tasks since the last call. */
  tasks(): Promise<LongTask[]> {
    return this.page.evaluate(() => window.notes.tasks.splice(0));
  }

  monitor(line: string): Promise<string> {
    return this.page.evaluate((text) => window.lab.monitor(text), line);
  }

  type(text: string): Promise<void> {
    return this.page.evaluate((typed) => window.lab.console.type(typed), text);
  }

  close(): Promise<void> {
    return this.browser.close();
  }
}

/** Runs in the page before its own scripts. It reads the guest's output as it arrives, not from the terminal. */
function note({ waitFor, booted }: { waitFor: string; booted: string }): void {
  const notes: Notes = { tasks: [] };
  window.notes = notes;
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) notes.tasks.push({ start: startTime, duration });
  }).observe({ type: 'longtask', buffered: true });
  const scope = globalThis as unknown as { Worker: typeof Worker };
  let text = '';
  scope.Worker = class extends scope.Worker {
    constructor(url: string | URL, options?: WorkerOptions) {
      super(url, options);
      this.addEventListener('message', ({ data }) => {
        if (data?.type !== 'console' || notes.printed !== undefined) return;
        text = (text + data.text).slice(-1000);
        if (text.includes(waitFor)) notes.printed = performance.now();
      });
    }
    override postMessage(message: unknown, more?: unknown): void {
      if ((message as { type?: string })?.type === 'boot' && notes.booted === undefined) {
        notes.booted = performance.now();
        performance.mark(booted);
      }
      super.postMessage(message, more as Transferable[]);
    }
  };
}
