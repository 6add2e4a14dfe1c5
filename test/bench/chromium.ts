/** Contenders in a real Chromium: v86 in its page, this project's machine in a worker. Also measures commits there. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type Page } from '@playwright/test';
import { build, preview } from 'vite';
import { browserArgs, findBrowser } from '../../scripts/browser.mjs';
import type { Bench } from './browser/page';
import type { CommitCost } from './commit-cost';
import type { Contender } from './contender';
import { BUILD, CORE } from './files';

declare const window: { bench: Bench };

const FOLDER = fileURLToPath(new URL('browser', import.meta.url));
const PORT = Number(process.env.LAB_PORT ?? 4194);

async function serve(images: { 32?: Uint8Array; 64: Uint8Array }): Promise<void> {
  const outDir = join(BUILD, 'bench-page');
  const files = join(BUILD, 'bench-files');
  mkdirSync(files, { recursive: true });
  copyFileSync(CORE, join(files, 'core.wasm'));
  if (images[32]) writeFileSync(join(files, 'image32.elf'), images[32]);
  writeFileSync(join(files, 'image64.elf'), images[64]);
  const config = { configFile: false, root: FOLDER, publicDir: files, logLevel: 'error' } as const;
  const built = { outDir, emptyOutDir: true, target: 'es2023', assetsInlineLimit: 0 };
  await build({ ...config, build: built, worker: { format: 'es' }, define: { __LAB_PROGRAM__: '"bench"' } });
  await preview({ ...config, build: built, preview: { port: PORT, strictPort: true } });
}

async function open(): Promise<{ browser: Browser; page: Page }> {
  const browser = await chromium.launch({ executablePath: await findBrowser(), args: browserArgs });
  const page = await browser.newPage();
  await page.goto(`http://localhost:${PORT}/`);
  await page.waitForFunction(() => 'bench' in window);
  return { browser, page };
}

/** v86 first, then ours, one per tier. `version` is Chromium's. */
export async function startChromium(
  images: { 32: Uint8Array; 64: Uint8Array },
  tiers: readonly string[],
): Promise<{ contenders: Contender[]; version: string }> {
  await serve(images);
  const contenders: Contender[] = [];
  let version = '';
  for (const kind of ['v86', ...tiers]) {
    const { browser, page } = await open();
    version = browser.version();
    const { number, name } = await page.evaluate((which) => window.bench.start(which), kind);
    contenders.push({
      name: `Chromium: ${name}`,
      run: (letter) => page.evaluate(([which, workload]) => window.bench.run(which, workload), [number, letter] as const),
      close: () => browser.close(),
    });
  }
  return { contenders, version };
}

export async function commitsInChromium(image: Uint8Array, accel: string, rounds: number): Promise<CommitCost[]> {
  await serve({ 64: image });
  const { browser, page } = await open();
  try {
    return await page.evaluate(([tier, count]) => window.bench.commits(tier, count), [accel, rounds] as const);
  } finally {
    await browser.close();
  }
}
