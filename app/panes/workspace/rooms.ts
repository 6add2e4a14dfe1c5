/** Free places in a layout, for many queries of the same layout: each searches outward from the wanted address to the first place that fits. */
import type { Range } from '../change-set/staging';

export class Rooms {
  readonly #ranges: readonly Range[];
  readonly #at = new Map<number, number>();
  /** For ranges 0..i: the farthest end, which range has it, and the farthest end of the others. */
  readonly #end: Float64Array;
  readonly #farthest: Int32Array;
  readonly #second: Float64Array;
  /** Ranges with free addresses right before them, and the end of all: a packed layout has few. */
  readonly #gaps: number[] = [];

  /** `ranges` by address; one range a slot. */
  constructor(ranges: readonly Range[]) {
    this.#ranges = ranges;
    this.#end = new Float64Array(ranges.length);
    this.#farthest = new Int32Array(ranges.length);
    this.#second = new Float64Array(ranges.length);
    let [end, farthest, second] = [0, -1, 0];
    ranges.forEach((range, index) => {
      this.#at.set(range.slot, index);
      if (range.start > end) this.#gaps.push(index);
      if (range.end > end) [second, end, farthest] = [end, range.end, index];
      else second = Math.max(second, range.end);
      this.#end[index] = end;
      this.#farthest[index] = farthest;
      this.#second[index] = second;
    });
    this.#gaps.push(ranges.length);
  }

  /** The free place nearest to `wanted` that holds `length` bytes, below `limit`; undefined where there is none. The range of `slot` is left out. */
  nearest(length: number, wanted: number, limit: number, slot?: number): number | undefined {
    const ranges = this.#ranges;
    const own = slot === undefined ? -1 : (this.#at.get(slot) ?? -1);
    let best: number | undefined;
    const offer = (index: number): number | undefined => {
      // Each gap ends where a range begins, the last one at the limit.
      const end = ranges[index]?.start ?? limit;
      const at = index === own ? undefined : placeIn(this.#freeFrom(index, own), end, length, wanted);
      if (at !== undefined && (best === undefined || Math.abs(at - wanted) < Math.abs(best - wanted))) best = at;
      return at;
    };
    // The slot's own place is free too; without it the following range would start no gap.
    for (let index = own + 1; own >= 0 && index <= ranges.length && this.#farthest[index - 1] === own; index++) offer(index);
    const gaps = this.#gaps;
    const first = this.#firstFrom(wanted);
    for (let gap = first; gap < gaps.length; gap++) if ((offer(gaps[gap]!) ?? -1) >= wanted) break;
    for (let gap = first - 1; gap >= 0; gap--) if (offer(gaps[gap]!) !== undefined) break;
    return best;
  }

  /** Where what lies before range `index` ends, the range `own` left out. */
  #freeFrom(index: number, own: number): number {
    const last = index - 1;
    if (last < 0) return 0;
    return (own >= 0 && this.#farthest[last] === own ? this.#second[last] : this.#end[last]) ?? 0;
  }

  /** Place in `#gaps` of the first gap that ends at `address` or above. */
  #firstFrom(address: number): number {
    let low = 0;
    let high = this.#gaps.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#ranges[this.#gaps[middle]!]!.start < address) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const placeIn = (free: number, end: number, length: number, wanted: number): number | undefined =>
  end - free < length ? undefined : Math.min(Math.max(wanted, free), end - length);
