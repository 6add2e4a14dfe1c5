/** What a browser fetches on its first visit, by size. Guests and source maps are not counted. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

/** Scripts that the page does without until its guest runs: neither its own nor its worker's. Matches paths and addresses. */
export const COMES_LATER = /\bassets\/(?!index-|entry-)[^/]+\.js(?:\?.*)?$/;

const isCounted = (name: string): boolean => !name.startsWith('guests/') && !name.endsWith('.map');

export interface Size {
  name: string;
  bytes: number;
  /** by gzip -9 */
  compressed: number;
}

/** Of the names (paths in the built page's folder) those that count, with their sizes. */
export function sizesOf(folder: string, names: Iterable<string>): Size[] {
  return [...names].filter(isCounted).map((name) => {
    const content = readFileSync(join(folder, name));
    return { name, bytes: content.length, compressed: gzipSync(content, { level: 9 }).length };
  });
}

export const sum = (sizes: readonly Size[], of: 'bytes' | 'compressed' = 'compressed'): number =>
  sizes.reduce((total, size) => total + size[of], 0);

/** Up to the guest's prompt, and everything that the service worker keeps for use without a network. */
export function firstLoad(folder: string): { atPrompt: Size[]; all: Size[] } {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(join(folder, '/').length).replaceAll('\\', '/'));
  const all = sizesOf(folder, files);
  return { atPrompt: all.filter(({ name }) => name !== 'sw.js' && !COMES_LATER.test(name)), all };
}
