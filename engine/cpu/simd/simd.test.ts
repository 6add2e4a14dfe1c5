/** MMX, SSE and SSE2: arithmetic with MXCSR, integer lanes, moves, and their guards. */
import { beforeEach, describe, expect, it } from 'vitest';
import * as abi from '../../abi/vcpu';
import { bareLongMode, DATA, execute as executeOn } from '../../../test/support/bare-long-mode';
import type { TestCore } from '../../../test/support/core';

let t: TestCore;

beforeEach(() => {
  t = bareLongMode();
});

const execute = (code: string): number | undefined => executeOn(t, code);

const view = new DataView(new ArrayBuffer(16));
function doubles(n: number, low: number, high: number): void {
  view.setFloat64(0, low, true);
  view.setFloat64(8, high, true);
  t.set64(abi.VCPU_XMM + 16 * n, view.getBigUint64(0, true));
  t.set64(abi.VCPU_XMM + 16 * n + 8, view.getBigUint64(8, true));
}
function readDoubles(n: number): [number, number] {
  view.setBigUint64(0, t.get64(abi.VCPU_XMM + 16 * n), true);
  view.setBigUint64(8, t.get64(abi.VCPU_XMM + 16 * n + 8), true);
  return [view.getFloat64(0, true), view.getFloat64(8, true)];
}
function xmm(n: number, low: bigint, high: bigint): void {
  t.set64(abi.VCPU_XMM + 16 * n, low);
  t.set64(abi.VCPU_XMM + 16 * n + 8, high);
}
const readXmm = (n: number) => [t.get64(abi.VCPU_XMM + 16 * n), t.get64(abi.VCPU_XMM + 16 * n + 8)];
const mxcsr = () => t.get32(abi.VCPU_MXCSR);

describe('floating point', () => {
  it('adds packed doubles and reports inexact results', () => {
    t.set32(abi.VCPU_MXCSR, 0x1f80);
    doubles(0, 1.5, 2);
    doubles(1, 0.25, 3);
    execute('660f58c1');
    expect([readDoubles(0), mxcsr()]).toEqual([[1.75, 5], 0x1f80]);
    doubles(1, 0.1, 0.2);
    execute('660f58c1');
    expect([readDoubles(0), mxcsr()]).toEqual([[1.75 + 0.1, 5.2], 0x1fa0]);
  });

  it('changes only the low lane in scalar forms', () => {
    doubles(0, 6, 7);
    doubles(1, 4, 9);
    execute('f20f5ec1'); // divsd
    expect(readDoubles(0)).toEqual([1.5, 7]);
    execute('f20f51c1'); // sqrtsd
    expect(readDoubles(0)).toEqual([2, 7]);
  });

  it('rounds by MXCSR', () => {
    const third = (rounding: number) => {
      t.set32(abi.VCPU_MXCSR, 0x1f80 | (rounding << 13));
      doubles(0, 1, 0);
      doubles(1, 3, 0);
      execute('f20f5ec1');
      return t.get64(abi.VCPU_XMM) & 0xffn;
    };
    expect([0, 1, 2, 3].map(third)).toEqual([0x55n, 0x55n, 0x56n, 0x55n]);
  });

  it('flushes denormals only with DAZ or FTZ set', () => {
    doubles(0, 2 ** -1000, 0);
    doubles(1, 2 ** -60, 0);
    t.set32(abi.VCPU_MXCSR, 0x1f80);
    execute('f20f59c1');
    expect([readDoubles(0)[0], mxcsr()]).toEqual([2 ** -1060, 0x1f80]); // tiny but exact
    doubles(0, 2 ** -1000, 0);
    t.set32(abi.VCPU_MXCSR, 0x9f80); // FTZ
    execute('f20f59c1');
    expect([readDoubles(0)[0], mxcsr()]).toEqual([0, 0x9fb0]);
    doubles(0, 5e-324, 0);
    doubles(1, 2 ** 60, 0);
    t.set32(abi.VCPU_MXCSR, 0x1fc0); // DAZ
    execute('f20f59c1');
    expect([readDoubles(0)[0], mxcsr()]).toEqual([0, 0x1fc0]);
  });

  it('raises #XM for an unmasked exception and leaves the destination', () => {
    doubles(0, 1, 2);
    doubles(1, 0, 0);
    t.set32(abi.VCPU_MXCSR, 0x1d80); // ZM clear
    expect(execute('660f5ec1')).toBe(19);
    expect(readDoubles(0)).toEqual([1, 2]);
    expect(mxcsr()).toBe(0x1d84);
    t.set64(abi.VCPU_CR4, 0x220n); // no OSXMMEXCPT
    expect(execute('660f5ec1')).toBe(6);
  });

  it('compares, and converts values that do not fit to the integer indefinite', () => {
    doubles(0, 1, 0);
    doubles(1, Number.NaN, 0);
    t.set32(abi.VCPU_MXCSR, 0x1f80);
    execute('660f2ec1'); // ucomisd
    expect([t.flags & 0x8d5, mxcsr()]).toEqual([0x45, 0x1f80]);
    execute('660f2fc1'); // comisd
    expect(mxcsr()).toBe(0x1f81);
    doubles(1, -2.5, 0);
    execute('f20f2cc1 f20f2dd1'); // cvttsd2si eax, cvtsd2si edx
    expect([t.reg('rax'), t.reg('rdx')]).toEqual([0xfffffffen, 0xfffffffen]);
    doubles(1, 1e300, 0);
    execute('f2480f2cc1');
    expect(t.reg('rax')).toBe(0x8000000000000000n);
    t.setReg('rax', 0x7fffffffffffffffn);
    execute('f2480f2ac8'); // cvtsi2sd xmm1, rax
    expect(readDoubles(1)[0]).toBe(2 ** 63);
  });
});

