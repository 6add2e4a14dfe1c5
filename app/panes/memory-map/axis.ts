/**
 * The map's x axis: guest-physical addresses laid out to scale, except that a hole far longer than everything mapped is folded to a
 * short stretch, so that a DIMM at 1 TiB and one at 256 MiB fit one picture. Positions on the axis are in "u": bytes outside folds.
 */
export interface Segment {
  /** bytes, half-open */
  start: number;
  end: number;
  u0: number;
  u1: number;
  folded: boolean;
}

export interface Extent {
  start: number;
  end: number;
}

/** A hole is folded when it is this many times longer than everything mapped together. */
const FOLD_OVER = 2;
/** Length of one fold, as a share of what is drawn to scale; all folds together take at most half as much again. */
const FOLD_SHARE = 0.08;
const SMALLEST_MARGIN = 2 ** 24;

export class Axis {
  readonly segments: readonly Segment[];
  /** u, from 0 */
  readonly length: number;

  private constructor(segments: Segment[]) {
    this.segments = segments;
    this.length = segments.at(-1)?.u1 ?? 1;
  }

  /** Extents need not be sorted and may overlap. A margin of free space follows the last one. */
  static over(extents: readonly Extent[]): Axis {
    const sorted = extents.filter((extent) => extent.end > extent.start).sort((a, b) => a.start - b.start);
    const used: Extent[] = [];
    for (const { start, end } of sorted) {
      const last = used.at(-1);
      if (last && start <= last.end) last.end = Math.max(last.end, end);
      else used.push({ start, end });
    }
    const mapped = used.reduce((sum, { start, end }) => sum + end - start, 0);
    const folds: Extent[] = [];
    let previous = 0;
    for (const { start, end } of used) {
      if (start - previous > FOLD_OVER * mapped) folds.push(folded(previous, start, mapped));
      previous = end;
    }
    return new Axis(Axis.#layOut(folds, previous + margin(mapped, previous)));
  }

  static #layOut(folds: readonly Extent[], end: number): Segment[] {
    const folded = folds.reduce((sum, fold) => sum + fold.end - fold.start, 0);
    const foldLength = Math.min(FOLD_SHARE, 0.5 / Math.max(1, folds.length)) * (end - folded);
    const segments: Segment[] = [];
    let u = 0;
    let at = 0;
    const push = (to: number, isFold: boolean) => {
      if (to <= at) return;
      const length = isFold ? foldLength : to - at;
      segments.push({ start: at, end: to, u0: u, u1: u + length, folded: isFold });
      u += length;
      at = to;
    };
    for (const fold of folds) {
      push(fold.start, false);
      push(fold.end, true);
    }
    push(end, false);
    return segments;
  }

  get end(): number {
    return this.segments.at(-1)?.end ?? 1;
  }

  toU(gpa: number): number {
    const segment = this.#find((each) => gpa < each.end);
    return segment.u0 + ((gpa - segment.start) / (segment.end - segment.start)) * (segment.u1 - segment.u0);
  }

  toGpa(u: number): number {
    const segment = this.#find((each) => u < each.u1);
    return segment.start + ((u - segment.u0) / (segment.u1 - segment.u0)) * (segment.end - segment.start);
  }

  #find(before: (segment: Segment) => boolean): Segment {
    let low = 0;
    let high = this.segments.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (before(this.segments[middle]!)) high = middle;
      else low = middle + 1;
    }
    return this.segments[low]!;
  }
}

/** The part of a hole that is folded: next to slots some of it stays to scale, as room to move into. */
function folded(start: number, end: number, mapped: number): Extent {
  const grain = roundDown(Math.max(SMALLEST_MARGIN, mapped / 4));
  return { start: Math.ceil((start + grain / 2) / grain) * grain, end: Math.floor((end - grain / 2) / grain) * grain };
}

const roundDown = (length: number): number => 2 ** Math.floor(Math.log2(length));

/** Free space after the last slot: a quarter of what is mapped, ending on a round address. */
function margin(mapped: number, end: number): number {
  const wanted = Math.max(SMALLEST_MARGIN, mapped / 4);
  const grain = roundDown(wanted);
  return Math.ceil((end + wanted) / grain) * grain - end;
}
