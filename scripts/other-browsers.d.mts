export function findFirefox(): Promise<string | undefined>;
export function findWebKit(): Promise<{ driver: string; browser: string } | undefined>;
export function bringOtherBrowsers(): Promise<void>;
