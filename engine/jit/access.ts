/** Memory accesses of an instruction, as accesses.ts plans them and emit-memory.ts writes them. */

/** How an instruction uses memory. */
export interface Operand {
  /** Address: base + index + displacement of the record, below or at RSP, at RBP. */
  place: 'record' | 'push' | 'pop' | 'frame';
  /** For 'record': the index is added. */
  indexed: boolean;
  bytes: number;
  writes: boolean;
}

/** Accesses that are tested together. */
export interface Group {
  /** Name of the window, shared by all blocks of the region that use it. */
  window: string;
  /** First byte and end, as distances from the same unknown. */
  low: number;
  high: number;
  writes: boolean;
  /** Number of its local, below GROUPS. */
  local: number;
  /** While the code is written: when it was tested (emit-memory.ts). */
  tested: number;
}

export interface Access extends Operand {
  /** undefined: the access is tested alone, in the TLB. */
  group: Group | undefined;
  /** Distance within the group, and whether this access performs the test. */
  distance: number;
  first: boolean;
}
