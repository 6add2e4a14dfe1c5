/** CPUID, MSRs, control registers and descriptor instructions, as guest code sees them. */
import { beforeEach, describe, expect, it } from 'vitest';
import { EXIT_HLT, LOG_MSR } from '../abi/exits';
import * as abi from '../abi/vcpu';
import { TestCore } from '../../test/support/core';

const CODE = 0x10000;
const GDT = 0x61000;
let t: TestCore;

/** Runs code at CPL 0 until HLT. The vector and error code of a fault, or undefined. */
function execute(code: string): { vector: number; error: number } | undefined {
  t.poke(CODE, `${code} f4`);
  t.rip = BigInt(CODE);
  t.setReg('rsp', 0x80000);
  t.set32(abi.VCPU_HALTED, 0);
  t.core.stateChanged(0);
  expect(t.run(100)).toBe(EXIT_HLT);
  const at = Number(t.rip) - 1;
  return at < 0x70000 ? undefined : { vector: (at - 0x70000) / 16, error: Number(t.peek(Number(t.reg('rsp')), 4)) };
}
const GP = { vector: 13, error: 0 };

beforeEach(() => {
  t = new TestCore();
  t.longMode(CODE);
  t.poke64(GDT + 8, 0x00af9b000000ffffn);
  t.poke64(GDT + 16, 0x00cf93000000ffffn);
  t.set64(abi.VCPU_GDT_BASE, BigInt(GDT));
  t.set32(abi.VCPU_GDT_LIMIT, 0x7f);
  t.set64(abi.VCPU_IDT_BASE, 0x60000n);
  t.set32(abi.VCPU_IDT_LIMIT, 0xfff);
  for (let vector = 0; vector < 32; vector++) {
    t.poke(0x70000 + 16 * vector, 'f4');
    t.poke64(0x60000 + 16 * vector, (BigInt(16 * vector) & 0xffffn) | 0x80000n | (0x8e00n << 32n) | (7n << 48n));
    t.poke64(0x60008 + 16 * vector, 0n);
  }
});

function cpuid(leaf: number, subleaf = 0): { eax: number; ebx: number; ecx: number; edx: number } {
  t.setReg('rax', leaf);
  t.setReg('rcx', subleaf);
  expect(execute('0fa2')).toBeUndefined();
  return { eax: Number(t.reg('rax')), ebx: Number(t.reg('rbx')), ecx: Number(t.reg('rcx')), edx: Number(t.reg('rdx')) };
}
function rdmsr(index: number): bigint {
  t.setReg('rcx', index);
  expect(execute('0f32')).toBeUndefined();
  return t.reg('rax') | (t.reg('rdx') << 32n);
}
function wrmsr(index: number, value: bigint): ReturnType<typeof execute> {
  t.setReg('rcx', index);
  t.setReg('rax', value & 0xffffffffn);
  t.setReg('rdx', value >> 32n);
  return execute('0f30');
}

describe('CPUID', () => {
  it('names an Intel processor of family 6 and its brand', () => {
    const { eax, ebx, ecx, edx } = cpuid(0);
    const text = (words: number[]) => Buffer.from(new Uint32Array(words).buffer).toString('latin1');
    expect(text([ebx, edx, ecx])).toBe('GenuineIntel');
    expect(eax).toBe(0x16);
    expect((cpuid(1).eax >> 8) & 15).toBe(6);
    const brand = [0x80000002, 0x80000003, 0x80000004].map((leaf) => {
      const r = cpuid(leaf);
      return text([r.eax, r.ebx, r.ecx, r.edx]);
    });
    expect(brand.join('').replace(/\0+$/, '')).toBe('memslot-lab vCPU @ 1.00GHz');
  });

  it('reports that TSC and APIC timer run at 1 GHz', () => {
    expect(cpuid(0x15)).toEqual({ eax: 1, ebx: 1, ecx: 1_000_000_000, edx: 0 });
    expect(cpuid(0x16).eax).toBe(1000);
    expect(cpuid(0x80000007).edx & 0x100).toBe(0x100);
  });

  it('claims x86-64-v2 and what a 64-bit kernel needs, and nothing beyond', () => {
    const { ecx, edx } = cpuid(1);
    for (const bit of [0, 3, 4, 5, 6, 8, 9, 11, 13, 15, 16, 19, 23, 24, 25, 26]) expect((edx >>> bit) & 1, `EDX[${bit}]`).toBe(1);
    // SSE3 SSSE3 CX16 SSE4.1 SSE4.2 POPCNT; PCLMULQDQ MONITOR FMA MOVBE AES XSAVE OSXSAVE AVX F16C
    for (const bit of [0, 9, 13, 19, 20, 23]) expect((ecx >>> bit) & 1, `ECX[${bit}]`).toBe(1);
    for (const bit of [1, 3, 12, 22, 25, 26, 27, 28, 29]) expect((ecx >>> bit) & 1, `ECX[${bit}]`).toBe(0);
    expect(cpuid(0x80000001).ecx & 1).toBe(1); // LAHF
    for (const bit of [11, 20, 27, 29]) expect((cpuid(0x80000001).edx >>> bit) & 1).toBe(1);
    expect(cpuid(0x80000008).eax).toBe(46 | (48 << 8));
  });

  it('returns zeros for any other leaf instead of a fault', () => {
    const zeros = { eax: 0, ebx: 0, ecx: 0, edx: 0 };
    for (const leaf of [3, 4, 0xd, 0x17, 0x40000000, 0x80000009, 0xffffffff]) expect(cpuid(leaf)).toEqual(zeros);
  });
});

