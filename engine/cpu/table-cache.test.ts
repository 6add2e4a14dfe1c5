/** The paging-structure cache: guarantees for the guest, the memslot engine and the debugger. */
import { beforeEach, describe, expect, it } from 'vitest';
import { TestCore } from '../../test/support/core';
import { EXIT_HLT } from '../abi/exits';
import * as abi from '../abi/vcpu';

const CODE = 0x10000;
const DIRECTORY_ENTRY = 0x3000 + 8;
const AREA = 0x200000;
/** Two page tables, and the frames that they map page n of the area to. */
const TABLES = [0x9000, 0xa000];
const target = (table: number, page: number): number => 0x300000 + table * 0x10000 + page * 0x1000;
const ACCESSED = 0x20n;
const IDT = 0x6000;
const GDT = 0x7800;
const HANDLER = 0x5000;

let t: TestCore;

beforeEach(() => {
  t = new TestCore();
  t.longMode(CODE);
  for (const [number, table] of TABLES.entries())
    for (let page = 0; page < 8; page++) {
      t.poke64(table + 8 * page, BigInt(target(number, page)) | 7n);
      t.poke64(target(number, page), BigInt(100 * number + page));
    }
  use(0);
});

const use = (table: number, rights = 7): void => t.poke64(DIRECTORY_ENTRY, BigInt(TABLES[table]! | rights));

/** Runs code with RBX at a page of the area until HLT; returns RAX. */
function run(code: string, page: number): bigint {
  t.poke(CODE, `${code} f4`);
  t.rip = BigInt(CODE);
  t.setReg('rbx', AREA + page * 0x1000);
  t.set32(abi.VCPU_HALTED, 0);
  expect(t.run(100)).toBe(EXIT_HLT);
  return t.reg('rax');
}
const LOAD = '488b03 ';

describe('a table that a walk has used', () => {
  it.each([
    ['INVLPG of another page', '0f01bb00700000 '],
    ['MOV to CR3', '0f20d8 0f22d8 '],
    ['a change of CR4', '0f20e0 4835 80000000 0f22e0 '],
  ])('is dropped at %s', (_what, flush) => {
    expect(run(LOAD, 0)).toBe(0n);
    expect(run(LOAD, 1)).toBe(1n);
    use(1);
    expect(run(`${flush}${LOAD}`, 2)).toBe(102n);
  });

  /** Replaces the directory, or the entry that leads to it, by a copy that leads to the other table. */
  function replaceLevel(level: number): void {
    const copy = (from: number, to: number): void => {
      for (let i = 0; i < 512; i++) t.poke64(to + 8 * i, t.peek(from + 8 * i, 8));
    };
    copy(0x3000, 0xc000);
    t.poke64(0xc008, BigInt(TABLES[1]! | 7));
    copy(0x2000, 0xb000);
    t.poke64(0xb000, 0xc007n);
    if (level === 4) t.poke64(0x1000, 0xb007n);
    else if (level === 3) t.poke64(0x2000, 0xc007n);
    else use(1);
  }

  it.each([2, 3, 4])('is found again after INVLPG only where level %i still leads to it', (level) => {
    const flush = '0f01bb00700000 ';
    expect(run(LOAD, 0)).toBe(0n);
    expect(run(`${flush}${LOAD}`, 1)).toBe(1n);
    replaceLevel(level);
    expect(run(`${flush}${LOAD}`, 2)).toBe(102n);
    expect(run(`${flush}${LOAD}`, 3)).toBe(103n);
  });

  it('is not looked for where the levels above were before their memslot moved', () => {
    expect(run(LOAD, 0)).toBe(0n);
    replaceLevel(0);
    use(0);
    t.moved.set(3, 0xc);
    t.core.zapGfnRange(3, 1);
    expect(run(LOAD, 1)).toBe(101n);
  });

  it('gets the accessed bits above it again after INVLPG, if the guest cleared them', () => {
    expect(run(LOAD, 0)).toBe(0n);
    t.poke64(DIRECTORY_ENTRY, t.peek(DIRECTORY_ENTRY, 8) & ~ACCESSED);
    expect(run(`0f01bb00700000 ${LOAD}`, 1)).toBe(1n);
    expect(t.peek(DIRECTORY_ENTRY, 8) & ACCESSED).toBe(ACCESSED);
  });

  it('is dropped when the memslot engine drops translations', () => {
    expect(run(LOAD, 0)).toBe(0n);
    use(1);
    t.core.zapGfnRange(0x345, 1);
    expect(run(LOAD, 1)).toBe(101n);
  });

  it('is dropped at a page fault there, since the handler may have replaced it', () => {
    t.poke64(TABLES[0]! + 8 * 3, 0n);
    t.poke64(IDT + 14 * 16, (BigInt(HANDLER) & 0xffffn) | 0x80000n | (0x8e00n << 32n));
    t.poke64(IDT + 14 * 16 + 8, 0n);
    for (const [i, words] of [0x00af9b000000ffffn, 0x00cf93000000ffffn].entries()) t.poke64(GDT + 8 + 8 * i, words);
    t.set64(abi.VCPU_IDT_BASE, BigInt(IDT));
    t.set32(abi.VCPU_IDT_LIMIT, 0xfff);
    t.set64(abi.VCPU_GDT_BASE, BigInt(GDT));
    t.set32(abi.VCPU_GDT_LIMIT, 0x17);
    t.setReg('rsp', 0x80000);
    // mov qword [DIRECTORY_ENTRY], the other table; add rsp, 8; iretq
    t.poke(HANDLER, '48c704250830000007a00000 4883c408 48cf');
    // mov rcx, [rbx - 0x3000]: page 0, through the same table; INVLPG, so that this walk begins at CR3. Only the second run tests the fault:
    // in the first one the handler is decoded, which drops translations by itself.
    for (let pass = 0; pass < 2; pass++) {
      use(0);
      expect(run(`0f01bb00700000 488b8b00d0ffff ${LOAD}`, 3)).toBe(103n);
    }
  });

  it('is not used by the debugger', () => {
    expect(run(LOAD, 0)).toBe(0n);
    use(1);
    expect(t.core.translate(0, AREA + 0x3000, 0)).toBe(1);
    expect(t.translated).toBe(BigInt(target(1, 3)));
  });

  it('keeps the rights of the levels above', () => {
    use(0, 5);
    t.set64(abi.VCPU_CR0, 0x80010011n);
    t.core.stateChanged(0);
    expect(run(LOAD, 0)).toBe(0n);
    // A write is refused although the leaf allows it: without an IDT that is a shutdown.
    t.poke(CODE, '488903 f4');
    t.rip = BigInt(CODE);
    t.setReg('rbx', AREA + 0x1000);
    t.set32(abi.VCPU_HALTED, 0);
    expect(t.run(100)).not.toBe(EXIT_HLT);
    expect(t.peek(target(0, 1), 8)).toBe(1n);
  });

  it('still has its own entries marked accessed and dirty', () => {
    run(`${LOAD} 48898300100000 `, 0);
    expect(t.peek(TABLES[0]!, 8) & ACCESSED).toBe(ACCESSED);
    expect(t.peek(TABLES[0]! + 8, 8) & 0x60n).toBe(0x60n);
    expect(t.peek(TABLES[0]! + 16, 8) & 0x60n).toBe(0n);
  });
});
