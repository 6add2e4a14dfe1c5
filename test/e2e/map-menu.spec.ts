/** The map's context menu, rows and addresses as text, and the page on paper. */
import { violations } from './axe';
import { expect, test } from './page';

test('the context menu offers the same actions as the keys; rows and addresses are copied; the page prints', async ({ lab, page }) => {
  await lab.open();
  const map = page.getByRole('application', { name: 'Map of guest-physical memory' });
  const clipboard = (): Promise<string> => page.evaluate(() => navigator.clipboard.readText());
  const stage = (await page.locator('.stage canvas').boundingBox())!;
  const ram = await lab.slot('ram.a');

  // In the middle of ram.a, which takes about a third of the lanes.
  await page.mouse.click(stage.x + 84 + (stage.width - 98) * 0.2, stage.y + 150, { button: 'right' });
  const menu = page.getByRole('menu', { name: `${ram.id} ram.a, 95 MiB` });
  await expect(menu.getByRole('menuitem').first()).toBeFocused();
  expect(await violations(lab)).toEqual([]);
  await menu.getByRole('menuitem', { name: 'Copy its address, 0x100000' }).click();
  await expect.poll(clipboard).toBe('0x100000');
  await expect(page.getByText('Copied: 0x100000')).toBeVisible();

  // By keys: to the last entry and back, Escape, and an entry by Enter.
  await map.focus();
  await page.keyboard.press('ContextMenu');
  await expect(menu).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(menu).toBeHidden();
  await expect(map).toBeFocused();
  await page.keyboard.press('ContextMenu');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('status').filter({ hasText: `Move ${ram.id} to` })).toBeVisible();
  await page.keyboard.press('Escape');

  // A hole offers no slot's actions.
  await page.mouse.click(stage.x + stage.width - 60, stage.y + 150, { button: 'right' });
  const hole = page.getByRole('menu', { name: /^hole at 0x/ });
  await expect(hole.getByRole('menuitem', { name: 'Add a slot' })).toBeVisible();
  await expect(hole.getByRole('menuitem', { name: 'Delete' })).toHaveCount(0);
  await page.keyboard.press('Escape');

  await page.getByRole('button', { name: 'Table' }).click();
  await page.getByRole('row').filter({ hasText: 'ram.a' }).click();
  await page.keyboard.press('Control+c');
  await expect.poll(clipboard).toMatch(/^3\tram\.a\tRAM\t0x100000\t95 MiB\t0x[0-9a-f]+\tnone$/);

  await page.emulateMedia({ media: 'print' });
  // One pane below the other: a sheet is narrower than the window.
  await expect(page.locator('.app')).toHaveCSS('display', 'block');
  await expect(page.getByRole('button', { name: 'Table' })).toBeHidden();
  await expect(page.getByRole('grid', { name: 'Slots by address' })).toBeVisible();
  const pale = await page.evaluate(() =>
    getComputedStyle(document.body)
      .backgroundColor.match(/\d+/g)!
      .every((part) => Number(part) > 200),
  );
  expect(pale).toBe(true);
  expect(await page.evaluate(() => document.documentElement.scrollHeight > innerHeight)).toBe(true);
});
