/** The CPU pane: code around rip, single steps, changed registers, and addresses that link to the map. */
import type { Locator, Page } from '@playwright/test';
import { expect, test } from './page';

const code = (page: Page): Locator => page.getByRole('list', { name: 'Code around rip' });
const current = (page: Page): Locator => code(page).locator('[aria-current="step"]');
const addressOf = async (line: Locator): Promise<bigint> => BigInt(`0x${(await line.getByRole('button').first().innerText()).trim()}`);
const register = (page: Page, name: string): Locator =>
  page.getByRole('button', { name: new RegExp(`^${name} [0-9a-f]+, look up in the map$`) });
const hexOf = async (page: Page, name: string): Promise<bigint> => BigInt(`0x${(await register(page, name).innerText()).trim()}`);

test('F10 steps a stopped guest line by line, and marks what changed', async ({ lab, page }) => {
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
  // rip differs from before the step, and its label says so.
  await expect(page.getByRole('term').filter({ hasText: /rip\s+changed/ })).toBeVisible();

  // The monitor reports the same.
  const printed = await lab.monitor('x /1i $pc');
  expect(BigInt(/^(0x[0-9a-f]+):/m.exec(printed)?.[1] ?? '')).toBe(await addressOf(current(page)));
  // So do the symbol and the backtrace.
  const [where = ''] = printed.split(':');
  await expect(code(page).getByText(where, { exact: true }).or(code(page).locator('b').first()).first()).toBeVisible();
  const frames = page.getByRole('list', { name: 'Backtrace' }).getByRole('listitem');
  const backtrace = await lab.monitor('info backtrace');
  await expect(frames).toHaveCount(backtrace.trim().split('\n').length);
  await expect(frames.first()).toContainText(where);
  const registers = await lab.monitor('info registers');
  for (const name of ['rax', 'rsp', 'rdi']) {
    expect(registers).toContain(`${name.toUpperCase()}=${(await hexOf(page, name)).toString(16).padStart(16, '0')}`);
  }
  expect(lab.errors).toEqual([]);
});

