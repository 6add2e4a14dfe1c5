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

/**
 * Types a line and returns the text below it once `done` matches. The kernel may print after the prompt at any time, so no pattern may end with the
 * prompt.
 */
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
const totalMemory = async (lab: LabPage): Promise<number> =>
  Number((await type(lab, 'free -m; echo to""ld', /Mem:\s+(\d+)[\s\S]*\ntold/))[1]);

test('linux boots to its shell, a DIMM makes it larger, a snapshot brings both back after a reload, and the DIMM can be given back', async ({
  lab,
  page,
}) => {
  test.setTimeout(300_000);
  await lab.open();
  await page.getByRole('button', { name: /choose another guest/ }).click();
  const dialog = page.getByRole('dialog', { name: 'Boot a guest' });
  await dialog.getByRole('radio', { name: /^linux\s/ }).check();
  await expect(dialog.getByLabel('-append')).toHaveValue(/console=ttyS0/);
  await dialog.getByRole('button', { name: 'Boot', exact: true }).click();
  await expect(page).toHaveTitle(/^linux, running/, { timeout: BOOT_MS });
  await endsWith(lab, PROMPT);
  // The console's terminal answers a query for the screen size (CSI 18 t) as any other does: the shell's tty echoes the answer.
  await type(lab, 'printf \'\\033[18t\'; read -t 9 -n 10 size; echo "$size" | cut -c 2-', /\^\[\[8;25;8\dt\s*\[8;25;8\dt/);

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

  // A move without the guest's consent raises a warning with an address that Linux would accept, and one key asks for consent.
  const dimm = await lab.slot('dimm1');
  for (const line of ['changeset_begin', `memslot_move ${dimm.id} 0x40200000`]) expect(await lab.monitor(line)).toBe('');
  const warned = page.getByRole('alert').filter({ hasText: 'Linux will crash' });
  await expect(warned).toContainText(`It believes dimm1 is at 0x${dimm.gpa.toString(16)} and uses it.`);
  await expect(page.getByText('1 of 1 fits, 1 not asked')).toBeVisible();
  await expect(page.getByRole('button', { name: 'Commit without asking' })).toBeEnabled();
  await expect(warned.getByRole('button', { name: /^Move to 0x40000000 with Linux’s consent/ })).toBeVisible();
  await page.getByRole('button', { name: 'Drop entry 1' }).focus();
  await page.keyboard.press('Control+Enter');
  await expect(warned).toHaveCount(0);
  await expect.poll(async () => (await lab.slot('dimm1').catch(() => undefined))?.gpa, { timeout: BOOT_MS }).toBe(0x40000000);
  expect(await totalMemory(lab)).toBeGreaterThanOrEqual(before + 240);

  // More random bytes than the machine had memory before, so they lie in the DIMM, and they stay intact.
  await type(lab, 'mkdir -p /mnt/t; mount -t tmpfs -o size=90% none /mnt/t; echo rea""dy', /\nready/);
  await type(
    lab,
    `dd if=/dev/urandom of=/mnt/t/f bs=1M count=${before} 2>/dev/null; wc -c < /mnt/t/f`,
    new RegExp(`\\n${before * 2 ** 20}\\s`),
  );
  const md5 = async () => (await type(lab, 'md5sum /mnt/t/f', /\n([0-9a-f]{32}) {2}/))[1];
  const first = await md5();
  expect(await md5()).toBe(first);
  await type(lab, 'rm /mnt/t/f; echo go""ne', /\ngone/);
  expect(await lab.monitor('device_del dimm1')).toBe('');
  await expect.poll(() => totalMemory(lab), { timeout: BOOT_MS }).toBeLessThanOrEqual(before + 4);
  expect(await lab.monitor('info memory-devices')).toBe('');

  await expect(page.getByRole('status').filter({ hasText: 'Running' })).toBeVisible();
  await page.evaluate(() => window.lab.console.type('echo c > /proc/sysrq-trigger\r'));
  await expect(page.getByRole('status').filter({ hasText: 'Panicked' })).toBeVisible({ timeout: BOOT_MS });
  await expect(page.getByRole('alert').filter({ hasText: 'The guest panicked.' })).toBeVisible();
  await expect(page.getByText('The guest panicked on gen')).toBeVisible();
  expect(lab.errors).toEqual([]);
});
