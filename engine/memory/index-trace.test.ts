/**
 * A trace is what the lookup does: the real `find` runs on columns that watch what it reads, and the trace must name the same answer, the
 * same bytes and, in order, the nodes that those reads lie in.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createIndex } from './create-index';
import type { GfnIndex, IndexKind } from './gfn-index';
import { ORDER } from './index-btree';
import { SlotTable } from './slot-table';

const KINDS = ['array', 'rbtree', 'btree'] as const;
const GAP = 4;

interface World {
  table: SlotTable;
  index: GfnIndex;
  /** place -> record */
  records: Map<number, number>;
}

function world(kind: IndexKind): World {
  const table = new SlotTable(0);
  return { table, index: createIndex(kind, table), records: new Map() };
}

function insert({ table, index, records }: World, place: number, pages: number): void {
  if (records.has(place)) return;
  table.reserve(1);
  index.reserve(1);
  const record = table.allocate(place % 32_768, place * GAP, pages, 0, 0);
  index.insert(record);
  records.set(place, record);
}

function remove({ table, index, records }: World, place: number): void {
  const record = records.get(place);
  if (record === undefined) return;
  index.remove(record);
  table.free(record);
  records.delete(place);
}

type Columns = Record<string, Float64Array | Int32Array | Uint32Array>;

/** Runs `find` while the columns note each element that is read: "column:offset" as IndexTrace names it, in order. */
function watched({ table, index }: World, gfn: number): { record: number; reads: string[] } {
  const reads: string[] = [];
  const undo: (() => void)[] = [];
  const watch = (owner: object, field: string, column: string): void => {
    const columns = owner as Columns;
    const real = columns[field];
    if (!real) return;
    columns[field] = new Proxy(real, {
      get(target, key) {
        const at = typeof key === 'string' ? Number(key) : Number.NaN;
        if (Number.isInteger(at)) reads.push(`${column}:${at * target.BYTES_PER_ELEMENT}`);
        return Reflect.get(target, key, target);
      },
    });
    undo.push(() => {
      columns[field] = real;
    });
  };
  watch(index, 'keys', 'keys');
  watch(index, 'marks', 'marks');
  watch(index, 'items', 'items');
  watch(index, 'records', 'items');
  watch(index, 'sizes', 'sizes');
  watch(index, 'child', 'child');
  watch(table, 'base', 'base');
  watch(table, 'words', 'slot');
  try {
    return { record: index.find(gfn), reads };
  } finally {
    for (const each of undo) each();
  }
}

/** The nodes that the reads of keys lie in, each once, in the order of the first read. */
function nodesRead(kind: IndexKind, reads: readonly string[]): number[] {
  const column = kind === 'rbtree' ? 'base' : 'keys';
  const nodes = reads
    .map((read) => read.split(':'))
    .filter(([name]) => name === column)
    .map(([, offset]) => Math.floor(Number(offset) / 8 / (kind === 'btree' ? ORDER : 1)));
  return [...new Set(nodes)];
}

function expectSame(kind: IndexKind, made: World, gfn: number): void {
  const { record, reads } = watched(made, gfn);
  const trace = made.index.trace(gfn);
  expect(trace.record).toBe(record);
  expect(trace.places).toEqual([...new Set(reads)].sort());
  const nodes = [...new Set(trace.steps.map((step) => step.node))];
  expect(trace.visited).toBe(nodes.length);
  // What the B-tree takes from the leaf before is a record, no key.
  if (made.index.count > 0) expect(nodes.slice(0, nodesRead(kind, reads).length)).toEqual(nodesRead(kind, reads));
}

const parameters = { seed: Number(process.env.LAB_SEED ?? 20210205), numRuns: Number(process.env.LAB_SOAK_RUNS ?? 60) };

describe.each(KINDS)('%s: the trace of a lookup', (kind) => {
  it('reads what the lookup reads and answers what it answers, on random layouts', () => {
    const place = fc.nat(600);
    const change = fc.oneof(
      {
        weight: 3,
        arbitrary: fc.record({ from: place, count: fc.integer({ min: 1, max: 200 }), pages: fc.integer({ min: 1, max: GAP }) }),
      },
      { weight: 2, arbitrary: fc.record({ from: place, count: fc.integer({ min: 1, max: 120 }), pages: fc.constant(0) }) },
    );
    fc.assert(
      fc.property(
        fc.array(change, { maxLength: 12 }),
        fc.array(fc.integer({ min: -3, max: 900 * GAP }), { maxLength: 40 }),
        (all, gfns) => {
          const made = world(kind);
          for (const { from, count, pages } of all)
            for (let i = 0; i < count; i++) {
              if (pages > 0) insert(made, from + i, pages);
              else remove(made, from + i);
            }
          for (const gfn of gfns) expectSame(kind, made, gfn);
        },
      ),
      parameters,
    );
  });

  it('also where the first slots of a leaf were deleted and the one before reaches across', () => {
    const made = world(kind);
    for (let place = 0; place < 4 * ORDER; place++) insert(made, place, 1);
    for (let place = ORDER; place < ORDER + 5; place++) remove(made, place);
    // The slot before the gap takes it over.
    remove(made, ORDER - 1);
    insert(made, ORDER - 1, 5 * GAP);
    const inGap = (ORDER + 2) * GAP;
    expect(made.index.trace(inGap).record).toBe(made.records.get(ORDER - 1));
    for (let gfn = (ORDER - 3) * GAP; gfn < (ORDER + 8) * GAP; gfn++) expectSame(kind, made, gfn);
  });

  it('of nothing', () => {
    const made = world(kind);
    expectSame(kind, made, 7);
    expect(made.index.trace(7)).toMatchObject({ record: 0, visited: 0, compared: 0 });
  });
});

it('counts bytes once, and cache lines of 64 bytes from the start of a column', () => {
  const made = world('array');
  for (let place = 0; place < 9; place++) insert(made, place, GAP);
  // Key 0; of 9 keys those at 2, 4 and 6; of the last three 7 and 8. Places 0 to 7 lie in the first line, 8 in the second; one record, one page count.
  const trace = made.index.trace(8 * GAP + 1);
  expect(trace.steps.map((step) => step.node)).toEqual([0, 2, 4, 6, 7, 8]);
  expect({ compared: trace.compared, bytes: trace.bytes, lines: trace.lines }).toEqual({ compared: 6, bytes: 6 * 8 + 4 + 4, lines: 4 });
});
