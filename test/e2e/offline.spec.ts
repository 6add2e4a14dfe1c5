/** The page without a network, and a new version under an open tab: from a plain static host, below a path. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { stampServiceWorker } from '../../scripts/precache.mjs';
import { sizesOf, sum } from '../first-load';
import { expect, LabPage, test } from './page';
import { type StaticHost, staticHost } from './static-host';

let host: StaticHost;
test.beforeEach(async () => {
  host = await staticHost('dist');
});
test.afterEach(() => host.close());

const isReady = (page: Page) => expect(page.getByText('offline ready')).toBeVisible({ timeout: 30_000 });

/** Simulates another build: renames every file under assets/, as if its contents had changed. */
function nextVersion(): string {
  const folder = mkdtempSync(join(tmpdir(), 'lab-next-'));
  cpSync('dist', folder, { recursive: true, filter: (path) => !path.endsWith('.map') && !/guests\/(?!memlab|index)./.test(path) });
  const assets = readdirSync(join(folder, 'assets'));
  const renamed = (name: string): string => name.replace(/^([A-Za-z.]+)-/, '$1-next');
  for (const path of ['index.html', ...assets.filter((name) => !name.endsWith('.wasm')).map((name) => `assets/${name}`)]) {
    const text = assets.reduce((all, name) => all.replaceAll(name, renamed(name)), readFileSync(join(folder, path), 'utf8'));
    writeFileSync(join(folder, path), text);
  }
  for (const name of assets) renameSync(join(folder, 'assets', name), join(folder, 'assets', renamed(name)));
  stampServiceWorker(folder);
  return folder;
}

const script = (page: Page) => page.evaluate(() => document.querySelector<HTMLScriptElement>('script[type=module]')?.src ?? '');
const caches = (page: Page) => page.evaluate(async () => (await window.caches.keys()).filter((name) => !name.endsWith(' guests')).length);

/** Starts a new worker from the files that this tab was opened with; its console starts empty. */
async function bootAgain(lab: LabPage): Promise<void> {
  await lab.shell('uptime');
  await lab.page.getByRole('button', { name: /choose another guest/ }).click();
  await lab.page.getByRole('button', { name: 'Boot', exact: true }).click();
  await expect.poll(() => lab.consoleText(), { timeout: 30_000 }).not.toContain('uptime');
  await lab.consoleEndsWith(/lab> $/);
  expect(await lab.shell('mem')).toContain('boot memory');
}

test('after the first load the page starts and the guest boots without a network', async ({ lab, page, context }) => {
  await lab.open(host.address);
  await isReady(page);
  host.close();
  await context.setOffline(true);
  await page.reload();
  await lab.consoleEndsWith(/lab> $/);
  expect(await lab.shell('mem')).toContain('boot memory');
  await isReady(page);
  expect(lab.errors).toEqual([]);
});

test('guests that were used before boot without a network too', async ({ lab, page, context }) => {
  await lab.open(host.address);
  await isReady(page);
  const list = () => page.evaluate(async () => (await fetch('guests/index.json')).text());
  const online = await list();
  await context.setOffline(true);
  host.close();
  expect(await list()).toBe(online);
  const refused = await page.evaluate(() => fetch('guests/never-used.bin').catch(() => 'no network'));
  expect(refused).toBe('no network');

  // The picker offers the guests that can boot now; the others give the reason.
  await page.getByRole('button', { name: /choose another guest/ }).click();
  const picker = page.getByRole('dialog', { name: 'Boot a guest' });
  await expect(picker.getByRole('radio', { name: /^memlab\b/ })).toBeEnabled();
  for (const { name } of (JSON.parse(online) as { name: string }[]).filter((guest) => guest.name !== 'memlab')) {
    const kept = picker.locator(`input[value="${name}"]`);
    await expect(kept).toBeDisabled();
    await expect(picker.locator('label').filter({ has: page.locator(`input[value="${name}"]`) })).toContainText(
      'No network, and this browser has not stored it: boot it once with a network.',
    );
  }
});

test('a new version leaves old tabs intact, is announced, and is installed on request', async ({ lab, page, context }) => {
  test.setTimeout(180_000);
  const next = nextVersion();
  try {
    await lab.open(host.address);
    await isReady(page);
    const second = new LabPage(await context.newPage());
    await second.open(host.address);
    const old = await script(page);

    host.serve(next);
    await page.evaluate(async () => void (await (await navigator.serviceWorker.ready).update()));
    await expect(page.getByText('New version ready.')).toBeVisible({ timeout: 30_000 });
    // The server no longer has the old files, and the old tab restarts its worker.
    await bootAgain(lab);
    await second.page.reload();
    await second.consoleEndsWith(/lab> $/);
    expect(await script(second.page)).toBe(old);

    await page.getByRole('button', { name: 'Reload' }).click();
    await expect.poll(() => script(page).catch(() => old), { timeout: 30_000 }).toMatch(/assets\/index-next/);
    await lab.consoleEndsWith(/lab> $/);
    await bootAgain(second);
    expect(await caches(page)).toBe(2);

    await second.page.close();
    await page.reload();
    await lab.consoleEndsWith(/lab> $/);
    await expect.poll(() => caches(page)).toBe(1);
    expect(lab.errors).toEqual([]);
  } finally {
    rmSync(next, { recursive: true });
  }
});

test('the next visit installs a waiting version, if no other tab is open', async ({ lab, page }) => {
  const next = nextVersion();
  try {
    await lab.open(host.address);
    await isReady(page);
    host.serve(next);
    await page.evaluate(async () => void (await (await navigator.serviceWorker.ready).update()));
    await expect(page.getByText('New version ready.')).toBeVisible({ timeout: 30_000 });
    await page.goto('about:blank');
    await page.goto(host.address);
    await expect.poll(() => script(page).catch(() => ''), { timeout: 30_000 }).toMatch(/assets\/index-next/);
    await lab.consoleEndsWith(/lab> $/);
  } finally {
    rmSync(next, { recursive: true });
  }
});

test('a version with one changed file is not installed', async ({ lab, page }) => {
  const next = nextVersion();
  try {
    writeFileSync(join(next, 'favicon.svg'), '<svg xmlns="http://www.w3.org/2000/svg"/>');
    await lab.open(host.address);
    await isReady(page);
    const old = await script(page);
    host.serve(next);
    const ended = page.evaluate(async () => {
      const registration = await navigator.serviceWorker.ready;
      const installing = new Promise<ServiceWorker | null>((resolve) => {
        registration.addEventListener('updatefound', () => resolve(registration.installing));
      });
      await registration.update().catch(() => {});
      const worker = await installing;
      return new Promise<string>((resolve) => {
        const look = () => worker && /redundant|installed/.test(worker.state) && resolve(worker.state);
        worker?.addEventListener('statechange', look);
        look();
      });
    });
    expect(await ended).toBe('redundant');
    await page.reload();
    await lab.consoleEndsWith(/lab> $/);
    expect(await script(page)).toBe(old);
  } finally {
    rmSync(next, { recursive: true });
  }
});

test('the first load is under 530 KB, compressed and without guests, including the files kept for offline use', async ({ lab, page }) => {
  await lab.open(host.address);
  await isReady(page);
  const sizes = sizesOf('dist', host.served);
  for (const kind of ['.html', '.js', '.css', '.wasm']) expect(sizes.some(({ name }) => name.endsWith(kind))).toBe(true);
  expect(sum(sizes), sizes.map(({ name, compressed }) => `${compressed} ${name}`).join(', ')).toBeLessThan(530_000);
});
