/** Nested paging: codes of nested page faults, accessed and dirty bits on both levels, and when translations are dropped. APM 2 15.25. */
import { beforeEach, describe, expect, it } from 'vitest';
import { EXIT_RETRY, PAGE_CLEAN, PAGE_INVALID, PAGE_READONLY } from '../../abi/exits';
import { CHANGED_PAGES } from '../../abi/layout';
import * as svm from '../../abi/svm';
import { JIT_DEFAULTS } from '../../jit/jit';
import { GUEST, SvmCore, VMCB } from '../../../test/support/svm';

/** 4 KiB tables of the first 2 MiB, one to one, then 2 MiB pages. */
const PML4 = 0x200000;
const LEAVES = 0x203000;
const DATA = 0x60000;
const FINAL = 1n << 32n;
const TABLE = 1n << 33n;
const P = 1n;
const W = 2n;
const U = 4n;
const RSV = 8n;
const ID = 16n;
const NX = 1n << 63n;

let t: SvmCore;
const leaf = (gpa: number): number => LEAVES + 8 * (gpa >> 12);
const setLeaf = (gpa: number, entry: bigint): void => t.poke64(leaf(gpa), entry);

beforeEach(() => {
  t = new SvmCore();
  t.poke64(PML4, BigInt(PML4 + 0x1000) | 7n);
  t.poke64(PML4 + 0x1000, BigInt(PML4 + 0x2000) | 7n);
  t.poke64(PML4 + 0x2000, BigInt(LEAVES) | 7n);
  for (let i = 1; i < 8; i++) t.poke64(PML4 + 0x2000 + 8 * i, BigInt(i * 0x200000) | 0x87n);
  for (let i = 0; i < 512; i++) setLeaf(i * 4096, BigInt(i * 4096) | 7n);
  t.put(svm.VMCB_NP_ENABLE, 1n);
  t.put(svm.VMCB_NCR3, BigInt(PML4));
  t.put(svm.VMCB_EFER, 0x1d00n);
  t.setReg('rbx', DATA);
});
/** mov [rbx], eax; mov eax, [rbx]; jmp rbx */
const WRITE = '8903';
const READ = '8b03';
const JUMP = 'ffe3';

describe('a nested page fault', () => {
  it.each([
    ['a read of a page that is not present', 0n, READ, U],
    ['a write to it', 0n, WRITE, U | W],
    ['a write to a read-only page', BigInt(DATA) | 5n, WRITE, P | U | W],
    ['a read of a supervisor page', BigInt(DATA) | 3n, READ, P | U],
    ['reserved bits', BigInt(DATA) | 7n | (1n << 50n), READ, P | U | RSV],
  ])('%s', (_name, entry, code, bits) => {
    setLeaf(DATA, entry);
    expect(t.guest(code)).toMatchObject({ code: 0x400n, info1: FINAL | bits, info2: BigInt(DATA), nrip: 0n, rip: BigInt(GUEST) });
  });

  it('a fetch is reported as such if the host has NX', () => {
    t.set64(0x188, 0x1d00n); // EFER
    t.core.stateChanged(0);
    setLeaf(DATA, BigInt(DATA) | 7n | NX);
    t.poke(DATA, 'f4');
    expect(t.guest(JUMP)).toMatchObject({ code: 0x400n, info1: FINAL | P | U | ID, info2: BigInt(DATA), rip: BigInt(DATA) });
    expect(t.done(t.guest(READ.replace('8b03', '90')))).toBe(false);
  });

  it('reports the address of the byte, also in the second page of an access that crosses', () => {
    setLeaf(DATA, 0n);
    t.setReg('rbx', DATA - 2);
    expect(t.guest(READ)).toMatchObject({ code: 0x400n, info2: BigInt(DATA) });
    t.setReg('rbx', DATA + 0x123);
    expect(t.guest(READ)).toMatchObject({ info2: BigInt(DATA + 0x123) });
  });

  it('in the walk of a guest’s table counts as a write, with the table’s address', () => {
    setLeaf(0x2000, BigInt(0x2000) | 5n);
    expect(t.guest(READ)).toMatchObject({ code: 0x400n, info1: TABLE | P | W | U, info2: 0x2000n });
    setLeaf(0x2000, 0n);
    expect(t.guest(READ)).toMatchObject({ code: 0x400n, info1: TABLE | W | U, info2: 0x2000n });
  });

  it('has a lower priority than the guest’s own page fault', () => {
    setLeaf(DATA, 0n);
    t.poke64(0x3000, 0x85n); // the guest's first 2 MiB: read-only
    t.put(svm.VMCB_CR0, 0x80010031n);
    t.intercept('exceptions', 1 << 14);
    expect(t.guest(WRITE)).toMatchObject({ code: 0x4en, info1: 3n, info2: BigInt(DATA) });
  });

  it('can be repaired by the host: the instruction then runs', () => {
    setLeaf(DATA, 0n);
    t.guest(WRITE);
    setLeaf(DATA, 0x70000n | 7n);
    t.put(svm.VMCB_RAX, 0x1234n);
    expect(t.done(t.enter())).toBe(true);
    expect(t.peek(0x70000, 4)).toBe(0x1234n);
    expect(t.peek(DATA, 4)).toBe(0n);
  });
});

