import type { Plugin } from 'vite';

export function neverHydrated(code: string): string;
export function withoutHydration(): Plugin;
