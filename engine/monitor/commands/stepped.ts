/** changeset_commit -s and changeset_step: a commit phase by phase, with the guest running in between. A line reports the result of each phase. */
import type { PhaseReport, Stepping } from '../../machine/index';
import { refusedSet } from '../info/memslots';
import { count, PHASE_NAMES, slotList } from '../phases';
import { type Command, type Context, getFlag, type Result } from '../types';

/** Reports the phase. The generation of a published set counts from the next phase on. */
function phaseText({ phase, generation, view }: PhaseReport, context: Context): string {
  switch (phase) {
    case 'validate':
      return `${count(view.swaps, 'swap')}, ${count(view.zappedPages, 'page')} to zap`;
    case 'prepare':
      return 'everything that can fail is done; the guest has noticed nothing yet, and this is the last chance to abort';
    case 'swap1':
      return `${slotList(view.invalid)} INVALID: accesses to them are retried`;
    case 'zap':
      return `generation ${generation}; ${zapped(view, context)}`;
    case 'swap2':
      return `the final set is published${view.retries > 0 ? `, after ${count(view.retries, 'retry', 'retries')}` : ''}`;
    case 'hooks':
      return `generation ${generation}`;
    default:
      return `the old records are free; ${count(view.retries, 'retry', 'retries')}`;
  }
}

const zapped = (view: Stepping, { machine }: Context): string =>
  machine.memory.zap === 'all'
    ? `every translation dropped, ${count(view.zappedPages, 'page')} had to be`
    : `${count(view.zappedPages, 'page')} zapped`;

function reportText(report: PhaseReport, context: Context): string {
  const { phase, us, commit } = report;
  if (commit && !commit.ok) return `${PHASE_NAMES[phase]}: refused, the change set stays open\n`;
  const text = commit?.ok && commit.changes.length === 0 ? 'nothing to change' : phaseText(report, context);
  return `${PHASE_NAMES[phase]}: ${text}${us === undefined ? '' : ` (${us} us)`}\n`;
}

export function beginStepped({ machine }: Context): string {
  machine.changeSet.beginStepped();
  return `${count(machine.changeSet.entries.length, 'entry', 'entries')} to commit phase by phase; next: validate (changeset_step)\n`;
}

function step(context: Context, all: boolean): Result {
  const { changeSet } = context.machine;
  const reports = all ? changeSet.finish() : [changeSet.step()];
  const text = reports.map((report) => reportText(report, context)).join('');
  const commit = reports.at(-1)?.commit;
  return commit && !commit.ok ? refusedSet(commit.refusals, text) : text;
}

export const steppedCommands: Command[] = [
  {
    name: 'changeset_step',
    input: true,
    args: 'all:-a',
    params: '[-a]',
    help: 'run the next phase of the stepped commit (-a: all remaining ones) and report what it did',
    origin: 'lab',
    run: (context, args) => step(context, getFlag(args, 'all')),
  },
];
