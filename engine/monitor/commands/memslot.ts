/**
 * memslot_*, changeset_*, undo, redo: ours. Between changeset_begin and changeset_commit a memslot command is staged; otherwise it is committed at
 * once as a change set of one.
 */
import type { NewEdit } from '../../machine/index';
import { warningLines } from '../../machine/index';
import { type Commit, MemFlag } from '../../memory/types';
import { type CommitEntry, pagesOf, type Travel } from '../commit-log';
import { freeBackends } from '../info/memory';
import { reasonsOf, refusalLines, refusedSet } from '../info/memslots';
import { type Args, type Command, CommandError, type Context, getFlag, getNumber, getString, type Result } from '../types';
import { beginStepped, steppedCommands } from './stepped';

const flagBits = (args: Args): number =>
  (getFlag(args, 'readonly') ? MemFlag.ReadOnly : 0) | (getFlag(args, 'log') ? MemFlag.LogDirtyPages : 0);

/** -f: the slot may span several backings. */
const spanOf = (args: Args): { span?: true } => (getFlag(args, 'force') ? { span: true } : {});

/** Warnings about memory that the guest is not asked for. */
const warnings = ({ machine }: Context): string => warningLines(machine.changeSet.unasked);

/** Stages the edit, or commits it alone. Prints nothing on success, as in QEMU, except a warning if the guest should be asked. */
async function edit(context: Context, staged: NewEdit): Promise<string> {
  const { changeSet } = context.machine;
  if (changeSet.open) {
    changeSet.stage(staged);
    return '';
  }
  changeSet.begin();
  let commit: Commit | undefined;
  let warned = '';
  try {
    changeSet.stage(staged);
    warned = warnings(context);
    commit = await context.commits.commit(false);
  } finally {
    if (!commit?.ok && changeSet.open) changeSet.abort();
  }
  if (commit.ok) return warned;
  throw new CommandError(reasonsOf(commit));
}

async function add(context: Context, args: Args): Promise<string> {
  const slot = getNumber(args, 'id')!;
  const [gpa, size, hva] = [getNumber(args, 'gpa')!, getNumber(args, 'size')!, getNumber(args, 'hva')];
  return edit(context, { op: 'add', slot, gpa, size, hva, flags: flagBits(args), ...spanOf(args) });
}

const pages = (count: number): string => `${count} ${count === 1 ? 'page' : 'pages'} zapped`;
const swapCount = (count: number): string => `${count} ${count === 1 ? 'swap' : 'swaps'}`;

const commitLine = (commit: Extract<Commit, { ok: true }>): string =>
  `generation ${commit.generation}, ${swapCount(commit.swaps)}, ${pages(pagesOf(commit.zapped))}\n`;

async function commitSet(context: Context, legacy: boolean, whole: boolean): Promise<Result> {
  const before = context.commits.live;
  const warned = context.machine.changeSet.open ? warnings(context) : '';
  const commit = await context.commits.commit(legacy, whole);
  if (!commit.ok) return refusedSet(commit.refusals);
  const entry = context.commits.entries()[context.commits.live];
  // A legacy commit consists of many: its entry in the history has the totals.
  if (legacy && entry && context.commits.live !== before) return legacyLine(entry) + warned;
  return commit.changes.length === 0 ? `generation ${commit.generation}, nothing to change\n` : commitLine(commit) + warned;
}

const legacyLine = (entry: CommitEntry): string =>
  `generation ${entry.generation}, ${swapCount(entry.swaps)}, ${pages(entry.zappedPages)}, legacy: ${entry.holes} guest accesses fell into a hole\n`;

function checkSet(context: Context): string {
  const { changeSet } = context.machine;
  if (!changeSet.open) throw new CommandError('no change set is open: changeset_begin opens one');
  const commit = changeSet.check();
  if (!commit.ok) return refusalLines(commit.refusals);
  return `would commit: ${commit.changes.length} ${commit.changes.length === 1 ? 'change' : 'changes'}, ${swapCount(commit.swaps)}, ${pages(pagesOf(commit.zapped))}\n${warnings(context)}`;
}

function replay(result: Travel | string, verb: string): string {
  if (typeof result === 'string') throw new CommandError(result);
  const { title, commit, note, unasked } = result;
  if (!commit.ok) throw new CommandError(reasonsOf(commit).join('; '));
  return `${warningLines(unasked)}${verb} ${title}: ${commit.swaps === 0 ? `generation ${commit.generation}, nothing to change\n` : commitLine(commit)}${note === undefined ? '' : `${note}\n`}`;
}

function countOf(args: Args): number {
  const count = getNumber(args, 'count') ?? 1;
  if (count < 1) throw new CommandError(`count ${count} must be at least 1`);
  return count;
}

const slotIds = ({ machine }: Context): string[] => machine.memory.memslots(0).map((slot) => String(slot.slot));
const firstIsSlot = (context: Context, _word: string, words: readonly string[]): string[] => (words.length === 0 ? slotIds(context) : []);

