/** The page inside a course page: what it leaves out, what it reports, and how to open it in a separate tab. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Frame, Page } from '@playwright/test';
import { expect, plugTwoDimms, test } from './page';

interface Heard {
  source: string;
  event: string;
  guide?: string;
  step?: string;
  done?: unknown;
}

/** A course page on another site, with the address in a frame; it keeps the messages it receives. `attributes`: of the frame. */
async function coursePage(attributes = ''): Promise<{ around(address: string): string; close(): void }> {
  const server = createServer(({ url = '/' }, response) => {
    const address = new URL(url, 'http://course').searchParams.get('src') ?? '';
    const course = `<!doctype html><title>Course</title><h1>Lesson 3</h1>
      <iframe title="The lab" src="${address.replaceAll('&', '&amp;')}" style="width: 1100px; height: 720px" ${attributes}></iframe>
      <script>heard = []; addEventListener('message', (event) => heard.push({ origin: event.origin, ...event.data }))</script>`;
    response.writeHead(200, { 'content-type': 'text/html' }).end(course);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    around: (address) => `http://127.0.0.1:${port}/?src=${encodeURIComponent(address)}`,
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}

const heardBy = (page: Page) => page.evaluate(() => (globalThis as unknown as { heard: Heard[] }).heard);

test('a course page embeds a guide in a sandbox, and follows its steps', async ({ page, lab, baseURL }) => {
  // What docs/embedding.md says that a sandbox has to allow.
  const course = await coursePage('sandbox="allow-scripts allow-same-origin allow-downloads allow-popups"');
  try {
    await page.goto(course.around(`${baseURL}?embed#guide=move`));
    const frame = page.frameLocator('iframe');
    const heard = () => heardBy(page);
    await expect(frame.getByRole('region', { name: 'Guide' })).toContainText('step 1 of');
    // Left out, since a course page has no room for it.
    await expect(frame.getByRole('region', { name: 'First step' })).toHaveCount(0);
    await expect(frame.locator('footer')).toHaveCount(0);
    await expect(frame.getByRole('separator')).toHaveCount(0);
    await expect(frame.locator('.cell.hist')).toBeHidden();
    const link = frame.getByRole('link', { name: 'Open in a separate tab' });
    await expect(link).toHaveAttribute('href', `${baseURL}#guide=move`);
    const tab = page.waitForEvent('popup');
    await link.click();
    await expect((await tab).getByRole('region', { name: 'Guide' })).toContainText('step 1 of');
    await (await tab).close();

    await expect.poll(async () => (await heard()).map(({ event }) => event)).toContain('ready');
    const opened = (await heard()).find(({ event }) => event === 'guide');
    expect(opened).toMatchObject({ source: 'memslot-lab', version: 1, guide: 'move', done: [], origin: new URL(baseURL!).origin });

    await frame.locator('.guides .btn-primary').first().click();
    await expect(frame.getByRole('region', { name: 'Guide' })).toContainText('step 2 of', { timeout: 30_000 });
    const done = (await heard()).filter(({ event }) => event === 'step');
    expect(done[0]).toMatchObject({ guide: 'move', index: 0, done: true });
    expect(lab.errors).toEqual([]);
    // Closing a used machine asks nothing here, since the person leaves the surrounding page.
    await page.goto('about:blank');
  } finally {
    course.close();
  }
});

test('a guest, a layout and a replay open in a frame without storage, and each says once that it is ready', async ({
  page,
  lab,
  baseURL,
}) => {
  await lab.open();
  await plugTwoDimms(lab);
  await lab.shell('poke 0x10000000 0x1111');
  const links = await page.evaluate(async () => ({ layout: await window.lab.share(), replay: await window.lab.share('replay') }));
  const course = await coursePage();
  const inFrame = (): Frame => page.frames()[1]!;
  const isReady = async (guest: string): Promise<void> => {
    await expect.poll(async () => (await heardBy(page)).filter(({ event }) => event === 'ready')).toMatchObject([{ guest }]);
  };
  try {
    await page.goto(course.around(`${baseURL}?embed&guest=memtest86%2B`));
    await isReady('memtest86+');
    // Another site's frame: this browser gives it no storage at all.
    const storage = await inFrame().evaluate(async () => [
      await indexedDB.databases().catch(({ name }: Error) => name),
      await navigator.locks.query().catch(({ name }: Error) => name),
    ]);
    expect(storage).toEqual(['UnknownError', 'SecurityError']);

    const embedded = (link: string): string => link.replace('#', '?embed#');
    await page.goto(course.around(embedded(links.layout)));
    await isReady('memlab');
    expect(await inFrame().evaluate(() => window.lab.monitor('info memory-devices'))).toContain('addr: 0x18000000');

    await page.goto(course.around(embedded(links.replay)));
    await expect(page.frameLocator('iframe').getByText('Replayed:')).toBeVisible({ timeout: 60_000 });
    await isReady('memlab');
    expect(await inFrame().evaluate(() => window.lab.monitor('xp /1gx 0x10000000'))).toContain('0x0000000000001111');
    expect(lab.errors).toEqual([]);
  } finally {
    course.close();
  }
});

test('?guest= boots that guest, or lists the available ones', async ({ page, lab }) => {
  await page.goto('./?guest=memtest86%2B');
  await expect(page.getByRole('button', { name: /memtest86\+/ })).toBeVisible({ timeout: 30_000 });
  await page.goto('./?guest=solaris');
  await expect(page.getByText('There is no guest “solaris”:')).toBeVisible({ timeout: 30_000 });
  await lab.consoleEndsWith(/lab> $/);
});
