/**
 * Bytes per slot: of the typed arrays, and of an engine in use, with the creating change set in its history, every slot queried (all at once, by
 * id and by gfn), and the page's Index tab opened once.
 */
import { type IndexKind, MemslotEngine } from '../../engine/memory/index';
import { regionAt, shuffled } from '../../engine/worker/index-workload';
import { collectGarbage, table } from './memslots-measure';

export const LARGE = 32763;
/** sizeof(struct kvm_memory_slot) on x86-64, Linux 6.1: two id nodes 32, two interval nodes 96, two gfn nodes 48, payload 88. */
export const KERNEL_BYTES = 264;
const IN_USE = [100, 509, 1024, 8194, LARGE] as const;

function filled(kind: IndexKind, order: readonly number[]): MemslotEngine {
  const engine = new MemslotEngine({ index: kind, historyLimit: 0 });
  for (const id of order) engine.setUserMemoryRegion(regionAt(id));
  return engine;
}

function used(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** For slots added in ascending or in shuffled order. Runs before anything else, so that no garbage is counted. */
export function bytesPerSlot(kind: IndexKind, order: readonly number[]): { columns: number; measured: number } {
  // Warm up first: compiled code and type feedback must not count. A separate frame, so that nothing keeps the engine alive.
  const warmUp = (): number => filled(kind, order).slotCount();
  warmUp();
  const before = used();
  const engine = filled(kind, order);
  const measured = (used() - before) / engine.slotCount();
  return { columns: engine.footprint().total / order.length, measured };
}

/** In each way. The first time each lookup by gfn searches; after that their cache grows to its full size. */
function queryAll(engine: MemslotEngine): void {
  for (const { slot, baseGfn } of engine.memslots()) {
    engine.memslotById(slot);
    engine.memslotAt(baseGfn);
  }
}

/** What each use adds, bytes per slot. With few slots many engines are measured at once, so that one more page of V8's heap does not matter. */
function inUse(n: number): Record<string, number> {
  const copies = Math.max(1, Math.round(LARGE / n));
  const regions = Array.from({ length: n }, (_unused, id) => regionAt(id));
  const engines: MemslotEngine[] = [];
  const steps: [string, () => void][] = [
    [
      'whole set, history',
      () => {
        for (let i = 0; i < copies; i++) {
          const engine = new MemslotEngine();
          engine.setUserMemoryRegions(regions);
          engines.push(engine);
        }
      },
    ],
    [
      '+ all queried',
      () => {
        for (const engine of engines) for (let time = 0; time < 3; time++) queryAll(engine);
      },
    ],
    ['+ Index tab', () => engines.forEach((engine) => void engine.inspectIndexes())],
  ];
  const figures: Record<string, number> = {};
  let before = used();
  for (const [name, act] of steps) {
    act();
    const now = used();
    figures[name] = (now - before) / n / copies;
    before = now;
  }
  figures['of that typed arrays'] = engines[0]!.footprint().total / n;
  return figures;
}

/** Prints both tables. The figures by index, and those in use by number of slots. */
export function measureMemory(kinds: readonly IndexKind[]): {
  byIndex: Record<string, Record<string, number>>;
  inUse: Record<string, Record<string, number>>;
} {
  const ascending = Array.from({ length: LARGE }, (_unused, id) => id);
  const byIndex: Record<string, Record<string, number>> = {};
  for (const kind of kinds) {
    const [up, mixed] = [bytesPerSlot(kind, ascending), bytesPerSlot(kind, shuffled(LARGE))];
    byIndex[kind] = {
      columns: up.columns,
      measured: up.measured,
      'columns, shuffled': mixed.columns,
      'measured, shuffled': mixed.measured,
    };
  }
  const rowsOf = (figures: Record<string, Record<string, number>>): string[][] =>
    Object.entries(figures).map(([name, row]) => [name, ...Object.values(row).map((bytes) => bytes.toFixed(1))]);
  const title = `Bytes per slot at ${LARGE} slots (kernel: ${KERNEL_BYTES}, struct kvm_memory_slot without arch data)`;
  table(title, ['', 'columns', 'measured', 'columns, shuffled', 'measured, shuffled'], rowsOf(byIndex));
  inUse(IN_USE[1]);
  const use = Object.fromEntries(IN_USE.map((n) => [String(n), inUse(n)]));
  table('Bytes per slot in use, default index', ['slots', ...Object.keys(use[LARGE]!)], rowsOf(use));
  return { byIndex, inUse: use };
}
