/** Page tables, rights, the TLB, MMIO and dirty logging, as guest code sees them. */
import { beforeEach, describe, expect, it } from 'vitest';
import { PAGE_CLEAN, PAGE_INVALID, PAGE_READONLY, EXIT_HLT, EXIT_RETRY, EXIT_INTERNAL_ERROR } from '../abi/exits';
import * as abi from '../abi/vcpu';
import { TestCore } from '../../test/support/core';

const CODE = 0x10000;
const STACK = 0x80000;
/** Linear window whose page table is at 0x52000. */
const WINDOW = 0x40000000;
const PT = 0x52000;
const MMIO = 0xfed00000n;
const NX = 1n << 63n;

let t: TestCore;

/** IDT whose vectors all HLT at 0x70000 + 16 n, GDT and TSS for returns from user mode. */
function handlers(core: TestCore, long: boolean): void {
  core.poke64(0x61008, long ? 0x00af9b000000ffffn : 0x00cf9b000000ffffn);
  core.poke64(0x61010, 0x00cf93000000ffffn);
  core.set64(abi.VCPU_GDT_BASE, 0x61000n);
  core.set32(abi.VCPU_GDT_LIMIT, 0x17);
  core.set64(abi.VCPU_IDT_BASE, 0x60000n);
  core.set32(abi.VCPU_IDT_LIMIT, 0xfff);
  core.segment(abi.SEG_TR, 0x18, 0x62000n, 0x67, 0x8b);
  core.poke64(0x62004, BigInt(STACK));
  for (let vector = 0; vector < 32; vector++) {
    const at = 0x70000 + 16 * vector;
    core.poke(at, 'f4');
    const low = BigInt(at & 0xffff) | 0x80000n | (0x8e00n << 32n) | (BigInt(at >>> 16) << 48n);
    core.poke64(0x60000 + (long ? 16 : 8) * vector, low);
    if (long) core.poke64(0x60008 + 16 * vector, 0n);
  }
  core.setReg('rsp', STACK);
}

function window64(core: TestCore): void {
  core.poke64(0x2008, 0x51007n);
  core.poke64(0x51000, BigInt(PT) | 7n);
}
function map(index: number, entry: bigint): void {
  t.poke64(PT + 8 * index, entry);
}
function va(index: number, offset = 0): number {
  return WINDOW + index * 0x1000 + offset;
}

function userMode(): void {
  t.segment(abi.SEG_CS, 0x2b, 0n, 0xffffffff, 0xafb);
  t.segment(abi.SEG_SS, 0x23, 0n, 0xffffffff, 0xcf3);
}

/** Runs code with RBX = address until HLT; returns the fault, if any, with its error code. */
function execute(code: string, address: number | bigint): { vector: number; error: number; cr2: bigint } | 'ok' {
  t.poke(CODE, `${code} f4`);
  t.setReg('rbx', address);
  t.rip = BigInt(CODE);
  t.set32(abi.VCPU_HALTED, 0);
  t.core.stateChanged(0);
  expect(t.run(100)).toBe(EXIT_HLT);
  const at = Number(t.rip) - 1;
  if (at < 0x70000) return 'ok';
  return { vector: (at - 0x70000) / 16, error: Number(t.peek(Number(t.reg('rsp')), 4)), cr2: t.get64(abi.VCPU_CR2) };
}
const READ = '488b03';
const WRITE = '488903';
const JUMP = 'ffe3';

