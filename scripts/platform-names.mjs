// Every name of the DOM and of the language, as TypeScript's libraries know them: no property that has one of these names may get another.
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { root } from './steps.mjs';

export const words = (text) => text.match(/[\w$]+/g) ?? [];

export function platformNames() {
  const folder = resolve(root, 'node_modules/typescript/lib');
  const files = readdirSync(folder).filter((name) => /^lib\.(?:dom|es[\w.]+)\.d\.ts$/.test(name));
  return files.flatMap((name) => words(readFileSync(resolve(folder, name), 'utf8')));
}

/** For esbuild's `mangleProps`. */
export const anyOf = (names) => new RegExp(`^(?:${[...names].map((name) => name.replaceAll('$', '\\$')).join('|')})$`);
