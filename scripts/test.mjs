// npm test: sets everything up, then check, unit and guest tests, the build, and the page in a real browser.
// `npm test -- unit` or `-- e2e` or `-- check` runs one part.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { findBrowser } from './browser.mjs';
import { bringOtherBrowsers } from './other-browsers.mjs';
import { setup } from './setup.mjs';
import { main, must, root, run, say, UserError } from './steps.mjs';

const bin = (path) => resolve(root, 'node_modules', path);
const report = (name) => resolve(root, `build/${name}.json`);

async function unit() {
  const file = report('vitest');
  const status = await run(process.execPath, [
    bin('vitest/vitest.mjs'),
    'run',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${file}`,
  ]);
  const { numPassedTests: passed = 0, numFailedTests: failed = 0, numPendingTests: skipped = 0 } = JSON.parse(readFileSync(file, 'utf8'));
  return { status, passed, failed, skipped };
}

async function e2e(browser) {
  say('building the page');
  await must(process.execPath, [bin('vite/bin/vite.js'), 'build', '--logLevel', 'warn']);
  const file = report('playwright');
  const env = { ...process.env, LAB_BROWSER: browser, PLAYWRIGHT_JSON_OUTPUT_NAME: file };
  const status = await run(process.execPath, [bin('@playwright/test/cli.js'), 'test', '--reporter=list,json'], { env });
  const { stats = {} } = JSON.parse(readFileSync(file, 'utf8'));
  return { status, passed: (stats.expected ?? 0) + (stats.flaky ?? 0), failed: stats.unexpected ?? 0, skipped: stats.skipped ?? 0 };
}

const parts = ['check', 'unit', 'e2e'];

await main(async () => {
  const wanted = process.argv.slice(2);
  const unknown = wanted.find((name) => !parts.includes(name));
  if (unknown) throw new UserError(`npm test -- ${unknown}: there is no such part; parts are ${parts.join(', ')}`);
  const wants = (part) => wanted.length === 0 || wanted.includes(part);

  await setup({ guests: ['memtest86+'], wishes: ['linux', 'linux-kvm'], compiler: true });
  const browser = wants('e2e') ? await findBrowser({ install: true }) : undefined;
  if (browser) await bringOtherBrowsers();

  const results = [];
  if (wants('check')) {
    const status = await run(process.execPath, ['scripts/check.mjs']);
    results.push({ status, passed: status === 0 ? 1 : 0, failed: status === 0 ? 0 : 1, skipped: 0 });
  }
  if (wants('unit')) results.push(await unit());
  if (browser) results.push(await e2e(browser));

  const total = (key) => results.reduce((sum, result) => sum + result[key], 0);
  console.log(`${total('passed')} passed, ${total('failed')} failed${total('skipped') ? `, ${total('skipped')} skipped` : ''}`);
  return results.some((result) => result.status !== 0) ? 1 : 0;
});