describe('4-level paging', () => {
  beforeEach(() => {
    t = new TestCore();
    t.longMode(CODE);
    t.set64(abi.VCPU_CR0, 0x80010011n); // WP
    t.set64(abi.VCPU_EFER, 0xd00n); // NXE
    handlers(t, true);
    window64(t);
  });

  it('sets accessed bits at every level and the dirty bit only for a write', () => {
    map(0, 0x100007n);
    t.poke64(0x100010, 0x1122334455667788n);
    expect(execute(READ, va(0, 0x10))).toBe('ok');
    expect(t.reg('rax')).toBe(0x1122334455667788n);
    expect(t.peek(0x1000, 8) & 0x60n).toBe(0x20n);
    expect(t.peek(0x2008, 8) & 0x60n).toBe(0x20n);
    expect(t.peek(0x51000, 8) & 0x60n).toBe(0x20n);
    expect(t.peek(PT, 8)).toBe(0x100027n);
    expect(execute(WRITE, va(0, 8))).toBe('ok');
    expect(t.peek(PT, 8)).toBe(0x100067n);
    expect(t.peek(0x51000, 8) & 0x60n).toBe(0x20n);
    expect(t.peek(0x100008, 8)).toBe(0x1122334455667788n);
  });

  it('reports what was wrong in the error code', () => {
    map(1, 0n);
    map(2, 0x100005n); // read-only
    map(3, 0x100003n); // supervisor
    map(4, 0x100007n | NX);
    map(5, 0x100007n | (1n << 46n)); // above MAXPHYADDR
    const pf = (error: number, index: number) => ({ vector: 14, error, cr2: BigInt(va(index)) });
    expect(execute(READ, va(1))).toEqual(pf(0, 1));
    expect(execute(WRITE, va(1))).toEqual(pf(2, 1));
    expect(execute(JUMP, va(1))).toEqual(pf(0x10, 1));
    expect(execute(WRITE, va(2))).toEqual(pf(3, 2));
    expect(execute(JUMP, va(4))).toEqual(pf(0x11, 4));
    expect(execute(READ, va(5))).toEqual(pf(9, 5));
    expect(execute(WRITE, va(5))).toEqual(pf(0xb, 5));
    expect(t.peek(PT + 16, 8)).toBe(0x100005n); // a refused access leaves A and D alone
    userMode();
    t.poke64(0x1000, 0x2007n);
    expect(execute(READ, va(3))).toEqual(pf(5, 3));
    userMode();
    expect(execute(WRITE, va(2))).toEqual(pf(7, 2));
    userMode();
    expect(execute(JUMP, va(4))).toEqual(pf(0x15, 4));
  });

  it('lets the supervisor write read-only pages while CR0.WP is clear', () => {
    map(2, 0x100005n);
    t.set64(abi.VCPU_CR0, 0x80000011n);
    expect(execute(WRITE, va(2))).toBe('ok');
    expect(t.peek(PT + 16, 8)).toBe(0x100065n);
  });

  it('treats bit 63 as reserved while NX is off', () => {
    map(4, 0x100007n | NX);
    t.set64(abi.VCPU_EFER, 0x500n);
    expect(execute(READ, va(4))).toEqual({ vector: 14, error: 9, cr2: BigInt(va(4)) });
  });

  it('maps 2 MiB and 1 GiB pages and refuses their reserved bits', () => {
    t.poke64(0x51008, 0x200087n);
    t.poke64(0x2010, 0x87n);
    t.poke64(0x201234, 77n);
    expect(execute(READ, WINDOW + 0x200000 + 0x1234)).toBe('ok');
    expect(t.reg('rax')).toBe(77n);
    expect(execute(READ, 0x80000000 + 0x201234)).toBe('ok');
    expect(t.reg('rax')).toBe(77n);
    t.poke64(0x51008, 0x202087n);
    expect(execute(READ, WINDOW + 0x200000)).toMatchObject({ vector: 14, error: 9 });
  });

  it('raises #GP for an address that is not canonical', () => {
    expect(execute(READ, 0x0000800000000000n)).toMatchObject({ vector: 13, error: 0 });
  });

  it('reads page tables that no memslot maps as all ones: reserved bits', () => {
    t.poke64(0x51000, MMIO | 7n);
    expect(execute(READ, va(0))).toMatchObject({ vector: 14, error: 9 });
  });

  it('writes nothing when the second page of a crossing store is missing', () => {
    map(0, 0x100007n);
    map(1, 0n);
    t.poke64(0x100ff8, 0x5555555555555555n);
    expect(execute(WRITE, va(0, 0xffc))).toEqual({ vector: 14, error: 2, cr2: BigInt(va(1)) });
    expect(t.peek(0x100ff8, 8)).toBe(0x5555555555555555n);
    map(1, 0x105007n);
    t.setReg('rax', 0x8877665544332211n);
    expect(execute(WRITE, va(0, 0xffc))).toBe('ok');
    expect(t.peek(0x100ffc, 4)).toBe(0x44332211n);
    expect(t.peek(0x105000, 4)).toBe(0x88776655n);
  });

  it('splits an access that crosses from RAM into a device', () => {
    map(0, 0x100007n);
    map(1, MMIO | 7n);
    t.deviceRead = (access) => BigInt(access.address & 0xff) | 0xaa00n;
    t.poke64(0x100ff8, 0x1122334455667788n);
    expect(execute(READ, va(0, 0xffb))).toBe('ok');
    expect(t.accesses.map((a) => [a.kind, a.address, a.size])).toEqual([
      ['mmioRead', Number(MMIO), 2],
      ['mmioRead', Number(MMIO) + 2, 1],
    ]);
    expect(t.reg('rax')).toBe(0x02aa001122334455n);
  });

  it('gives devices one access of 8 bytes and never caches them', () => {
    map(1, MMIO | 7n);
    t.setReg('rax', 0x1234567890n);
    expect(execute(`${WRITE}${WRITE}`, va(1, 8))).toBe('ok');
    expect(t.accesses.map((a) => [a.kind, a.address, a.size, a.value])).toEqual([
      ['mmioWrite', Number(MMIO) + 8, 8, 0x1234567890n],
      ['mmioWrite', Number(MMIO) + 8, 8, 0x1234567890n],
    ]);
  });

  it('exits with an internal error when code is fetched from a hole', () => {
    map(1, MMIO | 7n);
    t.poke(CODE, JUMP);
    t.setReg('rbx', va(1));
    t.core.stateChanged(0);
    expect(t.run(10)).toBe(EXIT_INTERNAL_ERROR);
    expect(t.rip).toBe(BigInt(va(1)));
  });
});

