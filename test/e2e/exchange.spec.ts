/** The lab's story: two DIMMs change places while the guest watches, first atomically, then one ioctl after another. */
import { expect, type LabPage, plugTwoDimms, test } from './page';

async function exchange(lab: LabPage, options = ''): Promise<void> {
  const [first, second] = [await lab.slot('dimm1'), await lab.slot('dimm2')];
  await lab.typeMonitor('changeset_begin');
  await lab.typeMonitor(`memslot_move ${first.id} 0x${second.gpa.toString(16)}`);
  await lab.typeMonitor(`memslot_move ${second.id} 0x${first.gpa.toString(16)}`);
  await lab.typeMonitor(`changeset_commit${options}`);
}

test('the guest sees an atomic exchange as one change and no hole; the legacy way shows the hole', async ({ lab, page, browser }) => {
  test.setTimeout(180_000);
  await lab.open();
  await plugTwoDimms(lab, (line) => lab.typeMonitor(line));
  expect(await lab.shell('mem')).toMatch(/64 MiB[\s\S]*64 MiB/);

  const { gpa } = await lab.slot('dimm1');
  const other = await lab.slot('dimm2');
  await lab.shell(`poke 0x${gpa.toString(16)} 0x1111111111111111`);
  await lab.shell(`poke 0x${other.gpa.toString(16)} 0x2222222222222222`);

  await lab.typeConsole(`watch 0x${gpa.toString(16)}\r`);
  await lab.consoleShows(/0x1111111111111111 \(any key ends\)/);
  await exchange(lab);
  await lab.consoleShows(/changed\s+0x1111111111111111 -> 0x2222222222222222/);
  await lab.typeConsole('q');
  await lab.consoleShows(/reads, 1 change, 0 holes/);
  expect(await lab.shell(`peek 0x${gpa.toString(16)}`)).toMatch(/2222222222222222/);
  expect((await lab.slot('dimm1')).gpa).toBe(other.gpa);

  await lab.typeConsole(`watch 0x${gpa.toString(16)}\r`);
  await lab.consoleShows(/0x2222222222222222 \(any key ends\)/);
  await exchange(lab, ' -l');
  await lab.consoleShows(/hole\s+\d+ reads? answered by the bus/);
  await lab.typeConsole('q');
  await lab.consoleShows(/reads, [1-9]\d* changes?, [1-9]\d* holes?/);
  await expect(page.getByRole('region', { name: 'History' }).locator('li.legacy')).toContainText(/[1-9][\d,]* holes?/);

  // The layout survives a reload and fits into a link.
  await exchange(lab);
  const wanted = await lab.slots();
  await lab.typeMonitor('layout_save exchanged');
  const link = (await lab.typeMonitor('share')).replace(/\s/g, '');
  expect(link).toMatch(/^http:\/\/localhost:\d+\/#l=1\./);

  await page.reload();
  await lab.consoleEndsWith(/lab> $/);
  expect(await lab.slots()).not.toEqual(wanted);
  await lab.typeMonitor('layout_load exchanged');
  await expect.poll(async () => await lab.slots()).toEqual(wanted);

  const context = await browser.newContext();
  try {
    const { LabPage } = await import('./page');
    const elsewhere = new LabPage(await context.newPage());
    await elsewhere.open(link);
    expect(await elsewhere.slots()).toEqual(wanted);
    expect(elsewhere.errors).toEqual([]);
  } finally {
    await context.close();
  }
  expect(lab.errors).toEqual([]);
});

test('the same exchange by keys in the map: stage, see a refusal, fix it, commit, undo', async ({ lab, page }) => {
  await lab.open();
  await plugTwoDimms(lab);
  const before = await lab.slots();
  const [first, second] = [await lab.slot('dimm1'), await lab.slot('dimm2')];

  const map = page.getByRole('application', { name: 'Map of guest-physical memory' });
  const changeSet = page.getByRole('region', { name: 'Change set and snapshots' });
  await map.focus();
  await page.keyboard.press('End');
  await page.keyboard.press('ArrowLeft');
  await page.keyboard.press('m');
  await page.keyboard.type(`0x${second.gpa.toString(16)}`);
  await page.keyboard.press('Enter');
  await expect(changeSet.getByText('EEXIST')).toBeVisible();
  await changeSet.getByRole('button', { name: /^Commit/ }).focus();
  await page.keyboard.press('Enter');
  await expect(page.getByText('Fix entry 1 first.')).toBeVisible();
  expect(await lab.slots()).toEqual(before);

  await map.focus();
  await page.keyboard.press('End');
  await page.keyboard.press('m');
  await page.keyboard.type(`0x${first.gpa.toString(16)}`);
  await page.keyboard.press('Enter');
  await expect(changeSet.getByText('2 of 2 fit')).toBeVisible();
  await changeSet.getByRole('button', { name: /^Commit/ }).click();
  await expect.poll(async () => (await lab.slot('dimm1')).gpa).toBe(second.gpa);

  await page.getByRole('region', { name: 'History' }).getByRole('button', { name: 'Undo' }).click();
  await expect.poll(async () => await lab.slots()).toEqual(before);
});

test('a slot dragged in the map is staged, not moved', async ({ lab, page }) => {
  await lab.open();
  await plugTwoDimms(lab);
  const before = await lab.slots();
  const canvas = page.locator('.stage canvas');
  const box = await canvas.boundingBox();
  if (!box) throw new Error('the map has no size');
  // Going to an address in the middle of the DIMM puts it under the middle of the map.
  const { gpa, size } = await lab.slot('dimm2');
  await page.getByRole('application', { name: 'Map of guest-physical memory' }).focus();
  await page.keyboard.press('/');
  await page.keyboard.type(`0x${(gpa + size / 2).toString(16)}`);
  await page.keyboard.press('Enter');
  const middle = { x: box.x + box.width * 0.5, y: box.y + 150 };
  await page.mouse.move(middle.x, middle.y);
  await page.mouse.down();
  await page.mouse.move(middle.x + 300, middle.y, { steps: 6 });
  await page.mouse.up();
  await expect(page.getByText('1 staged').first()).toBeVisible();
  expect(await lab.slots()).toEqual(before);
});

test('saving by Ctrl S, loading and deleting with undo', async ({ lab, page }) => {
  await lab.open();
  await page.getByRole('application', { name: 'Map of guest-physical memory' }).focus();
  await page.keyboard.press('Control+s');
  await page.getByRole('button', { name: 'Layout', exact: true }).click();
  await page.getByLabel('Name', { exact: true }).fill('as booted');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('button', { name: 'Load layout as booted' })).toBeVisible();
  await plugTwoDimms(lab);
  await page.getByRole('button', { name: 'Load layout as booted' }).click();
  await expect.poll(async () => (await lab.slots()).filter((slot) => slot.name.startsWith('dimm'))).toEqual([]);
  await page.getByRole('button', { name: 'Delete layout as booted' }).click();
  await expect(page.getByRole('button', { name: 'Load layout as booted' })).toHaveCount(0);
  await page.getByRole('status').filter({ hasText: 'Deleted as booted' }).getByRole('button', { name: 'Undo' }).click();
  await expect(page.getByRole('button', { name: 'Load layout as booted' })).toBeVisible();
});

test('share shows the link, its length, and copies it', async ({ lab, page }) => {
  await lab.open();
  await page.getByRole('button', { name: 'Share' }).click();
  const dialog = page.getByRole('dialog', { name: 'Share' });
  await expect(dialog.getByLabel('Link')).toHaveValue(/#l=1\./);
  const link = await dialog.getByLabel('Link').inputValue();
  await expect(dialog).toContainText(`${link.length} characters`);
  await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe(link);
});
