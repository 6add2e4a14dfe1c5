/** A newcomer's first minute: from the address to a module that the guest has taken, by pointer, by keyboard and on a phone; and on along the README's path. */
import type { Browser, BrowserContextOptions, Page } from '@playwright/test';
import { violations } from './axe';
import { expect, LabPage, plugTwoDimms, test } from './page';

/** The time that a first visit may take, from the address to the hotplug. */
const A_MINUTE = 60_000;
const line = (page: Page) => page.getByRole('region', { name: 'First step' });

async function newcomer(browser: Browser, options: BrowserContextOptions, visit: (lab: LabPage) => Promise<void>): Promise<void> {
  const context = await browser.newContext(options);
  try {
    const lab = new LabPage(await context.newPage());
    await lab.open();
    await visit(lab);
    await lab.consoleShows(/memory hotplug: DIMM slot 0 at 0x10000000, 64 MiB/);
    await expect(line(lab.page)).toHaveCount(0);
    // Whoever pressed a button that is gone goes on from the map.
    await expect(lab.page.getByRole('application', { name: 'Map of guest-physical memory' })).toBeFocused();
    expect(lab.errors).toEqual([]);
    await lab.page.reload();
    await lab.consoleEndsWith(/lab> $/);
    await expect(line(lab.page)).toHaveCount(0);
  } finally {
    await context.close();
  }
}

test('the first step by pointer', async ({ browser, baseURL }) => {
  test.setTimeout(A_MINUTE);
  await newcomer(browser, { baseURL: baseURL! }, async (lab) => {
    await expect(line(lab.page)).toContainText('A virtual machine in this tab.');
    expect(await lab.monitorText()).toBe("memslot-lab 0.1.0 monitor - type 'help' for more information\n(lab)");
    expect(await violations(lab)).toEqual([]);
    await line(lab.page).getByRole('button', { name: 'Plug in 64 MiB' }).click();
  });
});

test('the first step by keyboard', async ({ browser, baseURL }) => {
  test.setTimeout(A_MINUTE);
  await newcomer(browser, { baseURL: baseURL! }, async ({ page }) => {
    const plug = line(page).getByRole('button', { name: 'Plug in 64 MiB' });
    // The skip link and the head bar come first.
    for (let tabs = 0; tabs < 12 && !(await plug.evaluate((button) => button === document.activeElement)); tabs++)
      await page.keyboard.press('Tab');
    await expect(plug).toBeFocused();
    await page.keyboard.press('Enter');
  });
});

test('the first step on a phone', async ({ browser, baseURL }) => {
  test.setTimeout(A_MINUTE);
  const phone = { baseURL: baseURL!, viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
  await newcomer(browser, phone, async ({ page }) => {
    const plug = line(page).getByRole('button', { name: 'Plug in 64 MiB' });
    await expect(plug).toBeInViewport({ ratio: 1 });
    expect((await plug.boundingBox())!.height).toBeGreaterThanOrEqual(44);
    await plug.tap();
  });
});

test('the line is gone for good once dismissed, and not there for a link', async ({ browser, baseURL }) => {
  const context = await browser.newContext({ baseURL: baseURL! });
  const lab = new LabPage(await context.newPage());
  await lab.open();
  const link = await lab.page.evaluate(() => window.lab.share());
  await lab.page.goto('about:blank');
  await lab.page.goto(link);
  await lab.consoleEndsWith(/lab> $/);
  await expect(line(lab.page)).toHaveCount(0);
  await lab.page.goto('about:blank');
  await lab.open();
  await line(lab.page).getByRole('button', { name: 'Dismiss' }).click();
  await expect(line(lab.page)).toHaveCount(0);
  await lab.page.reload();
  await lab.consoleEndsWith(/lab> $/);
  await expect(line(lab.page)).toHaveCount(0);
  await context.close();
});

test("after the README's five steps every guide that moves memory still ends", async ({ lab, page }) => {
  test.setTimeout(180_000);
  await lab.open();
  await plugTwoDimms(lab);
  const [first, second] = [await lab.slot('dimm1'), await lab.slot('dimm2')];
  const exchange = (a: number, b: number) => [
    'changeset_begin',
    `memslot_move ${first.id} 0x${a.toString(16)}`,
    `memslot_move ${second.id} 0x${b.toString(16)}`,
  ];
  for (const text of exchange(second.gpa, first.gpa)) await lab.monitor(text);
  await lab.monitor('changeset_commit');
  for (const text of exchange(first.gpa, second.gpa)) await lab.monitor(text);
  await lab.monitor('changeset_commit -l');
  await lab.monitor('undo');
  // What the flags' and the zap guide would have taken is taken too.
  for (const [slot, gpa] of [
    [300, 0x40000000],
    [301, 0x60000000],
  ] as const)
    await lab.monitor(`memslot_add ${slot} 0x${gpa.toString(16)} 2M`);

  await page.getByRole('button', { name: 'Guides', exact: true }).click();
  const guide = page.getByRole('region', { name: 'Guide', exact: true });
  const next = guide.locator('button[aria-label^="Do it: "]:not([aria-disabled="true"])').first();
  const end = guide.getByRole('button', { name: 'Start over' });
  for (const title of [/^Move in two calls/, /^Ten flags/, /^Zap all or one/]) {
    await guide.getByRole('button', { name: title }).click();
    for (let step = 0; step < 7 && !(await end.isVisible()); step++) {
      await next.or(end).waitFor();
      if (await end.isVisible()) break;
      const label = (await next.getAttribute('aria-label')) ?? '';
      await next.click();
      await expect(guide.getByRole('button', { name: label, exact: true }), label).toHaveCount(0, { timeout: 30_000 });
      await expect(guide.getByRole('alert'), label).toHaveCount(0);
    }
    await expect(end).toBeVisible();
    await guide.getByRole('button', { name: 'All guides' }).click();
  }
});
