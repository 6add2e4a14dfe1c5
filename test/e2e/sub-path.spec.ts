/** The built page on a plain static host, below a path, without special headers. */
import { expect, test } from './page';
import { staticHost } from './static-host';

test('the built page works below a path of a plain static host, and boots the guests next to it', async ({ lab, page }) => {
  const host = await staticHost('dist');
  try {
    await lab.open(host.address);
    expect(await lab.shell('mem')).toMatch(/\S/);
    // The scope of its service worker is that path.
    await expect(page.getByText('offline ready')).toBeVisible({ timeout: 30_000 });
    const scopes = await page.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).map(({ scope }) => scope));
    expect(scopes).toEqual([host.address]);
    await page.goto(`${host.address}?guest=memtest86%2B`);
    await expect(page.getByRole('button', { name: /memtest86\+/ })).toBeVisible({ timeout: 30_000 });
    expect([...host.served].some((name) => /^guests\/memtest/.test(name))).toBe(true);
    expect(lab.errors).toEqual([]);
  } finally {
    host.close();
  }
});
