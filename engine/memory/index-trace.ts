/**
 * A record of one lookup by gfn: the nodes on its way, the keys it compared, and what it read. Each index fills one beside its `find`; a
 * test watches what the real `find` reads and expects the same.
 *
 * Counted are the reads of typed arrays, each byte once: keys, links, sizes and the record's page count. A column stands for one typed
 * array and is taken to begin at the start of a cache line; lines are of 64 bytes.
 */
const LINE = 64;

/** One node that a lookup visits. */
export interface IndexStep {
  /** The array's nodes are its places. */
  node: number;
  /** first gfns in the node; the array shows the probed one */
  keys: number[];
  /** position among `keys` that the search takes, -1: left of all */
  taken: number;
  red?: boolean;
}

export type Column = 'keys' | 'marks' | 'items' | 'sizes' | 'child' | 'base' | 'slot';

export class IndexTrace {
  readonly steps: IndexStep[] = [];
  /** What `find` answers: the record, or 0. */
  record = 0;
  /** Keys that were compared with the gfn, each as often as it was. */
  compared = 0;
  /** Bytes read by their first byte's address, "column:offset". */
  private readonly reads = new Map<string, number>();
  private readonly touched = new Set<string>();

  /** Element `at` of a column whose elements have so many bytes. */
  read(column: Column, at: number, elementBytes: number): void {
    const offset = at * elementBytes;
    this.reads.set(`${column}:${offset}`, elementBytes);
    this.touched.add(`${column}:${Math.floor(offset / LINE)}`);
  }

  /** The page count of a slot's record. */
  readPages(record: number): void {
    this.read('slot', record * 4 + 2, 4);
  }

  /** Different nodes. */
  get visited(): number {
    return new Set(this.steps.map((step) => step.node)).size;
  }

  get bytes(): number {
    let sum = 0;
    for (const bytes of this.reads.values()) sum += bytes;
    return sum;
  }

  get lines(): number {
    return this.touched.size;
  }

  /** For the test that compares with the real lookup. */
  get places(): string[] {
    return [...this.reads.keys()].sort();
  }
}