describe('instruction bytes', () => {
  const bytes = (): number[] => Array.from({ length: 16 }, (_unused, i) => Number(t.peek(VMCB + svm.VMCB_BYTES_FETCHED + i, 1)));

  it('are provided for a data access that causes a nested page fault or an intercepted page fault', () => {
    setLeaf(DATA, 0n);
    expect(t.guest(READ).code).toBe(0x400n);
    expect(bytes().slice(0, 4)).toEqual([15, 0x8b, 0x03, 0xf4]);
    t.setReg('rbx', 0x40000000);
    t.intercept('exceptions', 1 << 14);
    t.put(svm.VMCB_RIP, BigInt(GUEST));
    expect(t.guest(WRITE).code).toBe(0x4en);
    expect(bytes().slice(0, 4)).toEqual([15, 0x89, 0x03, 0xf4]);
  });

  it('end if the next page is not present, and are absent for a fetch', () => {
    const end = GUEST + 0x1000;
    t.poke(end - 2, READ);
    setLeaf(DATA, 0n);
    setLeaf(end, 0n);
    t.put(svm.VMCB_RIP, BigInt(end - 2));
    expect(t.enter()).toMatchObject({ code: 0x400n, info2: BigInt(DATA) });
    expect(bytes().slice(0, 3)).toEqual([2, 0x8b, 0x03]);
    t.put(svm.VMCB_RIP, BigInt(GUEST));
    expect(t.guest(JUMP)).toMatchObject({ code: 0x400n, rip: BigInt(DATA) });
    expect(bytes()[0]).toBe(0);
  });

  it('are not written if CPUID does not report decode assists', () => {
    t.set32(svm.HIDDEN_SVM, svm.SVM_FEATURE_DECODE_ASSISTS);
    t.poke(VMCB + svm.VMCB_BYTES_FETCHED, [0x77]);
    setLeaf(DATA, 0n);
    t.guest(READ);
    expect(bytes()[0]).toBe(0x77);
  });
});

describe('accessed and dirty bits', () => {
  it('are set on both levels: D in the leaf by writes only', () => {
    t.guest(READ);
    expect(t.peek(leaf(DATA), 8)).toBe(BigInt(DATA) | 0x27n);
    expect(t.peek(PML4, 8) & 0x60n).toBe(0x20n);
    expect(t.peek(0x3000, 8) & 0x60n).toBe(0x20n);
    t.put(svm.VMCB_RIP, BigInt(GUEST));
    t.guest(WRITE);
    expect(t.peek(leaf(DATA), 8)).toBe(BigInt(DATA) | 0x67n);
    expect(t.peek(0x3000, 8) & 0x60n).toBe(0x60n);
    // The guest's tables count as written.
    expect(t.peek(leaf(0x3000), 8) & 0x60n).toBe(0x60n);
  });

  it('a page that was read first still gets D with the first write, in one run', () => {
    t.guest(`${READ} ${WRITE}`);
    expect(t.peek(leaf(DATA), 8) & 0x60n).toBe(0x60n);
  });
});

