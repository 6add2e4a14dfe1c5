/**
 * The segments of the cases: what Linux has in its GDT for user code, and an LDT of our own (native.c writes the same one there).
 * 32- and 16-bit code needs them; 64-bit code may load them.
 */
import { CODE, DATA } from './case';

/** Bases of FS and GS in 64-bit cases, and of their segments in the others. */
export const FS_BASE = 0x100;
export const GS_BASE = 0x200;

export const USER32_CODE = 0x23;
export const USER_DATA = 0x2b;
export const USER64_CODE = 0x33;
export const LDT = {
  code16: 0x07,
  data16: 0x0f,
  stack16: 0x17,
  fs: 0x1f,
  gs: 0x27,
  absent: 0x2f,
  readOnly: 0x37,
  executeOnly: 0x3f,
  down: 0x47,
  absentCode: 0x4f,
};

/** Linux's GDT: kernel code 32, 64, kernel data, user code 32, user data, user code 64, TSS and LDT (not for user code), the empty TLS entries. */
export const GDT: readonly bigint[] = [
  0n,
  0x00cf9b000000ffffn,
  0x00af9b000000ffffn,
  0x00cf93000000ffffn,
  0x00cffb000000ffffn,
  0x00cff3000000ffffn,
  0x00affb000000ffffn,
  ...new Array<bigint>(8).fill(0n),
  // Its limit is the number of the processor; 0 here.
  0x0040f50000000000n,
];

/** As the kernel writes a descriptor from modify_ldt(2): always accessed. */
function descriptor(base: number, limit: number, type: number, flags: { wide?: boolean; pages?: boolean; absent?: boolean }): bigint {
  const access = 0x60 | 0x10 | type | 1 | (flags.absent ? 0 : 0x80);
  const high = (flags.pages ? 8 : 0) | (flags.wide ? 4 : 0);
  const [b, l] = [BigInt(base), BigInt(limit)];
  return (
    (l & 0xffffn) | ((b & 0xffffffn) << 16n) | (BigInt(access) << 40n) | ((l >> 16n) << 48n) | (BigInt(high) << 52n) | ((b >> 24n) << 56n)
  );
}

const READ_WRITE = 2;
const DOWN = 4;
const CODE_TYPE = 8;
const flat = { wide: true, pages: true };

export const LDT_ENTRIES: readonly bigint[] = [
  descriptor(CODE, 0xfff, CODE_TYPE | READ_WRITE, {}),
  descriptor(DATA, 0x1fff, READ_WRITE, {}),
  descriptor(DATA, 0x1fff, READ_WRITE, {}),
  descriptor(FS_BASE, 0xfffff, READ_WRITE, flat),
  descriptor(GS_BASE, 0x20000, READ_WRITE, flat),
  descriptor(0, 0xfffff, READ_WRITE, { ...flat, absent: true }),
  descriptor(0, 0xfffff, 0, flat),
  descriptor(0, 0xfffff, CODE_TYPE, flat),
  descriptor(0, 0x1ffff, DOWN | READ_WRITE, flat),
  descriptor(0, 0xfffff, CODE_TYPE | READ_WRITE, { ...flat, absent: true }),
];

/** Selectors that a case may load: null ones, good ones, ones beyond the tables, of the kernel, not present, of the wrong kind. */
export const SELECTORS: readonly number[] = [
  0,
  1,
  3,
  USER_DATA,
  0x28,
  0x2a,
  USER32_CODE,
  USER64_CODE,
  0x10,
  0x18,
  0x1b,
  ...Object.values(LDT),
  0x0c,
  0x57,
  0xfffc,
];

/** Selectors of code that a far branch may reach. */
export const CODE_SELECTORS: readonly number[] = [
  USER32_CODE,
  USER32_CODE,
  USER64_CODE,
  USER64_CODE,
  LDT.code16,
  LDT.executeOnly,
  LDT.absentCode,
  0x20,
  0x30,
];
