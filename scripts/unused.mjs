// Unused exports: those whose name occurs nowhere in the project except in its own declaration.
import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { readSources } from './sources.mjs';
import { root } from './steps.mjs';

const declaration =
  /^export (?:declare )?(?:abstract )?(?:async )?(?:function\*?|const|let|class|interface|type|enum) ([A-Za-z_$][\w$]*)/gm;
const word = /[A-Za-z_$][\w$]*/g;
/** Type declarations of scripts repeat the scripts' own names. */
const repeats = (file) => file.endsWith('.d.mts');
/** Layouts of memory and hardware are listed completely, used or not. */
const isLayout = (file) => file.startsWith('engine/abi/');

/** Unused exports among the sources ({ path: text }), as one line each. Words in comments count as uses: the rule is a heuristic, not a proof. */
export function unusedExports(sources) {
  const uses = new Map();
  for (const [file, text] of Object.entries(sources)) {
    if (!repeats(file)) for (const [name] of text.matchAll(word)) uses.set(name, (uses.get(name) ?? 0) + 1);
  }
  return Object.entries(sources).flatMap(([file, text]) =>
    repeats(file) || isLayout(file)
      ? []
      : [...text.matchAll(declaration)]
          .filter(([, name]) => uses.get(name) === 1)
          .map(([, name]) => `${file} exports ${name}, which nothing uses`),
  );
}

export function checkUnused() {
  const names = /\.(ts|mts|mjs|svelte)$/;
  const sources = readSources(['app', 'engine', 'guests', 'scripts', 'test'], names);
  for (const file of readdirSync(root)) if (names.test(file)) sources[file] = readFileSync(resolve(root, file), 'utf8');
  return unusedExports(sources);
}
