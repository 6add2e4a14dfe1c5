/** One walk of page tables, entry by entry (SDM 3A chapter 4): the guest's own, or its host's nested ones, which have the same format (APM 2 15.25). */
import type { PageWalkStep, WalkPlace, WalkRights, WalkStop } from './api';

/** MAXPHYADDR 46: address bits of an entry, and the reserved bits above. */
const PHYSICAL = 0x00003ffffffff000n;
const RESERVED_LONG = 0x000fc00000000000n;
const RESERVED_PAE = 0x7fffc00000000000n;
const RESERVED_PDPTE_PAE = 0xffffc000000001e6n;
export const PRESENT = 1n;
const RW = 2n;
const US = 4n;
const PS = 0x80n;
const NX = 1n << 63n;
const CR4_PSE = 1n << 4n;
const CR4_PAE = 1n << 5n;
const EFER_LMA = 1n << 10n;
const EFER_NXE = 1n << 11n;

const NAMES: Record<number, PageWalkStep['name']> = { 39: 'PML4E', 30: 'PDPTE', 22: 'PDE', 21: 'PDE', 12: 'PTE' };

/** Tables as their registers describe them. */
export interface Tables {
  mode: '32-bit' | 'PAE' | '4-level';
  /** address bits below the index of each level, from the top */
  shifts: readonly number[];
  entryBytes: 4 | 8;
  /** Physical address of the top table */
  top: bigint;
  nxe: boolean;
  /** 32-bit: entries may map 4 MiB. */
  pse: boolean;
  /** The tables of N_CR3: they translate a nested guest's physical addresses. */
  nested: boolean;
}

export function tablesOf(root: bigint, cr4: bigint, efer: bigint, nested = false): Tables {
  const common = { nxe: (efer & EFER_NXE) !== 0n, pse: (cr4 & CR4_PSE) !== 0n, nested };
  if ((efer & EFER_LMA) !== 0n) return { ...common, mode: '4-level', shifts: [39, 30, 21, 12], entryBytes: 8, top: root & PHYSICAL };
  if ((cr4 & CR4_PAE) !== 0n) return { ...common, mode: 'PAE', shifts: [30, 21, 12], entryBytes: 8, top: root & 0xffffffe0n };
  return { ...common, mode: '32-bit', shifts: [22, 12], entryBytes: 4, top: root & 0xfffff000n };
}

export interface Arrival {
  /** Physical address in the tables. */
  address: number;
  /** bytes of its page */
  size: number;
  rights: WalkRights;
  leaf: bigint;
}

/** How a walk reads its tables. */
export interface TableReader {
  /** Where the entry at this physical address lies, or why that is unknown. */
  locate(address: number): WalkPlace | WalkStop;
  read(place: WalkPlace, bytes: 4 | 8): bigint;
}

export const isStop = (result: object): result is WalkStop => 'kind' in result;

/** Address bits of the mode. */
export const widthOf = ({ mode }: Tables): number => (mode === '4-level' ? 48 : 32);

/** Adds the entries on the way to `steps`. */
export function walkTables(tables: Tables, reader: TableReader, address: bigint, steps: PageWalkStep[]): Arrival | WalkStop {
  const { mode, entryBytes, nested } = tables;
  const rights: WalkRights = { write: true, user: true, execute: true };
  const faults = nested ? 'an access is a nested page fault' : 'an access is #PF';
  let table = Number(tables.top);
  let above = widthOf(tables);
  for (const shift of tables.shifts) {
    const index = Number((address >> BigInt(shift)) & ((1n << BigInt(above - shift)) - 1n));
    const name = NAMES[shift]!;
    const called = nested ? `nested ${name}` : name;
    const place = reader.locate(table + index * entryBytes);
    if (isStop(place)) return place;
    if (place.invalid) return { kind: 'invalid', text: `the ${called} lies in memslot ${place.slot}, which is INVALID: the guest retries` };
    const entry = reader.read(place, entryBytes);
    const leaf = isLeaf(tables, shift, entry);
    steps.push({ name, high: above - 1, low: shift, index, bytes: entryBytes, entry, leaf, ...(nested ? { nested } : {}), ...place });
    if ((entry & PRESENT) === 0n) return { kind: 'not-present', text: `the ${called} is not present: ${faults}` };
    const reserved = entry & reservedBits(tables, shift, leaf);
    if (reserved !== 0n) {
      const why = place.slot === undefined ? `no memslot maps the ${called}, so it reads as all ones: ` : '';
      return { kind: 'reserved', text: `${why}reserved bits 0x${reserved.toString(16)} are set in the ${called}: ${faults}` };
    }
    // A PAE PDPTE carries no rights.
    if (!(mode === 'PAE' && shift === 30)) {
      rights.write &&= (entry & RW) !== 0n;
      rights.user &&= (entry & US) !== 0n;
      rights.execute &&= !(tables.nxe && entryBytes === 8 && (entry & NX) !== 0n);
    }
    if (leaf) {
      const inside = (1n << BigInt(shift)) - 1n;
      return { address: Number(leafBase(tables, shift, entry) | (address & inside)), size: Number(inside) + 1, rights, leaf: entry };
    }
    table = tableBase(tables, entry);
    above = shift;
  }
  throw new Error('a walk ends at a leaf');
}

/** Does a present entry of this level map a page? */
export function isLeaf({ mode, pse }: Tables, shift: number, entry: bigint): boolean {
  if (shift === 12) return true;
  if ((entry & PS) === 0n || shift === 39) return false;
  if (mode === '32-bit') return pse;
  return shift === 21 || mode === '4-level';
}

/** Bits that must be 0. */
export function reservedBits({ mode, nxe }: Tables, shift: number, leaf: boolean): bigint {
  if (mode === '32-bit') return leaf && shift === 22 ? 0x200000n : 0n;
  if (mode === 'PAE' && shift === 30) return RESERVED_PDPTE_PAE;
  let bits = mode === 'PAE' ? RESERVED_PAE : RESERVED_LONG;
  if (!nxe) bits |= NX;
  if (shift === 39) bits |= PS;
  else if (leaf && shift > 12) bits |= ((1n << BigInt(shift)) - 1n) & ~0x1fffn;
  return bits;
}

/** Start of the table that the entry points to. */
export const tableBase = ({ entryBytes }: Tables, entry: bigint): number => Number(entry & (entryBytes === 4 ? 0xfffff000n : PHYSICAL));

/** Start of the page that the leaf maps. */
export function leafBase({ mode }: Tables, shift: number, entry: bigint): bigint {
  // PSE-36: bits 13 to 20 are address bits 32 to 39.
  if (mode === '32-bit') return shift === 22 ? (entry & 0xffc00000n) | (((entry >> 13n) & 0xffn) << 32n) : entry & 0xfffff000n;
  return entry & PHYSICAL & ~((1n << BigInt(shift)) - 1n);
}