describe('TLB upkeep', () => {
  beforeEach(() => {
    t = new TestCore();
    t.longMode(CODE);
    handlers(t, true);
    window64(t);
    t.poke64(0x100000, 1n);
    t.poke64(0x101000, 2n);
  });

  // Reads [rbx], runs the middle with the PTE at [rcx] replaced by rdx, reads again: rax first, rsi second.
  const twice = (middle: string) => `488b03 488911 ${middle} 488b33`;
  function reread(middle: string, first: bigint, second: bigint): [bigint, bigint] {
    map(0, first);
    t.setReg('rcx', PT);
    t.setReg('rdx', second);
    expect(execute(twice(middle), va(0))).toBe('ok');
    return [t.reg('rax'), t.reg('rsi')];
  }
  const MOV_CR3 = '410f20d8 410f22d8';
  const INVLPG = '0f013b';

  it('forgets a page at MOV CR3 and at INVLPG', () => {
    expect(reread(MOV_CR3, 0x100007n, 0x101007n)).toEqual([1n, 2n]);
    expect(reread(INVLPG, 0x100007n, 0x101007n)).toEqual([1n, 2n]);
  });

  it('keeps global pages over MOV CR3 while CR4.PGE is set, and drops them at INVLPG', () => {
    t.set64(abi.VCPU_CR4, 0xa0n);
    expect(reread(MOV_CR3, 0x100107n, 0x101107n)).toEqual([1n, 1n]);
    expect(reread(INVLPG, 0x100107n, 0x101107n)).toEqual([1n, 2n]);
    t.set64(abi.VCPU_CR4, 0x20n);
    expect(reread(MOV_CR3, 0x100107n, 0x101107n)).toEqual([1n, 2n]);
  });

  // mov rax, cr4 or cr0; xor rax, imm32; mov cr4 or cr0, rax
  const flipCr4 = (bits: string): string => `410f20e0 4981f0${bits} 410f22e0`;
  const flipCr0 = (bits: string): string => `410f20c0 4981f0${bits} 410f22c0`;

  it('forgets a page at a change of CR4.PGE, PSE or CR0.WP, a global one too', () => {
    for (const change of [flipCr4('80000000'), flipCr4('10000000'), flipCr0('00000100')]) {
      t.set64(abi.VCPU_CR4, 0xa0n);
      expect(reread(change, 0x100107n, 0x101107n)).toEqual([1n, 2n]);
    }
  });

  it('checks writes again when CR0.WP is set', () => {
    t.set64(abi.VCPU_CR0, 0x80000011n);
    map(0, 0x100065n);
    expect(execute(`${WRITE} ${flipCr0('00000100')} ${WRITE}`, va(0))).toEqual({ vector: 14, error: 3, cr2: BigInt(va(0)) });
  });

  it('checks bit 63 again when EFER.NXE is cleared', () => {
    t.set64(abi.VCPU_EFER, 0xd00n);
    map(0, 0x100007n | NX);
    // mov ecx, EFER; rdmsr; xor eax, 800h; wrmsr
    expect(execute(`${READ} b9800000c0 0f32 3500080000 0f30 ${READ}`, va(0))).toEqual({ vector: 14, error: 9, cr2: BigInt(va(0)) });
  });

  it('forgets every page again after more fills than its log holds', () => {
    // 5000 pages are touched before MOV CR3: mov rax,[rdi]; add rdi,0x1000; dec ecx; jnz.
    for (let i = 0; i < 10; i++) t.poke64(0x51000 + 8 * i, BigInt(0x200000 + i * 0x1000) | 7n);
    for (let i = 0; i < 10 * 512; i++) t.poke64(0x200000 + 8 * i, 0x100007n);
    t.poke(CODE, `488b07 4881c700100000 ffc9 75f2 48c702 07101000 ${MOV_CR3} 488b03 f4`);
    t.setReg('rdi', WINDOW);
    t.setReg('rcx', 5000);
    t.setReg('rdx', 0x200000 + 8 * 4999);
    t.setReg('rbx', WINDOW + 4999 * 0x1000);
    t.core.stateChanged(0);
    expect(t.run(30000)).toBe(EXIT_HLT);
    expect(t.reg('rax')).toBe(2n);
  });

  it.each([
    ['low', WINDOW],
    ['with high bits', 2 ** 34],
  ])('drops all fragments of a large page at INVLPG, its address %s', (_where, base) => {
    t.poke64(0x2000 + 8 * (base / 2 ** 30), 0x51007n);
    t.poke64(0x51008, 0x200087n);
    t.poke64(0x203000, 3n);
    t.poke64(0x403000, 4n);
    // Read in the page's fourth 4 KiB, change the PDE, INVLPG elsewhere in the large page, read again.
    t.poke(CODE, '488b03 488911 0f013f 488b33 f4');
    t.setReg('rbx', base + 0x203000);
    t.setReg('rdi', base + 0x200000);
    t.setReg('rcx', 0x51008);
    t.setReg('rdx', 0x400087);
    t.core.stateChanged(0);
    expect(t.run(100)).toBe(EXIT_HLT);
    expect([t.reg('rax'), t.reg('rsi')]).toEqual([3n, 4n]);
  });

  it('drops all fragments of a 1 GiB page at INVLPG', () => {
    const giga = 0x80000000;
    t.poke64(0x2010, 0x87n);
    t.poke64(0x203000, 3n);
    // Read in the page, make it not present, INVLPG far away in the same page, read again.
    t.poke(CODE, '488b03 488911 0f013f 488b33 f4');
    t.setReg('rbx', giga + 0x203000);
    t.setReg('rdi', giga + 0x3fe00000);
    t.setReg('rcx', 0x2010);
    t.setReg('rdx', 0);
    t.rip = BigInt(CODE);
    t.core.stateChanged(0);
    expect(t.run(100)).toBe(EXIT_HLT);
    expect(t.reg('rax')).toBe(3n);
    expect(t.rip).toBe(0x70000n + 16n * 14n + 1n);
  });

  it.each([
    ['2 MiB', 0x51008, WINDOW + 0x200000],
    ['1 GiB', 0x2010, 0x80000000],
  ])('drops fragments of a page of %s at INVLPG that were only executed, with RFLAGS.AC', (_size, at, base) => {
    t.poke64(0x2008, 0x51007n);
    t.poke64(at, 0x87n);
    // In ring 3, twice: inc rax; ud2
    t.poke(0x103000, '48ffc0 0f0b');
    // The #UD handler makes the large page not present, drops it by its first address, and goes back to the same place. RFLAGS.AC is clear before.
    t.poke(0x70060, 'e99bfeffff');
    t.poke(0x6ff00, '6a02 9d 488911 0f013f 48816424 10fffffbff 48891c24 48cf');
    t.poke64(0x61020, 0x00cff3000000ffffn);
    t.poke64(0x61028, 0x00affb000000ffffn);
    t.set32(abi.VCPU_GDT_LIMIT, 0x2f);
    t.set64(abi.VCPU_CR0, 0x80050011n);
    userMode();
    t.setReg('rax', 0);
    t.setReg('rbx', base + 0x103000);
    t.setReg('rdi', base);
    t.setReg('rcx', at);
    t.setReg('rdx', 0);
    t.rip = BigInt(base + 0x103000);
    t.core.stateChanged(0);
    t.core.setRflags(0, 0x40202);
    expect(t.run(100)).toBe(EXIT_HLT);
    expect([t.reg('rax'), t.rip]).toEqual([1n, 0x70000n + 16n * 14n + 1n]);
  });

  it('checks the alignment of accesses to pages that were read before RFLAGS.AC was set', () => {
    t.set64(abi.VCPU_CR0, 0x80050011n);
    t.poke64(0x2000, 0x3007n);
    userMode();
    t.set32(abi.VCPU_CPL, 3);
    map(0, 0x100007n);
    // mov rax, [rbx]; pushfq; or qword [rsp], 40000h; popfq; mov rsi, [rbx + 4]
    t.poke(CODE, '488b03 9c 48810c2400000400 9d 488b7304 f4');
    t.setReg('rbx', va(0));
    t.core.stateChanged(0);
    expect(t.run(100)).toBe(EXIT_HLT);
    expect(t.rip).toBe(0x70000n + 16n * 17n + 1n);
  });

  it('sets the dirty bit of a page that was only read before', () => {
    map(0, 0x100007n);
    expect(execute(`${READ}${WRITE}`, va(0))).toBe('ok');
    expect(t.peek(PT, 8)).toBe(0x100067n);
  });

  it('zaps exactly the requested pages and returns how many', () => {
    map(0, 0x100007n);
    map(1, 0x101007n);
    execute(`${READ} 488b8300100000`, va(0));
    expect(t.core.zapGfnRange(0x101, 1)).toBe(1);
    expect(t.core.zapGfnRange(0x101, 1)).toBe(0);
    expect(t.core.zapGfnRange(0x100, 0x1000)).toBe(1);
    expect(t.core.zapAll()).toBeGreaterThan(0);
    expect(t.core.zapAll()).toBe(0);
  });

  it('zaps pages below and above all that were entered before, and none beside them', () => {
    const gfns = [0x105, 0x103, 0x107];
    for (const [i, gfn] of gfns.entries()) map(i, BigInt((gfn << 12) | 7));
    expect(execute(`${READ} 488b8300100000 488b8300200000`, va(0))).toBe('ok');
    for (const gfn of [0x102, 0x104, 0x106, 0x108]) expect(t.core.zapGfnRange(gfn, 1)).toBe(0);
    for (const gfn of gfns) expect(t.core.zapGfnRange(gfn, 1)).toBe(1);
  });
});

