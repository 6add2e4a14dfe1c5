/**
 * The page in two engines besides Chromium's: hotplug by keys, a slot moved by the pointer, a link that opens the same machine, a phone-sized window.
 */
import { expect, test } from '@playwright/test';
import { findFirefox, findWebKit } from '../../scripts/other-browsers.mjs';
import { click, type Driven, drag, eventually, type } from './engines/driven';
import { startFirefox } from './engines/firefox';
import { startWebKit } from './engines/webkit';

interface Slot {
  name: string;
  guestPhysAddr: number;
  memorySize: number;
}

const text = (browser: Driven): Promise<string> => browser.evaluate('window.lab?.console.text() ?? ""');
const consoleShows = (browser: Driven, pattern: RegExp): Promise<boolean> =>
  eventually(browser, `${pattern} in the console`, async () => pattern.test(`${await text(browser)} `));
const shows = (browser: Driven, words: string): Promise<boolean> =>
  eventually(browser, `“${words}” on the page`, () => browser.evaluate(`document.body.innerText.includes(${JSON.stringify(words)})`));
const slots = async (browser: Driven): Promise<Slot[]> => (await browser.evaluate<{ memslots: Slot[] }>('window.lab.layout()')).memslots;
const focus = (browser: Driven, label: string): Promise<void> =>
  browser.evaluate(`document.querySelector('[aria-label=${JSON.stringify(label)}].xterm-helper-textarea').focus()`);

async function story(browser: Driven, base: string): Promise<void> {
  await browser.resize(1440, 900);
  await browser.go(base);
  await consoleShows(browser, /lab> $/);

  // Hotplug, typed into the monitor; the guest answers its interrupt, and its console takes keys.
  await focus(browser, 'Monitor');
  await type(browser, 'object_add memory-backend-ram,id=mem1,size=64M\ndevice_add pc-dimm,id=dimm1,memdev=mem1\n');
  await consoleShows(browser, /memory hotplug: DIMM slot 0 at 0x10000000, 64 MiB/);
  await focus(browser, 'Guest console');
  await type(browser, 'mem\n');
  await consoleShows(browser, /plugged[\s\S]*lab> $/);

  // The module's slot is dragged away on the map and committed.
  const dimm = (await slots(browser)).find(({ name }) => name.startsWith('dimm1'))!;
  await browser.evaluate(`document.querySelector('[role="application"]').focus()`);
  await type(browser, `/0x${(dimm.guestPhysAddr + dimm.memorySize / 2).toString(16)}\n`);
  await browser.evaluate('new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))');
  const stage = await browser.evaluate<{ x: number; y: number; width: number }>(
    `document.querySelector('.stage canvas').getBoundingClientRect().toJSON()`,
  );
  const [x, y] = [stage.x + 84 + (stage.width - 98) / 2, stage.y + 150];
  await drag(browser, [
    { x, y },
    { x: x + 100, y },
    { x: x + 301, y },
  ]);
  await shows(browser, '1 of 1 fit');
  await click(browser, '.actions button', 'Commit');
  await shows(browser, 'Committed');
  const moved = (await slots(browser)).find(({ name }) => name.startsWith('dimm1'))!;
  expect(moved.guestPhysAddr).not.toBe(dimm.guestPhysAddr);
  expect(moved.guestPhysAddr % 0x200000).toBe(0);

  // The whole machine as a link opens to the same digest.
  await browser.evaluate(`window.lab.monitor('stop')`);
  const digest = await browser.evaluate<string>('window.lab.digest()');
  const link = await browser.evaluate<string>(`window.lab.share('state')`);
  await browser.go(link);
  await shows(browser, 'Opened the machine in the link');
  expect(await browser.evaluate<string>('window.lab.digest()')).toBe(digest);
  expect(await slots(browser)).toEqual(
    expect.arrayContaining([expect.objectContaining({ name: moved.name, guestPhysAddr: moved.guestPhysAddr })]),
  );

  await browser.resize(390, 844);
  await eventually(browser, 'the bar of a phone', () => browser.evaluate(`document.querySelector('nav[aria-label="Panes"]') !== null`));
  await click(browser, 'nav[aria-label="Panes"] button', 'Changes');
  await shows(browser, 'Nothing staged');
  const { scrollWidth, clientWidth } = await browser.evaluate<{ scrollWidth: number; clientWidth: number }>(
    '({ scrollWidth: document.documentElement.scrollWidth, clientWidth: document.documentElement.clientWidth })',
  );
  expect(scrollWidth).toBe(clientWidth);
  expect(browser.errors).toEqual([]);
}

async function run(browser: Driven, base: string): Promise<void> {
  try {
    await story(browser, base);
  } finally {
    await browser.close();
  }
}

test('Firefox: hotplug, a slot dragged, a link to the machine, a phone', async ({ baseURL }) => {
  const program = await findFirefox();
  test.skip(!program, 'no Firefox here (Debian: firefox-esr)');
  await run(await startFirefox(program!), baseURL!);
});

test('WebKitGTK: hotplug, a slot dragged, a link to the machine, a phone', async ({ baseURL }) => {
  const found = await findWebKit();
  test.skip(!found, 'no WebKitGTK here (Debian: webkit2gtk-driver, xvfb)');
  await run(await startWebKit(found!), baseURL!);
});
