/**
 * Structured control flow from a flow graph: N. Ramsey, "Beyond Relooper" (ICFP 2022). Node 0 is the dispatcher: a loop around everything
 * with a br_table to the entries. An edge into the middle of a loop makes its target an entry, reached through the dispatcher.
 */
import type { Code } from './encoder';

export interface Flow {
  /** Successors of each node; those of node 0 are the entries, in the order of the br_table. */
  successors: number[][];
}

/** Writes a node's code, which must end in branches made by `to`. */
export type NodeWriter = (node: number, to: (target: number) => void) => void;

export class Structure {
  /** Position in reverse postorder; -1: unreachable. */
  readonly order: number[] = [];
  private readonly byOrder: number[] = [];
  private readonly dominator: number[] = [];
  /** Nodes with several ways to them, by the node that dominates them directly: the farthest comes last. */
  private readonly children: number[][] = [];
  private readonly merges: boolean[] = [];
  private readonly heads: boolean[] = [];
  /** Edges [from, to] that go through the dispatcher. */
  private readonly through = new Set<number>();
  private readonly blockDepth: number[] = [];
  private readonly loopDepth: number[] = [];

  constructor(readonly flow: Flow) {
    while (!this.analyse()) {
      // Another entry was added, so the dominators change.
    }
  }

  get entries(): readonly number[] {
    return this.flow.successors[0]!;
  }

  private key(from: number, to: number): number {
    return from * this.flow.successors.length + to;
  }

  private isThrough(from: number, to: number): boolean {
    return this.through.size > 0 && this.through.has(this.key(from, to));
  }

  private number(): void {
    const { successors } = this.flow;
    const post: number[] = [];
    const met = new Uint8Array(successors.length);
    const visit = (node: number): void => {
      met[node] = 1;
      for (const next of successors[node]!) if (!met[next] && !this.isThrough(node, next)) visit(next);
      post.push(node);
    };
    visit(0);
    this.order.length = 0;
    for (let node = 0; node < successors.length; node++) this.order.push(-1);
    this.byOrder.length = 0;
    for (let i = post.length - 1; i >= 0; i--) {
      this.order[post[i]!] = this.byOrder.length;
      this.byOrder.push(post[i]!);
    }
  }

  /** Cooper, Harvey, Kennedy, "A simple, fast dominance algorithm". */
  private dominate(): void {
    const { order, byOrder, dominator } = this;
    const predecessors: number[][] = this.flow.successors.map(() => []);
    for (const node of byOrder)
      for (const next of this.flow.successors[node]!) if (!this.isThrough(node, next)) predecessors[next]!.push(node);
    dominator.length = 0;
    dominator[0] = 0;
    for (let changed = true; changed; ) {
      changed = false;
      for (const node of byOrder) {
        if (node === 0) continue;
        let found = -1;
        for (const from of predecessors[node]!) {
          if (dominator[from] === undefined) continue;
          if (found < 0) found = from;
          else {
            let other = from;
            while (found !== other) {
              while (order[found]! > order[other]!) found = dominator[found]!;
              while (order[other]! > order[found]!) other = dominator[other]!;
            }
          }
        }
        if (dominator[node] !== found) {
          dominator[node] = found;
          changed = true;
        }
      }
    }
  }

  private dominates(above: number, node: number): boolean {
    let at = node;
    while (this.order[at]! > this.order[above]!) at = this.dominator[at]!;
    return at === above;
  }

  /** Returns false if an entry was added: repeat. */
  private analyse(): boolean {
    this.number();
    this.dominate();
    const { successors } = this.flow;
    const entries = successors[0]!;
    for (const node of this.byOrder) {
      for (const next of successors[node]!) {
        if (this.isThrough(node, next) || this.order[next]! > this.order[node]! || this.dominates(next, node)) continue;
        this.through.add(this.key(node, next));
        if (!entries.includes(next)) entries.push(next);
        return false;
      }
    }
    const incoming = new Array<number>(successors.length).fill(0);
    this.heads.length = 0;
    for (const node of this.byOrder) {
      for (const next of successors[node]!) {
        if (this.isThrough(node, next)) continue;
        if (this.order[next]! <= this.order[node]!) this.heads[next] = true;
        else incoming[next]!++;
      }
    }
    for (const entry of entries) incoming[entry] = 2;
    this.children.length = 0;
    for (let node = 0; node < successors.length; node++) {
      this.merges[node] = incoming[node]! > 1;
      this.children.push([]);
    }
    for (const node of this.byOrder) if (node !== 0 && this.merges[node]) this.children[this.dominator[node]!]!.push(node);
    return true;
  }

  isLoopHead(node: number): boolean {
    return this.heads[node] === true;
  }

  /** Number of an entry in the br_table, or -1. */
  entryNumber(node: number): number {
    return this.entries.indexOf(node);
  }

  /** Writes everything. `entryLocal`: the i32 local that the dispatcher reads. */
  write(code: Code, entryLocal: number, writer: NodeWriter): void {
    const toRoot = (): void => code.br(code.depth - this.loopDepth[0]!);
    const follow = (from: number, to: number): void => {
      if (this.isThrough(from, to)) {
        code.i32Const(this.entryNumber(to));
        code.set(entryLocal);
        toRoot();
      } else if (this.order[to]! <= this.order[from]!) code.br(code.depth - this.loopDepth[to]!);
      else if (this.merges[to]) code.br(code.depth - this.blockDepth[to]!);
      else tree(to);
    };
    const tree = (node: number): void => {
      const merged = this.children[node]!;
      const loops = node === 0 || this.isLoopHead(node);
      if (loops) {
        code.loop();
        this.loopDepth[node] = code.depth;
      }
      for (let at = merged.length - 1; at >= 0; at--) {
        code.block();
        this.blockDepth[merged[at]!] = code.depth;
      }
      if (node === 0) {
        code.get(entryLocal);
        const labels = this.entries.map((entry) => code.depth - this.blockDepth[entry]!);
        code.brTable(labels, labels[0] ?? 0);
      } else writer(node, (target) => follow(node, target));
      for (const child of merged) {
        code.end();
        tree(child);
      }
      if (loops) code.end();
    };
    tree(0);
  }

  /** Goes to the entry whose number the entry local holds. */
  dispatch(code: Code): void {
    code.br(code.depth - this.loopDepth[0]!);
  }
}
