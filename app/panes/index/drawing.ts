/** Computes where the parts of an index are drawn: cells, rings, frames and lines in px. Structure.svelte draws them. */
import type { IndexStructure, PictureCell, PictureNode } from '../../../engine/worker/protocol';

export interface Mark {
  shape: 'cell' | 'ring';
  x: number;
  y: number;
  width: number;
  height: number;
  label: string;
  /** The lookup was here. */
  visited: boolean;
  /** The lookup ends here. */
  taken: boolean;
  invalid: boolean;
  differs: boolean;
  red: boolean;
  /** When the lookup looked at this place of the array. */
  visit?: number;
}

export interface Frame {
  x: number;
  y: number;
  width: number;
  height: number;
  visited: boolean;
}

export interface Line {
  x1: number;
  y1: number;
  x2: number;
  y2: number;
  /** On the lookup's way. */
  way: boolean;
}

export interface Drawing {
  width: number;
  height: number;
  marks: Mark[];
  frames: Frame[];
  lines: Line[];
  /** Something is left out here: three dots around this point. */
  gaps: { x: number; y: number }[];
}

const CELL_HEIGHT = 18;
const SHORTEST = 18;
const CHAR = 6.4;
const GAP = 14;
/** Under a row of cells for the numbers of the visits. */
const VISIT_HEIGHT = 13;
const LEVEL = 25;
const RING = 9;
const NODE_GAP = 6;
const LEVEL_GAP = 18;
/** Room for the thick line around a mark. */
const EDGE = 2;

export function draw(structure: IndexStructure, width: number): Drawing {
  const { nodes } = structure.picture;
  const labels = nodes.flatMap((node) => node.cells.map(label));
  const cell = Math.max(SHORTEST, Math.max(0, ...labels.map((text) => text.length)) * CHAR + 8);
  if (nodes.length === 0) return { width: 0, height: 0, marks: [], frames: [], lines: [], gaps: [] };
  if (structure.index === 'array') return drawRow(nodes[0]!, cell, width);
  return structure.index === 'rbtree' ? drawRings(nodes, cell, width) : drawFrames(nodes, cell, width);
}

/** A separator at which no slot begins has no id to show. */
const label = (cell: PictureCell): string => (cell.slot === undefined ? '–' : String(cell.slot));

function mark(shape: Mark['shape'], cell: PictureCell, box: Omit<Frame, 'visited'>, visited: boolean, red = false): Mark {
  return {
    shape,
    ...box,
    label: label(cell),
    visited,
    red,
    taken: cell.taken === true,
    invalid: cell.invalid === true,
    differs: cell.differs === true,
    ...(cell.visit ? { visit: cell.visit } : {}),
  };
}

/** The cells of one node from left to right, in as many rows as the width requires; dots where cells are left out. */
function placeCells(node: PictureNode, cell: number, width: number, visited: (cell: PictureCell) => boolean): Drawing {
  const drawing: Drawing = { width: 0, height: 0, marks: [], frames: [], lines: [], gaps: [] };
  const row = CELL_HEIGHT + (node.cells.some((each) => each.visit) ? VISIT_HEIGHT : EDGE);
  let [x, y, place] = [0, 0, 0];
  const room = (needed: number): void => {
    if (x > 0 && x + needed > width) [x, y] = [0, y + row];
  };
  const gap = (): void => {
    room(GAP);
    drawing.gaps.push({ x: x + GAP / 2, y: y + CELL_HEIGHT / 2 });
    x += GAP;
  };
  for (const each of node.cells) {
    if (each.place > place) gap();
    room(cell);
    drawing.marks.push(mark('cell', each, { x, y, width: cell, height: CELL_HEIGHT }, visited(each)));
    x += cell;
    place = each.place + 1;
    drawing.width = Math.max(drawing.width, x);
  }
  if (place < node.size) gap();
  drawing.width = Math.max(drawing.width, x);
  drawing.height = y + row;
  return drawing;
}

function drawRow(node: PictureNode, cell: number, width: number): Drawing {
  const drawing = placeCells(node, cell, width - 2 * EDGE, ({ visit }) => visit !== undefined);
  return moved(drawing, EDGE, EDGE, { width: drawing.width + 2 * EDGE, height: drawing.height + EDGE });
}

function moved(drawing: Drawing, dx: number, dy: number, size: { width: number; height: number }): Drawing {
  const by = <T extends { x: number; y: number }>(each: T): T => ({ ...each, x: each.x + dx, y: each.y + dy });
  return { ...drawing, ...size, marks: drawing.marks.map(by), frames: drawing.frames.map(by), gaps: drawing.gaps.map(by) };
}

