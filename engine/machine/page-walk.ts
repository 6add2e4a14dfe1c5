/**
 * How the guest translates one address, step by step (SDM 3A chapter 4), for people: every table entry on the way, what it says and
 * where it lies, and the reason where the walk stops. It follows engine/cpu/mmu-walk.ts, checks of reserved bits included, but only looks: no
 * accessed or dirty bit is set, no TLB entry filled, no fault raised.
 */
import { PAGE_SIZE, VCPU_BASE, VCPU_BLOCK_SIZE, VCPU_TLB } from '../abi/layout';
import { SVM_NESTED } from '../abi/svm';
import { TLB_ENTRIES, TLB_ENTRY_SIZE, TLB_TAG_EXEC, TLB_TAG_READ, TLB_TAG_WRITE, TLB_USER } from '../abi/tlb';
import { VCPU_AS_ID, VCPU_CR0, VCPU_CR3, VCPU_CR4, VCPU_EFER } from '../abi/vcpu';
import { MEMSLOT_INVALID, type MemslotEngine } from '../memory/index';
import { MachineError, type PageWalk, type PageWalkStep, type TlbTags, type WalkPlace, type WalkRights } from './api';
import type { HostMemory } from './host-memory';
import type { Vcpu } from './vcpu';

/** MAXPHYADDR 46: address bits of an entry, and those that are reserved above. */
const PHYSICAL = 0x00003ffffffff000n;
const RESERVED_LONG = 0x000fc00000000000n;
const RESERVED_PAE = 0x7fffc00000000000n;
const RESERVED_PDPTE_PAE = 0xffffc000000001e6n;
const PRESENT = 1n;
const RW = 2n;
const US = 4n;
const PS = 0x80n;
const NX = 1n << 63n;
const CR0_WP = 1n << 16n;
const CR0_PG = 1n << 31n;
const CR4_PSE = 1n << 4n;
const CR4_PAE = 1n << 5n;
const CR4_PGE = 1n << 7n;
const EFER_LMA = 1n << 10n;
const EFER_NXE = 1n << 11n;
const ONES = 0xffffffffffffffffn;

const NO_TAGS: TlbTags = { read: false, write: false, execute: false };

const NAMES: Record<number, PageWalkStep['name']> = { 39: 'PML4E', 30: 'PDPTE', 22: 'PDE', 21: 'PDE', 12: 'PTE' };

interface Shape {
  mode: Exclude<PageWalk['mode'], 'off'>;
  /** gva bits below the index of each level, from the top */
  shifts: readonly number[];
  entryBytes: 4 | 8;
  /** Physical address of the top table, from CR3 */
  top: bigint;
}

export function walkAddress(vcpu: Vcpu, engine: MemslotEngine, host: HostMemory, address: bigint): PageWalk {
  if (vcpu.u32(SVM_NESTED))
    throw new MachineError(
      `vCPU ${vcpu.index} runs a nested guest: its walk goes through tables of two levels, which is not shown; gva2gpa says where it ends`,
    );
  const walk = new Walker(vcpu, engine, host).walk(BigInt.asUintN(64, address));
  const table = VCPU_BASE + vcpu.index * VCPU_BLOCK_SIZE + VCPU_TLB;
  walk.tlb = { supervisor: tagsAt(host, table, walk.gva), user: tagsAt(host, table + TLB_USER, walk.gva) };
  return walk;
}

/** What the software TLB holds of the address now. */
function tagsAt({ view }: HostMemory, table: number, gva: bigint): TlbTags {
  const entry = table + Number(((gva >> 12n) ^ (gva >> 24n)) % BigInt(TLB_ENTRIES)) * TLB_ENTRY_SIZE;
  const has = (tag: number): boolean => view.getBigUint64(entry + tag, true) === gva - (gva % BigInt(PAGE_SIZE));
  return { read: has(TLB_TAG_READ), write: has(TLB_TAG_WRITE), execute: has(TLB_TAG_EXEC) };
}

class Walker {
  private readonly cr0: bigint;
  private readonly cr3: bigint;
  private readonly cr4: bigint;
  private readonly nxe: boolean;
  private readonly long: boolean;
  private readonly asId: number;

  constructor(
    vcpu: Vcpu,
    private readonly engine: MemslotEngine,
    private readonly host: HostMemory,
  ) {
    this.cr0 = vcpu.u64(VCPU_CR0);
    this.cr3 = vcpu.u64(VCPU_CR3);
    this.cr4 = vcpu.u64(VCPU_CR4);
    const efer = vcpu.u64(VCPU_EFER);
    this.nxe = (efer & EFER_NXE) !== 0n;
    this.long = (efer & EFER_LMA) !== 0n;
    this.asId = vcpu.u32(VCPU_AS_ID);
  }

  walk(asked: bigint): PageWalk {
    const paging = (this.cr0 & CR0_PG) !== 0n;
    const gva = paging && this.long ? asked : asked & 0xffffffffn;
    const writeProtect = (this.cr0 & CR0_WP) !== 0n;
    const walk: PageWalk = {
      mode: 'off',
      gva,
      cr3: this.cr3,
      asId: this.asId,
      writeProtect,
      steps: [],
      tlb: { supervisor: NO_TAGS, user: NO_TAGS },
    };
    if (!paging) {
      walk.page = { ...this.place(Number(gva)), size: PAGE_SIZE, rights: { write: true, user: true, execute: true }, global: false };
      return walk;
    }
    const shape = this.shape();
    walk.mode = shape.mode;
    if (this.long && BigInt.asUintN(64, BigInt.asIntN(48, gva)) !== gva)
      walk.stop = { kind: 'not-canonical', text: 'not canonical: bits 63 to 47 are not all equal, an access is #GP' };
    else this.levels(walk, shape);
    return walk;
  }

