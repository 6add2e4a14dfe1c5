/**
 * Stock Linux in the page with a virtio-mem device from the picker: it grows and shrinks as the monitor requests, also after a snapshot and a reload.
 */
import { existsSync, readFileSync } from 'node:fs';
import { expect, type LabPage, test } from './page';

const INDEX = 'public/guests/index.json';
const prepared = existsSync(INDEX) && (JSON.parse(readFileSync(INDEX, 'utf8')) as { name: string }[]).some(({ name }) => name === 'linux');
const BOOT_MS = 120_000;

test.skip(!prepared, 'the guest linux is not prepared: npm run guests');

/** MiB that `free -m` calls total. */
async function totalMemory(lab: LabPage): Promise<number> {
  const before = (await lab.consoleText()).length;
  await lab.page.evaluate(() => window.lab.console.type('free -m; echo to""ld\r'));
  const below = async () => (await lab.consoleText()).slice(before);
  const answer = /Mem:\s+(\d+)[\s\S]*\ntold/;
  await expect.poll(below, { timeout: BOOT_MS }).toMatch(answer);
  return Number(answer.exec(await below())?.[1]);
}

test('linux resizes its memory through virtio-mem and a balloon, and a snapshot of it is restored', async ({ lab, page }) => {
  test.setTimeout(300_000);
  await lab.open();
  const dialog = page.getByRole('dialog', { name: 'Boot a guest' });
  const openPicker = () => page.getByRole('button', { name: /choose another guest/ }).click();
  const boot = () => dialog.getByRole('button', { name: 'Boot', exact: true }).click();
  await openPicker();
  await dialog.getByRole('radio', { name: /^linux\s/ }).check();
  await dialog.getByLabel('-device').fill('-device virtio-mem-device,id=vm0,memdev=nope');
  await boot();
  await expect(page.getByRole('alert').filter({ hasText: 'linux did not start:' })).toContainText("Device 'nope' not found");

  // The refused input is still there.
  await openPicker();
  await expect(dialog.getByRole('radio', { name: /^linux\s/ })).toBeChecked();
  await dialog.getByLabel('-device').fill('');
  await dialog.getByRole('button', { name: 'Add virtio-mem and a balloon' }).click();
  await expect(dialog.getByLabel('-device')).toHaveValue(/^-object .* -device virtio-balloon-device/);
  await boot();
  await expect(page).toHaveTitle(/^linux, running/, { timeout: BOOT_MS });
  await expect.poll(async () => `${await lab.consoleText()} `, { timeout: BOOT_MS }).toMatch(/[#$] $/);
  const before = await totalMemory(lab);
  await page.getByRole('tab', { name: 'DIMMs' }).click();
  await page.getByLabel('shall have').fill('2G');
  await page.getByRole('button', { name: 'Ask the guest' }).click();
  await expect(page.getByText('vm0 has 1 GiB at most.')).toBeVisible();
  await page.getByLabel('shall have').fill('256M');
  await page.getByRole('button', { name: 'Ask the guest' }).click();
  await expect.poll(() => totalMemory(lab), { timeout: BOOT_MS }).toBeGreaterThanOrEqual(before + 240);
  expect(await lab.monitor('info memory-devices')).toContain('size: 268435456');
  await expect(page.getByRole('list', { name: 'Legend' })).toContainText('virtio-mem');
  await page.getByRole('button', { name: 'Table' }).click();
  await page.getByRole('row').filter({ hasText: 'vm0 (vmem0)' }).click();
  await expect(page.getByRole('row', { selected: true })).toContainText('virtio-mem');
  await page.getByRole('tab', { name: /^Slot/ }).click();
  await expect(page.getByRole('tabpanel', { name: /^Slot/ }).getByText('virtio-mem', { exact: true })).toBeVisible();
  expect(await lab.monitor('savevm grown')).toBe('');

  await page.reload();
  await lab.consoleEndsWith(/lab> $/);
  await page.getByRole('button', { name: 'Load machine grown' }).click();
  await expect(page).toHaveTitle(/^linux, running/, { timeout: BOOT_MS });
  expect(await totalMemory(lab)).toBeGreaterThanOrEqual(before + 240);
  await openPicker();
  await expect(dialog.getByLabel('-device')).toHaveValue(/virtio-mem,id=vm0,memdev=vmem0/);
  await page.keyboard.press('Escape');

  expect(await lab.monitor('balloon 192')).toBe('');
  await expect.poll(() => lab.monitor('info balloon'), { timeout: BOOT_MS }).toContain('actual=192');
  expect(await lab.monitor('qom-set vm0 requested-size 0')).toBe('');
  await expect.poll(() => totalMemory(lab), { timeout: BOOT_MS }).toBeLessThanOrEqual(before - 60);
  expect(lab.errors).toEqual([]);
});
