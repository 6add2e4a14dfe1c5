export const layers: Readonly<Record<string, readonly string[]>>;
export function layerBreaches(sources: Readonly<Record<string, string>>): string[];
export function checkLayers(): string[];
