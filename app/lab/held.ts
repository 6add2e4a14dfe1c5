/** Buttons while nothing may reach the machine: they can be focused, and say why they do nothing. */
import type { Lab } from './lab.svelte';

/** Attributes for a button whose action Lab refuses meanwhile, with the reason. */
export const heldBy = (lab: Lab): { 'aria-disabled'?: true; title?: string } =>
  lab.held ? { 'aria-disabled': true, title: lab.held } : {};

/** The same for what runs the guest on: in its past it goes on with what came. */
export const heldFromRunning = (lab: Lab): { 'aria-disabled'?: true; title?: string } => (lab.debug.behind ? {} : heldBy(lab));
