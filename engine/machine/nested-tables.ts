/** Reads the tables between a nested guest's physical memory and the machine's (APM 2 15.25) for inspection: sets no bits, raises no faults. */
import { PAGE_SIZE } from '../abi/layout';
import * as svm from '../abi/svm';
import { VCPU_AS_ID, VCPU_CR4, VCPU_EFER } from '../abi/vcpu';
import { MEMSLOT_INVALID, type MemslotEngine } from '../memory/index';
import type { NestedGuest, PageWalkStep, WalkPlace, WalkStop } from './api';
import type { HostMemory } from './host-memory';
import type { TableMemory } from './page-table';
import {
  type Arrival,
  isLeaf,
  isStop,
  leafBase,
  PRESENT,
  reservedBits,
  type TableReader,
  type Tables,
  tableBase,
  tablesOf,
  walkTables,
  widthOf,
} from './table-walk';
import type { Vcpu } from './vcpu';

const ONES = 0xffffffffffffffffn;

/** The machine's own memory: addresses without a memslot read as all ones, as on an open bus. */
export class MachineMemory implements TableReader {
  private readonly asId: number;

  constructor(
    vcpu: Vcpu,
    private readonly engine: MemslotEngine,
    private readonly host: HostMemory,
  ) {
    this.asId = vcpu.u32(VCPU_AS_ID);
  }

  locate(gpa: number): WalkPlace {
    const slot = this.engine.memslotAt(Math.floor(gpa / PAGE_SIZE), this.asId);
    if (!slot) return { gpa };
    if (slot.flags & MEMSLOT_INVALID) return { gpa, slot: slot.slot, invalid: true };
    return { gpa, slot: slot.slot, hva: slot.userspaceAddr + gpa - slot.baseGfn * PAGE_SIZE };
  }

  read({ hva }: WalkPlace, bytes: 4 | 8): bigint {
    if (bytes === 4) return hva === undefined ? 0xffffffffn : BigInt(this.host.view.getUint32(hva, true));
    return hva === undefined ? ONES : this.host.view.getBigUint64(hva, true);
  }
}

/** The nested tables that the vCPU uses now; undefined: it runs no guest with nested paging. */
export function nestedTables(vcpu: Vcpu): Tables | undefined {
  if (!vcpu.u32(svm.SVM_NESTED)) return undefined;
  return tablesOf(vcpu.u64(svm.SVM_NCR3), vcpu.u64(svm.SVM_HOST_CR4), vcpu.u64(svm.SVM_HOST_EFER), true);
}

/** Translates a nested guest's physical address to the machine's, with the entries on the way. */
export function walkNested(
  tables: Tables,
  memory: TableReader,
  address: number,
  use: 'table' | 'page',
  steps: PageWalkStep[],
): Arrival | WalkStop {
  if (address >= 2 ** widthOf(tables))
    return {
      kind: 'not-present',
      text: `0x${address.toString(16)} is beyond what the nested tables map: an access is a nested page fault`,
    };
  const arrived = walkTables(tables, memory, BigInt(address), steps);
  if (isStop(arrived)) return arrived;
  // Every access counts as a user's, and one to a guest's table as a write, since it may set A and D.
  const { user, write } = arrived.rights;
  if (user && (write || use === 'page')) return arrived;
  const what = user ? 'read-only, and the guest’s table lies there' : 'the supervisor’s';
  return { kind: 'nested-rights', text: `the nested page is ${what}: an access is a nested page fault` };
}

/** A nested guest's physical memory, for a walk of its own tables. */
export class NestedMemory implements TableReader {
  constructor(
    private readonly tables: Tables,
    private readonly memory: MachineMemory,
    private readonly steps: PageWalkStep[],
  ) {}

  locate(address: number): WalkPlace | WalkStop {
    const arrived = walkNested(this.tables, this.memory, address, 'table', this.steps);
    return isStop(arrived) ? arrived : { ...this.memory.locate(arrived.address), nestedGpa: address };
  }

