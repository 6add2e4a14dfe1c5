/**
 * The console's grid: 80 by 25 whatever the pane's size, shown whole if the window allows it, selectable and remembered. (linux.spec.ts: a guest that
 * queries the size.)
 */
import { expect, type LabPage, test } from './page';

const screen = (lab: LabPage) => lab.page.locator('#panel-console .xterm-screen');
const rows = (lab: LabPage) => lab.page.locator('#panel-console .xterm-rows > div');
const size = (lab: LabPage) => lab.page.getByRole('combobox', { name: 'Size of the console' });

/** Is every row of the console's grid visible? */
async function whole(lab: LabPage): Promise<boolean> {
  const [grid, pane] = [await screen(lab).boundingBox(), await lab.page.locator('#panel-console .frame').boundingBox()];
  return (
    grid !== null &&
    pane !== null &&
    grid.y >= pane.y &&
    grid.y + grid.height <= pane.y + pane.height &&
    grid.x + grid.width <= pane.x + pane.width
  );
}

async function boot(lab: LabPage, name: string): Promise<void> {
  await lab.page.getByRole('button', { name: /choose another guest/ }).click();
  await lab.page
    .getByRole('dialog')
    .getByRole('radio', { name: new RegExp(`^${name}`) })
    .check();
  await lab.page.getByRole('button', { name: 'Boot', exact: true }).click();
}

test('25 rows stay in a small pane, which follows the cursor; the size is chosen and remembered', async ({ lab, page }) => {
  await lab.open();
  await expect(page.getByText(/^8\d×25, \d+ rows in view$/)).toBeVisible();
  await expect(rows(lab)).toHaveCount(25);
  expect(await whole(lab)).toBe(false);
  for (let line = 0; line < 3; line++) await lab.shell('help');
  const last = rows(lab).filter({ hasText: 'lab>' }).last();
  await expect(last).toBeInViewport();

  await size(lab).selectOption('132×43');
  await expect(rows(lab)).toHaveCount(43);
  await page.reload();
  await lab.consoleEndsWith(/lab> $/);
  await expect(rows(lab)).toHaveCount(43);
  await size(lab).selectOption('what fits');
  await expect.poll(() => rows(lab).count()).toBeLessThan(20);
  expect(await whole(lab)).toBe(true);
  await size(lab).selectOption('80×25 at least');

  // With one terminal at a time, in a smaller window at full height, and on a phone in landscape.
  await page.getByRole('button', { name: 'One terminal at a time' }).click();
  await expect.poll(() => whole(lab)).toBe(true);
  await page.setViewportSize({ width: 1280, height: 720 });
  await expect.poll(() => whole(lab)).toBe(true);
  expect(await rows(lab).count()).toBeGreaterThanOrEqual(25);
  await page.setViewportSize({ width: 844, height: 390 });
  await page.getByRole('navigation', { name: 'Panes' }).getByRole('button', { name: 'Console' }).click();
  await expect.poll(() => whole(lab)).toBe(true);
  expect(await rows(lab).count()).toBeGreaterThanOrEqual(25);
});

test('a guest that paints all rows gets them in view', async ({ lab, page }) => {
  await lab.open();
  await boot(lab, 'memtest86');
  await lab.consoleShows(/Memtest86/);
  await expect(page.getByRole('button', { name: 'One terminal at a time' })).toHaveAttribute('aria-pressed', 'true', { timeout: 30_000 });
  await expect.poll(() => whole(lab)).toBe(true);
  expect(await rows(lab).count()).toBeGreaterThanOrEqual(25);
});
