/** What a move costs compiled code: regions stay, since they are keyed by host page; their windows on memory may not. */
import { count } from '../../shared/format';
import { bystanderStep, MOVES, movesStep, sweepStep } from './bystander';
import { cell, plugStep } from './facts';
import type { Guide, MeasureStep, Tools } from './types';

/** ms for which the undisturbed guest is measured, and ms for the JIT to find hot code. */
const QUIET = 1500;
const WARM = 1000;

async function quiet(tools: Tools): Promise<void> {
  await tools.pause(WARM);
  const began = performance.now();
  const before = await tools.query({ ask: 'stats' });
  await tools.pause(QUIET);
  const after = await tools.query({ ask: 'stats' });
  const gained = (name: string): number => (after[name] ?? 0) - (before[name] ?? 0);
  const instructions = gained('instructions');
  tools.note('quiet', {
    mips: instructions / (performance.now() - began) / 1000,
    share: instructions === 0 ? 0 : (100 * gained('jit_instructions')) / instructions,
    regions: 0,
    windows: gained('jit_windows_dropped') / (QUIET / 1000),
  });
}

const quietStep: MeasureStep = {
  id: 'quiet',
  title: 'Measure the guest undisturbed',
  text: 'The loop is hot: it was compiled to WebAssembly, and reads memory through windows, runs of pages that need no TLB lookup. The Live tab shows the share of compiled instructions.',
  measures: true,
  instead: (live) => (live.sweep === undefined ? 'The guest is not sweeping now.' : undefined),
  lines: () => [{ at: 'page', text: `count for ${QUIET / 1000} s`, run: quiet }],
};

export const compiledGuide: Guide = {
  id: 'compiled',
  title: 'What a move costs compiled code',
  summary: 'Which compiled code and which windows a commit drops, and how much the guest slows down.',
  argument:
    'A hypervisor pays for a change of its memory map with translations. Processors drop their cached translations of the guest’s addresses; an emulator that compiled those addresses into its code would have to drop the code. Here compiled code is keyed by host page and survives a move. Only its windows on memory are dropped: all of them when everything is zapped, otherwise those in the moved range.',
  steps: [
    plugStep(1),
    bystanderStep,
    sweepStep,
    quietStep,
    movesStep('slot', 'Move the other slot, zap that slot', 'The guest’s windows do not cover that slot: they stay, and so does the code.'),
    movesStep(
      'all',
      'The same, zap everything',
      'Each commit drops every window. The code stays; its next access to each page exits it, and the window is filled again.',
    ),
  ],
  results({ measures: { quiet: undisturbed, slot, all } }) {
    const row = (key: string, words: (value: number) => string) => [undisturbed, slot, all].map((measure) => cell(measure?.[key], words));
    const whole = (value: number): string => count(Math.round(value));
    const base = undisturbed?.mips;
    const dip = (mips: number | undefined) =>
      cell(mips === undefined || !base ? undefined : (100 * mips) / base, (value) => `${value.toFixed(0)} %`);
    return [
      {
        title: 'Measured here',
        columns: ['undisturbed', 'zap that slot', 'zap everything'],
        rows: [
          { name: 'Guest MIPS', cells: row('mips', whole) },
          { name: 'Of its undisturbed speed', cells: [undisturbed, slot, all].map((measure) => dip(measure?.mips)) },
          { name: 'Compiled regions dropped a commit', cells: row('regions', (value) => value.toFixed(1)) },
          { name: 'Windows dropped a commit', cells: row('windows', (value) => value.toFixed(1)) },
        ],
        note: `Over ${MOVES} commits, one right after another; undisturbed: windows dropped a second. ${undisturbed ? `${(undisturbed.share ?? 0).toFixed(0)} % of the instructions were compiled ones. ` : ''}With -accel interp nothing is compiled.`,
      },
    ];
  },
  outcome: ({ measures: { slot, all } }) =>
    `A commit dropped ${(slot?.regions ?? 0).toFixed(1)} compiled regions and ${(slot?.windows ?? 0).toFixed(1)} windows when only the slot was zapped, ${(all?.regions ?? 0).toFixed(1)} and ${(all?.windows ?? 0).toFixed(1)} when everything was. The machine zaps everything now: \`memslot_zap slot\`, or Undo, switches back.`,
};
