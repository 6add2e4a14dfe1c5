/** The page inside a teacher's page: what is left out, what is reported, and the way to a tab of its own. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, test } from './page';

interface Heard {
  source: string;
  event: string;
  guide?: string;
  step?: string;
  done?: unknown;
}

test('a course page embeds a guide, and follows its steps', async ({ page, lab, baseURL }) => {
  const address = `${baseURL}?embed#guide=two-swaps`.replace('two-swaps', 'move');
  const course = `<!doctype html><title>Course</title><h1>Lesson 3</h1>
    <iframe title="The lab" src="${address}" style="width: 1100px; height: 720px"></iframe>
    <script>heard = []; addEventListener('message', (event) => heard.push({ origin: event.origin, ...event.data }))</script>`;
  const server = createServer((_request, response) => response.writeHead(200, { 'content-type': 'text/html' }).end(course));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    const frame = page.frameLocator('iframe');
    const heard = () => page.evaluate(() => (globalThis as unknown as { heard: Heard[] }).heard);
    await expect(frame.getByRole('region', { name: 'Guide' })).toContainText('step 1 of');
    // What a course page has no room for.
    await expect(frame.getByRole('region', { name: 'First step' })).toHaveCount(0);
    await expect(frame.locator('footer')).toHaveCount(0);
    await expect(frame.getByRole('separator')).toHaveCount(0);
    await expect(frame.locator('.cell.hist')).toBeHidden();
    await expect(frame.getByRole('link', { name: 'Open in a tab of its own' })).toHaveAttribute('href', `${baseURL}#guide=move`);

    await expect.poll(async () => (await heard()).map(({ event }) => event)).toContain('ready');
    const opened = (await heard()).find(({ event }) => event === 'guide');
    expect(opened).toMatchObject({ source: 'memslot-lab', version: 1, guide: 'move', done: [], origin: new URL(baseURL!).origin });

    await frame.locator('.guides .btn-primary').first().click();
    await expect(frame.getByRole('region', { name: 'Guide' })).toContainText('step 2 of', { timeout: 30_000 });
    const done = (await heard()).filter(({ event }) => event === 'step');
    expect(done[0]).toMatchObject({ guide: 'move', index: 0, done: true });
    expect(lab.errors).toEqual([]);
    // Leaving a used machine asks nothing here: the page around it is the one that is left.
    await page.goto('about:blank');
  } finally {
    server.close();
    server.closeAllConnections();
  }
});

test('?guest= boots that guest, or says which there are', async ({ page, lab }) => {
  await page.goto('./?guest=memtest86%2B');
  await expect(page.getByRole('button', { name: /memtest86\+/ })).toBeVisible({ timeout: 30_000 });
  await page.goto('./?guest=solaris');
  await expect(page.getByText('There is no guest “solaris”:')).toBeVisible({ timeout: 30_000 });
  await lab.consoleEndsWith(/lab> $/);
});
