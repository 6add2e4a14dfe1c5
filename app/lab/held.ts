/** Buttons while nothing may reach the machine: they can be focused, and say why they do nothing. */
import type { Lab } from './lab.svelte';

/** Attributes for a button whose action Lab refuses meanwhile, with the reason. */
export const heldBy = (lab: Lab): { 'aria-disabled'?: true; title?: string } =>
  lab.held ? { 'aria-disabled': true, title: lab.held } : {};