  private shape(): Shape {
    if (this.long) return { mode: '4-level', shifts: [39, 30, 21, 12], entryBytes: 8, top: this.cr3 & PHYSICAL };
    if ((this.cr4 & CR4_PAE) !== 0n) return { mode: 'PAE', shifts: [30, 21, 12], entryBytes: 8, top: this.cr3 & 0xffffffe0n };
    return { mode: '32-bit', shifts: [22, 12], entryBytes: 4, top: this.cr3 & 0xfffff000n };
  }

  private levels(walk: PageWalk, shape: Shape): void {
    const rights: WalkRights = { write: true, user: true, execute: true };
    let table = Number(shape.top);
    let above = shape.mode === 'PAE' ? 32 : shape.mode === '4-level' ? 48 : 32;
    for (const shift of shape.shifts) {
      const index = Number((walk.gva >> BigInt(shift)) & ((1n << BigInt(above - shift)) - 1n));
      const name = NAMES[shift]!;
      const place = this.place(table + index * shape.entryBytes);
      if (place.invalid) {
        walk.stop = { kind: 'invalid', text: `the ${name} lies in memslot ${place.slot}, which is INVALID: the guest tries again` };
        return;
      }
      const entry = this.read(place, shape.entryBytes);
      const leaf = shift === 12 || (name !== 'PML4E' && (entry & PS) !== 0n && this.mayBeLarge(shape, shift));
      walk.steps.push({ name, high: above - 1, low: shift, index, bytes: shape.entryBytes, entry, leaf, ...place });
      if ((entry & PRESENT) === 0n) {
        walk.stop = { kind: 'not-present', text: `the ${name} is not present: an access is #PF` };
        return;
      }
      const reserved = entry & this.reserved(shape, shift, leaf);
      if (reserved !== 0n) {
        const why = place.slot === undefined ? `no memslot maps the ${name}, so it reads as all ones: ` : '';
        walk.stop = { kind: 'reserved', text: `${why}reserved bits 0x${reserved.toString(16)} are set in the ${name}: an access is #PF` };
        return;
      }
      // A PAE PDPTE carries no rights.
      if (!(shape.mode === 'PAE' && shift === 30)) {
        rights.write &&= (entry & RW) !== 0n;
        rights.user &&= (entry & US) !== 0n;
        rights.execute &&= !(this.nxe && shape.entryBytes === 8 && (entry & NX) !== 0n);
      }
      if (leaf) {
        this.arrive(walk, shape, shift, entry, rights);
        return;
      }
      table = Number(entry & (shape.entryBytes === 4 ? 0xfffff000n : PHYSICAL));
      above = shift;
    }
  }

  private mayBeLarge(shape: Shape, shift: number): boolean {
    if (shape.mode === '32-bit') return (this.cr4 & CR4_PSE) !== 0n;
    return shift === 21 || shape.mode === '4-level';
  }

  private reserved(shape: Shape, shift: number, leaf: boolean): bigint {
    if (shape.mode === '32-bit') return leaf && shift === 22 ? 0x200000n : 0n;
    if (shape.mode === 'PAE' && shift === 30) return RESERVED_PDPTE_PAE;
    let bits = shape.mode === 'PAE' ? RESERVED_PAE : RESERVED_LONG;
    if (!this.nxe) bits |= NX;
    if (shift === 39) bits |= PS;
    else if (leaf && shift > 12) bits |= ((1n << BigInt(shift)) - 1n) & ~0x1fffn;
    return bits;
  }

  private arrive(walk: PageWalk, shape: Shape, shift: number, entry: bigint, rights: WalkRights): void {
    const inside = (1n << BigInt(shift)) - 1n;
    let base = entry & PHYSICAL & ~inside;
    // PSE-36: bits 13 to 20 are address bits 32 to 39.
    if (shape.mode === '32-bit') base = shift === 22 ? (entry & 0xffc00000n) | (((entry >> 13n) & 0xffn) << 32n) : entry & 0xfffff000n;
    const global = (entry & 0x100n) !== 0n && (this.cr4 & CR4_PGE) !== 0n;
    walk.page = { ...this.place(Number(base | (walk.gva & inside))), size: Number(inside) + 1, rights, global };
  }

  private place(gpa: number): WalkPlace {
    const slot = this.engine.memslotAt(Math.floor(gpa / PAGE_SIZE), this.asId);
    if (!slot) return { gpa };
    if (slot.flags & MEMSLOT_INVALID) return { gpa, slot: slot.slot, invalid: true };
    return { gpa, slot: slot.slot, hva: slot.userspaceAddr + gpa - slot.baseGfn * PAGE_SIZE };
  }

  /** What no memslot maps reads as all ones, as an open bus does. */
  private read({ hva }: WalkPlace, bytes: 4 | 8): bigint {
    if (bytes === 4) return hva === undefined ? 0xffffffffn : BigInt(this.host.view.getUint32(hva, true));
    return hva === undefined ? ONES : this.host.view.getBigUint64(hva, true);
  }
}
