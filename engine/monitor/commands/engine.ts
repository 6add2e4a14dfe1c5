/** memslot_harvest, zap_mode, generation_diff: with dirty.ts, the commands for the rest of the memslot engine; ours. */
import type { MemoryRegion } from '../../memory/types';
import { flagLetters } from '../commit-title';
import { columns, reasonsOf } from '../info/memslots';
import { hex, shortSize } from '../sizes';
import { type Args, type Command, CommandError, type Context, getNumber, getString } from '../types';
import { dirtyCommands, dirtyText, slotOf } from './dirty';

function harvest(context: Context, args: Args): string {
  const slot = slotOf(context, args);
  if (context.machine.changeSet.open) throw new CommandError('a change set is open: memslot_harvest is a separate commit');
  const commit = context.machine.memory.deleteAndHarvest(slot.slot);
  if (!commit.ok) throw new CommandError(reasonsOf(commit));
  return commit.bitmap ? dirtyText(slot, commit.bitmap) : '';
}

function zapMode(context: Context, mode: string | undefined): string {
  const { memory } = context.machine;
  if (mode === undefined) return `${memory.zap}\n`;
  context.machine.changeSet.setZap(mode);
  return '';
}

const regionText = (region: MemoryRegion | undefined): string =>
  region
    ? `${hex(region.guestPhysAddr)} ${shortSize(region.memorySize)} ${hex(region.userspaceAddr)} ${flagLetters(region.flags ?? 0)}`
    : '-';

function generationDiff(context: Context, args: Args): string {
  const from = getNumber(args, 'from')!;
  const to = getNumber(args, 'to')!;
  const diff = context.machine.memory.diff(from, to);
  if (!diff) throw new CommandError(`the history does not reach from generation ${from} to ${to}: info generations lists them`);
  if (diff.isEmpty) return 'no difference\n';
  return columns([
    ['id', 'before (gpa size hva flags)', 'after'],
    ...diff.diffs.map((each) => [String(each.slot), regionText(each.old), regionText(each.next)]),
  ]);
}

export const engineCommands: Command[] = [
  ...dirtyCommands,
  {
    name: 'memslot_harvest',
    input: true,
    args: 'id:z',
    params: 'id',
    help: 'delete a memslot and print its dirty pages of the last instant, in one atomic step',
    origin: 'lab',
    run: harvest,
  },
  {
    name: 'zap_mode|memslot_zap',
    input: true,
    args: 'mode:s?',
    params: '[slot|all]',
    help: 'show or set what a commit zaps: the slots that it changed (slot), or every translation (all)',
    origin: 'lab',
    run: (context, args) => zapMode(context, getString(args, 'mode')),
    complete: (_context, _word, words) => (words.length === 0 ? ['slot', 'all'] : []),
  },
  {
    name: 'generation_diff',
    args: 'from:z,to:z',
    params: 'from to',
    help: 'show what changed between two generations',
    origin: 'lab',
    run: generationDiff,
  },
];