describe('MSRs', () => {
  it('raises #GP for one that does not exist, and logs which', () => {
    t.setReg('rcx', 0xc0012345);
    expect(execute('0f32')).toEqual(GP);
    expect(t.logs).toEqual([[LOG_MSR, 0xc0012345, 0]]);
    expect(wrmsr(0x123, 0n)).toEqual(GP);
    expect(t.logs.at(-1)).toEqual([LOG_MSR, 0x123, 1]);
  });

  it('moves the TSC by TSC_ADJUST and by a write to the TSC', () => {
    t.set32(abi.VCPU_CLOCK_SHIFT, 3);
    t.set64(abi.VCPU_CLOCK_SKEW, 1000n);
    const before = t.icount;
    execute('0f31');
    expect(t.reg('rax') | (t.reg('rdx') << 32n)).toBe((before << 3n) + 1000n);
    expect(wrmsr(0x3b, 1n << 40n)).toBeUndefined();
    const at = t.icount;
    execute('0f31');
    expect(t.reg('rax') | (t.reg('rdx') << 32n)).toBe((at << 3n) + 1000n + (1n << 40n));
    const now = t.icount;
    wrmsr(0x10, 5n);
    expect(rdmsr(0x3b)).toBe(BigInt.asUintN(64, 5n - ((now << 3n) + 1000n)));
  });

  it('keeps addresses canonical and EFER sane', () => {
    expect(wrmsr(0xc0000082, 0x0000800000000000n)).toEqual(GP);
    expect(wrmsr(0xc0000100, 0xffff800000000000n)).toBeUndefined();
    expect(rdmsr(0xc0000100)).toBe(0xffff800000000000n);
    expect(wrmsr(0xc0000080, 0x400n)).toEqual(GP); // LME cannot change while paging is on
    expect(wrmsr(0xc0000080, 0x1500n)).toEqual(GP); // SVME does not exist
    expect(wrmsr(0xc0000080, 0x901n)).toBeUndefined();
    expect(rdmsr(0xc0000080)).toBe(0xd01n); // LMA is not written
    expect(wrmsr(0x277, 0x0202020202020202n)).toEqual(GP); // no such memory type
  });

  it('gives RDRAND numbers from the seed, the same ones each time', () => {
    const draw = () => {
      t.set64(abi.VCPU_RDRAND, 42n);
      t.core.setRflags(0, 2);
      execute('480fc7f0 480fc7f3');
      expect(t.flags & 1).toBe(1);
      return [t.reg('rax'), t.reg('rbx')];
    };
    const first = draw();
    expect(first[0]).not.toBe(first[1]);
    expect(draw()).toEqual(first);
  });
});