describe('memslot properties', () => {
  beforeEach(() => {
    t = new TestCore();
    t.longMode(CODE);
    handlers(t, true);
    window64(t);
    map(0, 0x100007n);
  });

  it('reports the first write to a clean page once, and again after the log was harvested', () => {
    t.pageFlags.set(0x100, PAGE_CLEAN);
    expect(execute(READ, va(0))).toBe('ok');
    expect(t.dirtied).toEqual([]);
    execute(`${WRITE}${WRITE}`, va(0));
    expect(t.dirtied).toEqual([0x100]);
    t.pageFlags.set(0x100, PAGE_CLEAN);
    expect(t.core.protectGfnRange(0x100, 1)).toBe(1);
    execute(`${WRITE}${READ}`, va(0));
    expect(t.dirtied).toEqual([0x100, 0x100]);
  });

  it('reports page tables whose accessed bit it sets', () => {
    t.pageFlags.set(PT / 4096, PAGE_CLEAN);
    expect(execute(READ, va(0))).toBe('ok');
    expect(t.dirtied).toEqual([PT / 4096]);
  });

  it('sends writes to a read-only slot to the device side, reads stay RAM', () => {
    t.pageFlags.set(0x100, PAGE_READONLY);
    t.poke64(0x100000, 99n);
    t.setReg('rax', 5);
    expect(execute(`${WRITE}${READ}`, va(0))).toBe('ok');
    expect(t.reg('rax')).toBe(99n);
    expect(t.accesses.map((a) => [a.kind, a.address, a.value])).toEqual([['mmioWrite', 0x100000, 5n]]);
  });

  it('retries at an INVALID slot without changing anything', () => {
    t.pageFlags.set(0x100, PAGE_INVALID);
    t.poke(CODE, `${WRITE} f4`);
    t.setReg('rbx', va(0));
    t.setReg('rax', 42);
    t.core.stateChanged(0);
    expect(t.run(10)).toBe(EXIT_RETRY);
    expect(t.rip).toBe(BigInt(CODE));
    expect(t.peek(PT, 8)).toBe(0x100007n);
    t.pageFlags.delete(0x100);
    expect(t.run(10)).toBe(EXIT_HLT);
    expect(t.peek(0x100000, 8)).toBe(42n);
  });

  it('translates for the debugger without touching the tables', () => {
    t.core.stateChanged(0);
    expect(t.core.translate(0, WINDOW + 0x123, 0)).toBe(1);
    expect(t.translated).toBe(0x100123n);
    expect(t.peek(PT, 8)).toBe(0x100007n);
    expect(t.core.translate(0, WINDOW + 0x5000, 0)).toBe(0);
  });
});

