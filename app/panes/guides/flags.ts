/** Ten flags among a hundred slots: by the delta call, by one ioctl each, and by the whole set. */
import type { HistoryView, LabState } from '../../../engine/worker/protocol';
import { count, hex } from '../../shared/format';
import { cell, commitsSince, measureOf, undoCommit } from './facts';
import { freePlace } from './free-places';
import { microseconds } from './swaps';
import type { Cell, Guide, Line, Live, Measure, MeasureStep } from './types';

const SLOTS = 100;
const FIRST = 100;
const SLOT_SIZE = 64 * 1024;
/** Where the first of them goes, unless something else is there. */
const WANTED = 0x40000000;
const CHANGED = Array.from({ length: 10 }, (_, i) => FIRST + 10 * i);
const IDS = Array.from({ length: SLOTS }, (_, i) => FIRST + i);

const present = (state: LabState): Set<number> =>
  new Set(
    state.slots.filter(({ slot, memorySize }) => slot >= FIRST && slot < FIRST + SLOTS && memorySize === SLOT_SIZE).map(({ slot }) => slot),
  );

/** Where the first of the hundred is or goes, so that there is room for all. */
function base(state: LabState): number {
  const one = state.slots.find(({ slot }) => present(state).has(slot));
  if (one) return one.guestPhysAddr - (one.slot - FIRST) * SLOT_SIZE;
  return freePlace(state, SLOTS * SLOT_SIZE, WANTED) ?? WANTED;
}

/** Sets the flag if it is clear, otherwise clears it. */
function flagLines(live: Live, commit: string): Line[] {
  const logs = live.state.slots.some((slot) => slot.slot === FIRST && ((slot.flags ?? 0) & 1) !== 0);
  return [
    { at: 'monitor', text: 'changeset_begin' },
    ...CHANGED.map((id): Line => ({ at: 'monitor', text: `memslot_flags ${id}${logs ? '' : ' -l'}` })),
    { at: 'monitor', text: commit },
  ];
}

const tenFlags = (entry: HistoryView): boolean =>
  entry.changed.length === CHANGED.length && / [+-]L\b/.test(entry.title) && CHANGED.every((id) => entry.changed.includes(id));

const way = (id: 'delta' | 'single' | 'whole', title: string, text: string, commit: string): MeasureStep => ({
  id,
  title,
  text,
  measures: true,
  find(live) {
    const entry = commitsSince(live.state, -1).find(
      (each) => tenFlags(each) && each.legacy === (id === 'single') && (each.whole === true) === (id === 'whole'),
    );
    return entry && measureOf(entry);
  },
  lines: (live) => flagLines(live, commit),
  undo: (live) => undoCommit(live, live.measures[id]),
});

export const flagsGuide: Guide = {
  id: 'flags',
  title: 'Ten flags among a hundred',
  summary: 'A delta, the whole set, or ten single calls: swaps and microseconds.',
  argument:
    'Two calls were proposed: one that takes only the changes, whose cost depends on the length of the request, and one that takes the whole set and finds the differences, whose cost depends on the number of slots. Without either, each flag takes a separate ioctl and swap.',
  steps: [
    {
      id: 'slots',
      title: 'Make a hundred small slots',
      text: 'A hundred slots of 64 KiB, by one change set: one swap.',
      holds: ({ state }) => present(state).size === SLOTS,
      instead({ state }) {
        const there = present(state).size;
        return there > 0 && there < SLOTS ? `${there} of them are there.` : undefined;
      },
      blocked({ state }) {
        const taken = state.slots.find(({ slot }) => slot >= FIRST && slot < FIRST + SLOTS && !present(state).has(slot));
        return taken && `Memslot ${taken.slot} is in use: delete what is there, or start with a fresh machine.`;
      },
      lines({ state }) {
        const there = present(state);
        const missing = IDS.filter((id) => !there.has(id));
        const first = base(state);
        return [
          { at: 'monitor', text: 'changeset_begin' },
          ...missing.map((id): Line => ({ at: 'monitor', text: `memslot_add ${id} ${hex(first + (id - FIRST) * SLOT_SIZE)} 64K` })),
          { at: 'monitor', text: 'changeset_commit' },
        ];
      },
      undo({ state }, did) {
        const made = [...present(state)].filter((id) => !did || did.some(({ text }) => text.startsWith(`memslot_add ${id} `)));
        if (!made.length) return [];
        return [
          { at: 'monitor', text: 'changeset_begin' },
          ...made.map((id): Line => ({ at: 'monitor', text: `memslot_del ${id}` })),
          { at: 'monitor', text: 'changeset_commit' },
        ];
      },
      makes: true,
    },
    way(
      'delta',
      'Ten flags by the delta call',
      'Dirty logging for every tenth slot. A flag change removes no page, so one swap is enough and nothing is zapped.',
      'changeset_commit',
    ),
    way('single', 'Ten flags by ten ioctls', 'The same, or back again, as KVM’s users do it.', 'changeset_commit -l'),
    way(
      'whole',
      'Ten flags by the whole set',
      'The request lists all slots of the address space; the engine finds the ten that differ.',
      'changeset_commit -w',
    ),
    {
      id: 'time',
      title: 'Measure all three',
      text: 'One commit is too short for a browser’s clock. So the three calls run some thousand times on a separate engine, with a hundred slots like these.',
      measures: true,
      lines: () => [
        {
          at: 'page',
          text: 'measure: 100 slots, 10 flags, three calls',
          async run(tools) {
            const { deltaUs, wholeUs, singleUs } = await tools.query({ ask: 'flags-bench', slots: SLOTS, changes: CHANGED.length });
            tools.note('time', { delta: deltaUs, whole: wholeUs, single: singleUs });
          },
        },
      ],
    },
  ],
  results({ measures }) {
    const of = (measure: Measure | undefined, key: string): Cell => cell(measure?.[key], count);
    const ways = ['delta', 'single', 'whole'] as const;
    const missing = ways.some((id) => !measures[id]) || !measures.time;
    return [
      {
        title: 'Measured here',
        columns: ['delta', 'ten ioctls', 'whole set'],
        rows: [
          { name: 'Swaps', cells: ways.map((id) => of(measures[id], 'swaps')) },
          { name: 'Pages zapped', cells: ways.map((id) => of(measures[id], 'zapped')) },
          { name: 'All ten take', cells: ways.map((id) => cell(measures.time?.[id], microseconds)) },
        ],
        ...(missing ? { note: '– is not measured yet.' } : {}),
      },
    ];
  },
  outcome({ measures: { time } }) {
    const times = (a: number | undefined, b: number | undefined): string => (a && b ? (a / b).toFixed(1) : '–');
    return `In this browser ten ioctls take ${times(time?.single, time?.delta)} times as long as the delta, the whole set ${times(time?.whole, time?.delta)} times. The cost of the whole set grows with the slots that do not change, that of the delta does not; but the whole set says “make it look like this”, and the caller need not know what was there.`;
  },
};
