/** Any broken link is refused with a reason, and memlab runs with its own layout. */
import { expect, test } from './page';

const LINKS: Record<string, string> = {
  'no version': '#l=abc',
  'a version from the future': '#l=99.AAAA',
  'not base64url': '#l=1.%00%00<script>alert(1)</script>',
  'changed after packing': '#l=1.AAAAAAAAAAAAAAAA',
  'no content': '#l=1.',
  'too long': `#l=1.${'A'.repeat(300_000)}`,
};

for (const [what, fragment] of Object.entries(LINKS)) {
  test(`a link with ${what} is refused with a reason and memlab starts`, async ({ lab, page }) => {
    await lab.open(`./${fragment}`);
    const banner = page.getByRole('alert').filter({ hasText: 'Link refused:' });
    await expect(banner).toBeVisible();
    await expect(banner).toHaveText(/Link refused: .{10,}\. memlab runs with its own layout instead/);
    expect((await lab.slots()).length).toBeGreaterThan(1);
    expect(lab.errors).toEqual([]);
    await banner.getByRole('button', { name: 'Close' }).click();
    await expect(banner).toHaveCount(0);
  });
}

const SHARED: Record<string, string> = {
  'a state of nothing': '#s=1.AAAA',
  'a state from the future': '#s=7.AAAA',
  'a replay with markup': '#r=1.<img src=x onerror=alert(1)>',
  'a replay of nothing': '#r=1.AAAAAAAAAAAAAAAA',
  'a replay that is too long': `#r=1.${'A'.repeat(300_000)}`,
};

for (const [what, fragment] of Object.entries(SHARED)) {
  test(`a link with ${what} is refused with a reason and memlab starts`, async ({ lab, page }) => {
    await lab.open(`./${fragment}`);
    const banner = page.getByRole('alert').filter({ hasText: 'Link refused:' });
    await expect(banner).toHaveText(/Link refused: .{10,}\. memlab runs instead/);
    expect(lab.errors).toEqual([]);
  });
}

test('a truncated replay link is refused, and the running guest continues', async ({ lab, page }) => {
  await lab.open();
  const link = await page.evaluate(() => window.lab.share('replay'));
  await page.evaluate(
    (hash) => {
      location.hash = hash;
    },
    new URL(link).hash.slice(0, -9),
  );
  await page.getByRole('button', { name: 'Open the replay' }).click();
  await expect(page.getByRole('alert').filter({ hasText: 'Link refused:' })).toContainText('memlab keeps running.');
  expect(await lab.monitor('info status')).toContain('running');
});

test('a link that was cut by a chat program is refused', async ({ lab, page }) => {
  await lab.open();
  const link = await page.evaluate(() => window.lab.share());
  await page.goto('about:blank');
  await lab.open(link.slice(0, -7));
  await expect(page.getByRole('alert').filter({ hasText: 'Link refused:' })).toBeVisible();
});

test('a link pasted into the address while a guest runs asks first', async ({ lab, page }) => {
  await lab.open();
  const link = await page.evaluate(() => window.lab.share());
  await page.evaluate((hash) => {
    location.hash = hash;
  }, new URL(link).hash);
  const banner = page.getByRole('alert').filter({ hasText: 'Open the layout in this link?' });
  await expect(banner).toBeVisible();
  await banner.getByRole('button', { name: 'Open the layout' }).click();
  await expect(banner).toHaveCount(0);
  await lab.consoleEndsWith(/lab> $/);
});