describe('translations', () => {
  /** mov eax, [rbx]; vmmcall; jmp back */
  const LOOP = '8b03 0f01d9 ebf9';
  const read = (): bigint => {
    t.put(svm.VMCB_RIP, BigInt(GUEST));
    expect(t.guest(LOOP).code).toBe(0x81n);
    return t.get(svm.VMCB_RAX) & 0xffffffffn;
  };
  beforeEach(() => {
    t.intercept('fourth', 2);
    t.poke(DATA, [0x11, 0, 0, 0]);
    t.poke(0x70000, [0x22, 0, 0, 0]);
  });

  it('survive exits, until the ASID is flushed', () => {
    expect(read()).toBe(0x11n);
    setLeaf(DATA, 0x70000n | 7n);
    expect(read()).toBe(0x11n);
    t.poke(VMCB + svm.VMCB_TLB_CONTROL, [3]);
    expect(read()).toBe(0x22n);
  });

  it.each([
    ['TLB_CONTROL 1', () => t.poke(VMCB + svm.VMCB_TLB_CONTROL, [1])],
    ['another ASID', () => t.put(svm.VMCB_ASID, 2n)],
    ['another N_CR3', () => t.put(svm.VMCB_NCR3, BigInt(PML4) | 0x18n)],
    ['a reset of the TLB by a restored state', () => t.core.stateChanged(0)],
  ])('are dropped by %s', (_name, flush) => {
    expect(read()).toBe(0x11n);
    setLeaf(DATA, 0x70000n | 7n);
    flush();
    expect(read()).toBe(0x22n);
  });

  it('are dropped by INVLPGA of their ASID, and stay with another ASID', () => {
    const invlpga = (asid: number): void => {
      t.poke(0x11000, '0f01df f4');
      t.rip = 0x11000n;
      t.setReg('rax', DATA);
      t.setReg('rcx', asid);
      t.set32(0x290, 0);
      t.run(5);
    };
    expect(read()).toBe(0x11n);
    setLeaf(DATA, 0x70000n | 7n);
    invlpga(2);
    expect(read()).toBe(0x11n);
    invlpga(1);
    expect(read()).toBe(0x22n);
  });

  it('hold the final page: they are dropped when the machine’s memslot moves, and the guest waits for an INVALID one', () => {
    expect(read()).toBe(0x11n);
    t.moved.set(DATA / 4096, 0x70000 / 4096);
    t.core.zapGfnRange(DATA / 4096, 1);
    expect(read()).toBe(0x22n);
    t.pageFlags.set(DATA / 4096, PAGE_INVALID);
    t.core.zapGfnRange(DATA / 4096, 1);
    t.put(svm.VMCB_RIP, BigInt(GUEST));
    t.rip = 0x10000n;
    t.setReg('rax', VMCB);
    t.set32(0x290, 0);
    expect(t.run(100)).toBe(EXIT_RETRY);
    t.pageFlags.clear();
    t.moved.clear();
    t.core.zapGfnRange(DATA / 4096, 1);
    expect(t.run(100)).toBe(1);
    expect(t.get(svm.VMCB_RAX) & 0xffn).toBe(0x11n);
  });

  it('are separate for host and guest: the same address is a different page for each', () => {
    // mov eax, [rbx] in the host, around a guest that maps it elsewhere
    setLeaf(DATA, 0x70000n | 7n);
    t.poke(0x11000, '8b0b 0f01d8 8b13 f4');
    t.poke(GUEST, '8b33 f4');
    t.put(svm.VMCB_RIP, BigInt(GUEST));
    t.rip = 0x11000n;
    t.setReg('rax', VMCB);
    t.run(100);
    expect([t.reg('rcx'), t.reg('rsi'), t.reg('rdx')]).toEqual([0x11n, 0x22n, 0x11n]);
  });

  describe.each([
    ['interpreted', undefined],
    ['compiled', { ...JIT_DEFAULTS, quantum: 24, samples: 1 }],
  ] as const)('of the host, %s, at VMRUN', (_tier, jit) => {
    // 100 times another frame for the page of rbx, VMRUN, and a read: mov rcx, [rbx]; loop: xor qword [rdi], 200000h; vmrun; add rdx, [rbx]; dec esi; jnz loop; hlt
    const sum = (control: number): bigint => {
      t = new SvmCore(undefined, jit);
      t.poke64(0x3010, 0x400087n);
      t.poke64(0x400000, 1n);
      t.poke64(0x600000, 1000n);
      t.poke(VMCB + svm.VMCB_TLB_CONTROL, [control]);
      t.poke(GUEST, 'f4');
      t.poke(0x11000, '488b0b 48813700002000 0f01d8 480313 ffce 75ef f4');
      for (const [name, value] of [
        ['rdx', 0],
        ['rbx', 0x400000],
        ['rdi', 0x3010],
        ['rsi', 100],
        ['rax', VMCB],
      ] as const)
        t.setReg(name, value);
      t.rip = 0x11000n;
      t.run(10_000);
      return t.reg('rdx');
    };
    it.each([0, 3])('stay with TLB_CONTROL %i', (control) => expect(sum(control)).toBe(100n));
    it('are dropped with TLB_CONTROL 1', () => expect(sum(1)).toBe(50n * 1001n));
  });

  it('write to dirty-logged and read-only pages of the machine like any program', () => {
    t.pageFlags.set(DATA / 4096, PAGE_CLEAN);
    t.put(svm.VMCB_RIP, BigInt(GUEST));
    t.guest(WRITE);
    expect(t.dirtied).toContain(DATA / 4096);
    t.pageFlags.set(DATA / 4096, PAGE_READONLY);
    t.core.zapGfnRange(DATA / 4096, 1);
    t.put(svm.VMCB_RIP, BigInt(GUEST));
    t.guest(WRITE);
    expect(t.accesses).toMatchObject([{ kind: 'mmioWrite', address: DATA, size: 4 }]);
  });
});

