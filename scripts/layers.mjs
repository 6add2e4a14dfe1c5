// The layer rule: who may import whom. An import that points upwards or sideways is a breach, and so is a cycle.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { root } from './steps.mjs';

/** What a Worker and a process at the terminal are both made of. */
const belowTheEnds = ['abi', 'memory', 'jit', 'devices', 'machine', 'debug', 'monitor', 'snapshot', 'replay'].map(
  (name) => `engine/${name}`,
);
/** Each layer and the layers below it that it may import. */
export const layers = {
  'engine/abi': [],
  'engine/cpu': ['engine/abi'],
  'engine/memory': ['engine/abi'],
  'engine/jit': ['engine/abi', 'engine/memory'],
  'engine/devices': ['engine/abi', 'engine/memory'],
  'engine/machine': ['engine/abi', 'engine/memory', 'engine/jit', 'engine/devices'],
  'engine/debug': ['engine/abi', 'engine/memory', 'engine/jit', 'engine/devices', 'engine/machine'],
  'engine/monitor': ['engine/abi', 'engine/memory', 'engine/jit', 'engine/devices', 'engine/machine', 'engine/debug'],
  'engine/snapshot': ['engine/abi', 'engine/memory', 'engine/jit', 'engine/devices', 'engine/machine'],
  'engine/replay': ['engine/abi', 'engine/memory', 'engine/jit', 'engine/devices', 'engine/machine', 'engine/monitor', 'engine/snapshot'],
  'engine/worker': belowTheEnds,
  'engine/cli': belowTheEnds,
  app: [],
};
/** The one file of the engine that the page may import; of other engine files only types. */
const pageMayImport = 'engine/worker/protocol';
/** The engine runs in a Worker, in Node and in tests: it may not know where. */
const namesOfTheDom = /(?<![.\w'"`-])(window|document|indexedDB|localStorage)\s*[.[]/;

const layerOf = (file) => Object.keys(layers).find((layer) => file.startsWith(`${layer}/`));

function* filesBelow(folder) {
  for (const entry of readdirSync(resolve(root, folder), { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      if (entry.name !== 'generated' && entry.name !== 'node_modules') yield* filesBelow(path);
    } else if (/\.(ts|svelte)$/.test(entry.name)) yield path.split(sep).join('/');
  }
}

const importStatement =
  /^\s*(import|export)\b([^;'"]*?)from\s*['"]([^'"]+)['"]|^\s*import\s*['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)|new URL\(\s*['"](\.[^'"]+)['"]/gm;

function importsOf(file) {
  const text = readFileSync(resolve(root, file), 'utf8');
  const found = [];
  for (const match of text.matchAll(importStatement)) {
    const target = match[3] ?? match[4] ?? match[5] ?? match[6];
    if (!target?.startsWith('.')) continue;
    const to = relative(root, resolve(root, dirname(file), target.replace(/\?.*$/, '')))
      .split(sep)
      .join('/');
    found.push({ to, typeOnly: /^\s*type\b/.test(match[2] ?? ''), url: match[6] !== undefined || /\?worker&url$/.test(target) });
  }
  return { text, found };
}

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

/** Imports that are erased at run time cannot make a cycle. */
function findCycle(graph) {
  const state = new Map();
  const path = [];
  const visit = (file) => {
    state.set(file, 'open');
    path.push(file);
    for (const next of graph.get(file) ?? []) {
      if (state.get(next) === 'open') return [...path.slice(path.indexOf(next)), next];
      if (!state.has(next)) {
        const cycle = visit(next);
        if (cycle) return cycle;
      }
    }
    path.pop();
    state.set(file, 'done');
    return undefined;
  };
  for (const file of graph.keys()) {
    if (state.has(file)) continue;
    const cycle = visit(file);
    if (cycle) return cycle;
  }
  return undefined;
}

/** Every breach of the rule, as one line each. */
export function checkLayers() {
  const breaches = [];
  const graph = new Map();
  const files = [...filesBelow('engine'), ...filesBelow('app')];
  for (const file of files) {
    const from = layerOf(file);
    if (!from) continue;
    const { text, found } = importsOf(file);
    // asc resolves what belongs together inside the core by itself, cycles included.
    if (from !== 'engine/cpu') {
      const resolved = found
        .filter((entry) => !entry.typeOnly && !entry.url)
        .map(({ to }) => [to, `${to}.ts`, `${to}/index.ts`].find((path) => files.includes(path)))
        .filter((path) => path !== undefined);
      graph.set(file, resolved);
    }
    if (!file.endsWith('.test.ts')) {
      for (const entry of found) {
        const breach = breachOf(file, from, entry);
        if (breach) breaches.push(breach);
      }
    }
    if (from !== 'app' && !file.endsWith('.test.ts')) {
      const line = text.split('\n').findIndex((row) => namesOfTheDom.test(row.replace(/\/\/.*|^\s*\*.*/, '')));
      if (line >= 0) breaches.push(`${file}:${line + 1} names the DOM or browser storage: inject it`);
    }
  }
  const cycle = findCycle(graph);
  if (cycle) breaches.push(`import cycle: ${cycle.join(' -> ')}`);
  return breaches;
}
