/** info index: the slots in all three indexes, and a lookup in each. Ours. */
import type { IndexSetView, IndexStructure, IndexView } from '../../memory/index';
import { count } from '../phases';
import { hex } from '../sizes';
import { type Args, type Command, type Context, getNumber } from '../types';
import { columns } from './memslots';

const STANDING: Record<IndexView['inactive']['standing'], string> = {
  same: 'same slots',
  before: 'the slots as before the commit',
  building: 'being built',
  behind: 'not yet brought up to date',
};

function index(context: Context, args: Args): string {
  const { memory } = context.machine;
  const gpa = getNumber(args, 'gpa');
  const view = memory.inspectIndexes(gpa)!;
  const own = view.active.structures.find((each) => each.index === view.inUse)!;
  const size = memory.footprint(0);
  const perSlot = size.slots > 0 ? Math.round(size.total / size.slots) : 0;
  const lines = [
    `kind ${view.inUse}, ${count(view.active.slots, 'slot')}, height ${own.height}, ${count(own.nodes, 'node')}, ${percent(own.fill)} full\n`,
    `bytes: ${size.total} (records ${size.records}, by gfn ${size.gfnIndexes}, by hva ${size.hvaIndexes}, by id ${size.ids}, views ${size.views}), ${perSlot} a slot\n`,
    `active: generation ${view.active.generation}${invalidText(view.active)}\n`,
    table(view.active, view),
    `inactive: ${STANDING[view.inactive.standing]}${invalidText(view.inactive)}\n`,
  ];
  if (view.inactive.standing !== 'same') lines.push(table(view.inactive, view));
  return lines.join('');
}

const invalidText = ({ invalid }: IndexSetView): string => (invalid.length > 0 ? `, INVALID: ${invalid.join(' ')}` : '');

function table(set: IndexSetView, { inUse, lookup }: IndexView): string {
  const head = ['index', 'height', 'nodes', 'full', 'bytes'];
  if (lookup) head.push('visited', 'compared', 'read', 'lines');
  const rows = set.structures.map((each) => [each.index + (each.index === inUse ? '*' : ''), ...figures(each)]);
  if (!lookup) return columns([head, ...rows]);
  const found = set.found ? `memslot ${set.found.slot}${set.found.invalid ? ' (INVALID)' : ''}` : 'no memslot';
  const { visited } = set.structures.find((each) => each.index === inUse)!.lookup!;
  return `${columns([head, ...rows])}${hex(lookup.gpa)}: ${found} after ${visited} ${visited === 1 ? 'node' : 'nodes'}\n`;
}

const percent = (share: number): string => `${Math.round(share * 100)} %`;

function figures({ height, nodes, fill, bytes, lookup }: IndexStructure): string[] {
  const own = [height, nodes, percent(fill), bytes];
  const way = lookup ? [lookup.visited, lookup.compared, lookup.bytes, lookup.lines] : [];
  return [...own, ...way].map(String);
}

export const indexInfo: Command = {
  name: 'index',
  args: 'gpa:z?',
  params: '[gpa]',
  help: "show the slots in all three indexes (*: the machine's), both sets; gpa: nodes visited, keys compared, bytes and cache lines read by a lookup",
  origin: 'lab',
  run: index,
};
