/** A guest that cannot continue stops with its registers shown; page and monitor keep working. */
import { expect, test } from './page';

test('removing memory under the running guest stops it with its registers shown; Reset brings it back', async ({ lab, page }) => {
  await lab.open();
  // memlab's code lies at 1 MiB: the slot there is board RAM.
  const memslots = await lab.slots();
  const code = memslots.find((slot) => slot.gpa <= 0x100000 && slot.gpa + slot.size > 0x13e000);
  expect(code).toBeDefined();
  await lab.typeMonitor(`memslot_del ${code?.id}`);

  // The guest sleeps at its prompt; the interrupt of a key makes it fetch code.
  await lab.typeConsole('x');

  const banner = page.getByRole('alert').filter({ hasText: /Triple fault|fetched code where no slot is/ });
  await expect(banner).toBeVisible();
  await banner.getByText('Registers', { exact: true }).click();
  await expect(banner.locator('pre')).toContainText(/RIP ?=/);
  await expect(page.getByRole('button', { name: 'Run', exact: true })).toBeDisabled();
  expect(await lab.monitor('info registers')).toMatch(/RIP ?=/);

  await page.getByRole('region', { name: 'History' }).getByRole('button', { name: 'Undo' }).click();
  await expect.poll(async () => (await lab.slots()).length).toBe(memslots.length);
  await banner.getByRole('button', { name: 'Reset' }).click();
  await expect(banner).toHaveCount(0);
  await lab.consoleEndsWith(/lab> $/);
  expect(lab.errors).toEqual([]);
});

test('a guest that halts with interrupts off is shown as halted for good; a reset wakes it', async ({ lab, page }) => {
  await lab.open();
  await lab.typeConsole('halt\r');
  const pill = page.getByRole('status').filter({ hasText: 'Halted for good' });
  await expect(pill).toBeVisible();
  await page.getByRole('button', { name: 'Reset', exact: true }).click();
  await expect(pill).toHaveCount(0);
  await lab.consoleEndsWith(/lab> $/);
});

test('a machine that ends is reported, and Restart makes a new one', async ({ lab, page }) => {
  await lab.open();
  await lab.page.evaluate(() => void window.lab.monitor('quit').catch(() => undefined));
  const banner = page.getByRole('alert').filter({ hasText: 'The machine has ended.' });
  await expect(banner).toBeVisible();
  await banner.getByRole('button', { name: 'Restart' }).click();
  await lab.consoleEndsWith(/lab> $/);
  await expect(banner).toHaveCount(0);
});

test('a dead worker is reported, and Restart brings a machine back with saved layouts still there', async ({ lab, page }) => {
  await lab.open();
  await lab.monitor('layout_save kept');
  await page.workers()[0]?.evaluate(() => {
    setTimeout(() => {
      throw new Error('worker killed by the test');
    });
  });
  const banner = page.getByRole('alert').filter({ hasText: 'The worker stopped.' });
  await expect(banner).toBeVisible();
  await banner.getByRole('button', { name: 'Restart' }).click();
  await lab.consoleEndsWith(/lab> $/);
  await expect(page.getByRole('button', { name: 'Load layout kept' })).toBeVisible();
});
