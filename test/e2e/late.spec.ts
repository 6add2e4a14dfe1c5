/** What the page does without until it is wanted: the first load is small, nothing is missed, and what did not come is asked for again. */
import { readdirSync } from 'node:fs';
import { COMES_LATER, sizesOf, sum } from '../first-load';
import { expect, test } from './page';
import { type StaticHost, staticHost } from './static-host';

// Else the files come out of its store, where no story can hold them back.
test.use({ serviceWorkers: 'block' });

let host: StaticHost;
test.beforeEach(async () => {
  host = await staticHost('dist');
});
test.afterEach(() => host.close());

test('the guest is at its prompt after 485 KB, and a part that did not load says so and loads when asked again', async ({ lab, page }) => {
  let refused = 0;
  await page.route(COMES_LATER, (route) => {
    refused++;
    return route.abort();
  });
  await lab.open(host.address);
  const sizes = sizesOf('dist', host.served);
  for (const kind of ['.html', '.js', '.css', '.wasm']) expect(sizes.some(({ name }) => name.endsWith(kind))).toBe(true);
  expect(sum(sizes), sizes.map(({ name, compressed }) => `${compressed} ${name}`).join(', ')).toBeLessThan(485_000);
  // Fetched before anybody wants it; that it fails is not said then.
  await expect.poll(() => refused).toBeGreaterThan(0);
  await expect(page.getByRole('alert')).toHaveCount(0);

  await page.getByRole('tab', { name: 'Trace' }).click();
  const trace = page.getByRole('tabpanel', { name: 'Trace' });
  await expect(trace.getByRole('alert')).toContainText('This pane did not load');
  await page.getByRole('button', { name: 'Guides', exact: true }).click();
  await expect(page.getByRole('alert').filter({ hasText: 'The guides did not load' })).toBeVisible();
  await page.getByRole('button', { name: 'Share' }).click();
  const toast = page.getByRole('status').filter({ hasText: 'The share dialog did not load' });
  await expect(toast).toBeVisible();
  // The machine is none the worse.
  expect(await lab.shell('mem')).toContain('boot memory');

  await page.unroute(COMES_LATER);
  await toast.getByRole('button', { name: 'Try again' }).click();
  await expect(page.getByRole('dialog', { name: 'Share' }).getByLabel('Link')).toHaveValue(/#l=/);
  await page.keyboard.press('Escape');
  await page.getByRole('alert').filter({ hasText: 'The guides did not load' }).getByRole('button', { name: 'Try again' }).click();
  const guides = page.getByRole('region', { name: 'Guide', exact: true });
  await expect(guides.getByRole('button', { name: /^Move in two calls/ })).toBeVisible();
  await guides.getByRole('button', { name: 'Close the guide' }).click();
  await trace.getByRole('button', { name: 'Try again' }).click();
  await expect(trace.getByRole('button', { name: 'Record' })).toBeVisible();
});

test('everything comes by itself soon after the start, and is there the moment it is opened', async ({ lab, page }) => {
  await lab.open(host.address);
  const scripts = readdirSync('dist/assets').filter((name) => name.endsWith('.js'));
  expect(scripts.some((name) => COMES_LATER.test(`assets/${name}`))).toBe(true);
  await expect.poll(() => scripts.filter((name) => !host.served.has(`assets/${name}`))).toEqual([]);
  await page.context().setOffline(true);
  for (const name of ['Index', 'Page walk', 'Live', 'CPU', 'Breakpoints', 'Trace']) {
    await page.getByRole('tab', { name }).click();
    await expect(page.getByRole('tabpanel', { name })).not.toContainText(/Loading|did not load/);
  }
  await page.keyboard.press('Escape');
  await page.keyboard.press('?');
  await expect(page.getByRole('dialog', { name: 'Keys' })).toBeVisible();
});
