/** A link to a machine file on a server: made in Share, opened from another site, refused if the file differs. */
import { readFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, LabPage, test } from './page';

test('a machine too large for a link opens from a file on another site, or is refused with a reason', async ({ lab, page, browser }) => {
  const files = new Map<string, Uint8Array>();
  let held: ServerResponse | undefined;
  const server = createServer(({ url = '/' }, response) => {
    if (url === '/slow.mslm') {
      held = response;
      return;
    }
    const file = files.get(url);
    const cors: Record<string, string> = url.startsWith('/private') ? {} : { 'access-control-allow-origin': '*' };
    response.writeHead(file ? 200 : 404, cors).end(file);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const site = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  try {
    await lab.open();
    await lab.shell('poke 0x800000 0x5eed');
    await page.getByRole('button', { name: 'Share' }).click();
    const share = page.getByRole('dialog', { name: 'Share' });
    await share.getByRole('button', { name: 'Machine state' }).click();
    await share.getByText('Link to a file that you put on a server').click();
    const address = share.getByLabel('Address of the file, or its path relative to this page');
    const make = share.getByRole('button', { name: 'Save the file, make its link' });
    await address.fill('ftp://nowhere/x');
    await make.click();
    await expect(share.getByRole('alert')).toHaveText('Only https and http addresses can be fetched, not ftp.');
    await address.fill(`${site}/lesson.mslm`);
    const saved = page.waitForEvent('download');
    await make.click();
    const download = await saved;
    expect(download.suggestedFilename()).toBe('lesson.mslm');
    const bytes = await readFile(await download.path());
    files.set('/lesson.mslm', bytes);
    files.set('/private/lesson.mslm', bytes);
    const link = await share.getByLabel('Link to the file').inputValue();
    expect(link).toMatch(/#f=1\.[0-9a-f]{64}\.http%3A%2F%2F127/);

    const other = new LabPage(await (await browser.newContext()).newPage());
    await other.page.goto(link);
    await expect(other.page.getByText('Opened lesson.mslm: its SHA-256 matches the link.')).toBeVisible({ timeout: 30_000 });
    await other.typeConsole('\r');
    await other.consoleEndsWith(/lab> $/);
    expect(await other.shell('peek 0x800000')).toContain('0x0000000000005eed');
    expect(other.errors).toEqual([]);

    const follow = async (to: string): Promise<void> => {
      await other.page.evaluate((hash) => {
        location.hash = hash;
      }, new URL(to).hash);
      await other.page.getByRole('button', { name: 'Open the file' }).click();
    };
    // A later link overtakes one that does not answer; the earlier one then fails without any visible effect.
    files.set('/again.mslm', bytes);
    await other.page.evaluate(() => {
      new MutationObserver(() => {
        if (document.body.innerText.includes('Link refused:')) document.body.dataset.refused = 'yes';
      }).observe(document.body, { subtree: true, childList: true });
    });
    await follow(link.replace('lesson', 'slow'));
    await expect.poll(() => held !== undefined).toBe(true);
    await follow(link.replace('lesson', 'again'));
    held?.writeHead(404).end();
    await expect(other.page.getByText('Opened again.mslm: its SHA-256 matches the link.')).toBeVisible({ timeout: 30_000 });
    await other.typeConsole('\r');
    await other.consoleEndsWith(/lab> $/);
    expect(await other.page.locator('body').getAttribute('data-refused')).toBeNull();

    // The page continues if a link leads to something else.
    const refused = async (to: string, words: RegExp): Promise<void> => {
      await follow(to);
      await expect(other.page.getByText(words)).toBeVisible({ timeout: 30_000 });
    };
    await refused(link.replace('lesson', 'gone'), /127\.0\.0\.1:\d+ answered HTTP 404 for gone\.mslm\. memlab keeps running\./);
    await refused(link.replace('%2Flesson', '%2Fprivate%2Flesson'), /does not let other pages read it \(Access-Control-Allow-Origin\)/);
    bytes[bytes.length - 100]! ^= 1;
    files.set('/changed.mslm', bytes);
    await refused(link.replace('lesson', 'changed'), /Its SHA-256 is [0-9a-f]{64}, the link names [0-9a-f]{64}: it is a different file/);
    expect(await other.shell('peek 0x800000')).toContain('0x0000000000005eed');
    await other.page.context().close();
  } finally {
    server.close();
    server.closeAllConnections();
  }
});