describe('32-bit and PAE paging', () => {
  const READ32 = '8b03';
  const WRITE32 = '8903';

  beforeEach(() => {
    t = new TestCore();
    t.flat32(CODE);
    handlers(t, false);
    t.set64(abi.VCPU_CR0, 0x80010011n);
    t.set64(abi.VCPU_CR3, 0x40000n);
    t.poke64(0x100000, 0x12345678n);
  });
  const put32 = (gpa: number, value: number) =>
    t.poke(
      gpa,
      [value, value >> 8, value >> 16, value >> 24].map((b) => b & 255),
    );

  it('walks two levels and 4 MiB pages', () => {
    t.set64(abi.VCPU_CR4, 0x10n); // PSE
    put32(0x40000, 0x87); // identity
    put32(0x40400, 0x41007);
    put32(0x41000, 0x100005);
    put32(0x41004, 0);
    expect(execute(READ32, WINDOW)).toBe('ok');
    expect(t.reg('rax')).toBe(0x12345678n);
    expect(t.peek(0x41000, 4)).toBe(0x100025n);
    expect(execute(WRITE32, WINDOW)).toEqual({ vector: 14, error: 3, cr2: BigInt(WINDOW) });
    expect(execute(READ32, WINDOW + 0x1000)).toEqual({ vector: 14, error: 0, cr2: BigInt(WINDOW + 0x1000) });
    // No NX: no I/D bit in the error code.
    expect(execute(JUMP, WINDOW + 0x1000)).toMatchObject({ error: 0 });
    put32(0x40404, 0x200087); // bit 21 of a 4 MiB PDE is reserved
    expect(execute(READ32, WINDOW + 0x400000)).toMatchObject({ error: 9 });
  });

  /** Reads [rbx], flips bits of a control register, reads, flips them back, reads: eax, edx, esi. */
  const around = (flip: string, address: number): bigint[] => {
    expect(execute(`8b03 ${flip} 8b13 ${flip} 8b33`, address)).toBe('ok');
    return [t.reg('rax'), t.reg('rdx'), t.reg('rsi')];
  };
  const [PAGED, OTHER] = [0x12345678n, 0x9abcdef0n];

  it('forgets every page when paging starts and ends', () => {
    t.set64(abi.VCPU_CR4, 0x10n);
    put32(0x40000, 0x87);
    put32(0x40004, 0x41007);
    put32(0x41400, 0x100007);
    put32(0x500000, Number(OTHER));
    // mov ecx, cr0; xor ecx, 80000000h; mov cr0, ecx
    expect(around('0f20c1 81f100000080 0f22c1', 0x500000)).toEqual([PAGED, OTHER, PAGED]);
  });

  // mov ecx, cr4; xor ecx, 10h or 20h; mov cr4, ecx
  it('forgets every page when CR4.PSE changes: a directory entry is a page of 4 MiB or a table', () => {
    put32(0x40000, 0x42007);
    for (let page = 0; page < 512; page++) put32(0x42000 + 4 * page, (page << 12) | 7);
    put32(0x40004, 0x400087);
    put32(0x400000, 0x100007);
    put32(0x400004, Number(OTHER));
    put32(0x100004, Number(PAGED));
    expect(around('0f20e1 83f110 0f22e1', 0x400004)).toEqual([PAGED, OTHER, PAGED]);
  });

  it('forgets every page when CR4.PAE changes', () => {
    // With PAE the bits of CR3 below 4096 count: its tables begin at 40800h, and map the first 2 MiB one to one.
    t.set64(abi.VCPU_CR3, 0x40800n);
    put32(0x40000, 0x42007);
    for (let page = 0; page < 512; page++) put32(0x42000 + 4 * page, (page << 12) | 7);
    put32(0x42000 + 4 * 0x90, 0x100007);
    t.poke64(0x40800, 0x43001n);
    t.poke64(0x43000, 0x87n);
    put32(0x90000, Number(OTHER));
    expect(around('0f20e1 83f120 0f22e1', 0x90000)).toEqual([PAGED, OTHER, PAGED]);
  });

  it('walks PAE tables', () => {
    t.set64(abi.VCPU_CR4, 0x20n);
    t.set64(abi.VCPU_EFER, 0x800n);
    t.poke64(0x40000, 0x42001n);
    t.poke64(0x42000, 0x87n);
    t.poke64(0x40008, 0x43001n);
    t.poke64(0x43000, 0x44007n);
    t.poke64(0x44000, 0x100007n | NX);
    t.poke64(0x44008, 0x100007n | (1n << 55n));
    expect(execute(WRITE32, WINDOW)).toBe('ok');
    expect(t.peek(0x44000, 8)).toBe(0x100067n | NX);
    expect(t.peek(0x40008, 8)).toBe(0x43001n); // PDPTEs have no accessed bit
    expect(execute(JUMP, WINDOW)).toEqual({ vector: 14, error: 0x11, cr2: BigInt(WINDOW) });
    expect(execute(READ32, WINDOW + 0x1000)).toMatchObject({ error: 9 });
  });
});
