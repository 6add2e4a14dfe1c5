export function untypedFiles(files: readonly string[], config: object): string[];
export function checkTyped(): string[];
export function projectFiles(top?: string): Generator<string>;
