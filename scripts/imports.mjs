// What imports what: the relative imports of a source file, and circles among them.
import { dirname, relative, resolve, sep } from 'node:path';
import { root } from './steps.mjs';

const importStatement =
  /^\s*(import|export)\b([^;'"]*?)from\s*['"]([^'"]+)['"]|^\s*import\s*['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)|new URL\(\s*['"](\.[^'"]+)['"]/gm;

/** Relative imports of a file: the path from the root without a query, and whether the import is only of types or only of a file's URL. */
export function importsOf(file, text) {
  const found = [];
  for (const match of text.matchAll(importStatement)) {
    const target = match[3] ?? match[4] ?? match[5] ?? match[6];
    if (!target?.startsWith('.')) continue;
    const to = relative(root, resolve(root, dirname(file), target.replace(/\?.*$/, '')))
      .split(sep)
      .join('/');
    found.push({ to, typeOnly: /^\s*type\b/.test(match[2] ?? ''), url: match[6] !== undefined || /\?worker&url$/.test(target) });
  }
  return found;
}

/** The import graph of the sources ({ path: text }). Type imports count: a circle of types has no file to start reading from either. */
export function importGraph(sources) {
  const graph = new Map();
  for (const [file, text] of Object.entries(sources)) {
    const targets = importsOf(file, text)
      .filter((entry) => !entry.url)
      .map(({ to }) => [to, `${to}.ts`, `${to}/index.ts`].find((path) => path in sources));
    graph.set(file, [...new Set(targets.filter((path) => path !== undefined))]);
  }
  return graph;
}

/** Circles of a graph: one circle for each group of files that reach one another. Tarjan's algorithm. */
export function circles(graph) {
  const number = new Map();
  const lowest = new Map();
  const open = [];
  const found = [];
  const visit = (file) => {
    number.set(file, number.size);
    lowest.set(file, number.get(file));
    open.push(file);
    for (const next of graph.get(file) ?? []) {
      if (!number.has(next)) visit(next);
      if (open.includes(next)) lowest.set(file, Math.min(lowest.get(file), lowest.get(next)));
    }
    if (lowest.get(file) !== number.get(file)) return;
    const group = new Set(open.splice(open.indexOf(file)));
    if (group.size > 1 || graph.get(file)?.includes(file)) found.push(wayRound(graph, file, group));
  };
  for (const file of graph.keys()) if (!number.has(file)) visit(file);
  return found;
}

/** The shortest path from a file back to itself inside its group. */
function wayRound(graph, start, group) {
  const from = new Map();
  const queue = [start];
  for (const file of queue) {
    for (const next of graph.get(file) ?? []) {
      if (next === start) {
        const way = [start];
        for (let at = file; at !== start; at = from.get(at)) way.unshift(at);
        return [start, ...way];
      }
      if (group.has(next) && !from.has(next)) {
        from.set(next, file);
        queue.push(next);
      }
    }
  }
  return [start];
}