describe('what the processor itself writes', () => {
  /** Is the page one of those that a checkpoint of the machine holds? */
  const isNoted = (gpa: number): boolean => {
    const page = t.hva(gpa) >>> 12;
    return ((t.view.getUint8(CHANGED_PAGES + (page >> 3)) >> (page & 7)) & 1) === 1;
  };

  it('is recorded while changes are tracked: the VMCB, and accessed and dirty bits of both levels', () => {
    t.core.trackWrites(1);
    expect([VMCB, PML4, LEAVES, 0x1000, DATA].map(isNoted)).toEqual([false, false, false, false, false]);
    t.guest(READ);
    expect([VMCB, PML4, LEAVES, 0x1000, DATA].map(isNoted)).toEqual([true, true, true, true, false]);
  });

  it('is recorded for VMSAVE', () => {
    t.poke(0x11000, '0f01db f4');
    t.rip = 0x11000n;
    t.setReg('rax', VMCB);
    t.core.trackWrites(1);
    t.run(5);
    expect(isNoted(VMCB)).toBe(true);
  });
});

describe('the host’s paging modes', () => {
  it('32-bit tables translate the guest of a 32-bit host', () => {
    // A host without paging: CR4 and EFER determine the format of its nested tables.
    t = new SvmCore();
    t.set64(0x188, 0x1000n);
    t.flat32(0x10000);
    t.set64(0x178, 0x10n); // PSE
    t.core.stateChanged(0);
    t.realGuest();
    t.put(svm.VMCB_NP_ENABLE, 1n);
    t.put(svm.VMCB_NCR3, BigInt(PML4));
    t.poke64(PML4, 0x87n); // one page of 4 MiB
    t.guest('b83412 a30006');
    expect(t.exit().code).toBe(0x78n);
    expect(t.peek(0x600, 2)).toBe(0x1234n);
    expect(t.peek(PML4, 4) & 0x60n).toBe(0x60n);
  });
});
