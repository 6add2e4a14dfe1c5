/** Processor time of the page's main thread, from Chromium's trace. Time that a task waits for a processor does not count. */
import type { Page } from '@playwright/test';

interface TraceEvent {
  name: string;
  pid: number;
  tid: number;
  /** us */
  ts: number;
  /** us of CPU */
  tdur?: number;
  args: { name?: string };
}

/** CPU time of the longest task of the page's main thread while `act` runs, ms. `since`: count only from this mark of the page (performance.mark). */
export async function longestWork(page: Page, act: () => Promise<unknown>, since?: string): Promise<number> {
  const browser = page.context().browser()!;
  await browser.startTracing(page, { categories: ['toplevel', 'devtools.timeline', 'blink.user_timing'] });
  await act();
  const { traceEvents } = JSON.parse((await browser.stopTracing()).toString()) as { traceEvents: TraceEvent[] };
  const main = new Set(
    traceEvents.filter(({ name, args }) => name === 'thread_name' && args.name === 'CrRendererMain').map(({ pid, tid }) => `${pid} ${tid}`),
  );
  const marked = since === undefined ? 0 : traceEvents.find(({ name }) => name === since)?.ts;
  if (marked === undefined) throw new Error(`the trace has no mark ${since}`);
  const tasks = traceEvents.filter(({ name, pid, tid, ts }) => name.endsWith('RunTask') && main.has(`${pid} ${tid}`) && ts >= marked);
  if (!tasks.length) throw new Error('the trace has no tasks');
  return tasks.reduce((most, { tdur = 0 }) => Math.max(most, tdur), 0) / 1000;
}