/** In a binary tree neighbours in order never lie on one level: half a ring's width for each is enough. */
function drawRings(nodes: PictureNode[], cell: number, width: number): Drawing {
  const order = inOrder(nodes);
  const ring = Math.max(2 * RING, cell);
  const step = Math.max((ring + 2) / 2, Math.min(ring + 2, (width - ring - 2 * EDGE) / Math.max(1, nodes.length - 1)));
  const centre = (index: number) => ({
    x: EDGE + ring / 2 + order[index]! * step,
    y: EDGE + RING + nodes[index]!.level * LEVEL,
  });
  const drawing: Drawing = { width: 0, height: 0, marks: [], frames: [], lines: [], gaps: [] };
  for (const [index, node] of nodes.entries()) {
    const { x, y } = centre(index);
    const box = { x: x - ring / 2, y: y - RING, width: ring, height: 2 * RING };
    drawing.marks.push(mark('ring', node.cells[0]!, box, node.visit !== undefined, node.red));
    if (node.hidden[0] + node.hidden[1] > 0) drawing.gaps.push({ x, y: y + RING + 6 });
    if (node.parent < 0) continue;
    const up = centre(node.parent);
    drawing.lines.push({ x1: up.x, y1: up.y, x2: x, y2: y, way: node.visit !== undefined });
  }
  const deepest = Math.max(...nodes.map((node) => node.level));
  drawing.width = 2 * EDGE + ring + (nodes.length - 1) * step;
  drawing.height = deepest * LEVEL + 2 * RING + 2 * EDGE + (drawing.gaps.length ? 10 : 0);
  return drawing;
}

/** Place of each node in key order. */
function inOrder(nodes: PictureNode[]): number[] {
  const children = nodes.map((): [number, number] => [-1, -1]);
  for (const [index, node] of nodes.entries()) if (node.parent >= 0) children[node.parent]![node.place] = index;
  const order: number[] = [];
  let next = 0;
  const walk = (index: number): void => {
    if (index < 0) return;
    const [left, right] = children[index]!;
    walk(left);
    order[index] = next++;
    walk(right);
  };
  walk(0);
  return order;
}

function drawFrames(nodes: PictureNode[], cell: number, width: number): Drawing {
  const drawing: Drawing = { width: 0, height: 0, marks: [], frames: [], lines: [], gaps: [] };
  const levels = Math.max(...nodes.map((node) => node.level)) + 1;
  const parts = nodes.map((node) => placeCells(node, cell, width - 2 * EDGE, (each) => node.visit !== undefined && each.taken === true));
  const rows = Array.from({ length: levels }, (_, level) => [...nodes.keys()].filter((index) => nodes[index]!.level === level));
  const widths = rows.map((row) => row.reduce((sum, index) => sum + parts[index]!.width + gapBefore(nodes, row, index), 0));
  drawing.width = Math.max(...widths) + 2 * EDGE;
  const frames: Frame[] = [];
  let y = EDGE;
  for (const [level, row] of rows.entries()) {
    let x = EDGE + (drawing.width - 2 * EDGE - widths[level]!) / 2;
    for (const index of row) {
      const before = gapBefore(nodes, row, index);
      if (before > NODE_GAP) drawing.gaps.push({ x: x + before / 2, y: y + CELL_HEIGHT / 2 });
      x += before;
      const part = parts[index]!;
      const placed = moved(part, x, y, part);
      const visited = nodes[index]!.visit !== undefined;
      frames[index] = { x, y, width: part.width, height: part.height - EDGE, visited };
      drawing.marks.push(...placed.marks);
      drawing.gaps.push(...placed.gaps);
      x += part.width;
    }
    y += Math.max(...row.map((index) => parts[index]!.height)) + LEVEL_GAP;
  }
  drawing.frames = frames;
  drawing.height = y - LEVEL_GAP + EDGE;
  for (const [index, node] of nodes.entries()) if (node.parent >= 0) drawing.lines.push(link(nodes, frames, parts, index));
  return drawing;
}

/** Room for dots where nodes are left out between this one and the one before it in its row. */
function gapBefore(nodes: PictureNode[], row: number[], index: number): number {
  const at = row.indexOf(index);
  if (at === 0) return 0;
  const [before, node] = [nodes[row[at - 1]!]!, nodes[index]!];
  return before.parent === node.parent && before.place + 1 === node.place ? NODE_GAP : GAP + 6;
}

/** From the parent's cell, or its middle where that cell is left out, to the child. */
function link(nodes: PictureNode[], frames: Frame[], parts: Drawing[], index: number): Line {
  const node = nodes[index]!;
  const [up, down] = [frames[node.parent]!, frames[index]!];
  const at = nodes[node.parent]!.cells.findIndex((cell) => cell.place === node.place);
  const from = parts[node.parent]!.marks[at];
  return {
    x1: up.x + (from ? from.x + from.width / 2 : up.width / 2),
    y1: up.y + up.height,
    x2: down.x + down.width / 2,
    y2: down.y,
    way: node.visit !== undefined,
  };
}
