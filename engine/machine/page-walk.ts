/**
 * How the guest translates one address, step by step (SDM 3A chapter 4), for inspection: every table entry on the way, its contents and address, and
 * the reason if the walk stops. It follows engine/cpu/mmu-walk.ts, checks of reserved bits included, but has no side effects: no accessed or dirty
 * bits, no TLB fill, no fault.
 *
 * For a nested guest each physical address, also that of a table, is translated by its host's nested tables first: those entries are steps as well.
 */
import { PAGE_SIZE, VCPU_BASE, VCPU_BLOCK_SIZE, VCPU_TLB } from '../abi/layout';
import { SVM_NCR3 } from '../abi/svm';
import { TLB_ENTRIES, TLB_ENTRY_SIZE, TLB_TAG_EXEC, TLB_TAG_READ, TLB_TAG_WRITE, TLB_USER } from '../abi/tlb';
import { VCPU_AS_ID, VCPU_CR0, VCPU_CR3, VCPU_CR4, VCPU_EFER } from '../abi/vcpu';
import type { MemslotEngine } from '../memory/index';
import type { PageWalk, TlbTags, WalkRights } from './api';
import type { HostMemory } from './host-memory';
import { MachineMemory, NestedMemory, nestedTables, walkNested } from './nested-tables';
import { isStop, tablesOf, walkTables } from './table-walk';
import type { Vcpu } from './vcpu';

const CR0_WP = 1n << 16n;
const CR0_PG = 1n << 31n;
const CR4_PGE = 1n << 7n;
const GLOBAL = 0x100n;
const EFER_LMA = 1n << 10n;

const ALL: WalkRights = { write: true, user: true, execute: true };

export function walkAddress(vcpu: Vcpu, engine: MemslotEngine, host: HostMemory, address: bigint): PageWalk {
  const [cr0, cr3, efer] = [vcpu.u64(VCPU_CR0), vcpu.u64(VCPU_CR3), vcpu.u64(VCPU_EFER)];
  const paging = (cr0 & CR0_PG) !== 0n;
  const long = (efer & EFER_LMA) !== 0n;
  const gva = BigInt.asUintN(paging && long ? 64 : 32, address);
  const table = VCPU_BASE + vcpu.index * VCPU_BLOCK_SIZE + VCPU_TLB;
  const nested = nestedTables(vcpu);
  const walk: PageWalk = {
    mode: 'off',
    gva,
    cr3,
    asId: vcpu.u32(VCPU_AS_ID),
    writeProtect: (cr0 & CR0_WP) !== 0n,
    steps: [],
    tlb: { supervisor: tagsAt(host, table, gva), user: tagsAt(host, table + TLB_USER, gva) },
    ...(nested && { nested: { mode: nested.mode, ncr3: vcpu.u64(SVM_NCR3) } }),
  };
  const memory = new MachineMemory(vcpu, engine, host);

  let arrived = { address: Number(gva), size: PAGE_SIZE, rights: ALL, leaf: 0n };
  if (paging) {
    const tables = tablesOf(cr3, vcpu.u64(VCPU_CR4), efer);
    walk.mode = tables.mode;
    if (long && BigInt.asUintN(64, BigInt.asIntN(48, gva)) !== gva) {
      walk.stop = { kind: 'not-canonical', text: 'not canonical: bits 63 to 47 are not all equal, an access is #GP' };
      return walk;
    }
    const result = walkTables(tables, nested ? new NestedMemory(nested, memory, walk.steps) : memory, gva, walk.steps);
    if (isStop(result)) {
      walk.stop = result;
      return walk;
    }
    arrived = result;
  }

  const { size, rights } = arrived;
  const global = (arrived.leaf & GLOBAL) !== 0n && (vcpu.u64(VCPU_CR4) & CR4_PGE) !== 0n;
  if (!nested) {
    walk.page = { ...memory.locate(arrived.address), size, rights, global };
    return walk;
  }
  const final = walkNested(nested, memory, arrived.address, 'page', walk.steps);
  if (isStop(final)) walk.stop = final;
  else
    walk.page = {
      ...memory.locate(final.address),
      nestedGpa: arrived.address,
      size,
      rights,
      global,
      nested: { size: final.size, rights: final.rights },
    };
  return walk;
}

/** What the software TLB has for the address now. */
function tagsAt({ view }: HostMemory, table: number, gva: bigint): TlbTags {
  const entry = table + Number(((gva >> 12n) ^ (gva >> 24n)) % BigInt(TLB_ENTRIES)) * TLB_ENTRY_SIZE;
  const has = (tag: number): boolean => view.getBigUint64(entry + tag, true) === gva - (gva % BigInt(PAGE_SIZE));
  return { read: has(TLB_TAG_READ), write: has(TLB_TAG_WRITE), execute: has(TLB_TAG_EXEC) };
}
