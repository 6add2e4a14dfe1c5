/**
 * The table of a region's computed jumps, in the core's memory: 8-byte cells {i32 distance of the target from the first page, u16 entry, u16
 * bits of its page}, found by a perfect hash of the distance.
 */

/** Room in the core's memory: 8 << bits bytes. */
export interface Table {
  address: number;
  bits: number;
}
export interface JumpTable extends Table {
  multiplier: number;
  shift: number;
}

const MOST_BITS = 14;
const TRIES = 200;
/** No distance. */
const NOWHERE = 0x7fffffff;

const cellOf = (distance: number, { multiplier, shift }: Pick<JumpTable, 'multiplier' | 'shift'>): number =>
  Math.imul(distance, multiplier) >>> shift;

/** A multiplier that maps no two distances to one cell, and room for the cells; undefined: there is none. */
export function planJumps(distances: readonly number[], allocate: (bits: number) => number): JumpTable | undefined {
  let bits = Math.max(2, Math.ceil(Math.log2(distances.length * 4)));
  for (let seed = 1, tries = 0; ; tries++) {
    if (tries === TRIES) {
      bits++;
      tries = 0;
    }
    if (bits > MOST_BITS) return undefined;
    seed = (Math.imul(seed, 1664525) + 1013904223) | 0;
    const hash = { multiplier: seed | 1, shift: 32 - bits };
    if (new Set(distances.map((distance) => cellOf(distance, hash))).size < distances.length) continue;
    const address = allocate(bits);
    return address === 0 ? undefined : { address, bits, ...hash };
  }
}

/** `targets`: by entry. */
export function fillJumps(view: DataView, table: JumpTable, targets: readonly { distance: number; page: number }[]): void {
  for (let cell = 0; cell < 1 << table.bits; cell++) {
    view.setInt32(table.address + cell * 8, NOWHERE, true);
    view.setInt32(table.address + cell * 8 + 4, 0, true);
  }
  for (const [entry, { distance, page }] of targets.entries()) {
    const cell = table.address + cellOf(distance, table) * 8;
    view.setInt32(cell, distance, true);
    view.setUint16(cell + 4, entry, true);
    view.setUint16(cell + 6, 1 << page, true);
  }
}
