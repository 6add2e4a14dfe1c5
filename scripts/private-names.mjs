// Short names in the worker's script for what TypeScript's `private` keeps inside of a class. The minifiers leave names of properties alone, as these may
// be looked up in ways that they do not see. A name that the engine only ever gives to private members is not.
import { resolve } from 'node:path';
import esbuild from 'esbuild';
import ts from 'typescript';
import { normalizePath } from 'vite';
import { anyOf, platformNames } from './platform-names.mjs';
import { readSources } from './sources.mjs';
import { root } from './steps.mjs';

const isPrivate = (node) => (ts.getCombinedModifierFlags(node) & ts.ModifierFlags.Private) !== 0;

/** `constructor(public name)` declares a member too. */
const isMember = (node) =>
  ts.isClassElement(node) ||
  ts.isTypeElement(node) ||
  ts.isObjectLiteralElement(node) ||
  ts.isEnumMember(node) ||
  ts.isParameterPropertyDeclaration(node, node.parent);

/** The names that only private members have in these sources, and that are no text in them either. `known`: names that others read. */
export function privateNames(sources, known = []) {
  const inside = new Set();
  const elsewhere = new Set(known);
  const visit = (node) => {
    if (ts.isStringLiteralLike(node)) elsewhere.add(node.text);
    else if (ts.isBindingElement(node)) elsewhere.add((node.propertyName ?? node.name).text);
    else if (isMember(node) && node.name) (isPrivate(node) ? inside : elsewhere).add(node.name.text);
    ts.forEachChild(node, visit);
  };
  for (const source of sources) visit(ts.createSourceFile('source.ts', source, ts.ScriptTarget.Latest, true));
  return [...inside].filter((name) => !elsewhere.has(name));
}

/** What Vite and Rolldown add to a script is nobody's file. */
const isOfEngine = (id) => id.startsWith('\0') || id.startsWith(`${normalizePath(resolve(root, 'engine'))}/`);

/** For Vite, among the plugins of the worker, and before the minifiers. */
export const shortPrivateNames = () => ({
  name: 'short-private-names',
  apply: 'build',
  renderChunk: {
    order: 'post',
    handler(code, { moduleIds }) {
      const other = moduleIds.find((id) => !isOfEngine(id));
      if (other) throw new Error(`${other}: the worker has short names only for what is private in engine/`);
      const sources = Object.values(readSources(['engine'], /(?<!\.test)\.ts$/));
      const mangleProps = anyOf(privateNames(sources, platformNames()));
      return esbuild.transform(code, { mangleProps, format: 'esm', target: 'es2023', sourcemap: 'external' });
    },
  },
});
