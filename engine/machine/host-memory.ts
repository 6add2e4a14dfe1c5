/**
 * Host memory: the core's wasm linear memory from HOST_BASE up, allocated in labelled ranges. An hva is a byte offset into it. An allocated range
 * never overlaps another, is page-aligned and initially zero.
 */
import { HOST_BASE, PAGE_SIZE } from '../abi/layout';
import { MachineError } from './api';

const WASM_PAGE = 0x10000;
/** WebAssembly pages: 16 MiB. */
const GROW_STEP = 256;
/** memory32's own limit: 4 GiB. */
export const MAX_WASM_PAGES = 65536;
/** Bytes that can be allocated at all. */
export const MOST_HOST_MEMORY = MAX_WASM_PAGES * WASM_PAGE - HOST_BASE;

export interface HostRange {
  /** hva, bytes */
  readonly start: number;
  /** bytes, a multiple of 4 KiB */
  readonly size: number;
  readonly label: string;
}

/** Ranges, adjacent or apart, searchable by hva. */
export interface HostRanges {
  /** The range that holds `hva`, or undefined. */
  rangeAt(hva: number): HostRange | undefined;
  /** End of the memory that is allocated without a gap from `hva` on; `hva` itself if none is. */
  runEnd(hva: number): number;
}

/** A range, and the `version` since which it has been unchanged. */
export interface Owned extends HostRange {
  readonly since: number;
}

export class HostMemory implements HostRanges {
  readonly memory: WebAssembly.Memory;
  /** Views of the whole memory. They are replaced when it grows, so never keep them across an allocation. */
  bytes!: Uint8Array<ArrayBuffer>;
  view!: DataView<ArrayBuffer>;
  words!: Uint32Array<ArrayBuffer>;
  /** Called for every range that changes its owner: decoded code from it must be dropped. */
  onRecycle: (hva: number, size: number) => void = () => {};

  /** Counts changes of the allocation. */
  version = 0;

  /** Sorted by start. */
  private readonly used: Owned[] = [];
  /** This many ranges from the start on are adjacent: a search for room begins after them. */
  private packed = 0;
  /** Memory from this hva on was never allocated, hence is zero. */
  private untouched = HOST_BASE;

  constructor(private readonly maxPages = MAX_WASM_PAGES) {
    this.memory = new WebAssembly.Memory({ initial: HOST_BASE / WASM_PAGE, maximum: MAX_WASM_PAGES });
    this.refreshViews();
  }

  /** First hva beyond the largest possible memory, bytes. */
  get limit(): number {
    return this.maxPages * WASM_PAGE;
  }

  /** Allocated bytes. */
  get inUse(): number {
    return this.used.reduce((sum, range) => sum + range.size, 0);
  }

  ranges(): readonly HostRange[] {
    return this.used;
  }

  /** For `adopt`: each range with the version since which it has been unchanged. */
  held(): readonly HostRange[] {
    return this.used.map((range) => ({ ...range }));
  }

  /** Allocates a zeroed range of `size` bytes (rounded up to pages), first fit. MachineError if there is none. */
  allocate(size: number, label: string): number {
    if (!Number.isSafeInteger(size) || size <= 0) throw new MachineError(`cannot allocate ${size} bytes of host memory for '${label}'`);
    const rounded = Math.ceil(size / PAGE_SIZE) * PAGE_SIZE;
    const { start, index } = this.firstFit(rounded, label);
    this.growTo(start + rounded, label);
    if (start < this.untouched) {
      const end = Math.min(start + rounded, this.untouched);
      this.bytes.fill(0, start, end);
      this.onRecycle(start, end - start);
    }
    this.untouched = Math.max(this.untouched, start + rounded);
    this.version++;
    this.used.splice(index, 0, { start, size: rounded, label, since: this.version });
    if (index === this.packed && start === this.endOf(index - 1)) this.packed++;
    return start;
  }

  /** Frees the range that starts at `start`. */
  release(start: number): void {
    const index = this.used.findIndex((range) => range.start === start);
    if (index < 0) throw new MachineError(`no host memory range starts at hva 0x${start.toString(16)}`);
    this.used.splice(index, 1);
    this.packed = Math.min(this.packed, index);
    this.version++;
  }

  /**
   * Frees all ranges except those that a mark reports to its argument, with any part of them (hva and size, bytes) and the newest version that may
   * match: memory allocated there later belongs to something else. It takes one pass for any number of ranges. A mark is called only while ranges are
   * left that no earlier mark reported, so the most expensive one comes last.
   */
  releaseAllBut(marks: readonly ((keep: (start: number, size: number, since: number) => void) => void)[]): void {
    const kept = new Uint8Array(this.used.length);
    let left = kept.length;
    const keep = (start: number, size: number, since: number): void => {
      for (let index = this.firstEndingAfter(start); index < this.used.length && this.used[index]!.start < start + size; index++) {
        if (kept[index] || this.used[index]!.since > since) continue;
        kept[index] = 1;
        left--;
      }
    };
    for (const mark of marks) if (left > 0) mark(keep);
    const first = kept.indexOf(0);
    if (first < 0) return;
    let length = first;
    for (let index = first; index < kept.length; index++) if (kept[index]) this.used[length++] = this.used[index]!;
    this.used.length = length;
    this.packed = Math.min(this.packed, first);
    this.version++;
  }

