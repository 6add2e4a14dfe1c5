/** What the engine holds in memory. */
import type { AddressSpace } from './address-space';

/** Bytes that the engine holds for one address space, by what they are for. */
export interface Footprint {
  slots: number;
  records: number;
  gfnIndexes: number;
  hvaIndexes: number;
  ids: number;
  /** Places of the cache for `memslotAt`; the views themselves are not counted. */
  views: number;
  total: number;
}

export function footprintOf({ table, active, inactive, hvas, viewBytes: views }: AddressSpace): Footprint {
  const records = table.bytes;
  const gfnIndexes = active.gfns.shape().bytes + inactive.gfns.shape().bytes;
  const hvaIndexes = hvas.bytes;
  const ids = active.idBytes + inactive.idBytes;
  const total = records + gfnIndexes + hvaIndexes + ids + views;
  return { slots: active.count, records, gfnIndexes, hvaIndexes, ids, views, total };
}
