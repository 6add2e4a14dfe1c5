/** Where the benchmarks' parts lie on disk. */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const v86Package = createRequire(import.meta.url).resolve('v86/package.json');
export const v86Version: string = JSON.parse(readFileSync(v86Package, 'utf8')).version;
export const v86Wasm = join(dirname(v86Package), 'build/v86.wasm');

export const BUILD = fileURLToPath(new URL('../../build', import.meta.url));
export const CORE = join(BUILD, 'core.wasm');

/**
 * A core and what drives it. A core and its engine share a memory map (engine/abi), so a core in build/ of another checkout is driven by that
 * checkout's engine. Any other file is driven by this engine and must have its memory map.
 */
export function buildOf(core: string): { name: string; core: string; engine: string } {
  const file = resolve(core);
  const root = dirname(dirname(file));
  const own = join(root, 'test/bench/lab.ts');
  if (existsSync(own)) return { name: basename(root), core: file, engine: pathToFileURL(own).href };
  return { name: basename(file), core: file, engine: new URL('lab.ts', import.meta.url).href };
}
export const read = (path: string): Uint8Array<ArrayBuffer> => new Uint8Array(readFileSync(path));
