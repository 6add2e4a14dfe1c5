/**
 * Pictures of the running page for the documentation: `npx tsx scripts/pictures.ts [NAME...]` after `npm run build`.
 * The page measures every figure that it shows, with a running guest.
 */
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type Page } from '@playwright/test';
import { preview } from 'vite';
import { browserArgs, findBrowser } from './browser.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const target = `${root}docs/pictures`;
const PORT = 4183;

interface Picture {
  name: string;
  size: { width: number; height: number };
  theme: 'dark' | 'light';
  pose(page: Page): Promise<void>;
}

const LAPTOP = { width: 1440, height: 900 };

const monitor = (page: Page, line: string): Promise<string> => page.evaluate((text) => window.lab.monitor(text), line);

async function consoleShows(page: Page, text: string): Promise<void> {
  await page.waitForFunction((wanted) => window.lab.console.text().includes(wanted), text, { timeout: 30_000 });
}

/** Typed, so that the terminal shows it. */
async function type(page: Page, terminal: 'Guest console' | 'Monitor', ...lines: string[]): Promise<void> {
  for (const line of lines) {
    await page.getByRole('textbox', { name: terminal }).focus();
    await page.keyboard.type(line);
    await page.keyboard.press('Enter');
    await page.waitForTimeout(150);
  }
}

async function plugTwo(page: Page): Promise<{ first: number; second: number; gpa: number; other: number }> {
  for (const n of [1, 2]) {
    await type(page, 'Monitor', `object_add memory-backend-ram,id=mem${n},size=64M`, `device_add pc-dimm,id=dimm${n},memdev=mem${n}`);
    await consoleShows(page, `slot ${n - 1} at 0x`);
  }
  const { memslots } = (await page.evaluate(() => window.lab.layout())) as {
    memslots: { slot: number; name: string; guestPhysAddr: number }[];
  };
  const find = (name: string) => {
    const slot = memslots.find((each) => each.name.startsWith(name));
    if (!slot) throw new Error(`${name} has no slot`);
    return slot;
  };
  const [one, two] = [find('dimm1'), find('dimm2')];
  return { first: one.slot, second: two.slot, gpa: one.guestPhysAddr, other: two.guestPhysAddr };
}

async function watched(page: Page): Promise<Awaited<ReturnType<typeof plugTwo>>> {
  const dimms = await plugTwo(page);
  await type(
    page,
    'Guest console',
    `poke 0x${dimms.gpa.toString(16)} 0x1111111111111111`,
    `poke 0x${dimms.other.toString(16)} 0x2222222222222222`,
  );
  await type(page, 'Guest console', `watch 0x${dimms.gpa.toString(16)}`);
  return dimms;
}

const exchange = (d: { first: number; second: number; gpa: number; other: number }, back = false): string[] => [
  'changeset_begin',
  `memslot_move ${d.first} 0x${(back ? d.gpa : d.other).toString(16)}`,
  `memslot_move ${d.second} 0x${(back ? d.other : d.gpa).toString(16)}`,
];

async function story(page: Page): Promise<void> {
  const dimms = await watched(page);
  await type(page, 'Monitor', ...exchange(dimms), 'changeset_commit');
  await consoleShows(page, '-> 0x2222222222222222');
  await type(page, 'Monitor', ...exchange(dimms, true), 'changeset_commit -l');
  await consoleShows(page, 'answered by the bus');
  await page.waitForTimeout(6500);
}

const pictures: Picture[] = [
  {
    name: 'staged',
    size: LAPTOP,
    theme: 'dark',
    async pose(page) {
      const dimms = await watched(page);
      await type(page, 'Monitor', ...exchange(dimms), `memslot_add 20 0xb800000 16M`, 'changeset_check');
      await monitor(page, 'layout_save two-dimms');
      await selectLast(page);
    },
  },
  { name: 'exchanged', size: LAPTOP, theme: 'light', pose: story },
  {
    name: 'stepping',
    size: LAPTOP,
    theme: 'dark',
    async pose(page) {
      const dimms = await watched(page);
      await openTab(page, 'Index');
      await type(page, 'Monitor', ...exchange(dimms), 'changeset_commit -s', ...Array<string>(4).fill('changeset_step'));
      await selectLast(page);
    },
  },
  {
    name: 'index',
    size: LAPTOP,
    theme: 'light',
    async pose(page) {
      await plugTwo(page);
      await openTab(page, 'Index');
      await page.getByRole('button', { name: 'Measure' }).click();
      await page
        .getByText(/\d ns$/)
        .first()
        .waitFor({ timeout: 60_000 });
      await selectLast(page);
    },
  },
  {
    name: 'cpu',
    size: LAPTOP,
    theme: 'dark',
    async pose(page) {
      await openTab(page, 'CPU');
      await monitor(page, 'stop');
      await page.keyboard.press('F10');
    },
  },
  {
    name: 'live',
    size: LAPTOP,
    theme: 'dark',
    async pose(page) {
      const dimms = await plugTwo(page);
      await monitor(page, `memslot_flags ${dimms.second} -l`);
      await openTab(page, 'Live');
      const gpa = dimms.other.toString(16);
      for (const value of [1, 2, 3]) await type(page, 'Guest console', `fill 0x${gpa} 0x${value}00000 0x${value}`);
      await type(page, 'Guest console', `sweep 0x${gpa} 0x800000`);
      await page.waitForTimeout(8000);
    },
  },
  {
    name: 'walk',
    size: LAPTOP,
    theme: 'light',
    async pose(page) {
      await openTab(page, 'Page walk');
    },
  },
];

const openTab = (page: Page, name: string): Promise<void> => page.getByRole('tab', { name, exact: true }).click();

async function selectLast(page: Page): Promise<void> {
  await page.getByRole('application', { name: 'Map of guest-physical memory' }).focus();
  await page.keyboard.press('End');
}

async function take(browser: Browser, picture: Picture): Promise<void> {
  const context = await browser.newContext({ viewport: picture.size, colorScheme: picture.theme });
  try {
    const page = await context.newPage();
    // The line for newcomers disappears after the first action.
    await page.addInitScript(() => localStorage.setItem('memslot-lab first step', 'done'));
    await page.goto(`http://localhost:${PORT}/`);
    await consoleShows(page, 'lab>');
    await picture.pose(page);
    await page.waitForTimeout(600);
    await page.screenshot({ path: `${target}/${picture.name}.png` });
  } finally {
    await context.close();
  }
}

async function main(names: readonly string[]): Promise<void> {
  mkdirSync(target, { recursive: true });
  const server = await preview({ root, preview: { port: PORT, strictPort: true }, logLevel: 'warn' });
  const browser = await chromium.launch({ executablePath: await findBrowser(), args: browserArgs });
  try {
    for (const picture of pictures.filter(({ name }) => !names.length || names.includes(name))) {
      await take(browser, picture);
      console.log(`docs/pictures/${picture.name}.png`);
    }
  } finally {
    await browser.close();
    await server.close();
  }
}

await main(process.argv.slice(2));
