// Short names for what only xterm.js itself uses of its objects. Its package keeps them long, and no minifier of a whole page may shorten properties.
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import esbuild from 'esbuild';
import ts from 'typescript';
import { anyOf, platformNames, words } from './platform-names.mjs';
import { root } from './steps.mjs';
import { withoutUnused } from './terminal-unused.mjs';

const XTERM = resolve(root, 'node_modules/@xterm/xterm/lib/xterm.mjs');
/** Its interface, and a script that reaches behind it. */
const PUBLIC = ['@xterm/xterm/typings/xterm.d.ts', '@xterm/addon-fit/lib/addon-fit.mjs'];
/** Node's; everything else outside xterm.js is in TypeScript's libraries. */
const ELSEWHERE = ['env'];
/** Shorter ones save nothing, and are the keys of its tables of characters. */
const LEAST = 3;

const read = (path) => readFileSync(path, 'utf8');

/** The left side of `this.name = value`. */
const isSet = (node) =>
  ts.isPropertyAccessExpression(node) &&
  ts.isBinaryExpression(node.parent) &&
  node.parent.left === node &&
  node.parent.operatorToken.kind === ts.SyntaxKind.EqualsToken;

/** The names that `code` gives to properties, and the texts in it: any of these may be the name of a property too. */
function namesIn(code) {
  const names = new Set();
  const texts = new Set();
  const visit = (node) => {
    if (ts.isStringLiteralLike(node)) texts.add(node.text);
    const given = ts.isClassElement(node) || ts.isObjectLiteralElement(node) || isSet(node);
    if (given && node.name && ts.isIdentifier(node.name)) names.add(node.name.text);
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile(XTERM, code, ts.ScriptTarget.Latest, true, ts.ScriptKind.JS));
  return { names, texts };
}

/** xterm.js, without what nothing uses, and its source map. */
export async function shortNames(code = read(XTERM)) {
  const others = PUBLIC.flatMap((path) => words(read(resolve(root, 'node_modules', path))));
  const elsewhere = new Set([...platformNames(), ...others, ...ELSEWHERE]);
  const used = withoutUnused(code, elsewhere);
  const { names, texts } = namesIn(used);
  const kept = new Set([...elsewhere, ...texts]);
  const short = [...names].filter((name) => name.length >= LEAST && !kept.has(name));
  const { code: shorter, map } = await esbuild.transform(used, {
    mangleProps: anyOf(short),
    minify: true,
    treeShaking: true,
    format: 'esm',
    target: 'es2023',
    legalComments: 'none',
    sourcemap: 'external',
    sourcefile: 'xterm.mjs',
  });
  return { code: shorter, map };
}

/** For Vite: not in development, where nothing is minified. */
export const terminalNames = () => ({
  name: 'terminal-names',
  apply: 'build',
  transform: { filter: { id: /@xterm\/xterm\/lib\/xterm\.mjs$/ }, handler: (code) => shortNames(code) },
});
