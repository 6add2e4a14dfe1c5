export function withoutUnused(code: string, elsewhere: ReadonlySet<string>): string;
