// The layer rule: which folder may import which. An import that points upwards or sideways is a breach, and so is a circle in any folder.
import { circles, importGraph, importsOf } from './imports.mjs';
import { readSources } from './sources.mjs';

/** The layers shared by a Worker and a process at the terminal. */
const belowTheEnds = [
  'abi',
  'memory',
  'jit',
  'devices',
  'machine',
  'symbols',
  'trace',
  'debug',
  'monitor',
  'snapshot',
  'replay',
  'shell',
].map((name) => `engine/${name}`);
/** Each layer and the layers below it that it may import. */
export const layers = {
  'engine/abi': [],
  'engine/cpu': ['engine/abi'],
  'engine/memory': ['engine/abi'],
  'engine/jit': ['engine/abi', 'engine/memory'],
  'engine/devices': ['engine/abi', 'engine/memory'],
  'engine/machine': ['engine/abi', 'engine/memory', 'engine/jit', 'engine/devices'],
  'engine/symbols': ['engine/machine'],
  'engine/trace': ['engine/memory', 'engine/machine', 'engine/symbols'],
  'engine/debug': ['engine/abi', 'engine/memory', 'engine/jit', 'engine/devices', 'engine/machine'],
  'engine/monitor': [
    'engine/abi',
    'engine/memory',
    'engine/jit',
    'engine/devices',
    'engine/machine',
    'engine/symbols',
    'engine/trace',
    'engine/debug',
  ],
  'engine/snapshot': ['engine/abi', 'engine/memory', 'engine/jit', 'engine/devices', 'engine/machine'],
  'engine/replay': ['engine/abi', 'engine/memory', 'engine/jit', 'engine/devices', 'engine/machine', 'engine/monitor', 'engine/snapshot'],
  'engine/shell': belowTheEnds.filter((layer) => layer !== 'engine/shell'),
  'engine/worker': belowTheEnds,
  'engine/cli': belowTheEnds,
  // A script boots a machine with the same flags as a person at the terminal.
  'engine/library': [...belowTheEnds, 'engine/cli'],
  app: [],
};
/** The one file of the engine that the page may import; of other engine files only types. */
const pageMayImport = 'engine/worker/protocol';
/** The engine runs in a Worker, in Node and in tests, and may not depend on any of them. */
const namesOfTheDom = /(?<![.\w'"`-])(window|document|indexedDB|localStorage)\s*[.[]/;

const layerOf = (file) => Object.keys(layers).find((layer) => file.startsWith(`${layer}/`));

function breachOf(file, from, { to, typeOnly, url }) {
  const layer = layerOf(`${to}/`) ?? layerOf(to);
  if (!layer || layer === from) return undefined;
  if (from === 'app') {
    const isWorker = url && to.startsWith('engine/worker/');
    return typeOnly || isWorker || to.replace(/\.ts$/, '') === pageMayImport
      ? undefined
      : `${file} imports ${to}: the page may import types and ${pageMayImport} only`;
  }
  return layers[from].includes(layer) ? undefined : `${file} imports ${to}: ${from} may not import ${layer}`;
}

/** Breaches among the sources ({ path: text }), as one line each. */
export function layerBreaches(sources) {
  const breaches = circles(importGraph(sources)).map((circle) => `import circle: ${circle.join(' -> ')}`);
  for (const [file, text] of Object.entries(sources)) {
    const from = layerOf(file);
    if (!from || file.endsWith('.test.ts')) continue;
    for (const entry of importsOf(file, text)) {
      const breach = breachOf(file, from, entry);
      if (breach) breaches.push(breach);
    }
    if (from === 'app') continue;
    const line = text.split('\n').findIndex((row) => namesOfTheDom.test(row.replace(/\/\/.*|^\s*\*.*/, '')));
    if (line >= 0) breaches.push(`${file}:${line + 1} names the DOM or browser storage: inject it`);
  }
  return breaches;
}

/** Every breach of the rule in the tree, as one line each. */
export const checkLayers = () => layerBreaches(readSources(['engine', 'app', 'scripts', 'test', 'guests'], /\.(ts|mts|mjs|svelte)$/));
