/** Every action of the map by keys and by pointer: each becomes an entry of the change set, and Esc cancels it. */
import { expect, type LabPage, plugTwoDimms, test } from './page';

const mapOf = (lab: LabPage) => lab.page.getByRole('application', { name: 'Map of guest-physical memory' });
const changes = (lab: LabPage) => lab.page.getByRole('region', { name: 'Change set and snapshots' });
const status = (lab: LabPage) => lab.page.locator('footer');

/** Goes to an address by the map's own key, and returns the focus to the map. */
async function goTo(lab: LabPage, gpa: number): Promise<void> {
  await mapOf(lab).focus();
  await lab.page.keyboard.press('/');
  await lab.page.keyboard.type(`0x${gpa.toString(16)}`);
  await lab.page.keyboard.press('Enter');
  await expect(mapOf(lab)).toBeFocused();
}

async function lanes(lab: LabPage): Promise<{ x: number; y: number; width: number; middle: number }> {
  const box = await lab.page.locator('.stage canvas').boundingBox();
  if (!box) throw new Error('the map has no size');
  return { ...box, middle: box.x + 84 + (box.width - 98) / 2 };
}

test('split, merge, move, delete and add by keys', async ({ lab, page }) => {
  await lab.open();
  await plugTwoDimms(lab);
  const [first, second] = [await lab.slot('dimm1'), await lab.slot('dimm2')];

  await goTo(lab, first.gpa);
  await expect(status(lab)).toContainText(`slot ${first.id} dimm1`);
  await page.keyboard.press('s');
  await expect(page.getByLabel('Split at')).toBeFocused();
  await page.keyboard.press('Enter');
  await expect(changes(lab).getByText('split', { exact: true })).toBeVisible();
  await expect(changes(lab).getByText('1 of 1 fit')).toBeVisible();
  await changes(lab)
    .getByRole('button', { name: /^Commit/ })
    .click();
  await expect.poll(async () => (await lab.slots()).length).toBe(8);

  // The two halves become one again.
  await goTo(lab, first.gpa);
  await page.keyboard.press('g');
  await expect(changes(lab).getByText('merge', { exact: true })).toBeVisible();
  await changes(lab)
    .getByRole('button', { name: /^Commit/ })
    .click();
  await expect.poll(async () => (await lab.slots()).length).toBe(7);

  await goTo(lab, second.gpa);
  await page.keyboard.press('m');
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('Alt+ArrowRight');
  await expect(page.getByRole('status').filter({ hasText: 'Move' })).toContainText(`0x${(second.gpa + 0x201000).toString(16)}`);
  await page.keyboard.press('Shift+ArrowLeft');
  await expect(page.getByRole('status').filter({ hasText: 'Move' })).toContainText(`0x${(first.gpa + first.size).toString(16)}`);
  await page.keyboard.press('Escape');
  await expect(changes(lab).getByText('Nothing staged')).toBeVisible();

  await page.keyboard.press('Delete');
  await expect(changes(lab).getByText('delete', { exact: true })).toBeVisible();
  await changes(lab).getByRole('button', { name: 'Abort' }).click();
  await mapOf(lab).focus();
  await page.keyboard.press('a');
  await expect(page.getByRole('tab', { name: 'New slot' })).toHaveAttribute('aria-selected', 'true');
  await mapOf(lab).focus();
  await page.keyboard.press('Home');
  await expect(page.getByRole('tab', { name: /^Slot \d/ }).or(page.getByRole('tab', { name: 'New slot' }))).toBeVisible();
});

test('a drag snaps to 2 MiB, with Alt to 4 KiB, and Esc cancels it', async ({ lab, page }) => {
  await lab.open();
  await plugTwoDimms(lab);
  const { gpa } = await lab.slot('dimm2');
  await goTo(lab, gpa + 0x2000000);
  const { y, middle } = await lanes(lab);
  const move = page.getByRole('status').filter({ hasText: 'Move' });
  const target = async (): Promise<number> => Number(/0x[0-9a-f]+/.exec((await move.textContent()) ?? '')?.[0]);

  await page.mouse.move(middle, y + 150);
  await page.mouse.down();
  await page.mouse.move(middle + 301, y + 150, { steps: 4 });
  await expect(move).toBeVisible();
  expect((await target()) % 0x200000).toBe(0);
  await page.keyboard.down('Alt');
  await page.mouse.move(middle + 307, y + 150, { steps: 2 });
  expect((await target()) % 0x1000).toBe(0);
  expect((await target()) % 0x200000).not.toBe(0);
  await page.keyboard.up('Alt');
  await page.keyboard.press('Escape');
  await expect(move).toHaveCount(0);
  await page.mouse.move(middle + 200, y + 150, { steps: 2 });
  await page.mouse.up();
  await expect(changes(lab).getByText('Nothing staged')).toBeVisible();
});

test('slots too narrow to distinguish: their count box zooms to them', async ({ lab, page }) => {
  await lab.open();
  const { x, y } = await lanes(lab);
  await mapOf(lab).focus();
  await page.keyboard.press('0');
  const describes = page.locator('#map-describes');
  await expect(describes).toContainText('Guest-physical space 0x0 to 0x1');
  // Above the two slots below 1 MiB that are under two pixels wide, at the left edge.
  await page.mouse.click(x + 84 + 16, y + 106);
  await expect(describes).toContainText('Guest-physical space 0x91000 to 0x10f000,');
});

test('address space 1 is shown empty; and back', async ({ lab, page }) => {
  await lab.open();
  await page.getByRole('button', { name: 'as 1 SMM' }).click();
  await expect(page.getByText('No slots in as 1')).toBeVisible();
  await page.getByRole('button', { name: 'Show as 0' }).click();
  await expect(page.locator('#map-describes')).toContainText('5 slots');
});

test('5,000 slots: the table renders only the rows on screen, and keys reach all of them', async ({ lab, page }) => {
  test.setTimeout(180_000);
  await lab.open();
  await page.evaluate(async () => {
    await window.lab.monitor('changeset_begin');
    for (let i = 0; i < 4995; i++) await window.lab.monitor(`memslot_add ${100 + i} 0x${(2 ** 32 + i * 8192).toString(16)} 4k`);
  });
  await expect(changes(lab).getByText('4995 of 4995 fit')).toBeVisible();
  await expect(changes(lab).getByRole('button', { name: /^Show 200 of 4,795 entries more/ })).toBeVisible();
  await changes(lab)
    .getByRole('button', { name: /^Commit/ })
    .click();
  await expect(page.locator('#map-describes')).toContainText('5,000 slots');

  await page.getByRole('button', { name: 'Table' }).click();
  const table = page.getByRole('grid', { name: 'Slots by address' });
  await expect(table).toHaveAttribute('aria-rowcount', /^[0-9]{4,5}$/);
  expect(await table.getByRole('row').count()).toBeLessThan(120);
  await table.getByRole('row').nth(1).click();
  await page.keyboard.press('End');
  const last = table.getByRole('row').filter({ hasText: 'bare.5094' });
  await expect(last).toBeFocused();
  await page.keyboard.press('ArrowUp');
  await expect(table.getByRole('row').filter({ hasText: 'bare.5093' })).toBeFocused();
  await page.keyboard.press('Home');
  await expect(table.getByRole('row').nth(1)).toBeFocused();
});
