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

/** `block`: the hot block, at `page`, its linear page. */
export function discover(view: DataView, source: CodeSource, block: number, page: bigint, limits: Limits): Graph {
  return new Discovery(view, source, page, limits).from(block);
}

class Discovery {
  private readonly graph: Graph = { pages: [], nodes: new Map(), entries: new Set() };
  /** Deltas to look at. */
  private readonly queue: number[] = [];
  /** Deltas of pages that could not be found. */
  private readonly missing = new Set<number>();
  private instructions = 0;

  constructor(
    private readonly view: DataView,
    private readonly source: CodeSource,
    private readonly page: bigint,
    private readonly limits: Limits,
  ) {}

  from(block: number): Graph {
    const { graph } = this;
    const { hva } = this.read(block);
    graph.pages.push({ delta: 0, host: Math.floor(hva / PAGE) });
    graph.entries.add(hva % PAGE);
    this.queue.push(hva % PAGE);
    this.follow();
    this.followTables();
    for (const entry of graph.entries) if (!graph.nodes.has(entry)) graph.entries.delete(entry);
    return graph;
  }

  private follow(): void {
    for (let at = 0; at < this.queue.length; at++) {
      const delta = this.queue[at]!;
      if (this.graph.nodes.has(delta) || this.full) continue;
      const node = this.nodeAt(delta);
      if (node) this.add(node);
    }
    this.queue.length = 0;
  }

  /** A jump through a table: every block of its page without a predecessor may be a target. */
  private followTables(): void {
    const { graph, source } = this;
    const jumps = [...graph.nodes.values()].filter(({ last }) => last.row.action === 'jmp' && last.row.form !== 'near');
    for (const index of new Set(jumps.map(({ page }) => page))) {
      const { host, delta } = graph.pages[index]!;
      for (let other = source.jitFirstBlock(host); other !== 0; other = source.jitNextBlock(other)) {
        const at = delta + (this.view.getUint32(headerOf(other), true) % PAGE);
        if (graph.nodes.has(at) || this.full) continue;
        graph.entries.add(at);
        this.queue.push(at);
      }
      this.follow();
    }
  }

  private get full(): boolean {
    return this.instructions >= this.limits.instructions;
  }

  private read(block: number): Records {
    return readBlock(this.view, headerOf(block), this.source.jitRecords(block));
  }

  /** The block there, if the interpreter has been there. */
  private nodeAt(delta: number): Node | undefined {
    const index = this.pageAt(pageOf(delta));
    if (index < 0) return undefined;
    const page = this.graph.pages[index]!;
    const block = this.source.jitBlock(page.host * PAGE + (delta - page.delta));
    if (block === 0) return undefined;
    const records = this.read(block);
    const last = records.instructions.at(-1)!;
    const { family, action, form } = last.row;
    const branches = family === 'branch';
    const goesOn = !branches || action === 'jcc' || action === 'fall' || action === 'call';
    return {
      block,
      records,
      page: index,
      delta,
      last,
      next: goesOn ? page.delta + last.offset + last.length : undefined,
      target: branches && form === 'near' && action !== 'fall' ? page.delta + last.displacement : undefined,
      seen: undefined,
    };
  }

  /** Index of the page at this distance, which is a multiple of its size; -1: it cannot be found, or is one too many. */
  private pageAt(delta: number): number {
    const { pages } = this.graph;
    const known = pages.findIndex((entry) => entry.delta === delta);
    if (known >= 0) return known;
    if (this.missing.has(delta) || pages.length >= this.limits.pages) return -1;
    const linear = BigInt.asUintN(64, this.page + BigInt(delta));
    const hva = this.source.jitExec(Number(linear & 0xffffffffn), Number(linear >> 32n));
    if (hva === 0) {
      this.missing.add(delta);
      return -1;
    }
    pages.push({ delta, host: (hva >>> 0) / PAGE });
    return pages.length - 1;
  }

  /** Adds the block, and where it leads to the queue. */
  private add(node: Node): void {
    const { queue } = this;
    const { nodes, entries } = this.graph;
    const { family, action, form } = node.last.row;
    const branches = family === 'branch';
    nodes.set(node.delta, node);
    this.instructions += node.records.count;
    // The last target of a computed jump or call.
    if (branches && (form === 'r' || form === 'm') && (node.last.low | node.last.high) !== 0) {
      const seen = Number(BigInt.asIntN(64, BigInt.asUintN(64, immediateOf(node.last)) - this.page));
      if (Math.abs(seen) < NEAR) {
        queue.push(seen);
        entries.add(seen);
        if (action === 'call') node.seen = seen;
      }
    }
    if (node.next !== undefined) {
      queue.push(node.next);
      // Regions are entered again after a call, and after what only the interpreter runs.
      if (action === 'call' || !branches) entries.add(node.next);
    }
    if (node.target !== undefined) {
      queue.push(node.target);
      if (action === 'call') entries.add(node.target);
    }
  }
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
