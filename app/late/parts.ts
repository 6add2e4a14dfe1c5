/** The parts of the page that a first visit does not wait for. All are loaded soon afterwards, so that they are ready when needed. */
import { Late } from '../shared/late.svelte';

const component = <Part>(fetch: () => Promise<{ default: Part }>): Late<Part> =>
  new Late(fetch, (module: { default: Part }) => module.default);

export const late = {
  index: component(() => import('../panes/index/IndexPanel.svelte')),
  walk: component(() => import('../panes/page-walk/PageWalkPanel.svelte')),
  live: component(() => import('../panes/live/LivePanel.svelte')),
  cpu: component(() => import('../panes/registers/CpuPane.svelte')),
  breakpoints: component(() => import('../panes/debug/BreakpointsPanel.svelte')),
  trace: component(() => import('../panes/trace/TracePanel.svelte')),
  guides: component(() => import('../panes/guides/Guides.svelte')),
  keys: component(() => import('../panes/workspace/Keys.svelte')),
  share: component(() => import('../panes/head/Share.svelte')),
  picker: component(() => import('../panes/head/GuestPicker.svelte')),
};

/** Loads one after another, each when the page is idle. */
export async function prepareAll(): Promise<void> {
  for (const part of Object.values(late)) {
    await idle();
    await part.prepare();
  }
}

/** ms: on a machine that is never idle they are loaded anyway. */
const PATIENCE = 500;

const idle = (): Promise<void> =>
  new Promise((resolve) => {
    // WebKit has no such callback.
    if ('requestIdleCallback' in globalThis) requestIdleCallback(() => resolve(), { timeout: PATIENCE });
    else setTimeout(resolve, PATIENCE / 10);
  });