describe('integers', () => {
  it('works on all lanes', () => {
    xmm(0, 0x0102030405060708n, 0xff00ff00ff00ff00n);
    xmm(1, 0x0807060504030201n, 0x0100010001000100n);
    execute('660ffcc1'); // paddb
    expect(readXmm(0)).toEqual([0x0909090909090909n, 0n]);
    xmm(0, 0xfff0fff0fff0fff0n, 0x7ff07ff07ff07ff0n);
    xmm(1, 0x0020002000200020n, 0x0020002000200020n);
    execute('660fddc1'); // paddusw
    expect(readXmm(0)).toEqual([0xffffffffffffffffn, 0x8010801080108010n]);
    xmm(0, 0xffffffff00000003n, 5n);
    xmm(1, 0x00000000_ffffffffn, 7n);
    execute('660ff4c1'); // pmuludq
    expect(readXmm(0)).toEqual([0x2fffffffdn, 35n]);
    xmm(0, 0x0807060504030201n, 0x100f0e0d0c0b0a09n);
    execute('660f73d805'); // psrldq 5
    expect(readXmm(0)).toEqual([0x0d0c0b0a09080706n, 0x100f0en]);
    execute('660f70c81b'); // pshufd xmm1, xmm0, 0x1b
    expect(readXmm(1)).toEqual([0x00100f0e00000000n, 0x090807060d0c0b0an]);
    xmm(1, 0x80ff7f0000000080n, 0xffffffffffffffffn);
    execute('660fd7c1'); // pmovmskb
    expect(t.reg('rax')).toBe(0xffc1n);
  });

  it('aliases MMX registers to the x87 stack', () => {
    t.poke64(DATA, 0x1122334455667788n);
    execute('dbe3 d9e8 0f6f03 0ffdc0'); // fld1; movq mm0,[rbx]; paddw mm0,mm0
    expect(t.get64(abi.VCPU_FPU_REGS)).toBe(0x22446688aaccef10n);
    expect(t.get32(abi.VCPU_FPU_REGS + 8) & 0xffff).toBe(0xffff);
    expect((t.get32(abi.VCPU_FCW) >>> 16) & 0x3800).toBe(0); // TOP
    expect(t.get32(abi.VCPU_FTW) & 0xffff).toBe(0); // all valid
    execute('0f77');
    expect(t.get32(abi.VCPU_FTW) & 0xffff).toBe(0xffff);
  });
});

describe('memory', () => {
  it('requires 16-byte alignment except for the unaligned moves', () => {
    t.poke64(DATA + 8, 5n);
    expect(execute('0f284308')).toBe(13); // movaps
    expect(execute('660f584308')).toBe(13); // addpd
    expect(execute('f30f6f4308')).toBeUndefined(); // movdqu
    expect(readXmm(0)[0]).toBe(5n);
    expect(execute('0f284310')).toBeUndefined();
  });

  it('loads and stores across pages', () => {
    xmm(0, 0x1111222233334444n, 0x5555666677778888n);
    t.setReg('rcx', 0x1fff9);
    execute('f30f7f01 f30f6f09');
    expect(t.peek(0x1fff9, 16)).toBe((0x5555666677778888n << 64n) | 0x1111222233334444n);
    expect(readXmm(1)).toEqual(readXmm(0));
  });

  it('stores masked bytes only', () => {
    t.poke64(DATA, 0n);
    t.poke64(DATA + 8, 0n);
    xmm(0, 0x8877665544332211n, 0xffeeddccbbaa9988n);
    xmm(1, 0x0080000000000080n, 0x8000000000000000n);
    t.setReg('rdi', DATA);
    execute('660ff7c1');
    expect(t.peek(DATA, 16)).toBe((0xff00000000000000n << 64n) | 0x0077000000000011n);
  });

  it('splits a device access into two of 8 bytes', () => {
    t.deviceRead = (access) => BigInt(access.address & 0xff);
    t.poke64(0x2018, 0xc0000083n); // 1 GiB page onto the devices
    t.setReg('rcx', 0xc0000000 + 0x3ed00010);
    execute('0f2801');
    expect(t.accesses.map((a) => [a.kind, a.size])).toEqual([
      ['mmioRead', 8],
      ['mmioRead', 8],
    ]);
    expect(readXmm(0)).toEqual([0x10n, 0x18n]);
  });
});

describe('availability', () => {
  it('is #UD without OSFXSR or with EM, and #NM with TS', () => {
    t.set64(abi.VCPU_CR4, 0x20n);
    expect(execute('0f57c0')).toBe(6);
    expect(execute('0fefc0')).toBeUndefined(); // MMX does not need it
    t.set64(abi.VCPU_CR4, 0x620n);
    t.set64(abi.VCPU_CR0, 0x80000039n);
    expect(execute('0f57c0')).toBe(7);
    expect(execute('0fefc0')).toBe(7);
    t.set64(abi.VCPU_CR0, 0x80000035n);
    expect(execute('0f57c0')).toBe(6);
    expect(execute('0fae1b')).toBe(6); // stmxcsr
  });

  it('refuses MXCSR bits that do not exist', () => {
    t.poke64(DATA, 0x1ff80n);
    expect(execute('0fae13')).toBe(13);
    t.poke64(DATA, 0x9f80n);
    expect(execute('0fae13 0fae5b08')).toBeUndefined();
    expect(t.peek(DATA + 8, 4)).toBe(0x9f80n);
  });
});
