import type { SpawnOptions } from 'node:child_process';

export function hideDecorators(text: string): string;
export function showDecorators(text: string): string;
export function sharedLines(file: string, text: string): string[];
export function checkDialect(options?: {
  sources?: Readonly<Record<string, string>>;
  write?: boolean;
  mirror?: string;
  options?: SpawnOptions;
}): Promise<number>;
