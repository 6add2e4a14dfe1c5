export function programId(): string;
