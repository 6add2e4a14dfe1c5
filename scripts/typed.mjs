// Checks that every TypeScript file is type-checked. tsconfig.json names folders; only esbuild would compile a file outside of them.
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, resolve, sep } from 'node:path';
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

/** Folders without sources of the project: installed, built or downloaded files. */
const NO_SOURCES = new Set(['node_modules', 'build', 'dist', 'lib', 'public', 'test-results', 'playwright-report']);

/** Every TypeScript file of the project at `top`, as paths from there. */
export function* projectFiles(top = root) {
  for (const entry of readdirSync(top, { withFileTypes: true })) {
    if (!entry.isDirectory()) {
      if (entry.name.endsWith('.ts')) yield entry.name;
    } else if (!entry.name.startsWith('.') && !NO_SOURCES.has(entry.name)) {
      for (const file of filesBelow(join(top, entry.name))) yield relative(top, file).split(sep).join('/');
    }
  }
}

/** Every TypeScript file of the project that is not type-checked. */
export function checkTyped() {
  const { config } = ts.parseConfigFileTextToJson('tsconfig.json', readFileSync(resolve(root, 'tsconfig.json'), 'utf8'));
  return untypedFiles([...projectFiles()], config);
}
