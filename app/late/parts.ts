/** The parts of the page that a first visit does not wait for. They are loaded soon afterwards, so that they are ready when needed. */
import { Late } from '../shared/late.svelte';
import { lateFile } from './file';

export const late = {
  index: new Late(lateFile, ({ Index }) => Index),
  walk: new Late(lateFile, ({ Walk }) => Walk),
  live: new Late(lateFile, ({ Live }) => Live),
  cpu: new Late(lateFile, ({ Cpu }) => Cpu),
  breakpoints: new Late(lateFile, ({ Breakpoints }) => Breakpoints),
  trace: new Late(lateFile, ({ Trace }) => Trace),
  guides: new Late(lateFile, ({ Guides }) => Guides),
  keys: new Late(lateFile, ({ Keys }) => Keys),
  share: new Late(lateFile, ({ Share }) => Share),
  picker: new Late(lateFile, ({ Picker }) => Picker),
};

/** Loads them when the page is idle. */
export async function prepareAll(): Promise<void> {
  await idle();
  await Promise.all(Object.values(late).map((part) => part.prepare()));
}

/** ms: on a machine that is never idle they are loaded anyway. */
const PATIENCE = 500;

const idle = (): Promise<void> =>
  new Promise((resolve) => {
    // WebKit has no such callback.
    if ('requestIdleCallback' in globalThis) requestIdleCallback(() => resolve(), { timeout: PATIENCE });
    else setTimeout(resolve, PATIENCE / 10);
  });
