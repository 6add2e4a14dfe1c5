/** Machine snapshots and layouts: saved, loaded, deleted with undo, exported, imported, refused. */
import { readFileSync } from 'node:fs';
import type { Locator } from '@playwright/test';
import { expect, type LabPage, test } from './page';

const WORD = 0x2000000;
const pane = (lab: LabPage): Locator => lab.page.getByRole('region', { name: 'Change set and snapshots' });

async function save(lab: LabPage, kind: 'Machine' | 'Layout', name: string): Promise<void> {
  await pane(lab).getByRole('button', { name: /^Save/ }).click();
  await pane(lab).getByRole('button', { name: kind, exact: true }).click();
  await pane(lab).getByLabel('Name').fill(name);
  await pane(lab).getByLabel('Name').press('Enter');
  await expect(pane(lab).getByRole('button', { name: `Load ${kind.toLowerCase()} ${name}` })).toBeEnabled();
}

/** The memory as the guest reads it. */
const peek = async (lab: LabPage): Promise<string> => (await lab.shell(`peek 0x${WORD.toString(16)}`)).split('\n').slice(1).join('\n');
const poke = (lab: LabPage, value: string) => lab.shell(`poke 0x${WORD.toString(16)} ${value}`);

async function exported(lab: LabPage, name: string): Promise<Buffer> {
  const [download] = await Promise.all([
    lab.page.waitForEvent('download'),
    pane(lab)
      .getByRole('button', { name: `Export ${name}` })
      .click(),
  ]);
  return readFileSync(await download.path());
}

const importFile = (lab: LabPage, name: string, buffer: Buffer) =>
  lab.page.getByLabel('Snapshot file to import').setInputFiles({ name, mimeType: 'application/octet-stream', buffer });

test('a saved machine brings back what the guest had in memory; deleting it can be undone', async ({ lab, page }) => {
  await lab.open();
  await poke(lab, '0x1111');
  await save(lab, 'Machine', 'before the change');
  await expect(page.getByText('Saved before the change.')).toBeVisible();
  await poke(lab, '0x2222');
  expect(await peek(lab)).toContain('2222');

  const load = pane(lab).getByRole('button', { name: 'Load machine before the change' });
  await load.click();
  await expect(page.getByText('Loaded before the change.')).toBeVisible();
  expect(await peek(lab)).toContain('1111');

  // Undo remains available when the toast is gone, here because another toast replaced it.
  await page.getByRole('application', { name: 'Map of guest-physical memory' }).focus();
  await page.keyboard.press('Home');
  await page.keyboard.press('Control+c');
  await expect(page.getByText(/^Copied: 0 ram\.low/)).toBeVisible();
  await expect(page.getByText('Loaded before the change.', { exact: true })).toHaveCount(0);
  await expect(page.getByRole('region', { name: 'History' })).toContainText(/gen \d+, loaded from /);
  await pane(lab).getByRole('button', { name: 'Undo the load' }).click();
  await expect(page.getByText('The previous machine is restored.')).toBeVisible();
  await expect(pane(lab).getByRole('button', { name: 'Undo the load' })).toHaveCount(0);
  expect(await peek(lab)).toContain('2222');
  await expect(page.getByRole('region', { name: 'History' })).toContainText('as before the load');

  await pane(lab).getByRole('button', { name: 'Delete machine before the change' }).click();
  await expect(load).toHaveCount(0);
  expect(await lab.monitor('info snapshots')).toContain('There is no snapshot available');
  await page.getByRole('button', { name: 'Undo' }).last().click();
  await expect(load).toBeVisible();

  await page.reload();
  await lab.consoleEndsWith(/lab> $/);
  await poke(lab, '0x3333');
  await load.click();
  await expect(page.getByText('Loaded before the change.')).toBeVisible();
  expect(await peek(lab)).toContain('1111');
  expect(lab.errors).toEqual([]);
});

test('savevm and loadvm typed into the monitor do the same, and layouts appear in the same list', async ({ lab }) => {
  await lab.open();
  await poke(lab, '0x1111');
  expect(await lab.typeMonitor('savevm typed')).toBe('');
  await expect(pane(lab).getByRole('button', { name: 'Load machine typed' })).toBeVisible();
  await save(lab, 'Layout', 'plain');
  await expect(pane(lab).getByRole('listitem')).toHaveCount(2);
  await poke(lab, '0x2222');
  expect(await lab.typeMonitor('loadvm typed')).toBe('');
  expect(await peek(lab)).toContain('1111');
  expect(await lab.typeMonitor('loadvm nope')).toContain("Snapshot 'nope' does not exist");
});

