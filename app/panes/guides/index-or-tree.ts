/**
 * The same slots in an array, a red-black tree and a dense B-tree, measured in this browser, next to the figures that the kernel series published.
 */
import type { IndexBenchRow } from '../../../engine/worker/protocol';
import { count } from '../../shared/format';
import { cell } from './facts';
import { microseconds } from './swaps';
import type { Guide, Measure, MeasureStep, ResultTable } from './types';

const KINDS = ['array', 'rbtree', 'btree'] as const;
const SIZES = [32, 509, 32_763] as const;
const nanoseconds = (ns: number): string => `${ns >= 10 ? Math.round(ns) : ns.toFixed(1)} ns`;

function measureOf(rows: readonly IndexBenchRow[]): Measure {
  return Object.fromEntries(
    rows.flatMap((row) => [
      [`${row.index} lookup`, row.lookupNs],
      [`${row.index} local`, row.localLookupNs],
      [`${row.index} update`, row.updateUs],
      [`${row.index} bytes`, row.bytesPerSlot],
    ]),
  );
}

const at = (slots: number, text: string): MeasureStep => ({
  id: `at${slots}`,
  title: `Measure ${count(slots)} slots`,
  text,
  measures: true,
  lines: () => [
    {
      at: 'page',
      text: `measure: ${count(slots)} slots in each of the three`,
      async run(tools) {
        // The first run also compiles the code that it measures.
        if (slots === SIZES[0]) await tools.query({ ask: 'index-bench', slots });
        const { rows } = await tools.query({ ask: 'index-bench', slots });
        tools.note(`at${slots}`, measureOf(rows));
      },
    },
  ],
});

function table(slots: number, measure: Measure | undefined): ResultTable {
  const row = (name: string, key: string, words: (value: number) => string) => ({
    name,
    cells: KINDS.map((kind) => cell(measure?.[`${kind} ${key}`], words)),
  });
  return {
    title: `${count(slots)} slots, here`,
    columns: ['array', 'red-black', 'B-tree'],
    rows: [
      row('Lookup, any slot', 'lookup', nanoseconds),
      row('Lookup, mostly the last', 'local', nanoseconds),
      row('Delete or create one', 'update', microseconds),
      row('Bytes a slot', 'bytes', (bytes) => bytes.toFixed(0)),
    ],
  };
}

/** memslot_perf_test from the covers of v2 and v4; seconds there. */
const PUBLISHED: ResultTable = {
  title: 'Published for the kernel',
  columns: ['array', 'tree', 'gain'],
  rows: [
    { name: '30 slots, move', cells: [{ text: '100 µs' }, { text: '86.5 µs' }, { text: '14 %' }] },
    { name: '509 slots, move', cells: [{ text: '101 µs' }, { text: '79.2 µs' }, { text: '22 %' }] },
    { name: '32k slots, move', cells: [{ text: '1,420 µs' }, { text: '78.6 µs' }, { text: '94 %' }] },
    { name: '32k slots, set up', cells: [{ text: '16.1 s' }, { text: '0.59 s' }, { text: '96 %' }] },
    { name: '32k slots, unmap', cells: [{ text: '3.88 s' }, { text: '0.035 s' }, { text: '99 %' }] },
  ],
  note: 'From the covers of the series’ versions 2 and 4, April and August 2021, Xeon 8167M, memslot_perf_test. Another machine, another language, another operation: compare the shape, not the figures.',
};

export const indexGuide: Guide = {
  id: 'index',
  title: 'Array or tree',
  summary: 'Lookup, update and bytes at 32, 509 and 32,763 slots, measured here.',
  argument:
    'The patch replaced sorted arrays by trees. Against it: an array’s footprint is hard to beat, and few machines have many slots. For it: array costs grow with every slot. And the wish: a dense B-tree would be ideal.',
  steps: [
    at(32, 'As many as an ordinary machine has. The three are measured in turn, on separate engines.'),
    at(509, 'KVM’s limit on x86 at the time of the discussion.'),
    at(32_763, 'One less than today’s limit, as in the kernel’s own test. This takes some seconds while the guest keeps running.'),
  ],
  results: ({ measures }) => [
    ...SIZES.filter((slots) => slots === 32 || measures[`at${slots}`]).map((slots) => table(slots, measures[`at${slots}`])),
    PUBLISHED,
  ],
  outcome({ measures: { at32763: large } }) {
    const each = (key: string, words: (value: number) => string): string =>
      KINDS.map((kind) => words(large?.[`${kind} ${key}`] ?? 0)).join(', ');
    return `With 32,763 slots an update took ${each('update', microseconds)}, a lookup ${each('lookup', nanoseconds)}: array, red-black tree, B-tree. Our array only moves memory where the old kernel copied its whole set, so it loses less than the kernel’s did. The slots of this guest in all three: \`info index\`, or the Index tab of the inspector.`;
  },
};
