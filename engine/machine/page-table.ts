/**
 * The guest's page tables as `info tlb` shows them (SDM 3A chapter 4): every present leaf, in address order. Reads memory only;
 * accessed and dirty bits stay as they are. Paging off: nothing. A nested guest's physical addresses are as it calls them.
 */
import { VCPU_CR0, VCPU_CR3, VCPU_CR4, VCPU_EFER } from '../abi/vcpu';
import type { Vcpu } from './vcpu';

export interface PageMapping {
  gva: bigint;
  gpa: number;
  /** Bits 0..11 of the leaf entry; PAGE_NX when execution is forbidden. */
  flags: number;
  /** bytes */
  size: number;
}

/** Physical memory with the tables: bytes at an address, undefined if there are none. */
export interface TableMemory {
  read(gpa: number, length: number): Uint8Array | undefined;
}

export const PAGE_NX = 0x1000;

const PRESENT = 1n;
const LARGE = 0x80n;
const NX = 1n << 63n;
const ADDRESS = 0x000ffffffffff000n;
const CR0_PG = 1n << 31n;
const CR4_PSE = 1n << 4n;
const CR4_PAE = 1n << 5n;
const EFER_LMA = 1n << 10n;

interface Level {
  /** gva bits below this level's index */
  shift: bigint;
  entries: number;
  /** May an entry here be a leaf by bit 7? 0 at the last level, where every entry is a leaf. */
  large: boolean;
}

const LEVEL1: Level = { shift: 12n, entries: 512, large: false };
const LEVEL2: Level = { shift: 21n, entries: 512, large: true };
const LEVEL3: Level = { shift: 30n, entries: 512, large: true };
const LEVEL4: Level = { shift: 39n, entries: 512, large: false };
const LONG = [LEVEL4, LEVEL3, LEVEL2, LEVEL1];
const PAE = [{ shift: 30n, entries: 4, large: false }, LEVEL2, LEVEL1];

export function* walkPageTable(vcpu: Vcpu, memory: TableMemory): Iterable<PageMapping> {
  if ((vcpu.u64(VCPU_CR0) & CR0_PG) === 0n) return;
  const cr3 = vcpu.u64(VCPU_CR3);
  const cr4 = vcpu.u64(VCPU_CR4);
  if ((vcpu.u64(VCPU_EFER) & EFER_LMA) !== 0n) yield* walk(memory, LONG, 0, cr3 & ADDRESS, 0n);
  else if ((cr4 & CR4_PAE) !== 0n) yield* walk(memory, PAE, 0, cr3 & 0xffffffe0n, 0n);
  else yield* walkTwoLevels(memory, cr3 & 0xfffff000n, (cr4 & CR4_PSE) !== 0n);
}

function* walk(memory: TableMemory, levels: readonly Level[], depth: number, table: bigint, base: bigint): Iterable<PageMapping> {
  const level = levels[depth]!;
  const bytes = memory.read(Number(table), level.entries * 8);
  if (!bytes) return;
  const view = new DataView(bytes.buffer);
  const last = depth === levels.length - 1;
  for (let index = 0; index < level.entries; index++) {
    const entry = view.getBigUint64(index * 8, true);
    if ((entry & PRESENT) === 0n) continue;
    const gva = canonical(base | (BigInt(index) << level.shift));
    if (last || (level.large && (entry & LARGE) !== 0n)) {
      const size = 1n << level.shift;
      const gpa = Number(entry & ADDRESS & ~(size - 1n));
      yield { gva, gpa, flags: Number(entry & 0xfffn) | ((entry & NX) !== 0n ? PAGE_NX : 0), size: Number(size) };
    } else yield* walk(memory, levels, depth + 1, entry & ADDRESS, base | (BigInt(index) << level.shift));
  }
}

function* walkTwoLevels(memory: TableMemory, table: bigint, pse: boolean): Iterable<PageMapping> {
  const directory = readTable32(memory, Number(table));
  for (let index = 0; directory && index < 1024; index++) {
    const entry = directory.getUint32(index * 4, true);
    if ((entry & 1) === 0) continue;
    const gva = index * 0x400000;
    if (pse && (entry & 0x80) !== 0) {
      // PSE-36: bits 13..20 are address bits 32..39.
      const gpa = Math.floor(entry / 0x400000) * 0x400000 + ((entry >>> 13) & 0xff) * 0x100000000;
      yield { gva: BigInt(gva), gpa, flags: entry & 0xfff, size: 0x400000 };
    } else yield* walkLastLevel32(memory, Math.floor(entry / 0x1000) * 0x1000, gva);
  }
}

function* walkLastLevel32(memory: TableMemory, at: number, base: number): Iterable<PageMapping> {
  const table = readTable32(memory, at);
  for (let index = 0; table && index < 1024; index++) {
    const entry = table.getUint32(index * 4, true);
    if ((entry & 1) === 0) continue;
    yield { gva: BigInt(base + index * 0x1000), gpa: Math.floor(entry / 0x1000) * 0x1000, flags: entry & 0xfff, size: 0x1000 };
  }
}

function readTable32(memory: TableMemory, gpa: number): DataView | undefined {
  const bytes = memory.read(gpa, 0x1000);
  return bytes && new DataView(bytes.buffer);
}

function canonical(gva: bigint): bigint {
  return (gva & (1n << 47n)) !== 0n ? gva | 0xffff000000000000n : gva;
}
