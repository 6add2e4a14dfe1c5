/** One commit phase by phase: INVALID slots in the map, a guest that retries, and no hole. */
import { plural } from '../../shared/format';
import { duration } from '../change-set/stepping';
import { cell, commitsSince, measureOf, plugStep, undoCommit } from './facts';
import { exchangeLines, watchStep } from './two-dimms';
import type { Cell, Guide, Line, Live, Measure, MeasureStep } from './types';

const ORDER = ['validate', 'prepare', 'swap1', 'zap', 'swap2', 'hooks', 'free'] as const;
type Phase = (typeof ORDER)[number];

/** What the phase took, once it has run. */
function ran(live: Live, phase: Phase): { us: number } | undefined {
  return live.state.stepping?.done.find((each) => each.phase === phase);
}

/** The steps from the commit's current phase up to and including this one. */
function stepsTo(live: Live, phase: Phase): Line[] {
  const { stepping } = live.state;
  if (!stepping) return stageLines(live).concat(ORDER.slice(0, ORDER.indexOf(phase) + 1).map(() => step));
  const from = ORDER.indexOf(stepping.phase as Phase);
  return ORDER.slice(from, ORDER.indexOf(phase) + 1).map(() => step);
}

const step: Line = { at: 'monitor', text: 'changeset_step' };

const stageLines = (live: Live): Line[] => exchangeLines(live, 'changeset_commit -s');

/** Before swap 1 the commit is aborted; after it, it is finished and undone. */
function takeBack(live: Live): Line[] | undefined {
  const { stepping } = live.state;
  const abort: Line = { at: 'monitor', text: 'changeset_abort' };
  if (stepping?.canAbort) return [abort, abort];
  if (stepping)
    return [
      { at: 'monitor', text: 'changeset_step -a' },
      { at: 'monitor', text: 'undo' },
    ];
  return undoCommit(live, live.measures.end);
}

const phaseStep = (phase: Phase, title: string, text: string, figures: (live: Live) => Measure): MeasureStep => ({
  id: phase,
  title,
  text,
  measures: true,
  chained: true,
  find(live) {
    const took = ran(live, phase);
    // After swap 2 no slot is INVALID any more: the earlier result of swap 1 stays.
    const over = phase !== 'swap2' && ran(live, 'swap2') !== undefined;
    return took && !over ? { us: took.us, ...figures(live) } : undefined;
  },
  lines: (live) => stepsTo(live, phase),
  instead: (live) => (live.state.stepping ? undefined : 'No commit is between its phases now; the button begins one and runs it to here.'),
  undo: takeBack,
});

export const swapsGuide: Guide = {
  id: 'swaps',
  stepped: true,
  title: 'Two swaps, step by step',
  summary: 'One commit phase by phase: INVALID slots, a guest that retries, no hole.',
  argument:
    'KVM keeps two sets of slots per address space and publishes one by a swap. So a set of changes needs at most two swaps: one that marks deleted and moved slots INVALID, and one that publishes the final layout. What a vCPU sees between them is not a hole but “try again”.',
  steps: [
    plugStep(2),
    watchStep('It will keep accessing the INVALID slot for as long as you leave it there.'),
    {
      id: 'begin',
      title: 'Stage an exchange and begin its commit',
      text: 'With `-s` the commit waits before each phase, and the guest keeps running. It has noticed nothing yet.',
      measures: true,
      chained: true,
      find: (live) => (live.state.stepping && live.state.changeSet.entries.length === 2 ? { swaps: live.state.stepping.swaps } : undefined),
      lines: (live) => (live.state.stepping ? [] : stageLines(live)),
      undo: takeBack,
    },
    phaseStep(
      'swap1',
      'Validate, prepare, swap 1',
      'Validate and prepare do everything that can fail. Swap 1 publishes both slots as INVALID: look at the map. The guest’s next read is retried until the commit goes on.',
      ({ state: { stepping } }) => ({ invalid: stepping?.invalid.length ?? 0, retries: stepping?.retries ?? 0 }),
    ),
    phaseStep(
      'zap',
      'Zap',
      'The translations of the two ranges are dropped, so that none outlives its page. The guest still retries.',
      ({ state }) => ({
        pages: state.stepping?.zappedPages ?? 0,
        retries: state.stepping?.retries ?? 0,
      }),
    ),
    phaseStep('swap2', 'Swap 2', 'The final set is published, both slots at once. The guest’s read succeeds.', ({ state }) => ({
      retries: state.stepping?.retries ?? 0,
    })),
    {
      id: 'end',
      title: 'Hooks, free: the end',
      text: 'The set that was active is brought up to date for the next commit, old records go.',
      measures: true,
      chained: true,
      find(live) {
        if (live.state.stepping || !live.watch || !live.measures.swap2) return undefined;
        const entry = commitsSince(live.state, live.watch.since).find((each) => !each.legacy && each.title.includes('<->'));
        return entry && measureOf(entry);
      },
      instead: (live) =>
        live.state.stepping ? undefined : 'No commit is between its phases now; the button begins one and runs it to its end.',
      lines: (live) =>
        live.state.stepping
          ? [{ at: 'monitor', text: 'changeset_step -a' }]
          : stepsTo(live, 'swap2').concat({ at: 'monitor', text: 'changeset_step -a' }),
      undo: takeBack,
    },
  ],
  results({ measures: { swap1, zap, swap2, end } }) {
    const time = (measure: Measure | undefined): Cell => cell(measure?.us, (us) => (us > 0 ? microseconds(us) : duration(us)));
    const rows: [string, Cell, Cell][] = [
      ['Swap 1', cell(swap1?.invalid, (slots) => `${plural(slots, 'slot')} INVALID`), time(swap1)],
      ['Zap', cell(zap?.pages, (pages) => plural(pages, 'page')), time(zap)],
      ['Swap 2', cell(swap2?.retries, (retries) => plural(retries, 'retry', 'retries')), time(swap2)],
      [
        'Whole commit',
        cell(
          end?.holes,
          (holes) => plural(holes, 'hole'),
          (holes) => (holes ? 'bad' : 'ok'),
        ),
        cell(end?.swaps, (swaps) => plural(swaps, 'swap')),
      ],
    ];
    return [
      {
        title: 'Measured here',
        columns: ['what the guest met', 'took'],
        rows: rows.map(([name, ...cells]) => ({ name, cells })),
        note: `${end ? '' : '– is not measured yet. '}Times below the resolution of the browser’s clock are shown as less than that.`,
      },
    ];
  },
  outcome: ({ measures: { swap2, end } }) =>
    `The guest’s reads were retried ${plural(swap2?.retries ?? 0, 'time')} and fell into ${plural(end?.holes ?? 0, 'hole')}. That retry is why a reviewer called the 2022 series batching rather than atomicity: it relies on x86, where KVM retries; elsewhere a vCPU may exit for MMIO there.`,
};

export const microseconds = (us: number): string =>
  us >= 10_000 ? `${(us / 1000).toFixed(1)} ms` : `${us >= 100 ? Math.round(us) : us.toPrecision(2)} µs`;
