/**
 * Debugging in the page: break on a hole, see which code hit it, go back to before the commit that made it and forward again; find the last write.
 */
import { noSidewaysScroll, violations } from './axe';
import { expect, plugTwoDimms, test } from './page';

test('a guest that falls into a hole stops there, goes back to before the commit that made it, and forward again', async ({
  lab,
  page,
}) => {
  await lab.open();
  await plugTwoDimms(lab);
  await lab.shell('poke 0x10000000 0x1111');
  const dimm = await lab.slot('dimm1');
  await page.getByRole('tab', { name: 'Breakpoints' }).click();
  const panel = page.getByRole('tabpanel', { name: 'Breakpoints' });
  await panel.getByLabel('Stop at').selectOption('hole');
  await panel.getByRole('button', { name: 'Add', exact: true }).click();
  await expect(panel.getByRole('checkbox', { name: 'Breakpoint 1, any hole, on' })).toBeChecked();
  expect(await lab.monitor('info breakpoints')).toMatch(/^1 +any hole/m);

  expect(await lab.monitor(`memslot_move ${dimm.id} 0x20000000`)).not.toContain('Error');
  await lab.typeConsole('peek 0x10000000\r');
  await expect(page.getByRole('status').filter({ hasText: 'Stopped at breakpoint 1' })).toBeVisible();
  await expect(panel.getByText(/vCPU 0, now at [a-z_]+\+0x[0-9a-f]+: read of \d bytes in the hole at gpa 0x10000000/)).toBeVisible();
  const digest = await page.evaluate(() => window.lab.digest());
  const text = await lab.consoleText();

  // The current line is the one after the access; a key sets and removes a breakpoint there.
  await page.getByRole('tab', { name: 'CPU' }).click();
  const code = page.getByRole('list', { name: 'Code around rip' });
  const line = code.locator('[aria-current="step"]').getByRole('button', { name: /^Breakpoint at/ });
  await line.focus();
  await page.keyboard.press('b');
  await expect(line).toHaveAttribute('aria-pressed', 'true');
  await page.keyboard.press('b');
  await expect(line).toHaveAttribute('aria-pressed', 'false');

  const cpu = page.getByRole('tabpanel', { name: 'CPU' });
  await cpu.getByRole('button', { name: /^Before gen/ }).click();
  await expect(page.getByRole('status').filter({ hasText: 'Before the commit' })).toBeVisible();
  expect((await lab.slot('dimm1')).gpa).toBe(dimm.gpa);
  expect(await lab.monitor('xp /1gx 0x10000000')).toContain('0x0000000000001111');

  await page.keyboard.press(',');
  await expect(page.getByRole('status').filter({ hasText: 'Stepped back' })).toBeVisible();
  await page.keyboard.press('F8');
  await expect(page.getByRole('status').filter({ hasText: 'Stopped at breakpoint 1' })).toBeVisible();
  expect((await lab.slot('dimm1')).gpa).toBe(0x20000000);
  await cpu.getByRole('button', { name: 'To the present' }).click();
  await expect(cpu.getByRole('button', { name: 'To the present' })).toHaveCount(0);
  expect(await page.evaluate(() => window.lab.digest())).toBe(digest);
  expect(await lab.consoleText()).toBe(text);

  // Find the last write to memory that has moved since, from the map's menu, and go there.
  await page.getByRole('button', { name: 'Table' }).click();
  await page.getByRole('row', { name: new RegExp(`^${dimm.id} dimm1`) }).click();
  await page.keyboard.press('w');
  const toast = page.getByText(new RegExp(`slot ${dimm.id}: last written by command_poke on vCPU 0, 0x1111`));
  await expect(toast).toBeVisible();
  await cpu.getByRole('button', { name: 'Go there' }).click();
  await expect(page.getByRole('status').filter({ hasText: 'Went there' })).toBeVisible();
  expect((await lab.slot('dimm1')).gpa).toBe(dimm.gpa);
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    expect(await violations(lab)).toEqual([]);
  }
  await page.getByRole('tab', { name: 'Breakpoints' }).click();
  expect(await violations(lab)).toEqual([]);
  await page.setViewportSize({ width: 390, height: 844 });
  await expect.poll(() => noSidewaysScroll(lab)).toBe(true);
  expect(lab.errors).toEqual([]);
});

