/**
 * The top 2 GiB of an address space with four-level paging, where a 64-bit Linux maps its image, read through a vCPU's page tables, whole pages
 * only. In user mode under page table isolation the kernel's tables lie 4 KiB below those in CR3.
 */
import type { Machine } from '../machine/index';

export interface Extent {
  gva: bigint;
  gpa: number;
  /** bytes */
  size: number;
}

const FIRST = 0xffffffff80000000n;
const END = 0xffffffffc0000000n;
const ADDRESS = 0x000ffffffffff000n;
const PRESENT = 1n;
const LARGE = 0x80n;
const LARGE_PAGE = 0x200000;
const PAGE = 4096;
const PTI = 0x1000n;
/** Larger than any kernel image; bytes. */
const MOST = 256 * 1024 * 1024;

const EFER_LMA = 0x400n;
const CR0_PG = 1n << 31n;

/** Pages that are adjacent in gva and gpa form one extent. Empty without 64-bit paging, or if nothing is mapped there. */
export function kernelExtents(machine: Machine): Extent[] {
  for (const root of roots(machine)) {
    const extents = extentsOf(machine, root);
    // Of isolated tables, a user's map only the entry code.
    if (extents.reduce((sum, { size }) => sum + size, 0) >= LARGE_PAGE) return extents;
  }
  return [];
}

/** Bytes at a gva of the kernel, undefined if one is not mapped. */
export type KernelReader = (gva: bigint, length: number) => Uint8Array | undefined;

/** Reads through the kernel's own tables, those that map `data`, whatever a vCPU runs now. undefined: there are none. */
export function kernelReader(machine: Machine, data: bigint): KernelReader | undefined {
  const root = [...roots(machine)].find((each) => walk(machine, each, data) !== undefined);
  if (root === undefined) return undefined;
  const pages = new Map<bigint, number | undefined>();
  const translate = (page: bigint): number | undefined => {
    if (!pages.has(page)) pages.set(page, walk(machine, root, page * BigInt(PAGE)));
    return pages.get(page);
  };
  return (gva, length) => {
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const at = gva + BigInt(done);
      const within = Number(at % BigInt(PAGE));
      const piece = Math.min(length - done, PAGE - within);
      const gpa = translate(at / BigInt(PAGE));
      const part = gpa === undefined ? undefined : machine.physical.read(gpa + within, piece);
      if (!part) return undefined;
      bytes.set(part, done);
      done += piece;
    }
    return bytes;
  };
}

/** gpa of a page by four levels of tables. */
function walk(machine: Machine, root: bigint, gva: bigint): number | undefined {
  let table = root;
  for (let level = 3; level >= 0; level--) {
    const shift = BigInt(12 + 9 * level);
    const bytes = machine.physical.read(Number(table) + Number((gva >> shift) & 511n) * 8, 8);
    const entry = bytes ? new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true) : 0n;
    if ((entry & PRESENT) === 0n) return undefined;
    if (level === 0 || (level < 3 && (entry & LARGE) !== 0n)) {
      const mask = (1n << shift) - 1n;
      return Number((entry & ADDRESS & ~mask) | (gva & mask));
    }
    table = entry & ADDRESS;
  }
  return undefined;
}

/** Those of the vCPUs in 64-bit mode, each once. */
function* roots(machine: Machine): Iterable<bigint> {
  const seen = new Set<bigint>();
  for (let vcpu = 0; vcpu < machine.config.smp; vcpu++) {
    const { cr0, cr3, efer } = machine.inspect.registers(vcpu);
    if ((cr0 & CR0_PG) === 0n || (efer & EFER_LMA) === 0n) continue;
    for (const root of [cr3 & ADDRESS & ~PTI, cr3 & ADDRESS]) {
      if (seen.has(root)) continue;
      seen.add(root);
      yield root;
    }
  }
}

function extentsOf(machine: Machine, root: bigint): Extent[] {
  const extents: Extent[] = [];
  let total = 0;
  const add = (gva: bigint, gpa: number, size: number): void => {
    if (total + size > MOST) return;
    total += size;
    const last = extents.at(-1);
    if (last && last.gva + BigInt(last.size) === gva && last.gpa + last.size === gpa) last.size += size;
    else extents.push({ gva, gpa, size });
  };
  const entries = (table: bigint): BigUint64Array | undefined => {
    const bytes = machine.physical.read(Number(table), PAGE);
    return bytes && new BigUint64Array(bytes.buffer);
  };
  const at = (table: BigUint64Array | undefined, index: number): bigint => table?.[index] ?? 0n;
  const pml4 = at(entries(root), 511);
  const pdpt = (pml4 & PRESENT) !== 0n ? entries(pml4 & ADDRESS) : undefined;
  const directory = at(pdpt, 510);
  const pd = (directory & PRESENT) !== 0n && (directory & LARGE) === 0n ? entries(directory & ADDRESS) : undefined;
  for (let index = 0, gva = FIRST; gva < END; index++, gva += BigInt(LARGE_PAGE)) {
    const entry = at(pd, index);
    if ((entry & PRESENT) === 0n) continue;
    if ((entry & LARGE) !== 0n) {
      add(gva, Number(entry & ADDRESS & ~0x1fffffn), LARGE_PAGE);
      continue;
    }
    entries(entry & ADDRESS)?.forEach((leaf, page) => {
      if ((leaf & PRESENT) !== 0n) add(gva + BigInt(page * PAGE), Number(leaf & ADDRESS), PAGE);
    });
  }
  return extents;
}
