export const USUAL: number;
export function choosePort(args: readonly string[], usual?: number): Promise<number>;
