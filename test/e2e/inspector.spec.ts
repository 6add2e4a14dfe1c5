/** Plugging by button, and the edits of a slot by pointer and by keys: each ends as an entry of the change set. */
import { expect, plugTwoDimms, test } from './page';

test('first hotplug by buttons: the guest reports it, and the monitor shows the commands', async ({ lab, page }) => {
  await lab.open();
  await page.getByRole('tab', { name: 'DIMMs' }).click();
  await page.getByRole('button', { name: 'Plug a DIMM' }).click();
  await lab.consoleShows(/memory hotplug: DIMM slot 0 at 0x[0-9a-f]+, 64 MiB/);
  await expect.poll(() => lab.monitorText()).toContain('(lab) device_add pc-dimm,id=dimm1,memdev=mem1');

  // Move it to another address with the guest's consent, then to other host memory, which the guest does not notice.
  await page.getByRole('button', { name: 'Move dimm1' }).click();
  await page.getByLabel('New address of dimm1').fill('0x18000000');
  await page.getByRole('button', { name: /^Move with memlab’s consent/ }).click();
  await lab.consoleShows(/memory hotplug: DIMM slot 0 at 0x18000000, 64 MiB/);
  await expect(page.getByRole('row').filter({ hasText: 'mem1' })).toContainText('0x18000000');
  const host = async () => / (0x[0-9a-f]+) .*dimm1/.exec(await lab.monitor('info memslots'))?.[0];
  const before = await host();
  await page.getByRole('button', { name: 'Rehost dimm1' }).click();
  await expect.poll(host).not.toBe(before);
  await page.getByRole('button', { name: 'Unplug dimm1' }).click();
  await lab.consoleShows(/DIMM slot 0 at 0x[0-9a-f]+ given back, 64 MiB/);
  await expect(page.getByText('mem1, 64 MiB')).toBeVisible();

  await page.getByLabel('Size', { exact: true }).last().fill('63X');
  await page.getByRole('button', { name: 'Plug a DIMM' }).click();
  await expect(page.getByText('Not a size: “63X”. Use 64M or 1G.')).toBeVisible();
});

test('a slot is resized by its handle and by R, its flags by F; Preview shows the result, Abort drops it all', async ({ lab, page }) => {
  await lab.open();
  await plugTwoDimms(lab);
  const before = await lab.slots();
  const { gpa, size } = await lab.slot('dimm2');
  const map = page.getByRole('application', { name: 'Map of guest-physical memory' });
  const changeSet = page.getByRole('region', { name: 'Change set and snapshots' });

  // Going to the DIMM's end puts its handle under the middle of the lanes.
  await map.focus();
  await page.keyboard.press('End');
  await page.keyboard.press('/');
  await page.keyboard.type(`0x${(gpa + size - 4096).toString(16)}`);
  await page.keyboard.press('Enter');
  const box = await page.locator('.stage canvas').boundingBox();
  if (!box) throw new Error('the map has no size');
  const handle = { x: box.x + 84 + (box.width - 98) / 2, y: box.y + 150 };
  await page.mouse.move(handle.x, handle.y);
  await page.mouse.down();
  await page.mouse.move(handle.x - 300, handle.y, { steps: 6 });
  await page.mouse.up();
  await expect(changeSet.getByText('resize', { exact: true })).toBeVisible();

  await map.focus();
  await page.keyboard.press('r');
  await expect(page.getByLabel('Size', { exact: true }).first()).toBeFocused();
  await page.keyboard.type('32M');
  await page.keyboard.press('Enter');
  await expect(changeSet.getByText('64 MiB → 32 MiB')).toBeVisible();
  await expect(changeSet.getByText('1 of 1 fit')).toBeVisible();

  // A second edit of the same slot replaces the first.
  await map.focus();
  await page.keyboard.press('f');
  await page.keyboard.press('Space');
  await expect(changeSet.getByText('flags-only', { exact: true })).toBeVisible();
  await expect(changeSet.getByText('+R', { exact: true })).toBeVisible();
  await expect(changeSet.getByText('1 of 1 fit')).toBeVisible();

  await changeSet.getByRole('button', { name: 'Preview' }).click();
  await expect(changeSet.getByRole('button', { name: 'Preview' })).toHaveAttribute('aria-pressed', 'true');
  await changeSet.getByRole('button', { name: 'Abort' }).click();
  await expect(changeSet.getByText('Nothing staged')).toBeVisible();
  expect(await lab.slots()).toEqual(before);
});

test('a wrong address in the inspector is named and stages nothing', async ({ lab, page }) => {
  await lab.open();
  await page.getByRole('application', { name: 'Map of guest-physical memory' }).focus();
  await page.keyboard.press('End');
  await page.keyboard.press('Enter');
  await page.keyboard.type('0x1000001z');
  await page.keyboard.press('Enter');
  await expect(page.getByText('Not an address: “0x1000001z”. Use 0x…, 64M or 4G.')).toBeVisible();
  await expect(page.getByText('Nothing staged')).toBeVisible();
});

test('memtest86+ boots in the page, if it has been prepared', async ({ lab, page }) => {
  await lab.open();
  const prepared = await page.request.get('guests/index.json');
  test.skip(!(await prepared.text()).includes('memtest86+'), 'npm run guests has not been run');
  await page.getByRole('button', { name: /choose another guest/ }).click();
  await page.getByLabel(/memtest86\+/).check();
  await page.getByRole('button', { name: 'Boot', exact: true }).click();
  await lab.consoleShows(/Memtest86\+ v6\.10/);
  await lab.consoleShows(/Test #[0-9]/);
});
