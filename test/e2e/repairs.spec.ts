/** Any number of refused edits: each offers the nearest valid place. */
import { HOST_BASE } from '../../engine/abi/layout';
import { expect, test } from './page';

const EDITS = 1000;

test('each of 1,000 refused moves offers a repair, and its link applies it', async ({ lab, page }) => {
  test.setTimeout(120_000);
  await lab.open();
  await page.evaluate(
    async ([edits, hva]) => {
      const line = (text: string) => window.lab.monitor(text);
      const place = (n: number) => `0x${(2 ** 40 + n * 8192).toString(16)}`;
      await line('changeset_begin');
      for (let n = 0; n < 2 * edits; n++) await line(`memslot_add ${100 + n} ${place(n)} 4096 ${hva}`);
      await line('changeset_commit');
      await line('changeset_begin');
      // Every second one onto its neighbour, which stays.
      for (let n = 0; n < edits; n++) await line(`memslot_move ${100 + 2 * n} ${place(2 * n + 1)}`);
    },
    [EDITS, HOST_BASE] as const,
  );
  const pane = page.getByRole('region', { name: 'Change set and snapshots' });
  await expect(pane.getByText(`${EDITS} of ${EDITS} refused`)).toBeVisible();
  const rows = pane.getByRole('listitem').filter({ hasText: 'EEXIST' });
  const links = pane.getByRole('button', { name: /^move to 0x/ });
  await expect(rows).not.toHaveCount(0);
  expect(await links.count()).toBe(await rows.count());
  expect(await links.count()).toBeGreaterThan(200);

  await links.nth(57).click();
  await expect(pane.getByText(`${EDITS - 1} of ${EDITS} refused`)).toBeVisible();
  expect(lab.errors).toEqual([]);
});
