/** Soundness of one address space at rest: both sets say the same by gfn, by id and by hva, and no record is lost. */
import type { AddressSpace } from './address-space';
import type { SlotSet } from './slot-set';
import { MEMSLOT_INVALID } from './slot-table';

/** Throws Error at the first rule that does not hold. O(n). */
export function verifySpace(space: AddressSpace): void {
  const active = verifySet(space.active);
  const inactive = verifySet(space.inactive);
  verifyHvas(space, active);
  if (active.join() !== inactive.join()) throw new Error('the two sets differ at rest');
  if (space.table.used !== active.length) throw new Error(`${space.table.used} records in use for ${active.length} slots`);
  if (space.inProgress) throw new Error('a grace period never ended');
}

function verifyHvas({ hvas }: AddressSpace, records: readonly number[]): void {
  const byHva: number[] = [];
  hvas.overlapping(0, Number.MAX_SAFE_INTEGER, byHva);
  hvas.verify();
  if (byHva.toSorted((a, b) => a - b).join() !== records.toSorted((a, b) => a - b).join()) throw new Error('hva index holds other records');
}

/** The records in gfn order. */
function verifySet(set: SlotSet): number[] {
  const { table, gfns } = set;
  const records: number[] = [];
  gfns.collect(records);
  if (records.length !== set.count) throw new Error(`index holds ${records.length} records, counts ${set.count}`);
  let end = 0;
  for (const record of records) {
    const base = table.base[record]!;
    if (base < end) throw new Error(`slot ${table.idOf(record)} at gfn ${base} overlaps or is out of order`);
    end = base + table.pagesOf(record);
    if (table.flagsOf(record) & MEMSLOT_INVALID) throw new Error(`slot ${table.idOf(record)} is INVALID at rest`);
    if (set.byId(table.idOf(record)) !== record) throw new Error(`id ${table.idOf(record)} names another record`);
    if (gfns.find(base) !== record || gfns.find(end - 1) !== record) throw new Error(`gfn ${base} is not found`);
  }
  if (set.lastUsed && !records.includes(set.lastUsed)) throw new Error('last used slot is gone');
  return records;
}