test('a saved layout and a link include breakpoints if the box is checked', async ({ lab, page }) => {
  await lab.open();
  await page.getByRole('button', { name: 'Share' }).click();
  const share = page.getByRole('dialog', { name: 'Share' });
  await expect(share.getByLabel('Link')).toHaveValue(/#l=1\./);
  await expect(share.getByRole('checkbox', { name: 'with its breakpoints' })).toHaveCount(0);
  await page.keyboard.press('Escape');
  await lab.monitor('breakpoint_add gpa=0x500000,len=8,access=w');
  await lab.monitor('breakpoint_add hole');
  await page.getByRole('application', { name: 'Map of guest-physical memory' }).focus();
  await page.keyboard.press('Control+s');
  await page.getByRole('button', { name: 'Layout', exact: true }).click();
  await page.getByLabel('Name', { exact: true }).fill('watched');
  await page.getByRole('checkbox', { name: 'with its breakpoints' }).check();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('button', { name: 'Load layout watched' })).toBeVisible();
  await page.getByRole('button', { name: 'Share' }).click();
  await share.getByRole('checkbox', { name: 'with its breakpoints' }).check();
  await expect(share.getByLabel('Link')).toHaveValue(/#l=1\./);
  const link = await share.getByLabel('Link').inputValue();
  await page.keyboard.press('Escape');

  await lab.monitor('breakpoint_del all');
  await page.getByRole('button', { name: 'Load layout watched' }).click();
  await page.getByRole('tab', { name: 'Breakpoints' }).click();
  const panel = page.getByRole('tabpanel', { name: 'Breakpoints' });
  await expect(panel.getByRole('checkbox', { name: /^Breakpoint \d, gpa 0x500000\+0x8, on/ })).toBeChecked();
  await expect(panel.getByRole('checkbox', { name: /^Breakpoint \d, any hole, on/ })).toBeChecked();
  // Opened in another browser, they are set before the first instruction.
  await page.goto('about:blank');
  await lab.open(link.slice(link.indexOf('#')));
  expect(await lab.monitor('info breakpoints')).toMatch(/^1 +gpa 0x500000\+0x8 .*\n2 +any hole /m);
  await lab.shell('poke 0x400000 1');
  expect(lab.errors).toEqual([]);
});

test('W on a line of code says who wrote it: the guest that put it there, or nobody', async ({ lab, page }) => {
  await lab.open();
  // A boot sector that writes a jump to itself behind its end (0x7e00), and goes there.
  const sector = Buffer.alloc(512);
  Buffer.from('31c08ed8 b8ebfe a3007e ea007e0000'.replaceAll(' ', ''), 'hex').copy(sector);
  sector.writeUInt16LE(0xaa55, 510);
  await page.getByRole('button', { name: /choose another guest/ }).click();
  await page.getByLabel('Kernel, or kernel and initrd').setInputFiles({ name: 'writer.img', mimeType: '', buffer: sector });
  await page.getByRole('button', { name: 'Boot', exact: true }).click();
  await expect(page).toHaveTitle(/^writer\.img, running/);
  await page.getByRole('button', { name: 'Stop', exact: true }).click();
  await page.getByRole('tab', { name: 'CPU' }).click();
  const cpu = page.getByRole('tabpanel', { name: 'CPU' });
  const lines = page.getByRole('list', { name: 'Code around rip' }).getByRole('listitem');
  const line = lines.and(page.locator('[aria-current="step"]'));
  await expect(line).toContainText(/7e00[\s\S]*jmp/);
  await line.getByRole('button', { name: /show in the map/ }).press('w');
  await expect(cpu).toContainText(/Who wrote code at 0x7e00 last\? vCPU 0 at rip 0x7c07, instruction 4 .*: 0xfeeb, 2 bytes/);
  // What comes behind it is as it was at power-on.
  await lines
    .last()
    .getByRole('button', { name: /show in the map/ })
    .press('w');
  await expect(cpu).toContainText(/Who wrote code at 0x7e[0-9a-f]+ last\? nobody since power-on/);
  expect(lab.errors).toEqual([]);
});