export const memslotCommands: Command[] = [
  {
    name: 'memslot_add',
    input: true,
    args: 'id:z,gpa:z,size:z,hva:z?,readonly:-r,log:-l,force:-f',
    params: 'id gpa size [hva] [-r] [-l] [-f]',
    help: 'map size bytes at gpa (-r: read-only; -l: log dirty pages; no hva: from free host memory; -f: across several backings)',
    origin: 'lab',
    run: add,
  },
  {
    name: 'memslot_move',
    input: true,
    args: 'id:z,gpa:z',
    params: 'id gpa',
    help: 'move a memslot to another guest-physical address',
    origin: 'lab',
    run: (context, args) => edit(context, { op: 'move', slot: getNumber(args, 'id')!, gpa: getNumber(args, 'gpa')! }),
    complete: firstIsSlot,
  },
  {
    name: 'memslot_flags',
    input: true,
    args: 'id:z,readonly:-r,log:-l',
    params: 'id [-r] [-l]',
    help: 'set the flags of a memslot (-r: read-only; -l: log dirty pages; neither: clear both)',
    origin: 'lab',
    run: (context, args) => edit(context, { op: 'flags', slot: getNumber(args, 'id')!, flags: flagBits(args) }),
    complete: firstIsSlot,
  },
  {
    name: 'memslot_resize',
    input: true,
    args: 'id:z,size:z,force:-f',
    params: 'id size [-f]',
    help: 'resize a memslot in place; pages that stay keep their dirty bits (-f: beyond its backing, into the next one)',
    origin: 'lab',
    run: (context, args) => edit(context, { op: 'resize', slot: getNumber(args, 'id')!, size: getNumber(args, 'size')!, ...spanOf(args) }),
    complete: firstIsSlot,
  },
  {
    name: 'memslot_split',
    input: true,
    args: 'id:z,gpa:z,newid:z',
    params: 'id gpa newid',
    help: 'split a memslot at gpa; newid takes the upper part',
    origin: 'lab',
    run: (context, args) =>
      edit(context, { op: 'split', slot: getNumber(args, 'id')!, gpa: getNumber(args, 'gpa')!, newSlot: getNumber(args, 'newid')! }),
    complete: firstIsSlot,
  },
  {
    name: 'memslot_merge',
    input: true,
    args: 'ids:n*,force:-f',
    params: 'id id... [-f]',
    help: 'merge memslots that touch in gpa and hva; the first id stays (-f: across several backings)',
    origin: 'lab',
    run: (context, args) => {
      const slots = args.get('ids') as number[];
      if (slots.length < 2) throw new CommandError(`memslot_merge needs at least two ids, it got ${slots[0]}`);
      return edit(context, { op: 'merge', slots, ...spanOf(args) });
    },
    complete: slotIds,
  },
  {
    name: 'memslot_rehost',
    input: true,
    args: 'id:z,memdev:s?',
    params: 'id [memdev]',
    help: 'move the backing of a memslot to new host memory, or onto the free memory backend memdev of the same size, contents and all memslots over it in one step; cannot be undone',
    origin: 'lab',
    run: (context, args) => {
      const memdev = getString(args, 'memdev')?.replace(/^\/objects\//, '');
      return edit(context, { op: 'rehost', slot: getNumber(args, 'id')!, ...(memdev === undefined ? {} : { memdev }) });
    },
    complete: (context, _word, words) => {
      if (words.length === 0) return slotIds(context);
      return words.length === 1 ? freeBackends(context.machine) : [];
    },
  },
  {
    name: 'memslot_del',
    input: true,
    args: 'id:z',
    params: 'id',
    help: 'delete a memslot',
    origin: 'lab',
    run: (context, args) => edit(context, { op: 'del', slot: getNumber(args, 'id')! }),
    complete: firstIsSlot,
  },
  {
    name: 'changeset_begin',
    input: true,
    args: '',
    params: '',
    help: 'open a change set: memslot commands are staged until changeset_commit',
    origin: 'lab',
    run: ({ machine }) => {
      machine.changeSet.begin();
      return '';
    },
  },
  {
    name: 'changeset_commit',
    input: true,
    args: 'legacy:-l,stepped:-s,whole:-w',
    params: '[-l] [-s] [-w]',
    help: 'commit the change set in one step (-l: legacy, one ioctl after another with the guest running in between; -s: phase by phase, with changeset_step; -w: as a whole-set switch)',
    origin: 'lab',
    run: (context, args) => {
      const [legacy, stepped, whole] = ['legacy', 'stepped', 'whole'].map((flag) => getFlag(args, flag));
      if (Number(legacy) + Number(stepped) + Number(whole) > 1)
        throw new CommandError('-l, -s and -w exclude each other: each is a different way to commit');
      return stepped ? beginStepped(context) : commitSet(context, legacy === true, whole === true);
    },
  },
  ...steppedCommands,
  {
    name: 'changeset_check',
    args: '',
    params: '',
    help: 'dry run of the change set: every refusal with its entry, or what a commit would do',
    origin: 'lab',
    run: checkSet,
  },
  {
    name: 'changeset_abort',
    input: true,
    args: '',
    params: '',
    help: 'close the change set without committing it; during a stepped commit before swap 1: end the commit and leave the change set open',
    origin: 'lab',
    run: ({ machine }) => {
      if (!machine.changeSet.open) throw new CommandError('no change set is open');
      machine.changeSet.abort();
      return '';
    },
  },
  {
    name: 'undo',
    input: true,
    args: 'count:i?',
    params: '[count]',
    help: 'revert the live commit, or the last count commits in one (itself a commit: a new generation)',
    origin: 'lab',
    run: ({ commits }, args) => replay(commits.undo(countOf(args)), 'undid'),
  },
  {
    name: 'redo',
    input: true,
    args: 'count:i?',
    params: '[count]',
    help: 'repeat what undo reverted, count commits in one',
    origin: 'lab',
    run: ({ commits }, args) => replay(commits.redo(countOf(args)), 'redid'),
  },
];