describe('control registers', () => {
  it('refuses combinations that do not exist', () => {
    const write = (n: number, value: bigint) => {
      t.setReg('rax', value);
      return execute(`0f22${(0xc0 | (n << 3)).toString(16)}`);
    };
    expect(write(0, 0x80000010n)).toEqual(GP); // PG without PE
    expect(write(0, 0xa0000011n)).toEqual(GP); // NW without CD
    expect(write(0, 0x100000000n | 0x80000011n)).toEqual(GP);
    expect(write(0, 0x11n)).toEqual(GP); // paging off in 64-bit mode
    expect(write(4, 0n)).toEqual(GP); // PAE off in long mode
    expect(write(4, 0x20n | (1n << 20n))).toEqual(GP); // SMEP is not there
    expect(write(3, 1n << 50n)).toEqual(GP);
    expect(execute('0f20c8')).toMatchObject({ vector: 6 }); // CR1
    expect(t.get64(abi.VCPU_CR0)).toBe(0x80000011n);
  });

  it('keeps the fixed bits of DR6 and DR7', () => {
    t.setReg('rax', 0);
    execute('0f23f0 0f23f8 0f21f3 0f21f9');
    expect([t.reg('rbx'), t.reg('rcx')]).toEqual([0xffff0ff0n, 0x400n]);
  });

  it('exchanges GS bases by SWAPGS at CPL 0 only', () => {
    t.set64(abi.VCPU_KERNEL_GS_BASE, 0x1234n);
    expect(execute('0f01f8')).toBeUndefined();
    expect(t.get64(abi.VCPU_SEG + abi.SEG_GS * abi.VCPU_SEG_SIZE)).toBe(0x1234n);
    expect(t.get64(abi.VCPU_KERNEL_GS_BASE)).toBe(0n);
  });

  it('starts at the reset vector with the registers of the manual', () => {
    const fresh = new TestCore();
    expect(fresh.rip).toBe(0xfff0n);
    expect(fresh.get64(abi.VCPU_SEG + abi.SEG_CS * abi.VCPU_SEG_SIZE)).toBe(0xffff0000n);
    expect(fresh.get64(abi.VCPU_CR0)).toBe(0x60000010n);
    expect(fresh.flags).toBe(2);
    fresh.core.resetVcpu(1);
    expect(fresh.get32(abi.VCPU_HALTED, 1)).toBe(2); // waits for SIPI
  });
});

describe('descriptors', () => {
  beforeEach(() => {
    t.poke64(GDT + 0x20, 0x0040920000000fffn); // data, 4 KiB - 1
    t.poke64(GDT + 0x28, 0x00cff3000000ffffn);
    t.poke64(GDT + 0x30, 0x0000890620000067n); // available TSS at 0x62000
    t.poke64(GDT + 0x38, 0n);
    t.poke64(GDT + 0x40, 0x00cf99000000ffffn); // execute-only code
  });
  const zf = () => (t.flags >> 6) & 1;

  it('reads limits and rights with LSL and LAR', () => {
    t.setReg('rbx', 0x20);
    execute('0f03c3');
    expect([zf(), t.reg('rax')]).toEqual([1, 0xfffn]);
    t.setReg('rbx', 0x28);
    execute('0f03c3');
    expect([zf(), t.reg('rax')]).toEqual([1, 0xffffffffn]);
    execute('0f02c3');
    expect([zf(), t.reg('rax')]).toEqual([1, 0xcff300n]);
    t.setReg('rax', 7);
    t.setReg('rbx', 0xff8);
    execute('0f02c3');
    expect([zf(), t.reg('rax')]).toEqual([0, 7n]);
  });

  it('verifies segments for reading and writing', () => {
    const check = (selector: number) => {
      t.setReg('rax', selector);
      execute('0f00e0'); // VERR
      const readable = zf();
      execute('0f00e8'); // VERW
      return [readable, zf()];
    };
    expect(check(0x20)).toEqual([1, 1]);
    expect(check(0x08)).toEqual([1, 0]);
    expect(check(0x40)).toEqual([0, 0]);
    expect(check(0)).toEqual([0, 0]);
  });

  it('loads the task register once and marks the TSS busy', () => {
    t.setReg('rax', 0x30);
    expect(execute('0f00d8')).toBeUndefined();
    expect(t.peek(GDT + 0x35, 1)).toBe(0x8bn);
    expect(t.get64(abi.VCPU_SEG + abi.SEG_TR * abi.VCPU_SEG_SIZE)).toBe(0x62000n);
    expect(execute('0f00d8')).toEqual({ vector: 13, error: 0x30 });
    t.setReg('rax', 0x20);
    expect(execute('0f00d8')).toEqual({ vector: 13, error: 0x20 });
  });
});
