/** layout_save, layout_load, layout_list, layout_del, share: ours. */

import { keptBreakpoints } from '../../debug/index';
import { warningLines } from '../../machine/index';
import { type Args, type Command, CommandError, type Context, getFlag, getString } from '../types';
import { addBreakpoints, readBreakpoints } from './breakpoints';

/** Some programs cut links longer than this. */
export const LONG_LINK = 2000;

function checkName(name: string): string {
  if (!/^[^\p{C}]{1,64}$/u.test(name) || name.trim() !== name) {
    throw new CommandError(`${JSON.stringify(name)} is not a valid layout name: 1 to 64 printable characters, no blank at either end`);
  }
  return name;
}

/** A store's error has its own text. */
async function stored<T>(access: Promise<T>): Promise<T> {
  try {
    return await access;
  } catch (error) {
    throw new CommandError((error as Error).message);
  }
}

/** For completion. */
async function refresh(context: Context): Promise<string> {
  context.state.layoutNames = await stored(context.env.layouts.keys());
  return '';
}

const savedNames = (context: Context, _word: string, words: readonly string[]): string[] =>
  words.length === 0 ? context.state.layoutNames : [];

async function load(context: Context, name: string): Promise<string> {
  const saved = await stored(context.env.layouts.get(checkName(name)));
  if (saved === undefined) throw new CommandError(`layout '${name}' not found: layout_list lists the saved ones`);
  const { machine } = context;
  const regions = context.env.format.regions(machine, saved);
  // Breakpoints are not inputs: a recording gets only the memory.
  const { memory: text, breakpoints } = context.env.format.parts(saved) ?? { memory: saved, breakpoints: [] };
  const wanted = inLayout(name, () => readBreakpoints(context, breakpoints, regions?.map(({ slot }) => slot) ?? []));
  const unasked = machine.changeSet.unaskedBy(regions ?? machine.memory.layout(0));
  const reason = await context.commits.group(`layout ${name}`, () => context.env.format.load(context.machine, text, name));
  if (reason !== undefined) throw new CommandError(`layout '${name}' refused: ${reason}`);
  return warningLines(unasked) + addBreakpoints(machine, wanted);
}

function inLayout<T>(name: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (error instanceof CommandError) throw new CommandError(`layout '${name}' refused: ${error.message}`);
    throw error;
  }
}

const KEEP = {
  layout: 'layout_save keeps the layout instead',
  state: 'savevm keeps the machine instead',
  replay: 'Share in the page saves the replay as a file',
};

async function share(context: Context, args: Args): Promise<string> {
  const [state, replay] = [getFlag(args, 'state'), getFlag(args, 'replay')];
  if (state && replay) throw new CommandError('a link opens a state (-s) or a replay (-r), not both');
  const what = state ? 'state' : replay ? 'replay' : 'layout';
  const breakpoints = getFlag(args, 'breakpoints');
  if (breakpoints && what !== 'layout') throw new CommandError('only a layout can include breakpoints (-b)');
  const link = await linkTo(context, what, breakpoints);
  if (link.length <= LONG_LINK) return `${link}\n`;
  return `${link}\nThis link has ${link.length} characters; some programs cut links after ${LONG_LINK}. ${KEEP[what]}.\n`;
}

async function linkTo({ env, machine }: Context, what: keyof typeof KEEP, breakpoints: boolean): Promise<string> {
  if (what === 'layout') return env.format.link(capture({ env, machine }, breakpoints), env.linkBase);
  if (!env.share) throw new CommandError(`a link to a ${what} is made in the page, which can open it`);
  return stored(env.share(what));
}

const capture = ({ env, machine }: Pick<Context, 'env' | 'machine'>, breakpoints: boolean): string =>
  env.format.capture(machine, breakpoints ? keptBreakpoints(machine) : undefined);

const ownName = { args: 'name:s', params: 'name', origin: 'lab', complete: savedNames } as const;

export const layoutCommands: Command[] = [
  {
    ...ownName,
    name: 'layout_save',
    args: 'breakpoints:-b,name:s',
    params: '[-b] name',
    help: 'save the current layout (not the contents of memory) under a name (-b: with its breakpoints)',
    run: async (context, args) => {
      const name = checkName(getString(args, 'name')!);
      await stored(context.env.layouts.set(name, capture(context, getFlag(args, 'breakpoints'))));
      return refresh(context);
    },
  },
  {
    ...ownName,
    name: 'layout_load',
    help: 'switch to a saved layout, all or nothing; memory that exists keeps its contents, its breakpoints are shown',
    run: (context, args) => load(context, getString(args, 'name')!),
  },
  {
    name: 'layout_list',
    args: '',
    params: '',
    help: 'list the saved layouts',
    origin: 'lab',
    run: async ({ env }) =>
      (await stored(env.layouts.keys()))
        .sort()
        .map((name) => `${name}\n`)
        .join(''),
  },
  {
    ...ownName,
    name: 'layout_del',
    help: 'delete a saved layout',
    run: async (context, args) => {
      const name = checkName(getString(args, 'name')!);
      if ((await stored(context.env.layouts.get(name))) === undefined) throw new CommandError(`layout '${name}' not found`);
      await stored(context.env.layouts.delete(name));
      return refresh(context);
    },
  },
  {
    name: 'share',
    args: 'state:-s,replay:-r,breakpoints:-b',
    params: '[-s|-r|-b]',
    help: 'print a link that opens this layout elsewhere (-s: the whole machine as it is now; -r: a replay, from its start to now; -b: with breakpoints)',
    origin: 'lab',
    run: share,
  },
];
