/** Buttons while no input may reach the machine: they can be focused, and give the reason why they are inactive. */
import { sentence } from '../shared/format';
import type { Lab } from './lab.svelte';

/** Attributes for a button whose action Lab refuses at the moment, with the reason. */
export const heldBy = (lab: Lab): { 'aria-disabled'?: true; title?: string } =>
  lab.held ? { 'aria-disabled': true, title: lab.held } : {};

/** Why the guest may not run on, or ''. In its past it may: there it replays the recorded input. */
export const heldFromRunning = (lab: Lab): string => (lab.debug.behind ? '' : lab.held);

export interface Greyed {
  onclick(): void;
  'aria-disabled'?: true;
  'data-yields'?: '';
  title?: string;
}

/**
 * Attributes for a button that cannot do its work now: `why` in words, '' where it can. It is greyed, but keeps its place for the keyboard; its reason
 * is read out with it, stands in its tooltip, and is said when it is pressed. If it has just done all its work it yields the focus (keep-focus.ts),
 * but not while it only has to wait: `held`.
 */
export function unless(lab: Lab, why: string, act: () => void, held = lab.held): Greyed {
  const reason = held || why;
  if (!reason) return { onclick: act };
  return {
    'aria-disabled': true,
    ...(held ? {} : { 'data-yields': '' }),
    title: reason,
    onclick: () => {
      if (!held || !lab.refuses()) lab.say({ text: sentence(reason) });
    },
  };
}

/** Why there is no machine to do anything with, or ''. */
export const absent = (lab: Lab): string =>
  lab.phase === 'ready' ? '' : lab.phase === 'stopped' ? 'The machine has ended.' : 'The machine is not there yet: it is being loaded.';

/** Why no single instruction can be run now, or ''. */
export function unsteppable(lab: Lab): string {
  const run = lab.state?.run;
  if (!run || lab.phase === 'stopped') return absent(lab);
  if (run === 'paused') return '';
  return run === 'running' ? 'The guest runs: stop it first.' : 'The guest has ended: Reset starts it again.';
}