  read(place: WalkPlace, bytes: 4 | 8): bigint {
    return this.memory.read(place, bytes);
  }
}

/** Physical memory as the program on the vCPU sees it: the machine's, or a nested guest's. Reads stay within a page. */
export function nestedPhysical(vcpu: Vcpu, engine: MemslotEngine, host: HostMemory, machine: TableMemory): TableMemory {
  const tables = nestedTables(vcpu);
  if (!tables) return machine;
  const memory = new MachineMemory(vcpu, engine, host);
  return {
    read(gpa, length) {
      const arrived = walkNested(tables, memory, gpa, 'table', []);
      return isStop(arrived) ? undefined : machine.read(arrived.address, length);
    },
  };
}

/** Most entries to read: the tables of a guest that no longer exists may lead anywhere. */
const MOST_ENTRIES = 1 << 18;

/**
 * The guest that the vCPU runs or last ran, and the machine's memory that belongs to it; undefined: there is none, or none with nested tables that
 * still exist. For a guest that is not running, the VMCB in memory must be the same as when it ran.
 */
export function nestedGuest(vcpu: Vcpu, engine: MemslotEngine, host: HostMemory): NestedGuest | undefined {
  const vmcb = vcpu.count(svm.SVM_VMCB);
  if (vmcb === 0) return undefined;
  const memory = new MachineMemory(vcpu, engine, host);
  const running = vcpu.u32(svm.SVM_GUEST) !== 0;
  const [ncr3, asid] = [vcpu.u64(svm.SVM_NCR3), vcpu.u32(svm.SVM_ASID)];
  let tables = nestedTables(vcpu);
  if (!running) {
    const field = (at: number): bigint => memory.read(memory.locate(vmcb + at), 8);
    const same = field(svm.VMCB_NCR3) === ncr3 && (field(svm.VMCB_ASID) & 0xffffffffn) === BigInt(asid);
    if (same && (field(svm.VMCB_NP_ENABLE) & 1n) !== 0n) tables = tablesOf(ncr3, vcpu.u64(VCPU_CR4), vcpu.u64(VCPU_EFER), true);
  }
  return tables && { vcpu: vcpu.index, running, vmcb, asid, ncr3, mode: tables.mode, ...mappedBy(tables, memory) };
}

/** Every page that the tables map into a memslot, as ranges in address order. `whole`: they were read to the end. */
function mappedBy(tables: Tables, memory: MachineMemory): Pick<NestedGuest, 'memory' | 'whole'> {
  const { entryBytes, shifts } = tables;
  const pages: { start: number; end: number }[] = [];
  let left = MOST_ENTRIES;
  const read = (table: number, depth: number, above: number): void => {
    const shift = shifts[depth]!;
    // A table lies in one page, so in one slot or in none.
    const place = memory.locate(table);
    if (place.hva === undefined) return;
    for (let index = 0; index < 2 ** (above - shift) && left > 0; index++) {
      left--;
      const entry = memory.read({ ...place, hva: place.hva + index * entryBytes }, entryBytes);
      const leaf = isLeaf(tables, shift, entry);
      if ((entry & PRESENT) === 0n || (entry & reservedBits(tables, shift, leaf)) !== 0n) continue;
      if (!leaf) read(tableBase(tables, entry), depth + 1, shift);
      else {
        const start = Number(leafBase(tables, shift, entry));
        if (memory.locate(start).slot !== undefined) pages.push({ start, end: start + 2 ** shift });
      }
    }
  };
  read(Number(tables.top), 0, widthOf(tables));
  return { memory: joined(pages), whole: left > 0 };
}

/** In address order, without adjacent ranges. */
function joined(ranges: readonly { start: number; end: number }[]): { start: number; end: number }[] {
  const result: { start: number; end: number }[] = [];
  for (const range of ranges.toSorted((a, b) => a.start - b.start)) {
    const last = result.at(-1);
    if (last && range.start <= last.end) last.end = Math.max(last.end, range.end);
    else result.push({ ...range });
  }
  return result;
}
