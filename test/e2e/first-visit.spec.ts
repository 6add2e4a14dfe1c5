import { expect, test } from './page';

test('the page opens with memlab at its prompt and nothing in the browser console', async ({ lab, page }) => {
  await lab.open();
  await expect(page.getByRole('status').filter({ hasText: 'Running' })).toBeVisible();
  await expect(page.getByRole('heading', { name: 'Memory map' })).toBeVisible();
  await expect(page).toHaveTitle(/^memlab, running/);
  expect(lab.errors).toEqual([]);
});

test('the guest answers what is typed into its console', async ({ lab }) => {
  await lab.open();
  expect(await lab.shell('help')).toMatch(/watch/);
});

test('stop freezes the guest and run resumes it', async ({ lab, page }) => {
  await lab.open();
  await page.getByRole('button', { name: 'Stop' }).click();
  await expect(page.getByRole('button', { name: 'Run' })).toBeEnabled();
  expect(await lab.monitor('info status')).toContain('paused');
  await page.keyboard.press('F8');
  await expect(page.getByRole('button', { name: 'Stop' })).toBeVisible();
  expect(await lab.monitor('info status')).toContain('running');
});

test('the monitor completes with Tab and keeps its history over a reload', async ({ lab, page }) => {
  await lab.open();
  const monitor = page.getByRole('textbox', { name: 'Monitor' });
  await monitor.focus();
  await page.keyboard.type('info memsl');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await expect.poll(() => lab.monitorText()).toMatch(/ram\.a/);
  await page.reload();
  await lab.consoleEndsWith(/lab> $/);
  await monitor.focus();
  await page.keyboard.press('ArrowUp');
  await expect.poll(() => lab.monitorText()).toContain('(lab) info memslots');
});

test('reset boots the guest again', async ({ lab, page }) => {
  await lab.open();
  await page.getByRole('button', { name: 'Reset' }).click();
  await lab.consoleShows(/memlab, x86-64[\s\S]*memlab, x86-64[\s\S]*lab>$/);
});