  /**
   * Allocates exactly `ranges` (which `refusesRanges` accepts) and nothing else. Their contents are undefined: the caller fills them. Returns the
   * previous ranges, to undo it. MachineError, with nothing changed, if the memory cannot grow enough.
   */
  adopt(ranges: readonly HostRange[]): HostRange[] {
    const last = ranges.at(-1);
    if (last) {
      this.growTo(last.start + last.size, last.label);
      this.untouched = Math.max(this.untouched, last.start + last.size);
    }
    this.version++;
    this.packed = 0;
    const since = this.version;
    return this.used.splice(0, this.used.length, ...ranges.map((range) => ({ since, ...range })));
  }

  rangeAt(hva: number): Owned | undefined {
    return rangeAt(this.used, hva);
  }

  runEnd(hva: number): number {
    let end = hva;
    for (let range = this.rangeAt(end); range; range = this.rangeAt(end)) end = range.start + range.size;
    return end;
  }

  private firstEndingAfter(hva: number): number {
    return firstEndingAfter(this.used, hva);
  }

  /** Is every byte of [start, end) allocated, and owned by the same owner since `version`? Ranges may be adjacent. */
  isSince({ start, end }: { start: number; end: number }, version: number): boolean {
    let at = start;
    while (at < end) {
      const range = rangeAt(this.used, at);
      if (!range || range.since > version) return false;
      at = range.start + range.size;
    }
    return true;
  }

  private firstFit(size: number, label: string): { start: number; index: number } {
    let index = this.packed;
    let start = this.endOf(index - 1);
    for (; index < this.used.length && this.used[index]!.start - start < size; index++) start = this.endOf(index);
    if (start + size > this.limit) {
      throw new MachineError(
        `cannot set up guest memory '${label}': Cannot allocate memory (${mebibytes(size)} requested, ${mebibytes(this.limit - HOST_BASE - this.inUse)} of host memory free)`,
      );
    }
    return { start, index };
  }

  /** End of the range with this index; before the first one, the start of memory. */
  private endOf(index: number): number {
    const range = this.used[index];
    return range ? range.start + range.size : HOST_BASE;
  }

  private growTo(end: number, label: string): void {
    const missing = Math.ceil((end - this.memory.buffer.byteLength) / WASM_PAGE);
    if (missing <= 0) return;
    const room = this.maxPages - this.memory.buffer.byteLength / WASM_PAGE;
    // Grows in large steps if possible: each step costs new views, and thousands of small slots would pay for thousands of them.
    if (!this.grow(Math.min(room, Math.max(missing, GROW_STEP))) && !this.grow(missing)) {
      throw new MachineError(
        `cannot set up guest memory '${label}': Cannot allocate memory (the browser or Node refused ${mebibytes(missing * WASM_PAGE)} more)`,
      );
    }
    this.refreshViews();
  }

  private grow(pages: number): boolean {
    try {
      this.memory.grow(pages);
      return true;
    } catch {
      return false;
    }
  }

  private refreshViews(): void {
    const buffer = this.memory.buffer as ArrayBuffer;
    this.bytes = new Uint8Array(buffer);
    this.view = new DataView(buffer);
    this.words = new Uint32Array(buffer);
  }
}

/** Why `ranges` cannot be allocated, or undefined: they must be sorted, disjoint and whole pages within host memory, which ends at hva `limit`. */
export function refusesRanges(ranges: readonly HostRange[], limit = MAX_WASM_PAGES * WASM_PAGE): string | undefined {
  let free = HOST_BASE;
  for (const { start, size, label } of ranges) {
    const at = `'${label}' at hva 0x${start.toString(16)}, 0x${size.toString(16)} bytes`;
    if (start % PAGE_SIZE !== 0 || size % PAGE_SIZE !== 0 || size <= 0) return `${at}, is not whole pages`;
    if (start < free) return `${at}, lies below 0x${free.toString(16)}, where the one before ends`;
    if (start + size > limit) return `${at}, is more host memory than there is (it ends at 0x${limit.toString(16)})`;
    free = start + size;
  }
  return undefined;
}

/** Sorted ranges from elsewhere: every query costs O(log n), whatever they are. */
export function rangesOf(ranges: readonly HostRange[]): HostRanges {
  const ends = new Float64Array(ranges.length);
  for (let index = ranges.length - 1; index >= 0; index--) {
    const end = ranges[index]!.start + ranges[index]!.size;
    ends[index] = ranges[index + 1]?.start === end ? ends[index + 1]! : end;
  }
  return {
    rangeAt: (hva) => rangeAt(ranges, hva),
    runEnd(hva) {
      const index = firstEndingAfter(ranges, hva);
      return (ranges[index]?.start ?? Number.POSITIVE_INFINITY) <= hva ? ends[index]! : hva;
    },
  };
}

/** The range of a sorted list that holds `hva`, or undefined. */
function rangeAt<R extends HostRange>(ranges: readonly R[], hva: number): R | undefined {
  const range = ranges[firstEndingAfter(ranges, hva)];
  return range && range.start <= hva ? range : undefined;
}

/** Index of the first range of a sorted list that ends after `hva`: it holds `hva`, or lies after it. */
function firstEndingAfter(ranges: readonly HostRange[], hva: number): number {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const range = ranges[middle]!;
    if (range.start + range.size <= hva) low = middle + 1;
    else high = middle;
  }
  return low;
}

function mebibytes(bytes: number): string {
  return bytes >= 0x100000 ? `${Math.floor(bytes / 0x100000)} MiB` : `${Math.floor(bytes / 1024)} KiB`;
}
