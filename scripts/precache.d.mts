export function precacheOf(folder: string): { version: string; files: Record<string, string> };
export function stampServiceWorker(folder: string): void;
