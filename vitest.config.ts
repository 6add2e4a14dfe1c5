import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['engine/**/*.test.ts', 'app/**/*.test.ts', 'guests/**/*.test.ts', 'scripts/**/*.test.ts', 'test/**/*.test.ts'],
    exclude: ['test/e2e/**', 'node_modules/**'],
    environment: 'node',
    // Guests run real instructions: minutes on a busy machine, seconds on an idle one.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
    forceRerunTriggers: [],
  },
});
