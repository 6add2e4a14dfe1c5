/** Loads the file of the late parts, once for all of them. */

/** A browser may remember that an address did not load (Firefox does): where its error names the address, the next try asks for another one. */
const ADDRESS = /https?:\/\/\S+?\.js/;

type All = typeof import('./all');

let loading: Promise<All> | undefined;
let address: string | undefined;
let tries = 0;

/** Rejects when it does not load; the next call tries again. */
export function lateFile(): Promise<All> {
  loading ??= load();
  return loading;
}

async function load(): Promise<All> {
  try {
    return await (address ? import(/* @vite-ignore */ `${address}?again=${++tries}`) : import('./all'));
  } catch (error) {
    address = ADDRESS.exec((error as Error).message)?.[0];
    loading = undefined;
    throw error;
  }
}
