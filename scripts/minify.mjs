// Minifies the built page's scripts twice: by Vite's own minifier (oxc), then by swc, which finds more that is never used or always the same. Both packed
// are smaller than either.
import swc from '@swc/core';
import { minify } from 'vite';

async function byOxc(code, { fileName }) {
  const { code: shorter, map, errors } = await minify(fileName, code, { module: true, sourcemap: true });
  if (errors.length) throw new Error(`${fileName}: ${errors[0].message}`);
  return { code: shorter, map };
}

/** Short functions are not copied to where they are called: calls pack better. */
const COMPRESS = { passes: 3, inline: 0, reduce_funcs: false, keep_fargs: false };

const bySwc = (code) => swc.minify(code, { module: true, ecma: 2022, compress: COMPRESS, mangle: true, sourceMap: true });

/** Vite minifies after files got their names. These are hashes of what is in them, so that a file with other contents has another name. */
const LATER = { output: { minify: false } };

/** For Vite: the page's scripts, and its worker's if the worker's plugins have it too. */
export const minified = () => [
  {
    name: 'minified',
    apply: 'build',
    config: () => ({ build: { minify: false, cssMinify: true, rolldownOptions: LATER }, worker: { rolldownOptions: LATER } }),
    renderChunk: { order: 'post', handler: byOxc },
  },
  { name: 'minified-again', apply: 'build', renderChunk: { order: 'post', handler: bySwc } },
];
