export const browserArgs: string[];
export function findBrowser(options?: { install?: boolean }): Promise<string>;
