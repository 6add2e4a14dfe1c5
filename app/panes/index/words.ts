/** Describes the drawing of an index, and what it leaves out, for people who cannot see it. */
import type { IndexStructure, IndexView, PictureCell, PictureNode } from '../../../engine/worker/protocol';
import { count, hex, plural } from '../../shared/format';

export const KIND_NAMES: Record<IndexStructure['index'], string> = { array: 'Array', rbtree: 'Red-black tree', btree: 'B-tree' };

export function standingWords({ standing, generation }: IndexView['inactive']): string {
  switch (standing) {
    case 'same':
      return 'same slots';
    case 'before':
      return 'as before the commit';
    case 'building':
      return `building gen ${generation}`;
    case 'behind':
      return 'old set, until Free';
  }
}

/** "no slot", "slot 4", "slot 4, INVALID". */
export const foundWords = (found: IndexView['active']['found']): string =>
  found ? `slot ${found.slot}${found.invalid ? ', INVALID' : ''}` : 'no slot';

/** "9 slots, 4 levels" as a caption. */
export function shapeWords(structure: IndexStructure, slots: number): string {
  if (structure.index === 'array') return `${plural(slots, 'place')}, at most ${plural(structure.height, 'probe')}`;
  const levels = plural(structure.height, 'level');
  return structure.index === 'rbtree' ? levels : `${plural(structure.nodes, 'node')}, ${levels}, ${percent(structure.fill)} full`;
}

const percent = (share: number): string => `${Math.round(share * 100)} %`;

export function leftOutWords({ picture, index }: IndexStructure): string {
  const { slots, nodes } = picture.leftOut;
  if (slots + nodes === 0) return '';
  if (index === 'btree' && nodes > 0) return `${count(slots)} slots in ${plural(nodes, 'node')} and in parts of nodes are not drawn`;
  return `${plural(slots, 'slot')} not drawn`;
}

/** The whole drawing in words. */
export function describe(structure: IndexStructure, set: 'active' | 'inactive'): string {
  const { index, picture, lookup } = structure;
  const name = `${KIND_NAMES[index]}, ${set} set`;
  if (picture.nodes.length === 0) return `${name}: empty.`;
  const body =
    index === 'array' ? arrayWords(picture.nodes[0]!) : index === 'rbtree' ? ringWords(picture.nodes, 0) : frameWords(picture.nodes, 0);
  const left = leftOutWords(structure);
  return `${name}: ${body}.${left ? ` ${left}.` : ''}${lookup ? ` ${wayWords(structure)}` : ''}`;
}

function cellWords(cell: PictureCell): string {
  const name = cell.slot === undefined ? `gfn ${hex(cell.gfn)}` : String(cell.slot);
  return `${name}${cell.invalid ? ' INVALID' : ''}${cell.differs && !cell.invalid ? ' differs' : ''}`;
}

function cellsWords({ cells, size }: PictureNode): string {
  const words: string[] = [];
  let place = 0;
  const skip = (to: number): void => {
    if (to > place) words.push(`${count(to - place)} more`);
  };
  for (const cell of cells) {
    skip(cell.place);
    words.push(cellWords(cell));
    place = cell.place + 1;
  }
  skip(size);
  return words.join(', ');
}

const arrayWords = (node: PictureNode): string => `slots ${cellsWords(node)}`;

/** "3 black (left 1 red, right 6 black (...))". */
function ringWords(nodes: PictureNode[], index: number): string {
  const node = nodes[index]!;
  const below = (['left', 'right'] as const).flatMap((side, place) => {
    const child = nodes.findIndex((each) => each.parent === index && each.place === place);
    if (child >= 0) return [`${side} ${ringWords(nodes, child)}`];
    return node.hidden[place]! > 0 ? [`${side} ${plural(node.hidden[place]!, 'slot')} not drawn`] : [];
  });
  return `${cellWords(node.cells[0]!)} ${node.red ? 'red' : 'black'}${below.length ? ` (${below.join(', ')})` : ''}`;
}

function frameWords(nodes: PictureNode[], index: number): string {
  const node = nodes[index]!;
  const children = [...nodes.keys()].filter((each) => nodes[each]!.parent === index);
  const drawn = children.map((child) => frameWords(nodes, child)).join('; ');
  const kind = children.length > 0 ? 'inner node' : 'node';
  const hidden = children.length > 0 ? node.size - children.length : 0;
  const more = hidden > 0 ? `; ${plural(hidden, 'more child', 'more children')}` : '';
  return `${kind} of ${cellsWords(node)}${drawn ? `, below it ${drawn}${more}` : ''}`;
}

function wayWords({ index, picture, lookup }: IndexStructure): string {
  const ends = picture.nodes.flatMap((node) =>
    node.cells.filter((cell) => cell.taken && (index !== 'btree' || node.visit === lastVisit(picture.nodes))),
  );
  const end = ends.at(-1);
  const what = index === 'array' ? plural(lookup!.visited, 'place') : plural(lookup!.visited, 'node');
  return `The lookup visits ${what}, ends at ${end ? cellWords(end) : 'nothing'}.`;
}

const lastVisit = (nodes: readonly PictureNode[]): number => Math.max(...nodes.map((node) => node.visit ?? 0));
