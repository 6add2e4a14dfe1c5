/**
 * The RAM of a machine file, section by section as they are unpacked: u32 count, that many u32 page numbers of host memory, the
 * pages. Each page lies in a range that the file describes, and all are in order over the whole file, so no file can unpack to more than that.
 */
import { PAGE_SIZE } from '../abi/layout';
import { pageFrom, type RamPiece, type SavedMachine } from '../machine/index';
import { type PackedSection, Refused } from './container';

/** Pages in one section, at most. */
const PIECE_PAGES = 1024;
/** Bytes of a section when unpacked, at most. */
export const PIECE_BYTES = 4 + PIECE_PAGES * (4 + PAGE_SIZE);

export class RamPieces {
  private readonly pieces: RamPiece[];

  constructor(
    sections: readonly PackedSection[],
    private readonly ranges: SavedMachine['ranges'],
    /** Start of host memory in this file. */
    private readonly base: number,
  ) {
    this.pieces = new Array(sections.length);
  }

  /** In the order of the sections; complete once each was taken. */
  get all(): RamPiece[] {
    return this.pieces;
  }

  /** A section's bytes; sections may come in any order. Throws Refused. */
  take(bytes: Uint8Array, index: number): void {
    const piece = pieceOf(bytes, this.base);
    this.checkPages(piece.pages);
    const before = this.pieces[index - 1]?.pages.at(-1);
    const after = this.pieces[index + 1]?.pages[0];
    const [first, last] = [piece.pages[0], piece.pages.at(-1)];
    if (first !== undefined && before !== undefined && first <= before) throw stray(first);
    if (last !== undefined && after !== undefined && after <= last) throw stray(after);
    this.pieces[index] = piece;
  }

  private checkPages(pages: Uint32Array): void {
    let last = -1;
    let at = this.firstEndingAfter((pages[0] ?? 0) * PAGE_SIZE);
    for (const page of pages) {
      const hva = page * PAGE_SIZE;
      while (at < this.ranges.length && hva >= this.endOf(at)) at += 1;
      if (page <= last || at === this.ranges.length || hva < this.ranges[at]!.start) throw stray(page);
      last = page;
    }
  }

  private firstEndingAfter(hva: number): number {
    let low = 0;
    let high = this.ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.endOf(middle) <= hva) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private endOf(index: number): number {
    const { start, size } = this.ranges[index]!;
    return start + size;
  }
}

const stray = (page: number): Refused => new Refused(`RAM at hva 0x${(page * PAGE_SIZE).toString(16)} is in no range of host memory`);

function pieceOf(bytes: Uint8Array, base: number): RamPiece {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const count = bytes.length >= 4 ? view.getUint32(0, true) : 0;
  if (count === 0 || count > PIECE_PAGES || bytes.length !== 4 + count * (4 + PAGE_SIZE))
    throw new Refused(`section ram: ${bytes.length} bytes are not ${count} pages`);
  const pages = Uint32Array.from({ length: count }, (_unused, index) => pageFrom(base, view.getUint32(4 + index * 4, true)));
  return { pages, bytes: bytes.subarray(4 + count * 4) };
}
