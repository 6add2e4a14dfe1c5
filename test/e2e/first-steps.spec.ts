/**
 * A newcomer's first minute: from opening the page to a module that the guest uses, by pointer, by keyboard and on a phone; then the README's first
 * five minutes.
 */
import { readFileSync } from 'node:fs';
import type { Browser, BrowserContextOptions, Page } from '@playwright/test';
import { violations } from './axe';
import { expect, LabPage, test } from './page';

/** Time limit of a first visit, from opening the page to the hotplug. */
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
    // When the pressed button disappears, the focus moves to the map.
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
    // Without a keyboard, no keys are mentioned.
    const bar = page.getByRole('navigation', { name: 'Panes' });
    for (const [pane, words] of [
      ['More', 'No slot selected'],
      ['Changes', 'Nothing staged'],
    ] as const) {
      await bar.getByRole('button', { name: pane }).tap();
      await expect(page.locator('.empty').getByText(words, { exact: true })).toBeVisible();
      await expect(page.locator('.empty kbd:visible')).toHaveCount(0);
    }
    // A screen reader has the terminals on a phone too, which has no list of keys.
    await bar.getByRole('button', { name: 'More' }).tap();
    await expect(page.getByRole('checkbox', { name: /^Read the terminals aloud/ })).toBeVisible();
    await bar.getByRole('button', { name: 'Map' }).tap();
    await plug.tap();
  });
});

test('the line stays away once dismissed, and is not shown for a link', async ({ browser, baseURL }) => {
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

/** The lines to type in the README's first five minutes: those of its fenced blocks, in order. */
const README = (() => {
  const text = readFileSync('README.md', 'utf8');
  const part = text.slice(text.indexOf('## The first five minutes'), text.indexOf('## Guides'));
  return [...part.matchAll(/^ *```\n([\s\S]*?)^ *```$/gm)].map(([, block]) =>
    block!
      .trim()
      .split('\n')
      .map((each) => each.trim()),
  );
})();

test("the README's first five minutes, word for word, show no hole and then one; every guide that moves memory still works afterwards", async ({
  lab,
  page,
}) => {
  test.setTimeout(180_000);
  await lab.open();
  const [plug, look, exchange, back] = README;
  const say = async (block: readonly string[] | undefined): Promise<void> => {
    for (const text of block ?? []) expect(await lab.monitor(text), text).not.toMatch(/error/i);
  };
  const live = page.getByRole('list', { name: 'Commits, oldest first' }).getByRole('listitem').last();
  await say(plug);
  await lab.consoleShows(/DIMM slot 0 at 0x10000000[\s\S]*DIMM slot 1 at 0x18000000/);
  for (const text of look ?? []) await lab.typeConsole(`${text}\r`);
  await lab.consoleShows(/0x10000000: 0x0*1111 \(any key ends\)/);
  await say(exchange);
  await lab.consoleShows(/changed +0x0*1111 -> 0x0*2222/);
  expect(await lab.consoleText()).not.toContain('hole');
  await say(back);
  await lab.consoleShows(/hole +[1-9]\d* reads/);
  await lab.consoleShows(/changed +0x0*2222 -> 0x0*1111/);
  await expect(live).toContainText(/legacy.*[1-9][\d,]* holes?/s);
  await lab.monitor('undo');
  await lab.monitor('layout_save mine');
  const exchanged = await lab.slots();
  page.once('dialog', (dialog) => void dialog.accept());
  await page.reload();
  await lab.consoleEndsWith(/lab> $/);
  await lab.monitor('layout_load mine');
  expect(await lab.slots()).toEqual(exchanged);
  await expect(page.getByRole('button', { name: 'Undo the load' })).toBeVisible();
  // "Watch one from inside."
  await lab.typeConsole('watch 0x10000000\r');
  await lab.consoleShows(/any key ends/);
  await say(back?.slice(0, -1));
  // Validate, prepare, swap 1, zap.
  await say(['changeset_commit -s', ...Array.from({ length: 4 }, () => 'changeset_step')]);
  await expect(page.getByText(/[1-9][\d,]* retr(y|ies)/).first()).toBeVisible();
  await say(['changeset_step -a']);
  await lab.typeConsole('q');
  await lab.consoleShows(/ 0 holes[\s\S]*lab>$/);

  // The names and addresses that the flags and zap guides would use are taken too.
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
