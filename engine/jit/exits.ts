/**
 * The exits of a region, as rows of a table in the core's memory. An exit in the code is only a number and a branch to the region's end, which reads
 * the row. If each were written out, exits would be most of a region.
 *
 * A row has 8 bytes: i32 distance of RIP from the first page's start; u32 word: in the lowest bits the instructions of the running block that have
 * not run, above them the reason, or (with the top bit set) the window that an access missed, for VCPU_MISS.
 */

export const EXIT_DELTA = 0;
export const EXIT_WORD = 4;
export const EXIT_REMAINING = 127;
export const EXIT_SHIFT = 7;
/** Set in the word without EXIT_SHIFT bits: the rest is the value of VCPU_MISS. */
export const EXIT_MISS = 0xffffff;
const MISS = 0x80000000;

export class Exits {
  private readonly rows: number[] = [];
  /** Allocates the rows and returns their address; 0: no room, the code must not be used. */
  allocate: (rows: number) => number = () => 0;
  private address = 0;

  /** Number of an exit for `reason`. */
  add(delta: number, remaining: number, reason: number): number {
    return this.row(delta, remaining, reason << EXIT_SHIFT);
  }

  addMiss(delta: number, remaining: number, miss: number): number {
    return this.row(delta, remaining, MISS | (miss << EXIT_SHIFT));
  }

  private row(delta: number, remaining: number, word: number): number {
    if (remaining < 0 || remaining > EXIT_REMAINING) throw new Error(`an exit cannot give back ${remaining} instructions`);
    this.rows.push(delta, word | remaining);
    return this.rows.length / 2 - 1;
  }

  /** Allocates the table, once all exits are known. */
  place(): number {
    this.address = this.allocate(this.rows.length / 2);
    return this.address;
  }

  /** Writes the table; returns false if there was no room. */
  fill(view: DataView): boolean {
    if (this.address === 0) return false;
    this.rows.forEach((value, index) => {
      view.setInt32(this.address + 4 * index, value | 0, true);
    });
    return true;
  }
}
