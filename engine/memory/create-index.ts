/** Makes the index by gfn that a machine asks for. */
import type { GfnIndex, IndexKind } from './gfn-index';
import { ArrayIndex } from './index-array';
import { BTreeIndex } from './index-btree';
import { RbTreeIndex } from './index-rbtree';
import type { SlotTable } from './slot-table';

export function createIndex(kind: IndexKind, table: SlotTable): GfnIndex {
  if (kind === 'array') return new ArrayIndex(table);
  if (kind === 'rbtree') return new RbTreeIndex(table);
  return new BTreeIndex(table);
}
