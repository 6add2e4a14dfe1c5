/** What this browser keeps: two tabs on one store, a worker that dies, a browser without room. */
import { expect, LabPage, test } from './page';

test('two tabs that save and delete at once do not spoil each other’s snapshots', async ({ lab, context }) => {
  test.setTimeout(120_000);
  const other = new LabPage(await context.newPage());
  await Promise.all([lab.open(), other.open()]);
  await lab.monitor('stop');
  await other.monitor('memslot_add 40 1T 2M');
  await other.monitor('stop');
  const digests = [await lab.monitor('info digest'), await other.monitor('info digest')];
  for (let n = 0; n < 6; n++) {
    await Promise.all([
      lab.monitor('savevm both'),
      other.monitor('savevm both'),
      lab.monitor(`savevm a${n}`),
      other.monitor(`savevm b${n}`),
      n > 0 ? lab.monitor(`delvm b${n - 1}`) : undefined,
      n > 0 ? other.monitor(`delvm a${n - 1}`) : undefined,
    ]);
  }
  const names = (await lab.monitor('info snapshots')).match(/^-- +\S+/gm)?.map((row) => row.split(/ +/)[1]);
  expect(names?.sort()).toEqual(['a5', 'b5', 'both']);
  await expect(lab.page.getByRole('button', { name: /^Load machine/ })).toHaveCount(3);
  await expect(other.page.getByRole('button', { name: /^Load machine/ })).toHaveCount(3);
  // Each is whole, and one of the two that was saved.
  for (const name of ['both', 'a5', 'b5']) {
    expect(await lab.monitor(`loadvm ${name}`)).toBe('');
    expect(digests).toContain(await lab.monitor('info digest'));
  }
  for (const each of [lab, other]) expect(each.errors).toEqual([]);
});

test('a worker that dies is told; a restart finds everything that was saved', async ({ lab, page }) => {
  await lab.open();
  await lab.shell('poke 0x2000000 0x4321');
  await lab.monitor('savevm kept');
  const [worker] = page.workers();
  await worker?.evaluate(() => {
    setTimeout(() => {
      throw new Error('out of its mind');
    });
  });
  const told = page.getByRole('alert').filter({ hasText: 'The worker stopped.' });
  await expect(told).toContainText('out of its mind');
  await expect(told).toContainText('Saved layouts and snapshots are safe.');
  await told.getByRole('button', { name: 'Restart' }).click();
  await expect(told).toHaveCount(0);
  await lab.consoleEndsWith(/lab> $/);
  await page.getByRole('button', { name: 'Load machine kept' }).click();
  await expect(page.getByText('Loaded kept.')).toBeVisible();
  expect(await lab.shell('peek 0x2000000')).toContain('4321');
});

test('a browser without room says what was needed and what is left, and keeps what is there', async ({ lab, page }) => {
  await lab.open();
  await lab.monitor('savevm kept');
  // A disk that is full, as IndexedDB tells it.
  await page.evaluate(() => {
    IDBObjectStore.prototype.put = () => {
      throw new DOMException('full', 'QuotaExceededError');
    };
  });
  const answer = await lab.monitor('savevm more');
  expect(answer).toMatch(/^Error: The browser has no room left: [\d.]+ KiB are needed, [\d.]+ \w+ (?:is|are) left\. Delete saved/);
  await expect(page.getByRole('alert').filter({ hasText: 'Not stored.' })).toBeVisible();
  expect(await lab.monitor('loadvm kept')).toBe('');
});
