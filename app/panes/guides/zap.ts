/** What a guest pays when an unrelated commit drops every translation, or only those of the changed range. */
import { count } from '../../shared/format';
import { bystanderStep, MOVES, movesStep, sweepStep } from './bystander';
import { cell, plugStep } from './facts';
import type { Guide } from './types';

export const zapGuide: Guide = {
  id: 'zap',
  title: 'Zap all or one',
  summary: 'What a guest pays for a commit in memory that it does not touch.',
  argument:
    'When a slot goes or moves, x86 KVM by default drops the translations of all slots. Dropping only that slot’s was tried in 2019 and taken back after guests with an assigned GPU broke, cause unknown; since 6.12 it can be enabled by disabling a quirk. It matters when there are many small changes.',
  steps: [
    plugStep(1),
    bystanderStep,
    sweepStep,
    movesStep('slot', 'Move the other slot, zap that slot', 'Each commit drops only the translations of the range that moved.'),
    movesStep(
      'all',
      'The same, zap everything',
      'Each commit drops every translation of the guest, which walks its page tables again for every page that it uses. KVM’s default.',
    ),
  ],
  results({ measures: { slot, all } }) {
    const both = (key: string, words: (value: number) => string) => [cell(slot?.[key], words), cell(all?.[key], words)];
    const whole = (value: number): string => count(Math.round(value));
    return [
      {
        title: 'Measured here',
        columns: ['that slot', 'everything'],
        rows: [
          { name: 'TLB misses a commit', cells: both('misses', whole) },
          { name: 'Translations dropped a commit', cells: both('dropped', whole) },
          { name: 'Guest MIPS during it', cells: both('mips', (value) => value.toFixed(0)) },
        ],
        note: `${slot && all ? '' : '– is not measured yet. '}Over ${MOVES} commits, one right after another; other work of this computer also lowers the MIPS.`,
      },
    ];
  },
  outcome: ({ measures: { slot, all } }) =>
    `A commit that did not concern it cost the guest ${count(Math.round(all?.misses ?? 0))} TLB misses when everything was zapped, ${count(Math.round(slot?.misses ?? 0))} when only that slot was. The machine zaps everything now: \`memslot_zap slot\`, or Undo, switches back. The kernel’s own figure for a slot-wise zap in 2019 was about 5 % more throughput in a benchmark that maps PCI ROMs.`,
};
