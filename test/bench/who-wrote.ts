/**
 * `npx tsx test/bench/who-wrote.ts [ROUNDS]` (after `npm run build`): opens a replay link of a crashed guest in a real Chromium and asks who wrote a
 * word last. Measures how long a person waits for the replay and for the answers: for a word written just before the crash, for one written half a
 * billion instructions earlier, and for one that was never written. The median of the rounds counts.
 */
import { cpus, loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type Page } from '@playwright/test';
import { preview } from 'vite';
import { browserArgs, findBrowser } from '../../scripts/browser.mjs';

const PORT = Number(process.env.LAB_PORT ?? 4194);
const ADDRESS = `http://localhost:${PORT}/`;
const ROUNDS = Number(process.argv[2] ?? 5);
const WORK = 5e8;
const WAIT = { timeout: 120_000 };
/** The words, by gpa and of 8 bytes each, where they lie after the crash. */
const WORDS = { 'just before': '0x20000008', 'long before': '0x20000000', nobody: '0x20002000' };

const monitor = (page: Page, line: string): Promise<string> => page.evaluate((text) => window.lab.monitor(text), line);

async function prompt(page: Page, typed = ''): Promise<void> {
  const before = await page.evaluate(() => window.lab.console.text().length);
  if (typed) await page.evaluate((text) => window.lab.console.type(text), `${typed}\r`);
  await page.waitForFunction(
    ([at, wanted]) => window.lab.console.text().length > at! + wanted! && /lab>\s*$/.test(window.lab.console.text()),
    [before, typed.length],
    WAIT,
  );
}

/** A link to a replay whose guest crashes because of a wrong change set. */
async function crashed(browser: Browser): Promise<string> {
  const page = await browser.newPage();
  await page.goto(ADDRESS);
  await page.waitForFunction(() => /lab>\s*$/.test(window.lab?.console.text() ?? ''), undefined, WAIT);
  for (const line of ['object_add memory-backend-ram,id=m1,size=64M', 'device_add pc-dimm,id=d1,memdev=m1']) await monitor(page, line);
  await page.waitForFunction(() => window.lab.console.text().includes('memory hotplug'), undefined, WAIT);
  await prompt(page, 'poke 0x10000000 0x1111');
  await page.evaluate(() => window.lab.console.type('sweep 0x1000000 160M\r'));
  const count = async (): Promise<number> => Number(/count = (\d+)/.exec(await monitor(page, 'info replay'))?.[1]);
  while ((await count()) < WORK) await page.waitForTimeout(100);
  await prompt(page, 'q');
  await prompt(page, 'poke 0x10000008 0xbad');
  for (const line of ['changeset_begin', 'memslot_move 5 0x20000000', 'memslot_del 3', 'changeset_commit']) await monitor(page, line);
  await page.evaluate(() => window.lab.console.type('x'));
  await page.getByRole('alert').filter({ hasText: 'Triple fault' }).waitFor(WAIT);
  const link = await page.evaluate(() => window.lab.share('replay'));
  await page.close();
  return link;
}

async function open(browser: Browser, link: string): Promise<Record<string, number>> {
  const page = await browser.newPage();
  const began = performance.now();
  await page.goto(link);
  await page.getByText('Replayed:').waitFor(WAIT);
  const seconds: Record<string, number> = { 'the replay': (performance.now() - began) / 1000 };
  await page.getByRole('tab', { name: 'Breakpoints' }).click();
  const panel = page.getByRole('tabpanel', { name: 'Breakpoints' });
  for (const [name, address] of Object.entries(WORDS)) {
    await panel.getByLabel('Address').fill(address);
    await panel.getByLabel('Length').fill('8');
    const asked = performance.now();
    await panel.getByRole('button', { name: 'Who wrote this last?' }).click();
    await panel.getByText(`Who wrote ${address} last?`).waitFor(WAIT);
    seconds[name] = (performance.now() - asked) / 1000;
    console.error(await panel.locator('.wrote').innerText());
  }
  await page.close();
  return seconds;
}

const server = await preview({ root: fileURLToPath(new URL('../..', import.meta.url)), preview: { port: PORT, strictPort: true } });
const browser = await chromium.launch({ executablePath: await findBrowser(), args: browserArgs });
try {
  const load = loadavg()[0]!.toFixed(1);
  const link = await crashed(browser);
  const rounds: Record<string, number>[] = [];
  for (let round = 0; round < ROUNDS; round++) rounds.push(await open(browser, link));
  console.log(`${cpus()[0]?.model.trim()}, Chromium ${browser.version()}, ${WORK} instructions, median of ${ROUNDS}, load before: ${load}`);
  for (const name of Object.keys(rounds[0]!)) {
    const sorted = rounds.map((round) => round[name]!).sort((a, b) => a - b);
    console.log(
      `${name}: ${sorted[Math.floor(sorted.length / 2)]!.toFixed(2)} s (${sorted[0]!.toFixed(2)} to ${sorted.at(-1)!.toFixed(2)})`,
    );
  }
} finally {
  await browser.close();
  await server.close();
}
process.exit(0);
