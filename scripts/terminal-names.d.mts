import type { Plugin } from 'vite';

export function shortNames(code?: string): Promise<{ code: string; map: string }>;
export function terminalNames(): Plugin;
