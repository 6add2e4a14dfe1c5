/** Drawings from the engine's own views: nothing overlaps, nothing leaves its drawing, and the words say what is drawn. */
import { describe, expect, it } from 'vitest';
import { type IndexStructure, type IndexView, type MemoryRegion, MemslotEngine } from '../../../engine/memory/index';
import { type Drawing, draw } from './drawing';
import { describe as inWords, leftOutWords, shapeWords } from './words';

const P = 4096;
const region = (slot: number): MemoryRegion => ({ slot, guestPhysAddr: slot * 8 * P, memorySize: 4 * P, userspaceAddr: slot * 8 * P });

function look(slots: number, at = 1): IndexView {
  const engine = new MemslotEngine();
  // One by one and inside out, so that the trees have something to do.
  for (let i = 0; i < slots; i++) engine.setUserMemoryRegion(region(i % 2 ? i >> 1 : slots - 1 - (i >> 1)));
  return engine.inspectIndexes(at * 8 * P)!;
}

const of = (view: IndexView, index: IndexStructure['index']): IndexStructure =>
  view.active.structures.find((each) => each.index === index)!;

function overlaps({ marks }: Drawing): string[] {
  const found: string[] = [];
  for (const [i, a] of marks.entries())
    for (const b of marks.slice(i + 1))
      if (a.x + 0.5 < b.x + b.width && b.x + 0.5 < a.x + a.width && a.y + 0.5 < b.y + b.height && b.y + 0.5 < a.y + a.height)
        found.push(`${a.label} and ${b.label}`);
  return found;
}

describe.each([1, 2, 9, 17, 31, 32, 400, 5000])('%i slots', (slots) => {
  it.each([190, 400])('in %i px: apart from each other and inside the drawing', (width) => {
    for (const structure of look(slots, Math.floor(slots / 2)).active.structures) {
      const drawing = draw(structure, width);
      expect(overlaps(drawing), structure.index).toEqual([]);
      for (const { x, y, width: w, height: h } of [...drawing.marks, ...drawing.frames]) {
        expect(Math.min(x, y)).toBeGreaterThanOrEqual(0);
        expect(x + w).toBeLessThanOrEqual(drawing.width);
        expect(y + h).toBeLessThanOrEqual(drawing.height);
      }
      if (structure.index === 'array') expect(drawing.width).toBeLessThanOrEqual(width);
      expect(drawing.marks.filter((mark) => mark.taken).at(-1)?.label).toBe(String(Math.floor(slots / 2)));
    }
  });
});

it('a line for each child, and the way of the lookup marked', () => {
  const tree = of(look(9, 7), 'rbtree');
  const { lines, marks } = draw(tree, 190);
  expect(lines.length).toBe(8);
  expect(lines.filter((line) => line.way).length).toBe(tree.lookup!.visited - 1);
  expect(marks.filter((mark) => mark.visited).length).toBe(tree.lookup!.visited);
});

it('says in words what is drawn and what is not', () => {
  const small = look(3);
  expect(inWords(of(small, 'array'), 'active')).toBe('Array, active set: slots 0, 1, 2. The lookup visits 3 places, ends at 1.');
  expect(inWords(of(small, 'rbtree'), 'inactive')).toBe(
    'Red-black tree, inactive set: 1 black (left 0 red, right 2 red). The lookup visits 2 nodes, ends at 1.',
  );
  expect(inWords(of(small, 'btree'), 'active')).toBe('B-tree, active set: node of 0, 1, 2. The lookup visits 1 node, ends at 1.');
  expect(leftOutWords(of(small, 'array'))).toBe('');
  expect(shapeWords(of(small, 'btree'), 3)).toBe('1 node, 1 level, 2 % full');

  const large = look(5000, 2500);
  expect(inWords(of(large, 'array'), 'active')).toMatch(
    /slots 0, .*\d more, 2496, 2497, 2498, 2499, 2500.*\. 4,9\d\d slots not drawn\. .* ends at 2500\.$/,
  );
  expect(inWords(of(large, 'btree'), 'active')).toMatch(/inner node of .*; [\d,]+ more children.*slots in \d+ nodes/);
  expect(inWords(of(large, 'rbtree'), 'active')).toMatch(/(left|right) [\d,]+ slots not drawn/);
  const empty = new MemslotEngine().inspectIndexes(0)!;
  expect(inWords(of(empty, 'btree'), 'active')).toBe('B-tree, active set: empty.');
  expect(draw(of(empty, 'btree'), 190).marks).toEqual([]);
});
