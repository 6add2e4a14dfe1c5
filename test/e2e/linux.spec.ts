/** Stock Linux in the page: it boots from the picker, takes a DIMM, and comes back from a snapshot with it after a reload. */
import { existsSync, readFileSync } from 'node:fs';
import { expect, type LabPage, test } from './page';

const INDEX = 'public/guests/index.json';
const prepared = existsSync(INDEX) && (JSON.parse(readFileSync(INDEX, 'utf8')) as { name: string }[]).some(({ name }) => name === 'linux');
const PROMPT = /[#$] $/;
const BOOT_MS = 120_000;

test.skip(!prepared, 'the guest linux is not prepared: npm run guests');

const endsWith = (lab: LabPage, pattern: RegExp) =>
  expect.poll(async () => `${await lab.consoleText()} `, { timeout: BOOT_MS, message: "the shell's prompt" }).toMatch(pattern);

/** Types a line and returns what stands below it when `done` matches that. */
async function type(lab: LabPage, line: string, done: RegExp): Promise<RegExpExecArray> {
  const before = (await lab.consoleText()).length;
  await lab.page.evaluate((text) => window.lab.console.type(text), `${line}\r`);
  const below = async () => (await lab.consoleText()).slice(before);
  await expect.poll(below, { timeout: BOOT_MS, message: line }).toMatch(done);
  const match = done.exec(await below());
  if (!match) throw new Error(`${line} printed something else`);
  return match;
}

/** MiB that `free -m` calls total. */
const totalMemory = async (lab: LabPage): Promise<number> => Number((await type(lab, 'free -m', /Mem:\s+(\d+)[\s\S]*[#$]$/))[1]);

test('linux boots to its shell, a DIMM makes it larger, and a snapshot brings both back after a reload', async ({ lab, page }) => {
  test.setTimeout(300_000);
  await lab.open();
  await page.getByRole('button', { name: /choose another guest/ }).click();
  const dialog = page.getByRole('dialog', { name: 'Boot a guest' });
  await dialog.getByRole('radio', { name: /^linux/ }).check();
  await expect(dialog.getByLabel('-append')).toHaveValue(/console=ttyS0/);
  await dialog.getByRole('button', { name: 'Boot', exact: true }).click();
  await expect(page).toHaveTitle(/^linux, running/, { timeout: BOOT_MS });
  await endsWith(lab, PROMPT);

  const before = await totalMemory(lab);
  expect(await lab.monitor('object_add memory-backend-ram,id=mem1,size=256M')).toBe('');
  expect(await lab.monitor('device_add pc-dimm,id=dimm1,memdev=mem1')).toBe('');
  await expect.poll(() => totalMemory(lab), { timeout: BOOT_MS }).toBeGreaterThanOrEqual(before + 240);

  expect(await lab.monitor('savevm grown')).toBe('');
  const load = page.getByRole('button', { name: 'Load machine grown' });
  await expect(load).toBeVisible();
  await page.reload();
  await lab.consoleEndsWith(/lab> $/);
  await load.click();
  await expect(page).toHaveTitle(/^linux, running/, { timeout: BOOT_MS });
  await endsWith(lab, PROMPT);
  expect(await totalMemory(lab)).toBeGreaterThanOrEqual(before + 240);
  expect(await lab.monitor('info memory-devices')).toContain('dimm1');
  expect(lab.errors).toEqual([]);
});
