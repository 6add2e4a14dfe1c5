/** Restricted environments: plain http from another computer, a cross-site frame without storage, no run-time compilation. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from '@playwright/test';
import { expect, LabPage, test } from './page';
import { staticHost } from './static-host';

test('from plain http: digest, every kind of link and copying work, and one line says what does not', async ({ launchOptions }) => {
  test.setTimeout(120_000);
  const host = await staticHost('dist');
  const address = host.address.replace('127.0.0.1', 'lan.test');
  const browser = await chromium.launch({
    ...launchOptions,
    args: [...(launchOptions.args ?? []), '--host-resolver-rules=MAP lan.test 127.0.0.1'],
  });
  try {
    const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    const lab = new LabPage(page);
    await lab.open(address);
    expect(await page.evaluate(() => [isSecureContext, crypto.subtle === undefined, navigator.clipboard === undefined])).toEqual([
      false,
      true,
      true,
    ]);
    await expect(page.getByText('plain http: not kept offline')).toBeVisible();
    await lab.monitor('memslot_add 20 1T 2M');
    await lab.monitor('stop');
    const digest = await page.evaluate(() => window.lab.digest());
    expect(digest).toMatch(/^[0-9a-f]{64}$/);

    await page.getByRole('button', { name: 'Share' }).click();
    const dialog = page.getByRole('dialog', { name: 'Share' });
    await expect(dialog.getByText('Link copied')).toBeVisible();
    const links: string[] = [];
    for (const kind of ['Machine state', 'Replay', 'Layout']) {
      await dialog.getByRole('button', { name: kind, exact: true }).click();
      await expect(dialog.getByLabel('Link')).toHaveValue(/^http:\/\/lan\.test/);
      links.push(await dialog.getByLabel('Link').inputValue());
      await dialog.getByRole('button', { name: 'Copy', exact: true }).click();
      await expect(dialog.getByText('Link copied')).toBeVisible();
    }
    // Pasting returns what was copied.
    await page.keyboard.press('Escape');
    await page.getByRole('textbox', { name: 'Monitor' }).focus();
    await page.keyboard.type('print 1 ');
    await page.keyboard.press('Control+v');
    await expect.poll(() => lab.monitorText()).toContain('lan.test');

    const [state, replay] = links;
    for (const link of [state, replay]) {
      await page.goto('about:blank');
      await page.goto(link ?? '');
      await expect(page).toHaveTitle(/^memlab, paused/);
      expect(await page.evaluate(() => window.lab.digest())).toBe(digest);
    }
    expect(lab.errors).toEqual([]);
  } finally {
    await browser.close();
    host.close();
  }
});

test('in a cross-site frame without storage it runs, and says once that nothing is kept', async ({ launchOptions, baseURL }) => {
  const profile = mkdtempSync(join(tmpdir(), 'memslot-lab-frame-'));
  mkdirSync(join(profile, 'Default'));
  const blocked = { profile: { block_third_party_cookies: true, cookie_controls_mode: 1 } };
  writeFileSync(join(profile, 'Default', 'Preferences'), JSON.stringify(blocked));
  // localhost and 127.0.0.1 are two sites.
  const inner = (baseURL ?? '').replace('localhost', '127.0.0.1');
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html');
    response.end(`<iframe title="lab" src="${inner}" width="1400" height="880"></iframe>`);
  });
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  const context = await chromium.launchPersistentContext(profile, { ...launchOptions, viewport: { width: 1440, height: 900 } });
  try {
    const page = await context.newPage();
    const lab = new LabPage(page);
    await page.goto(`http://localhost:${(server.address() as AddressInfo).port}/`);
    const frame = page.frameLocator('iframe');
    await expect(frame.getByText(/^lab>/).first()).toBeVisible();
    const told = frame.getByRole('alert');
    await expect(told).toHaveText(/Snapshots cannot be reached\. This browser keeps no data for this page \(.*\)\.\s*$/);
    const [, inside] = page.frames();
    expect(await inside?.evaluate(() => window.lab.monitor('savevm x'))).toMatch(
      /^Error: This browser keeps no data for this page \([^.]*\)\.\n$/,
    );
    await expect(told).toHaveText(/^\s*Not stored\. This browser keeps no data for this page \([^.]*\)\.\s*$/);
    expect(lab.errors).toEqual([]);
  } finally {
    await context.close();
    server.close();
    rmSync(profile, { recursive: true, force: true });
  }
});

test.describe('if a policy forbids compilation', () => {
  const strict = { 'content-security-policy': "script-src 'self'" };

  test('in workers, the guest runs in the interpreter, and the page says so', async ({ lab, page }) => {
    const host = await staticHost('dist', (name) => (name.endsWith('.js') ? strict : {}));
    try {
      await lab.open(host.address);
      await expect(page.getByText(/^Guest code is not compiled:.*policy forbids it\. The interpreter runs it/)).toBeVisible();
      expect(await lab.monitor('info jit')).toMatch(/^off, the interpreter runs +WebAssembly\.Module\(\): .*Content Security Policy/);
      await lab.shell('bench');
      await page.getByRole('tab', { name: 'Live' }).click();
      await expect(page.getByRole('tabpanel', { name: 'Live' })).toContainText('Guest code is not compiled:');
      await page.getByRole('tab', { name: 'CPU' }).click();
      await expect(page.getByRole('list', { name: 'Tier of the code at rip' })).toContainText('Interpreter: compiling forbidden');
    } finally {
      host.close();
    }
  });

  test('everywhere, the page says what it needs', async ({ page }) => {
    const host = await staticHost('dist', () => strict);
    try {
      await page.goto(host.address);
      await expect(page.getByRole('alert')).toContainText(/neither worker nor page may compile WebAssembly/);
    } finally {
      host.close();
    }
  });
});
