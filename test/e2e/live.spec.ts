/** Live charts and the dirty heat show the guest's activity; viewing them does not harvest the log. */
import { expect, type LabPage, plugTwoDimms, test } from './page';

const chart = (lab: LabPage, name: string) => lab.page.locator('.chart').filter({ hasText: name });

test('the charts show what the guest does', async ({ lab, page }) => {
  await lab.open();
  await page.getByRole('tab', { name: 'Live' }).click();
  await expect(page.locator('.chart .line')).toHaveCount(8);
  await lab.typeConsole('sweep 0x1000000 64M\r');
  await expect(chart(lab, 'Speed')).toContainText(/[1-9]\d*\.\d\s*MIPS/);
  await expect(chart(lab, 'Compiled')).toContainText(/[1-9]\d*\.\d\s*%/);
  await expect(page.getByRole('tabpanel', { name: 'Live' })).toContainText(/JIT [1-9]\d* regions?,/);
  await expect(chart(lab, 'TLB misses')).toContainText(/[1-9][\d,]*( M)?\s*\/s/);
  await expect(chart(lab, 'Holes')).toContainText(/\s0\s*\/s/);
  // Reads from a hole.
  await lab.typeConsole('x');
  await lab.shell('peek 0x200000000 64');
  await expect(chart(lab, 'Holes')).toContainText(/peak [1-9]/);
});

test('written pages of a slot that logs are hot on the map, and the log still has them', async ({ lab, page }) => {
  await lab.open();
  await plugTwoDimms(lab);
  const dimm = await lab.slot('dimm1');
  const map = page.getByRole('application', { name: 'Map of guest-physical memory' });
  const status = page.locator('footer');

  // Logging is enabled like any other edit: staged, then committed.
  await map.focus();
  await page.keyboard.press('/');
  await page.keyboard.type(`0x${dimm.gpa.toString(16)}`);
  await page.keyboard.press('Enter');
  await expect(status).toContainText('writes not logged');
  await page.keyboard.press('f');
  await page.getByLabel('Log dirty').check();
  await expect(page.getByRole('region', { name: 'Change set and snapshots' }).getByText('flags-only', { exact: true })).toBeVisible();
  await page.keyboard.press('Control+Enter');
  await expect.poll(async () => (await lab.slot('dimm1')).flags).toBe(1);

  await lab.shell(`fill 0x${(dimm.gpa + 0x800000).toString(16)} 6M 0x55`);
  await map.focus();
  await expect(status).toContainText('1,536 of 16,384 pages dirty (9.4 %)');
  const inspector = page.getByRole('region', { name: 'Inspector' });
  await expect(inspector.getByText('1,536 of 16,384 pages')).toBeVisible();

  await page.getByRole('button', { name: 'Table' }).click();
  await expect(page.getByRole('row').filter({ hasText: 'dimm1' })).toContainText('to 15 %');
  await expect(page.getByRole('row').filter({ hasText: 'dimm2' })).toContainText('not logged');

  // Nothing was harvested so far; this button harvests, and the command appears in the monitor.
  await inspector.getByRole('button', { name: 'Harvest' }).click();
  await expect.poll(() => lab.monitorText()).toContain('1536 of 16384 pages dirty');
  await expect(inspector.getByText('0 of 16,384 pages')).toBeVisible();
  await expect(page.getByRole('row').filter({ hasText: 'dimm1' })).toContainText('clean');
});