test('an address in the code and a register link to the map; a branch target shows its code, and there is a way back', async ({
  lab,
  page,
}) => {
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

test('the code is one tab stop: arrow keys move through its addresses', async ({ lab, page }) => {
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

test('if no slot backs rip the pane says so, and Undo brings the code back', async ({ lab, page }) => {
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

test('the guest runs to a line of code by its button and by F4, and steps over a call by F9', async ({ lab, page }) => {
  test.setTimeout(120_000);
  await lab.open();
  await page.getByRole('tab', { name: 'CPU' }).click();
  await lab.typeConsole('watch 0x2000000\r');
  await lab.consoleShows(/any key ends\)/);
  await page.keyboard.press('F8');
  const over = page.getByRole('button', { name: 'Over F9, to the line after a call' });
  await expect(over).toBeEnabled();
  await expect(current(page)).toHaveCount(1);
  const arrivesAt = async (wanted: bigint): Promise<void> => {
    await expect.poll(() => addressOf(current(page))).toBe(wanted);
    await expect.poll(() => hexOf(page, 'rip')).toBe(wanted);
    await expect(over).toBeEnabled();
  };
  // It reads in a loop: one iteration leads back to this line.
  const here = await addressOf(current(page));
  await current(page).getByRole('button').first().press('F4');
  await arrivesAt(here);
  const next = code(page).getByRole('listitem').nth(3);
  const wanted = await addressOf(next);
  await next.getByRole('button', { name: /^Run to/ }).click();
  await arrivesAt(wanted);

  // At its prompt it sleeps, and checks for keys through calls.
  await page.keyboard.press('F8');
  await lab.typeConsole('q');
  await lab.consoleEndsWith(/lab> $/);
  await page.keyboard.press('F8');
  await expect(over).toBeEnabled();
  // It sleeps until a key comes.
  await lab.typeConsole('m');
  await over.focus();
  for (let n = 0; n < 80 && !/\bcall/.test(await current(page).innerText()); n++) {
    const rip = await addressOf(current(page));
    await page.keyboard.press('F10');
    await expect.poll(() => addressOf(current(page))).not.toBe(rip);
  }
  await expect(current(page)).toContainText('call');
  const stack = await hexOf(page, 'rsp');
  const behind = await addressOf(code(page).getByRole('listitem').nth(3));
  await page.keyboard.press('F9');
  await arrivesAt(behind);
  expect(await hexOf(page, 'rsp')).toBe(stack);
  expect(lab.errors).toEqual([]);
});

test('with two vCPUs each has its own registers; Step steps the selected one, and a sleeping one says so', async ({ lab, page }) => {
  test.setTimeout(120_000);
  await lab.open();
  await page.getByRole('button', { name: /choose another guest/ }).click();
  const picker = page.getByRole('dialog', { name: 'Boot a guest' });
  await picker.getByLabel('-smp').fill('2');
  await picker.getByRole('button', { name: 'Boot', exact: true }).click();
  await expect(picker).toBeHidden();
  await page.getByRole('tab', { name: 'CPU' }).click();
  const vcpu = page.getByLabel('vCPU', { exact: true });
  await expect(vcpu).toBeVisible();
  await lab.consoleEndsWith(/lab> $/);
  await lab.typeConsole('watch 0x2000000\r');
  await lab.consoleShows(/any key ends\)/);
  await page.keyboard.press('F8');
  const over = page.getByRole('button', { name: 'Over F9, to the line after a call' });
  await expect(over).toBeEnabled();
  const registers = async (index: number): Promise<void> => {
    await vcpu.selectOption(String(index));
    await lab.monitor(`cpu ${index}`);
    const printed = await lab.monitor('info registers');
    const rip = /RIP=([0-9a-f]+)/.exec(printed)?.[1] ?? /EIP=([0-9a-f]+)/.exec(printed)?.[1];
    const name = printed.includes('RIP=') ? 'rip' : 'eip';
    await expect.poll(async () => (await hexOf(page, name)).toString(16)).toBe(BigInt(`0x${rip}`).toString(16));
  };
  await registers(0);
  await over.focus();
  for (let n = 0; n < 3; n++) {
    const before = await addressOf(current(page));
    await page.keyboard.press('F10');
    await expect.poll(() => addressOf(current(page))).not.toBe(before);
    await registers(0);
  }
  // memlab uses one vCPU: the other waits for its start-up message.
  await registers(1);
  await expect(page.getByText('16-bit, halted')).toBeVisible();
  await over.focus();
  await page.keyboard.press('F10');
  await expect(page.getByText(/vCPU 1 did not come to its next instruction: .*\. Stopped at 0x/)).toBeVisible({ timeout: 60_000 });
  expect(lab.errors).toEqual([]);
});

test('the pane names the tier of the code at rip: a region while the guest computes, the interpreter where a breakpoint stands', async ({
  lab,
  page,
}) => {
  await lab.open();
  await page.getByRole('tab', { name: 'CPU' }).click();
  const tier = page.getByRole('list', { name: 'Tier of the code at rip' });
  await expect(tier).toContainText('Interpreter');
  await lab.typeConsole('sweep 0x1000000 64M\r');
  // The pane polls it while the guest runs.
  await expect(tier).toContainText(/Compiled, region at command_sweep/);
  await expect(tier).toContainText(/[1-9]\d* instructions, [\d,]+ bytes of WebAssembly/);
  await page.keyboard.press('F8');
  await expect(current(page)).toHaveCount(1);
  await expect(tier).toContainText('Compiled');
  await tier.getByRole('button', { name: /show the region's first code$/ }).click();
  await expect(page.getByRole('list', { name: 'Code', exact: true })).toContainText('command_sweep');
  await page.getByRole('button', { name: 'Back to rip' }).click();
  await current(page)
    .getByRole('button', { name: /^Breakpoint at/ })
    .click();
  await expect(tier).toContainText('Interpreter: breakpoint in its page');
  expect(lab.errors).toEqual([]);
});
