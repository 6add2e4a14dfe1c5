/** Where the benchmarks' parts lie on disk. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const v86Package = createRequire(import.meta.url).resolve('v86/package.json');
export const v86Version: string = JSON.parse(readFileSync(v86Package, 'utf8')).version;
export const v86Wasm = join(dirname(v86Package), 'build/v86.wasm');

export const BUILD = fileURLToPath(new URL('../../build', import.meta.url));
export const CORE = join(BUILD, 'core.wasm');
export const read = (path: string): Uint8Array<ArrayBuffer> => new Uint8Array(readFileSync(path));
