/** The CPU pane: code around rip, one instruction at a time, registers that change, and addresses that lead into the map. */
import type { Locator, Page } from '@playwright/test';
import { expect, test } from './page';

const code = (page: Page): Locator => page.getByRole('list', { name: 'Code around rip' });
const current = (page: Page): Locator => code(page).locator('[aria-current="step"]');
const addressOf = async (line: Locator): Promise<bigint> => BigInt(`0x${(await line.getByRole('button').first().innerText()).trim()}`);
const register = (page: Page, name: string): Locator =>
  page.getByRole('button', { name: new RegExp(`^${name} [0-9a-f]+, look up in the map$`) });
const hexOf = async (page: Page, name: string): Promise<bigint> => BigInt(`0x${(await register(page, name).innerText()).trim()}`);

test('stopped in its work the guest is taken on by F10, one line after another, and what changed is marked', async ({ lab, page }) => {
  await lab.open();
  await page.getByRole('tab', { name: 'CPU' }).click();
  await lab.typeConsole('watch 0x200000\r');
  await lab.consoleShows(/watch/);
  await page.keyboard.press('F8');
  await expect(page.getByRole('button', { name: 'Step F10, one instruction' })).toBeEnabled();

  await expect(current(page)).toHaveCount(1);
  await expect.poll(() => hexOf(page, 'rip')).toBe(await addressOf(current(page)));
  await page.getByRole('tab', { name: 'CPU' }).focus();
  for (let step = 0; step < 5; step++) {
    const rip = await addressOf(current(page));
    const lines = code(page).getByRole('listitem');
    const index = (await lines.evaluateAll((all) => all.findIndex((line) => line.getAttribute('aria-current') === 'step'))) + 1;
    const next = await addressOf(lines.nth(index));
    const target = current(page).getByRole('button', { name: /show the code there/ });
    const taken = (await target.count()) ? BigInt((await target.innerText()).trim()) : undefined;
    await page.keyboard.press('F10');
    await expect.poll(() => addressOf(current(page))).not.toBe(rip);
    const now = await addressOf(current(page));
    expect([next, taken]).toContain(now);
    await expect.poll(() => hexOf(page, 'rip')).toBe(now);
  }
  // rip is another than before the step, and says so in words.
  await expect(page.getByRole('term').filter({ hasText: /rip\s+changed/ })).toBeVisible();

  // The monitor tells the same.
  const printed = await lab.monitor('x /1i $pc');
  expect(BigInt(printed.split(':')[0] ?? '')).toBe(await addressOf(current(page)));
  const registers = await lab.monitor('info registers');
  for (const name of ['rax', 'rsp', 'rdi']) {
    expect(registers).toContain(`${name.toUpperCase()}=${(await hexOf(page, name)).toString(16).padStart(16, '0')}`);
  }
  expect(lab.errors).toEqual([]);
});

test('an address of the code and a register lead into the map; a target shows its code, and there is a way back', async ({ lab, page }) => {
  await lab.open();
  await lab.monitor('stop');
  await page.getByRole('tab', { name: 'CPU' }).click();
  const rip = await hexOf(page, 'rip');
  await current(page).getByRole('button').first().click();
  await expect(
    page
      .locator('footer, [role="contentinfo"]')
      .or(page.getByText(`0x${rip.toString(16)}`))
      .first(),
  ).toBeVisible();
  const slots = await lab.slots();
  const slot = slots.find(({ gpa, size }) => BigInt(gpa) <= rip && rip < BigInt(gpa + size));
  await expect(page.getByRole('tab', { name: `Slot ${slot?.id}` })).toBeVisible();

  await register(page, 'rsp').press('Enter');
  const stack = await hexOf(page, 'rsp');
  const above = slots.find(({ gpa, size }) => BigInt(gpa) <= stack && stack < BigInt(gpa + size));
  await expect(page.getByRole('tab', { name: `Slot ${above?.id}` })).toBeVisible();

  const target = code(page)
    .getByRole('button', { name: /show the code there/ })
    .first();
  const there = (await target.innerText()).trim();
  await target.click();
  const away = page.getByRole('list', { name: 'Code', exact: true });
  await expect(away.getByRole('button', { name: new RegExp(`^0*${there.slice(2)}, show in the map`) })).toBeVisible();
  await page.getByRole('button', { name: 'Back to rip' }).click();
  await expect(current(page)).toHaveCount(1);
});

test('the code is one tab stop: arrows go through its addresses', async ({ lab, page }) => {
  await lab.open();
  await lab.monitor('stop');
  await page.getByRole('tab', { name: 'CPU' }).click();
  await expect(current(page)).toHaveCount(1);
  await page.getByRole('button', { name: 'Copy registers and code' }).focus();
  await page.keyboard.press('Tab');
  await expect(current(page).getByRole('button').first()).toBeFocused();
  await page.keyboard.press('Home');
  await expect(code(page).getByRole('button').first()).toBeFocused();
  await page.keyboard.press('ArrowDown');
  await expect(code(page).getByRole('button').nth(1)).toBeFocused();
  await page.keyboard.press('Tab');
  await expect(register(page, 'rax')).toBeFocused();
});

test('Copy puts registers and code on the clipboard', async ({ lab, page }) => {
  await lab.open();
  await lab.monitor('stop');
  await page.getByRole('tab', { name: 'CPU' }).click();
  await page.getByRole('button', { name: 'Copy registers and code' }).click();
  await expect(page.getByText('Copied: registers and code of vCPU 0.')).toBeVisible();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  expect(copied).toMatch(/^vCPU 0, CPL 0, 64-bit, after \d+ instructions\nrax {4}[0-9a-f]{16}\n/);
  expect(copied).toMatch(new RegExp(`^> 0x${(await hexOf(page, 'rip')).toString(16)}  [0-9a-f ]+ [a-z]`, 'm'));
  expect(copied).toMatch(/^CF=[01] PF=[01] AF=[01] ZF=[01]/m);
});

test('where no slot backs rip the pane says so, and Undo brings the code back', async ({ lab, page }) => {
  await lab.open();
  await lab.monitor('stop');
  await page.getByRole('tab', { name: 'CPU' }).click();
  const rip = await hexOf(page, 'rip');
  const slot = (await lab.slots()).find(({ gpa, size }) => BigInt(gpa) <= rip && rip < BigInt(gpa + size));
  await lab.monitor(`memslot_del ${slot?.id}`);
  await expect(page.getByText(/which no memslot backs\.|is not mapped by the guest's page tables\./)).toBeVisible();
  await lab.monitor('undo');
  await expect(current(page)).toHaveCount(1);
});
