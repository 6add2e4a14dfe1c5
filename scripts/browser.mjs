// Finds a Chromium for the tests: LAB_BROWSER, the PATH, the usual places, Playwright's own, and finally Debian's package.
import { existsSync } from 'node:fs';
import { canInstallPackages, installPackages, output, UserError } from './steps.mjs';

const onPath = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome', 'microsoft-edge-stable'];
const usualPlaces = [
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/opt/google/chrome/chrome',
];

/** No sandbox: tests also run as root in containers. The rest keeps the browser off the network. */
export const browserArgs = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

async function answers(path) {
  // Some distributions ship a stub in place of the browser: only one that prints its version counts.
  return /\d+\.\d+/.test((await output(path, ['--version'])) ?? '');
}

async function playwrightsOwn() {
  try {
    const { chromium } = await import('@playwright/test');
    const path = chromium.executablePath();
    return path && existsSync(path) ? path : undefined;
  } catch {
    return undefined;
  }
}

/** The path of a browser that starts. `install`: apt-get may install one if possible. */
export async function findBrowser({ install = false } = {}) {
  const chosen = process.env.LAB_BROWSER;
  if (chosen) {
    if (await answers(chosen)) return chosen;
    throw new UserError(`LAB_BROWSER=${chosen} does not start; name a Chromium that does, or unset it`);
  }
  for (const name of onPath) if (await answers(name)) return (await output('which', [name]))?.trim() || name;
  for (const path of usualPlaces) if (existsSync(path) && (await answers(path))) return path;
  const own = await playwrightsOwn();
  if (own) return own;
  if (install && (await canInstallPackages())) {
    await installPackages(['chromium']);
    return findBrowser();
  }
  throw new UserError(
    'no Chromium found for the page tests: install one (Debian: apt-get install chromium; elsewhere: npx playwright install chromium) or set LAB_BROWSER=/path/to/it',
  );
}
