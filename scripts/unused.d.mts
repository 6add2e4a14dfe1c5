export function unusedExports(sources: Readonly<Record<string, string>>): string[];
export function checkUnused(): string[];
