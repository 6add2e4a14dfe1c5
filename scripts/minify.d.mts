import type { Plugin } from 'vite';

export function minified(): Plugin[];
