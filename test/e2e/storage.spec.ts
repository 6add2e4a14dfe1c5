/** Browser storage: two tabs on one store, a worker that dies, a tab that is closed midway, a full disk quota. */
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
  // Each snapshot is intact, and one of the two that were saved.
  for (const name of ['both', 'a5', 'b5']) {
    expect(await lab.monitor(`loadvm ${name}`)).toBe('');
    expect(digests).toContain(await lab.monitor('info digest'));
  }
  for (const each of [lab, other]) expect(each.errors).toEqual([]);
});

test('a dead worker is reported; a restart finds everything that was saved', async ({ lab, page }) => {
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

/** Where the tab is when it is closed: a script that stops there, and the condition to wait for. */
const CLOSINGS = {
  'while the machine is packed': { hangAfter: 0, outcome: 'old' },
  'between the two records of a snapshot': { hangAfter: 1, outcome: 'old' },
  'with both records written and the transaction open': { hangAfter: 2, outcome: 'old' },
  'as the transaction ends': { hangAfter: 3, outcome: 'either' },
} as const;

for (const [when, { hangAfter, outcome }] of Object.entries(CLOSINGS)) {
  test(`a tab closed during a save, ${when}, leaves the old snapshot or the new one, intact`, async ({ lab, page, context }) => {
    test.setTimeout(120_000);
    await lab.open();
    await lab.shell('fill 0x2000000 64M 0x1111');
    await lab.monitor('stop');
    const old = await lab.monitor('info digest');
    await lab.monitor('savevm kept');
    await lab.monitor('cont');
    await lab.shell('poke 0x2000000 0x2222');
    await lab.monitor('stop');
    const next = await lab.monitor('info digest');
    expect(next).not.toBe(old);
    const cdp = await context.newCDPSession(page);
    // The tab hangs after this many writes to the database, so that it is closed exactly there.
    const reached = hangAfter ? page.waitForEvent('console', (message) => message.text() === 'here') : undefined;
    await page.evaluate((writes) => {
      const put = IDBObjectStore.prototype.put;
      let count = 0;
      IDBObjectStore.prototype.put = function (...record) {
        const request = put.apply(this, record);
        count++;
        if (count === writes) {
          console.log('here');
          for (;;);
        }
        if (count === 2) this.transaction.addEventListener('complete', () => console.log('here'));
        return request;
      };
      for (const name of ['kept', 'fresh']) void window.lab.monitor(`savevm ${name}`).catch(() => {});
    }, hangAfter);
    if (hangAfter === 0) await expect(page.getByText(/^Saving the machine/)).toBeVisible();
    else await reached;
    // Kill the hung tab, as the browser's own "Page unresponsive" does.
    if (hangAfter === 1 || hangAfter === 2) {
      const crashed = page.waitForEvent('crash');
      void cdp.send('Page.crash').catch(() => {});
      await crashed;
    }
    await page.close();

    const after = new LabPage(await context.newPage());
    await after.open();
    const load = after.page.getByRole('button', { name: /^Load machine/ });
    await expect(load).not.toHaveCount(0);
    const names = await load.evaluateAll((buttons) => buttons.map((button) => button.getAttribute('aria-label')));
    if (outcome === 'old') expect(names).toEqual(['Load machine kept']);
    await after.monitor('stop');
    for (const name of names.map((label) => label?.split(' ').at(-1))) {
      expect(await after.monitor(`loadvm ${name}`)).toBe('');
      const digest = await after.monitor('info digest');
      expect(outcome === 'old' ? [old] : [old, next]).toContain(digest);
      if (name === 'fresh') expect(digest).toBe(next);
    }
    expect(after.errors).toEqual([]);
  });
}

test.describe('without room', () => {
  // Cached files of the page would use up the small quota.
  test.use({ serviceWorkers: 'block' });

  test('full storage is reported with the needed and the free space, and stored data stays', async ({ lab, page, context, baseURL }) => {
    // The browser's own quota, set before its first use: the browser takes half a minute to notice a change.
    const cdp = await context.newCDPSession(page);
    const { origin } = new URL(baseURL ?? '');
    await cdp.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 300_000 });
    await lab.open();
    await lab.shell('poke 0x2000000 0x4321');
    expect(await lab.monitor('savevm kept')).toBe('');
    await lab.shell('fill 0x3000000 64M 0x1111');
    const full =
      /The browser has no space left: 1\d\d KiB are needed(?:, [\d.]+ KiB are left|; it reports [\d.]+ GiB free, but does not grant them)\. Delete saved/;
    expect(await lab.monitor('savevm more')).toMatch(full);
    await expect(page.getByRole('alert').filter({ hasText: 'Not stored.' })).toContainText(full);
    await expect(page.getByRole('button', { name: /^Load machine/ })).toHaveCount(1);
    // A smaller snapshot still fits and replaces the old one.
    expect(await lab.monitor('loadvm kept')).toBe('');
    expect(await lab.shell('peek 0x2000000')).toContain('4321');
    expect(await lab.monitor('savevm kept')).toBe('');
    await page.reload();
    await lab.consoleEndsWith(/lab> $/);
    expect(await lab.monitor('loadvm kept')).toBe('');
  });
});
