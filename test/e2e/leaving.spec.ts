/** A page that was used asks before it closes, and the work can be restored; panes and guides have addresses. */
import { expect, plugTwoDimms, test } from './page';

test('closing asks once the machine was used and not after saving; after a reload the work is restored', async ({ lab, page }) => {
  test.setTimeout(120_000);
  const asked: string[] = [];
  page.on('dialog', (dialog) => {
    asked.push(dialog.type());
    void dialog.accept();
  });
  await lab.open();
  // Unused: nothing to lose. The browser asks only for a page that was clicked or typed into.
  await page.getByRole('textbox', { name: 'Guest console' }).focus();
  await page.keyboard.press('F6');
  await page.reload();
  await lab.consoleEndsWith(/lab> $/);
  expect(asked).toEqual([]);
  await expect(page.getByText('What you did with')).toHaveCount(0);

  await plugTwoDimms(lab);
  const { gpa } = await lab.slot('dimm1');
  await lab.shell(`poke 0x${gpa.toString(16)} 0x4711`);
  await lab.typeMonitor('savevm safe');
  await page.reload();
  await lab.consoleEndsWith(/lab> $/);
  expect(asked).toEqual([]);

  await plugTwoDimms(lab);
  await lab.shell(`poke 0x${gpa.toString(16)} 0x4711`);
  const kept = () =>
    page.evaluate(
      () =>
        new Promise<number>((resolve) => {
          const opening = indexedDB.open('memslot-lab kept');
          opening.onsuccess = () => {
            const database = opening.result;
            if (!database.objectStoreNames.contains('runs')) return resolve(0);
            const all = database.transaction('runs').objectStore('runs').count();
            all.onsuccess = () => resolve(all.result);
          };
        }),
    );
  await expect.poll(kept, { timeout: 30_000 }).toBe(1);
  await page.reload();
  expect(asked).toEqual(['beforeunload']);
  await lab.consoleEndsWith(/lab> $/);
  await page
    .getByRole('status')
    .filter({ hasText: 'What you did with memlab is kept' })
    .getByRole('button', { name: 'Bring it back' })
    .click();
  // A new worker takes over; requests to the old one fail.
  await expect(page.getByText('Replayed: ')).toBeVisible({ timeout: 30_000 });
  expect((await lab.slots()).some(({ name }) => name.startsWith('dimm2'))).toBe(true);
  expect(await lab.shell(`peek 0x${gpa.toString(16)}`)).toContain('4711');
  expect(lab.errors).toEqual([]);
});

test('panes and guides have addresses, Back closes them, and a pasted link’s question goes with Back', async ({ lab, page }) => {
  await lab.open('./#pane=dimms');
  await expect(page.getByRole('tab', { name: 'DIMMs' })).toHaveAttribute('aria-selected', 'true');
  await page.goto('./#pane=nowhere');
  await expect(page.getByText('There is no pane “nowhere”.')).toBeVisible();
  await page.goto('./#guide=nonsense');
  await expect(page.getByText('There is no guide “nonsense”. There are move,')).toBeVisible();

  await page.goto('about:blank');
  await page.setViewportSize({ width: 390, height: 844 });
  await lab.open('./');
  const bar = page.getByRole('navigation', { name: 'Panes' });
  const shown = (name: string) => expect(bar.getByRole('button', { name })).toHaveAttribute('aria-current', 'page');
  await bar.getByRole('button', { name: 'Terminals' }).click();
  await bar.getByRole('button', { name: 'History' }).click();
  await expect(page).toHaveURL(/#pane=history$/);
  await page.goBack();
  await shown('Terminals');
  await page.goBack();
  await shown('Map');

  const link = await page.evaluate(() => window.lab.share());
  await page.evaluate((hash) => {
    location.hash = hash;
  }, new URL(link).hash);
  const question = page.getByRole('alert').filter({ hasText: 'Open the layout in this link?' });
  await expect(question).toBeVisible();
  await page.goBack();
  await expect(question).toHaveCount(0);
  expect(lab.errors).toEqual([]);
});
