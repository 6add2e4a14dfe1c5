// What `npm pack` packs (package.json calls this as "prepack"): lib/ with the memslot engine and the machine for scripts, their types, the core, memlab.
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import ts from 'typescript';
import { build } from 'vite';
import { programId } from './program.mjs';
import { main, root, tsx, UserError } from './steps.mjs';

const lib = resolve(root, 'lib');
const entries = { memory: 'engine/memory/index.ts', machine: 'engine/library/index.ts' };

/** Both entry points as ES modules; shared code is a separate chunk. Node's own modules stay imports. */
function bundle() {
  return build({
    configFile: false,
    root,
    logLevel: 'warn',
    define: { __LAB_PROGRAM__: JSON.stringify(programId()) },
    build: {
      outDir: lib,
      emptyOutDir: false,
      copyPublicDir: false,
      target: 'es2023',
      minify: false,
      lib: { entry: entries, formats: ['es'] },
      rolldownOptions: { external: /^node:/, output: { entryFileNames: '[name].js', chunkFileNames: 'shared-[hash].js' } },
    },
  });
}

/** Declarations of everything the entry points export, in the tree's own folders. */
function declare() {
  const file = resolve(root, 'tsconfig.json');
  const { config } = ts.parseConfigFileTextToJson(file, readFileSync(file, 'utf8'));
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root);
  const program = ts.createProgram(Object.values(entries), {
    ...options,
    types: ['node'],
    noEmit: false,
    declaration: true,
    emitDeclarationOnly: true,
    rootDir: resolve(root, 'engine'),
    outDir: join(lib, 'types'),
  });
  const { diagnostics } = program.emit();
  if (diagnostics.length > 0) throw new UserError(ts.formatDiagnostics(diagnostics, ts.createCompilerHost(options)));
}

/** Node does not resolve './x': declarations name './x.js' or './x/index.js', as `moduleResolution: nodenext` requires. */
function nameFiles() {
  for (const entry of readdirSync(join(lib, 'types'), { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    const named = readFileSync(file, 'utf8').replace(/((?:from|import\()\s*['"])(\.[^'"]*)(?=['"])/g, (_all, before, path) => {
      const target = resolve(dirname(file), path);
      return `${before}${path}${existsSync(`${target}.d.ts`) ? '' : '/index'}.js`;
    });
    writeFileSync(file, named);
  }
}

/** The WebAssembly types that the declarations use. They belong to the DOM library, which a program for Node may lack; if present, both merge. */
const WASM = `declare namespace WebAssembly {
  interface Memory {}
  interface Module {}
  interface Table {}
}
`;

/** The declarations are self-contained: they need neither the DOM library nor another package's types. */
function declareWasm() {
  const door = join(lib, 'types/library/index.d.ts');
  writeFileSync(join(lib, 'types/wasm.d.ts'), WASM);
  writeFileSync(door, `/// <reference path="../wasm.d.ts" />\n${readFileSync(door, 'utf8')}`);
}

await main(async () => {
  if (!existsSync(resolve(root, 'node_modules/vite'))) throw new UserError('nothing is installed yet: npm run setup');
  if ((await tsx('scripts/build-core.ts', [], { stdio: ['ignore', 2, 2] })) !== 0)
    throw new UserError('the wasm core does not build (see above)');
  rmSync(lib, { recursive: true, force: true });
  mkdirSync(lib);
  await bundle();
  declare();
  nameFiles();
  declareWasm();
  copyFileSync(resolve(root, 'build/core.wasm'), join(lib, 'core.wasm'));
  copyFileSync(resolve(root, 'guests/memlab/memlab.elf'), join(lib, 'memlab.elf'));
});
