/** Two regions trade places, one ioctl after another and all at once, while the guest reads one of them. */
import type { HistoryView } from '../../../engine/worker/protocol';
import { count } from '../../shared/format';
import { cell, commitsSince, measureOf, plugStep, undoCommit } from './facts';
import { exchangeLines, pair, watched, watchStep } from './two-dimms';
import type { Guide, Live, Measure, MeasureStep } from './types';

/** An exchange of the two while the guest was watching: only then is "0 holes" meaningful. */
function found(live: Live, wanted: (entry: HistoryView) => boolean): Measure | undefined {
  const ids = pair(live.state).map((slot) => slot.slot);
  if (!watched(live) || !live.watch) return undefined;
  const entry = commitsSince(live.state, live.watch.since).find(
    (each) => wanted(each) && each.title.includes('<->') && each.changed.length === 2 && ids.every((id) => each.changed.includes(id)),
  );
  return entry && measureOf(entry);
}

const exchange = (id: 'legacy' | 'atomic', title: string, text: string, commit: string): MeasureStep => ({
  id,
  title,
  text,
  measures: true,
  find: (live) => found(live, (entry) => entry.legacy === (id === 'legacy')),
  lines: (live) => exchangeLines(live, commit),
  undo: (live) => undoCommit(live, live.measures[id]),
});

export const exchangeGuide: Guide = {
  id: 'exchange',
  title: 'Exchange two regions',
  summary: 'One ioctl after another, and all at once, while the guest reads.',
  argument:
    'One ioctl changes one slot. So two regions cannot trade places: one must go before the other can move, and a vCPU that reads in between finds no memory. A call that takes the whole set of changes needs two swaps, however many changes there are.',
  steps: [
    plugStep(2),
    watchStep(
      'Two different marks make the exchange visible; then `watch`: the guest reads one word in a tight loop and reports each change and each hole.',
    ),
    exchange(
      'legacy',
      'Exchange them as KVM’s users must',
      'Two deletes, then two creates. The guest runs in between, and the bus answers its reads with all ones.',
      'changeset_commit -l',
    ),
    exchange(
      'atomic',
      'Stage both moves, commit once',
      'The same two moves, validated against the final layout only and published together. The guest sees INVALID slots for an instant and retries.',
      'changeset_commit',
    ),
  ],
  results(live) {
    const { legacy, atomic } = live.measures;
    const both = (words: (value: number) => string, key: string, tone?: (value: number) => 'ok' | 'bad') => [
      cell(legacy?.[key], words, tone),
      cell(atomic?.[key], words, tone),
    ];
    return [
      {
        title: 'Measured here',
        columns: ['one by one', 'one commit'],
        rows: [
          { name: 'Swaps', cells: both(count, 'swaps') },
          { name: 'Holes the guest saw', cells: both(count, 'holes', (holes) => (holes ? 'bad' : 'ok')) },
          { name: 'Pages zapped', cells: both(count, 'zapped') },
        ],
        ...(legacy && atomic ? {} : { note: '– is not measured yet: its step does that, while the guest watches.' }),
      },
    ];
  },
  outcome: ({ measures: { legacy, atomic } }) =>
    `${count(legacy?.holes ?? 0)} reads fell into the hole of the one, ${count(atomic?.holes ?? 0)} into the other. KVM has no such call that we know of: a series of September 2022 (KVM_SET_USER_MEMORY_REGION_LIST) stalled on rollback, dirty bits and unclear semantics, and QEMU 8.0 holds back all ioctls while it changes overlapping regions.`,
};
