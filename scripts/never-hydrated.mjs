// The page is never hydrated: no server draws a part of it first. Svelte asks at each element whether it is, in a variable that hydrating would set. As a
// constant the answer, and all that would follow from another one, is left out by the minifier.
const VARIABLE = 'export let hydrating = false;';
const SET = 'hydrating = value;';

/** Of Svelte's module about hydration. */
export function neverHydrated(code) {
  if (!code.includes(VARIABLE) || !code.includes(SET))
    throw new Error(`svelte: no "${VARIABLE}" and "${SET}" in its module about hydration`);
  // Only what is left out calls the function that sets it, with what it already is.
  return code.replace(VARIABLE, VARIABLE.replace('let', 'const')).replace(SET, '');
}

/** For Vite. */
export const withoutHydration = () => ({
  name: 'without-hydration',
  apply: 'build',
  transform: {
    filter: { id: /\/svelte\/src\/internal\/client\/dom\/hydration\.js$/ },
    handler: (code) => ({ code: neverHydrated(code), map: null }),
  },
});
