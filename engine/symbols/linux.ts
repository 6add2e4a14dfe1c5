/** The symbols of a running Linux, read from its memory without side effects. */
import type { Machine } from '../machine/index';
import { kallsymsAt, tokenIndexes } from './kallsyms';
import { type Extent, kernelExtents } from './kernel-memory';
import type { SymbolTable } from './table';

export interface LinuxSymbols {
  table: SymbolTable;
  /** Where the kernel's image lies */
  extents: readonly Extent[];
  /** Are the tables still in memory where they were found? */
  stillThere(): boolean;
}

/** Bytes to read around a token index: names and markers before it, offsets after it. */
const BEFORE = 24 * 1024 * 1024;
const BEHIND = 10 * 1024 * 1024;
/** Bytes of one piece; a token index across the end of a piece is found in the next. */
const PIECE = 2 * 1024 * 1024;
const OVERLAP = 4096;
const PROOF = 512;

/** undefined: no vCPU maps a Linux, or not yet. Takes tens of ms if there is a kernel without tables. */
export function findLinux(machine: Machine): LinuxSymbols | undefined {
  const extents = kernelExtents(machine);
  for (const run of runs(extents))
    for (const at of candidates(machine, run)) {
      const before = Math.min(at, BEFORE);
      const length = Math.min(run.size - (at - before), before + BEHIND);
      const bytes = readRun(machine, run, at - before, length);
      const table = bytes && kallsymsAt({ bytes, index: before });
      if (!table) continue;
      const gpa = gpaOf(run, at);
      const proof = machine.physical.read(gpa, PROOF);
      return { table, extents, stillThere: () => same(machine.physical.read(gpa, PROOF), proof) };
    }
  return undefined;
}

/** Pages that are consecutive in gva, at any gpa. */
interface Run {
  size: number;
  parts: (Extent & { from: number })[];
}

function runs(extents: readonly Extent[]): Run[] {
  const found: Run[] = [];
  let end = -1n;
  for (const extent of extents) {
    if (extent.gva !== end) found.push({ size: 0, parts: [] });
    const run = found.at(-1)!;
    run.parts.push({ ...extent, from: run.size });
    run.size += extent.size;
    end = extent.gva + BigInt(extent.size);
  }
  return found;
}

const gpaOf = ({ parts }: Run, at: number): number => {
  const part = parts.find(({ from, size }) => at >= from && at < from + size)!;
  return part.gpa + at - part.from;
};

/** Reads zeros for pages without a slot. */
function readRun(machine: Machine, { parts }: Run, at: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (const { gpa, size, from } of parts) {
    const start = Math.max(at, from);
    const end = Math.min(at + length, from + size);
    if (start >= end) continue;
    const read = machine.physical.read(gpa + start - from, end - start);
    if (read) bytes.set(read, start - at);
  }
  return bytes;
}

function* candidates(machine: Machine, run: Run): Iterable<number> {
  for (let at = 0; at < run.size; at += PIECE) {
    const bytes = readRun(machine, run, at, Math.min(PIECE + OVERLAP, run.size - at));
    for (const index of tokenIndexes(bytes)) if (index < PIECE) yield at + index;
  }
}

const same = (a: Uint8Array | undefined, b: Uint8Array | undefined): boolean =>
  a !== undefined && b !== undefined && a.length === b.length && a.every((byte, index) => byte === b[index]);
