// Checks that every TypeScript file is type-checked. tsconfig.json names folders; only esbuild would compile a file outside of them.
import { readFileSync } from 'node:fs';
import { relative, resolve, sep } from 'node:path';
import ts from 'typescript';
import { filesBelow } from './sources.mjs';
import { root } from './steps.mjs';

/** AssemblyScript: `asc` checks its types. Its tests are TypeScript. */
const isAssemblyScript = (file) => file.startsWith('engine/cpu/') && !file.endsWith('.test.ts');

/** Files that a configuration leaves out, as one line each. */
export function untypedFiles(files, config) {
  const { fileNames } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  const typed = new Set(fileNames.map((name) => relative(root, name).split(sep).join('/')));
  return files
    .filter((file) => !isAssemblyScript(file) && !typed.has(file))
    .map((file) => `${file} is not type-checked: tsconfig.json includes no folder that holds it`);
}

/** Every TypeScript file of the project that is not type-checked. */
export function checkTyped() {
  const { config } = ts.parseConfigFileTextToJson('tsconfig.json', readFileSync(resolve(root, 'tsconfig.json'), 'utf8'));
  return untypedFiles(
    ['app', 'engine', 'guests', 'scripts', 'test'].flatMap((folder) => [...filesBelow(folder)]),
    config,
  );
}
