/** Page tables that map the first 4 GiB onto themselves with 2 MiB pages (SDM 3A 4.5): six pages. */
import type { LoadContext } from './image';
import { put } from './image';

const PRESENT_WRITABLE = 3n;
const LARGE = 0x80n;
const PAGE = 0x1000;

/** Length in bytes of what `writeIdentityTables` writes. */
export const IDENTITY_TABLES = 6 * PAGE;

/** Returns the value for CR3. */
export function writeIdentityTables(context: LoadContext, gpa: number): number {
  const tables = new DataView(new ArrayBuffer(IDENTITY_TABLES));
  const entry = (page: number, index: number, value: bigint) => tables.setBigUint64(page * PAGE + index * 8, value, true);
  entry(0, 0, BigInt(gpa + PAGE) | PRESENT_WRITABLE);
  for (let gib = 0; gib < 4; gib++) {
    entry(1, gib, BigInt(gpa + (2 + gib) * PAGE) | PRESENT_WRITABLE);
    for (let index = 0; index < 512; index++) {
      entry(2 + gib, index, (BigInt(gib * 512 + index) << 21n) | LARGE | PRESENT_WRITABLE);
    }
  }
  put(context, gpa, new Uint8Array(tables.buffer), 'the page tables');
  return gpa;
}
