/** The one variable of Svelte that says whether the page is being hydrated. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { neverHydrated } from './never-hydrated.mjs';

const HYDRATION = resolve(import.meta.dirname, '../node_modules/svelte/src/internal/client/dom/hydration.js');

test("Svelte's answer is a constant, and nothing sets it", () => {
  const code = neverHydrated(readFileSync(HYDRATION, 'utf8'));
  expect(code).toContain('export const hydrating = false;');
  expect(code).not.toMatch(/\bhydrating =(?! false;)/);
});

test('another Svelte, whose variable is not where it is expected, is said', () => {
  expect(() => neverHydrated('let hydrating = false;')).toThrow('svelte: no "export let hydrating = false;"');
});
