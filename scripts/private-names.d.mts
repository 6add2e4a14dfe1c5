import type { Plugin } from 'vite';

export function privateNames(sources: readonly string[], known?: Iterable<string>): string[];
export function shortPrivateNames(): Plugin;
