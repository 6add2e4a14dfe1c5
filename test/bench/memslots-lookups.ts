/** Lookups by gfn: the bare structures, and the engine's ways in: a vCPU's cache, the set's last used slot, `memslotAt`. */
import { PAGE, queries, shuffled } from '../../engine/worker/index-workload';
import { type CTree, contenders, engineWith, KINDS, SIZES } from './memslots-contenders';
import { type Figures, lookupTime, ownLoop, perSize, ROUNDS, rounds } from './memslots-measure';

const LOOKUPS = 200_000;

export function lookups(localPercent: number, c: CTree | undefined, sizes: readonly number[] = SIZES): Figures {
  return perSize((n) => {
    const list = queries(n, LOOKUPS, localPercent);
    const order = shuffled(n);
    const jobs: Record<string, () => number> = {};
    const add = (name: string, find: (gfn: number) => number): void => {
      const loop = ownLoop();
      loop(find, list);
      jobs[name] = () => lookupTime(loop, find, list);
    };
    for (const contender of contenders()) {
      for (const id of order) contender.insert(id);
      add(contender.name, contender.find.bind(contender));
    }
    for (const kind of KINDS) {
      const { engine, cache } = engineWith(kind, n);
      add(`${kind}, vCPU cache`, (gfn) => cache.lookupPage(gfn, 0));
      if (kind !== KINDS.at(-1)) continue;
      add(`${kind}, last used slot of the set`, (gfn) => engine.gpaToHva(gfn * PAGE));
      add(`${kind}, memslotAt`, (gfn) => engine.memslotAt(gfn)!.userspaceAddr);
    }
    if (c) jobs['C red-black tree, gcc -O2'] = () => c.run(n, LOOKUPS, localPercent).lookup;
    return rounds(ROUNDS, jobs);
  }, sizes);
}
