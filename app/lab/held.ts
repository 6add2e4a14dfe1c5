/** Buttons while no input may reach the machine: they can be focused, and give the reason why they are inactive. */
import type { Lab } from './lab.svelte';

/** Attributes for a button whose action Lab refuses at the moment, with the reason. */
export const heldBy = (lab: Lab): { 'aria-disabled'?: true; title?: string } =>
  lab.held ? { 'aria-disabled': true, title: lab.held } : {};

/** The same for buttons that run the guest, which in its past replay the recorded input. */
export const heldFromRunning = (lab: Lab): { 'aria-disabled'?: true; title?: string } => (lab.debug.behind ? {} : heldBy(lab));
