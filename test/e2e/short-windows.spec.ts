/** Short windows: a phone in landscape, a laptop at 150, 200 and 400 %. Every pane can be reached, read and used. */
import type { Locator } from '@playwright/test';
import { noSidewaysScroll, violationsInBothThemes } from './axe';
import { expect, type LabPage, plugTwoDimms, test } from './page';

const RAILED = [
  { width: 844, height: 390 },
  { width: 720, height: 450 },
  { width: 853, height: 480 },
  { width: 640, height: 360 },
];
/** Narrow as well: the page scrolls, as WCAG 2.2, 1.4.10 allows at 320 by 256. */
const SCROLLED = [
  { width: 568, height: 320 },
  { width: 320, height: 256 },
];
const named = ({ width, height }: { width: number; height: number }): string => `${width}x${height}`;

const bar = (lab: LabPage): Locator => lab.page.getByRole('navigation', { name: 'Panes' });
const open = (lab: LabPage, pane: string): Promise<void> => bar(lab).getByRole('button', { name: pane }).click();

/** Is the element inside the window, with at least `height` px of it? */
async function fills(lab: LabPage, element: Locator, height: number, where: string): Promise<void> {
  const box = await element.boundingBox();
  const window = lab.page.viewportSize()!;
  expect(box, where).not.toBeNull();
  expect(box!.height, `${where}: its height`).toBeGreaterThanOrEqual(height);
  expect(box!.width, `${where}: its width`).toBeGreaterThanOrEqual(280);
  expect(box!.y + box!.height, `${where}: its foot`).toBeLessThanOrEqual(window.height);
  expect(box!.x + box!.width, `${where}: its right edge`).toBeLessThanOrEqual(window.width);
}

async function stageTwo(lab: LabPage): Promise<void> {
  const [first, second] = [await lab.slot('dimm1'), await lab.slot('dimm2')];
  const lines = [`memslot_move ${first.id} 0x${second.gpa.toString(16)}`, `memslot_flags ${second.id} -l`];
  for (const line of ['changeset_begin', ...lines]) await lab.monitor(line);
}

test('every pane of a short window can be reached and used', async ({ lab, page }) => {
  test.setTimeout(180_000);
  await lab.open();
  await plugTwoDimms(lab);
  await stageTwo(lab);
  await page.getByRole('button', { name: 'Guides', exact: true }).click();
  await page.getByRole('button', { name: /^Exchange two regions/ }).click();

  for (const size of RAILED) {
    await page.setViewportSize(size);
    const at = named(size);
    const check = async (state: string): Promise<void> => {
      await expect.poll(() => noSidewaysScroll(lab), { message: `${at}, ${state}` }).toBe(true);
      expect(await violationsInBothThemes(lab), `${at}, ${state}`).toEqual([]);
    };
    await expect(page.getByRole('region', { name: 'Guide', exact: true })).toBeVisible();
    await fills(lab, page.getByRole('region', { name: 'Guide', exact: true }), 200, `${at}, guide`);
    await check('guide');
    await open(lab, 'Map');
    await fills(lab, page.locator('.stage canvas'), 200, `${at}, map`);
    await check('map');
    await open(lab, 'Console');
    await fills(lab, page.getByLabel('Guest console').filter({ has: page.locator('.xterm') }), 300, `${at}, console`);
    await check('console');
    await open(lab, 'Monitor');
    await fills(lab, page.getByLabel('Monitor').filter({ has: page.locator('.xterm') }), 300, `${at}, monitor`);
    await open(lab, 'Changes');
    const changes = page.getByRole('region', { name: 'Change set and snapshots' });
    await expect(changes.getByText('1 of 2 refused')).toBeInViewport({ ratio: 1 });
    for (const button of ['Commit', 'Preview', 'Step', 'Legacy', 'Abort'])
      await expect(changes.getByRole('button', { name: button }), `${at}, ${button}`).toBeInViewport({ ratio: 1 });
    await expect(page.getByRole('region', { name: 'Slots' })).toBeVisible();
    await check('changes');
    await open(lab, 'History');
    await expect(page.getByRole('button', { name: 'Undo' })).toBeInViewport({ ratio: 1 });
    await expect(page.getByRole('list', { name: 'Commits, oldest first' }).getByRole('listitem').last()).toBeInViewport();
    await check('history');
    await open(lab, 'Inspect');
    await page.getByRole('tab', { name: 'CPU' }).click();
    await fills(lab, page.getByRole('region', { name: 'Inspector' }), 200, `${at}, inspector`);
    await check('inspector');
    await open(lab, 'More');
    await expect(page.getByRole('button', { name: 'Share' })).toBeInViewport({ ratio: 1 });
    await expect(page.getByRole('button', { name: 'Save' })).toBeInViewport({ ratio: 1 });
    await check('more');
    await page.getByRole('button', { name: 'Guides', exact: true }).click();
  }

  for (const size of SCROLLED) {
    await page.setViewportSize(size);
    for (const pane of ['Map', 'Terminals', 'Changes', 'History', 'Guides', 'More']) {
      await open(lab, pane);
      await expect.poll(() => noSidewaysScroll(lab), { message: `${named(size)}, ${pane}` }).toBe(true);
      expect(await violationsInBothThemes(lab), `${named(size)}, ${pane}`).toEqual([]);
    }
    await open(lab, 'Changes');
    const abort = page.getByRole('button', { name: 'Abort' });
    await abort.scrollIntoViewIfNeeded();
    await expect(abort).toBeInViewport({ ratio: 1 });
    await open(lab, 'Map');
    const last = page.getByRole('region', { name: 'Slots' }).getByRole('button').last();
    await last.scrollIntoViewIfNeeded();
    await expect(last).toBeInViewport({ ratio: 0.9 });
  }
  expect(await violationsInBothThemes(lab), 'the smallest').toEqual([]);
});

test('a short window by keys: F6 cycles through its panes, Enter on a slot opens the inspector', async ({ lab, page }) => {
  await page.setViewportSize({ width: 844, height: 390 });
  await lab.open();
  const visited: string[] = [];
  for (let step = 0; step < 7; step++) {
    await page.keyboard.press('F6');
    visited.push(await page.evaluate(() => document.activeElement?.closest('[data-pane]')?.getAttribute('aria-label') ?? ''));
  }
  expect(visited).toEqual(['Guest console', 'Monitor', 'Change set and snapshots', 'History', 'Inspector', 'More', 'Memory map']);
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('region', { name: 'Inspector' })).toBeVisible();
  await expect(page.getByRole('tab', { name: 'Slot 0', exact: true })).toHaveAttribute('aria-selected', 'true');
  await page.keyboard.press('Control+s');
  await expect(page.getByRole('textbox', { name: /name/i })).toBeFocused();
});

test('a window that becomes smaller keeps every pane, at any position of the splitters', async ({ lab, page }) => {
  await page.setViewportSize({ width: 1440, height: 1300 });
  await lab.open();
  await page.getByRole('separator', { name: 'Height of the memory map' }).press('End');
  await page.getByRole('separator', { name: 'Width of the terminals' }).press('End');
  await page.setViewportSize({ width: 1360, height: 800 });
  for (const pane of ['Guest console', 'Change set and snapshots', 'Inspector', 'History', 'Memory map']) {
    const box = await page.locator(`[data-pane][aria-label="${pane}"]`).boundingBox();
    expect(box!.height, pane).toBeGreaterThan(55);
    expect(box!.width, pane).toBeGreaterThan(270);
    expect(box!.y + box!.height, pane).toBeLessThanOrEqual(800);
  }
});
