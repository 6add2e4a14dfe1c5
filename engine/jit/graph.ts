/**
 * Chooses the code of a region: from one hot block along its branches and calls, through several pages, as far as the interpreter has been. Code that
 * never ran is not compiled: an exit leads there.
 */
import { headerOf, type Instruction, immediateOf, type Records, readBlock } from './records';

/** What the graph needs from the core. */
export interface CodeSource {
  /** The decoded block at this hva, or 0; the first block of its host page and the one after a block; the records to read. */
  jitBlock(hva: number): number;
  jitFirstBlock(hostPage: number): number;
  jitNextBlock(block: number): number;
  jitRecords(block: number): number;
  /** hva of the code at a linear address if it can be found without side effects, else 0. */
  jitExec(low: number, high: number): number;
}

export interface Limits {
  instructions: number;
  pages: number;
}

export interface Page {
  /** Linear distance from the first page, bytes. */
  delta: number;
  /** hva / 4096 */
  host: number;
}

export interface Node {
  block: number;
  records: Records;
  /** Index in `pages`. */
  page: number;
  /** Linear distance of the block from the first page, bytes. */
  delta: number;
  /** The branch at its end. */
  last: Instruction;
  /** Deltas of the next block and of the target of its branch or call. */
  next: number | undefined;
  target: number | undefined;
  /** The last target of its computed call. */
  seen: number | undefined;
}

export interface Graph {
  pages: Page[];
  /** By delta. */
  nodes: Map<number, Node>;
  /** Deltas at which the region may be entered, from outside and by computed jumps. */
  entries: Set<number>;
}

const PAGE = 4096;
/** Distances within a region fit 32 bits with their sign. */
const NEAR = 0x7ff00000;
const pageOf = (delta: number): number => Math.floor(delta / PAGE) * PAGE;

export function discover(view: DataView, source: CodeSource, block: number, page: bigint, limits: Limits): Graph {
  const first = readBlock(view, headerOf(block), source.jitRecords(block));
  const pages: Page[] = [{ delta: 0, host: Math.floor(first.hva / PAGE) }];
  const graph: Graph = { pages, nodes: new Map(), entries: new Set() };
  let instructions = 0;
  const missing = new Set<number>();

  const pageAt = (delta: number): number => {
    const known = pages.findIndex((entry) => entry.delta === delta);
    if (known >= 0) return known;
    if (missing.has(delta) || pages.length >= limits.pages) return -1;
    const linear = BigInt.asUintN(64, page + BigInt(delta));
    const hva = source.jitExec(Number(linear & 0xffffffffn), Number(linear >> 32n));
    if (hva === 0) {
      missing.add(delta);
      return -1;
    }
    pages.push({ delta, host: (hva >>> 0) / PAGE });
    return pages.length - 1;
  };

  const queue: number[] = [first.hva % PAGE];
  const add = (delta: number): void => {
    if (graph.nodes.has(delta) || instructions >= limits.instructions) return;
    const index = pageAt(pageOf(delta));
    if (index < 0) return;
    const found = source.jitBlock(pages[index]!.host * PAGE + (delta - pageOf(delta)));
    if (found === 0) return;
    const records = readBlock(view, headerOf(found), source.jitRecords(found));
    const last = records.instructions.at(-1)!;
    const start = pages[index]!.delta;
    const { family, action, form } = last.row;
    const branches = family === 'branch';
    const goesOn = !branches || action === 'jcc' || action === 'fall' || action === 'call';
    const node: Node = {
      block: found,
      records,
      page: index,
      delta,
      last,
      next: goesOn ? start + last.offset + last.length : undefined,
      target: branches && form === 'near' && action !== 'fall' ? start + last.displacement : undefined,
      seen: undefined,
    };
    graph.nodes.set(delta, node);
    instructions += records.count;
    // The last target of a computed jump or call.
    if (branches && (form === 'r' || form === 'm') && (last.low | last.high) !== 0) {
      const seen = Number(BigInt.asIntN(64, BigInt.asUintN(64, immediateOf(last)) - page));
      if (Math.abs(seen) < NEAR) {
        queue.push(seen);
        graph.entries.add(seen);
        if (action === 'call') node.seen = seen;
      }
    }
    if (node.next !== undefined) {
      queue.push(node.next);
      // Regions are entered again after a call, and after what only the interpreter runs.
      if (action === 'call' || !branches) graph.entries.add(node.next);
    }
    if (node.target !== undefined) {
      queue.push(node.target);
      if (action === 'call') graph.entries.add(node.target);
    }
  };

  const follow = (): void => {
    for (let at = 0; at < queue.length; at++) add(queue[at]!);
    queue.length = 0;
  };
  graph.entries.add(first.hva % PAGE);
  follow();
  // A jump through a table: every block of its page without a predecessor may be a target.
  const jumps = [...graph.nodes.values()].filter(({ last }) => last.row.action === 'jmp' && last.row.form !== 'near');
  for (const index of new Set(jumps.map(({ page: at }) => at))) {
    const { host, delta } = pages[index]!;
    for (let other = source.jitFirstBlock(host); other !== 0; other = source.jitNextBlock(other)) {
      const at = delta + (view.getUint32(headerOf(other), true) % PAGE);
      if (graph.nodes.has(at) || instructions >= limits.instructions) continue;
      graph.entries.add(at);
      queue.push(at);
    }
    follow();
  }
  for (const entry of graph.entries) if (!graph.nodes.has(entry)) graph.entries.delete(entry);
  return graph;
}

/** Most addresses that a return is compared with. */
const RETURNS = 3;

/** Where returns go (deltas): to the addresses after calls of their function. A return with more than RETURNS calls has none. */
export function returnsOf({ nodes }: Graph): ReadonlyMap<Node, readonly number[]> {
  const found = new Map<Node, Set<number>>();
  for (const { last, next, target, seen } of nodes.values()) {
    const called = target ?? seen;
    if (last.row.action !== 'call' || next === undefined || called === undefined) continue;
    // Steps over calls on the way.
    const queue = new Set([called]);
    for (const delta of queue) {
      const node = nodes.get(delta);
      if (node === undefined) continue;
      if (node.last.row.action === 'ret') found.set(node, (found.get(node) ?? new Set()).add(next));
      if (node.next !== undefined) queue.add(node.next);
      if (node.target !== undefined && node.last.row.action !== 'call') queue.add(node.target);
    }
  }
  return new Map([...found].filter(([, deltas]) => deltas.size <= RETURNS).map(([node, deltas]) => [node, [...deltas]]));
}