test('a snapshot is exported and imported as a file; a damaged one is refused with a reason and the guest continues', async ({
  lab,
  page,
}) => {
  await lab.open();
  await poke(lab, '0x1111');
  await save(lab, 'Machine', 'travelling');
  const file = await exported(lab, 'machine travelling');
  await poke(lab, '0x2222');

  const flipped = Buffer.from(file);
  const at = Math.floor(flipped.length * 0.6);
  flipped[at] = (flipped[at] ?? 0) ^ 1;
  const refusal = page.getByRole('alert').filter({ hasText: 'was refused:' });
  for (const [name, bytes, reason] of [
    ['flipped.mslm', flipped, /flipped\.mslm was refused: .*checksum differs.* memlab keeps running/],
    ['cut.mslm', file.subarray(0, file.length - 100), /cut\.mslm was refused: .*cut short/],
    ['picture.png', Buffer.from('\x89PNG\r\n\x1a\nrest of it'), /picture\.png was refused: .*not a machine snapshot/],
    ['broken.json', Buffer.from('{"format":1'), /broken\.json was refused: /],
    ['empty.mslm', Buffer.alloc(0), /empty\.mslm was refused: .*empty/],
  ] as const) {
    await importFile(lab, name, bytes);
    await expect(refusal).toHaveText(reason);
    await expect(pane(lab).getByRole('listitem')).toHaveCount(1);
    expect(await peek(lab), name).toContain('2222');
    await refusal.getByRole('button', { name: 'Close' }).click();
  }

  await importFile(lab, 'travelling.mslm', file);
  await pane(lab).getByRole('button', { name: 'Load machine travelling 2' }).click();
  await expect(page.getByText('Loaded travelling 2.')).toBeVisible();
  expect(await peek(lab)).toContain('1111');

  await save(lab, 'Layout', 'slots');
  await importFile(lab, 'other.json', await exported(lab, 'layout slots'));
  await expect(pane(lab).getByRole('button', { name: 'Load layout other' })).toBeVisible();
  expect(lab.errors).toEqual([]);
});

test('a snapshot of a different machine starts a matching machine and is loaded into it', async ({ lab, page }) => {
  await lab.open();
  await poke(lab, '0x1111');
  await save(lab, 'Machine', 'large');
  await lab.monitor('memslot_add 20 1T 2M');
  await save(lab, 'Layout', 'slots');
  await page.getByRole('button', { name: /choose another guest/ }).click();
  await page.getByLabel('-m', { exact: true }).fill('64M');
  await page.getByRole('button', { name: 'Boot', exact: true }).click();
  await expect(page.getByRole('button', { name: /-m 64M/ })).toBeVisible();
  await lab.consoleEndsWith(/lab> $/);
  expect(await lab.monitor('loadvm large')).toMatch(/Error: snapshot 'large' refused: .*-m/);
  await pane(lab).getByRole('button', { name: 'Load machine large' }).click();
  await expect(page.getByRole('button', { name: /-m 192M/ })).toBeVisible();
  await lab.consoleEndsWith(/lab> $/);
  expect(await peek(lab)).toContain('1111');

  // A layout includes no guest: the page reports a mismatch in MiB, and one button starts a matching machine.
  await page.getByRole('button', { name: /choose another guest/ }).click();
  await page.getByLabel('-m', { exact: true }).fill('64M');
  await page.getByRole('button', { name: 'Boot', exact: true }).click();
  await expect(page.getByRole('button', { name: /-m 64M/ })).toBeVisible();
  await lab.consoleEndsWith(/lab> $/);
  await pane(lab).getByRole('button', { name: 'Load layout slots' }).click();
  const refused = page.getByRole('alert').filter({ hasText: 'slots was not loaded:' });
  await expect(refused).toContainText('it was saved with 192 MiB of RAM; this machine has 64 MiB of RAM (-m).');
  await refused.getByRole('button', { name: 'Start memlab with -m 192M,slots=8,maxmem=4T' }).click();
  await expect(page.getByRole('button', { name: /-m 192M/ })).toBeVisible();
  await expect.poll(async () => (await lab.slot('bare.20').catch(() => undefined))?.gpa).toBe(2 ** 40);
  await expect(refused).toHaveCount(0);
});
