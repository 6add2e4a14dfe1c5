import { defineConfig } from '@playwright/test';
import { browserArgs, findBrowser } from './scripts/browser.mjs';

/** LAB_PORT: a different port, for a second checkout on the same machine. */
const PORT = Number(process.env.LAB_PORT ?? 4173);

/** The built page (`npx vite build` first) in a real Chromium: LAB_BROWSER names one, otherwise scripts/browser.mjs finds one. */
export default defineConfig({
  testDir: 'test/e2e',
  outputDir: 'test-results',
  timeout: 90_000,
  expect: { timeout: 15_000 },
  // On two cores, guests that run at the same time would disturb each other's timings.
  workers: 1,
  forbidOnly: Boolean(process.env.CI),
  use: {
    baseURL: `http://localhost:${PORT}/`,
    viewport: { width: 1440, height: 900 },
    permissions: ['clipboard-read', 'clipboard-write'],
    trace: 'retain-on-failure',
    launchOptions: { executablePath: await findBrowser(), args: browserArgs },
  },
  webServer: {
    command: `node node_modules/vite/bin/vite.js preview --port ${PORT}`,
    url: `http://localhost:${PORT}/`,
    reuseExistingServer: !process.env.CI,
  },
});
