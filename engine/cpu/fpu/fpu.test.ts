/** x87 instructions: results to the last bit, stack and exception behaviour, and what an operating system needs for context switches. */
import { beforeEach, describe, expect, it } from 'vitest';
import * as abi from '../../abi/vcpu';
import { bareLongMode, DATA, execute as executeOn } from '../../../test/support/bare-long-mode';
import type { TestCore } from '../../../test/support/core';

let t: TestCore;

beforeEach(() => {
  t = bareLongMode();
});

const execute = (code: string): number | undefined => executeOn(t, code);

function double(offset: number, value: number): void {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value, true);
  t.poke64(DATA + offset, view.getBigUint64(0, true));
}
/** An 80-bit value as sign-and-exponent:significand. */
function extended(offset: number): string {
  return `${t.peek(DATA + offset + 8, 2).toString(16)}:${t.peek(DATA + offset, 8).toString(16)}`;
}
function controlWord(value: number): void {
  t.poke(DATA + 0x100, [value & 255, value >> 8]);
}
const LOAD = 'dd03 '; // fld qword [rbx]
const LOAD2 = 'dd4308 '; // fld qword [rbx+8]
const STORE = 'db7b40 '; // fstp tbyte [rbx+0x40]
const FLDCW = 'd9ab00010000 ';
const FNSTSW = 'dfe0 ';
const status = () => Number(t.reg('rax') & 0xffffn);

describe('arithmetic', () => {
  it('divides in extended precision and rounds by the control word', () => {
    double(0, 1);
    double(8, 3);
    const third = (cw: number) => {
      controlWord(cw);
      execute(`dbe3 ${FLDCW}${LOAD}${LOAD2} def9 ${STORE}`); // fdivp: 1 / 3
      return extended(0x40);
    };
    expect(third(0x37f)).toBe('3ffd:aaaaaaaaaaaaaaab');
    expect(third(0x77f)).toBe('3ffd:aaaaaaaaaaaaaaaa'); // down
    expect(third(0xb7f)).toBe('3ffd:aaaaaaaaaaaaaaab'); // up
    expect(third(0x27f)).toBe('3ffd:aaaaaaaaaaaaa800'); // 53 bits
    expect(third(0x07f)).toBe('3ffd:aaaaab0000000000'); // 24 bits
  });

  it('gives the masked responses and keeps their flags', () => {
    double(0, 1);
    double(8, 0);
    execute(`dbe3 ${LOAD}${LOAD2} def9 ${STORE}${FNSTSW}`);
    expect([extended(0x40), status() & 0x3f]).toEqual(['7fff:8000000000000000', 4]);
    execute(`dbe3 ${LOAD2}${LOAD2} def9 ${STORE}${FNSTSW}`);
    expect([extended(0x40), status() & 0x3f]).toEqual(['ffff:c000000000000000', 1]);
    double(0, -1);
    execute(`dbe3 ${LOAD} d9fa ${STORE}${FNSTSW}`); // fsqrt(-1)
    expect([extended(0x40), status() & 0x3f]).toEqual(['ffff:c000000000000000', 1]);
    execute(`dbe3 ${STORE}${FNSTSW}`); // empty stack
    expect([extended(0x40), status() & 0x7f]).toEqual(['ffff:c000000000000000', 0x41]);
  });

  it('overflows its stack at the ninth push', () => {
    execute(`dbe3 ${'d9e8 '.repeat(9)}${FNSTSW}${STORE}`);
    expect(status() & 0x27f).toBe(0x241);
    expect(extended(0x40)).toBe('ffff:c000000000000000');
  });

  it('stores integers, BCD and narrow floats', () => {
    double(0, 1234567890.5);
    execute(`dbe3 ${LOAD} df7b40 ${LOAD} db5b48 ${LOAD} df7350 ${LOAD} d95b60 ${FNSTSW}`);
    expect(t.peek(DATA + 0x40, 8)).toBe(1234567890n); // ties to even
    expect(t.peek(DATA + 0x48, 4)).toBe(1234567890n);
    expect(t.peek(DATA + 0x50, 8)).toBe(0x1234567890n);
    expect(t.peek(DATA + 0x60, 4)).toBe(0x4e932c06n);
    expect(status() & 0x3f).toBe(0x20);
    double(0, 1e10);
    execute(`dbe3 ${LOAD} db5b48 ${FNSTSW}`);
    expect([t.peek(DATA + 0x48, 4), status() & 0x3f]).toEqual([0x80000000n, 1]);
  });

  it('takes the remainder with its quotient bits', () => {
    double(0, 3);
    double(8, 17.5);
    execute(`dbe3 ${LOAD}${LOAD2} d9f8 ${FNSTSW}${STORE}`); // fprem: 17.5 = 5 * 3 + 2.5
    expect([extended(0x40), status() & 0x4700]).toEqual(['4000:a000000000000000', 0x300]);
    execute(`dbe3 ${LOAD}${LOAD2} d9f5 ${FNSTSW}${STORE}`); // fprem1: 6 * 3 - 0.5
    expect([extended(0x40), status() & 0x4700]).toEqual(['bffe:8000000000000000', 0x4100]);
  });

  it('compares to the condition codes and to EFLAGS', () => {
    double(0, 2);
    double(8, 1);
    execute(`dbe3 ${LOAD}${LOAD2} d8d9 ${FNSTSW}`); // fcomp: 1 < 2
    expect(status() & 0x4500).toBe(0x100);
    execute(`dbe3 ${LOAD}${LOAD2} dbf1`); // fcomi
    expect(t.flags & 0x45).toBe(1);
    double(0, Number.NaN);
    execute(`dbe3 ${LOAD}${LOAD2} dbe9 ${FNSTSW}`); // fucomi
    expect([t.flags & 0x45, status() & 1]).toEqual([0x45, 0]);
  });
});

describe('transcendental instructions', () => {
  // The correctly rounded results, from 100-digit arithmetic.
  const cases: [string, number, number, string, string][] = [
    ['fsin', 1, 0, 'd9fe', '3ffe:d76aa47848677021'],
    ['fcos', 1, 0, 'd9ff', '3ffe:8a51407da8345c92'],
    ['f2xm1', 0.5, 0, 'd9f0', '3ffd:d413cccfe7799211'],
    ['fyl2x', 10, 1, 'd9f1', '4000:d49a784bcd1b8afe'],
    ['fpatan', 1, 2, 'd9f3', '3fff:8db70c975df22363'],
    ['fyl2xp1', 0.25, 1, 'd9f9', '3ffd:a4d3c25e68dc57f2'],
  ];
  it.each(cases)('%s', (_name, x, y, code, expected) => {
    double(0, y);
    double(8, x);
    execute(`dbe3 ${LOAD}${LOAD2} ${code} ${STORE}`);
    expect(extended(0x40)).toBe(expected);
  });

  it('rounds the tangent of a tiny angle, which is just above the angle, by the control word', () => {
    double(0, 1.5 * 2 ** -66);
    for (const [control, expected] of [
      [0x37f, '3fbd:c000000000000000'],
      [0x77f, '3fbd:c000000000000000'],
      [0xb7f, '3fbd:c000000000000001'],
    ] as const) {
      controlWord(control);
      execute(`dbe3 ${FLDCW}${LOAD} d9f2 ddd8 ${STORE}`);
      expect(extended(0x40)).toBe(expected);
    }
  });

  it('leaves an argument of 2^63 or more alone and says so', () => {
    double(0, 2 ** 63);
    execute(`dbe3 ${LOAD} d9fe ${FNSTSW}${STORE}`);
    expect([extended(0x40), status() & 0x400]).toEqual(['403e:8000000000000000', 0x400]);
  });
});

describe('exceptions and context switches', () => {
  it('raises #NM for TS and EM, and for FWAIT only with MP and TS', () => {
    t.set64(abi.VCPU_CR0, 0x80000039n);
    expect(execute('d9e8')).toBe(7);
    expect(execute('9b')).toBeUndefined();
    t.set64(abi.VCPU_CR0, 0x8000003bn);
    expect(execute('9b')).toBe(7);
    t.set64(abi.VCPU_CR0, 0x80000035n);
    expect(execute('d9e8')).toBe(7);
  });

  it('reports an unmasked exception at the next waiting instruction', () => {
    double(0, 1);
    double(8, 0);
    controlWord(0x37b); // zero divide unmasked
    expect(execute(`dbe3 ${FLDCW}${LOAD}${LOAD2} def9 ${FNSTSW}`)).toBeUndefined();
    expect(status() & 0x8084).toBe(0x8084);
    expect(execute('d9e8')).toBe(16);
    expect(execute(`dbe2 d9e8 ${FNSTSW}`)).toBeUndefined(); // fnclex
    expect(status() & 0x80ff).toBe(0);
  });

  it('saves and restores everything by FXSAVE and FXRSTOR', () => {
    double(0, 0.1);
    for (let i = 0; i < 16; i++) t.set64(abi.VCPU_XMM + 16 * i, BigInt(i + 1));
    execute(`dbe3 ${LOAD} d9eb 480fae8300020000`);
    const image = t.peek(DATA + 0x200, 512);
    execute('dbe3 d9ee 0f57c0 0f57ff'); // changes x87 and xmm0, xmm7
    execute('480fae8b00020000');
    execute('480fae8300020000');
    expect(t.peek(DATA + 0x200, 512)).toBe(image);
    expect(t.get64(abi.VCPU_XMM + 16 * 7)).toBe(8n);
    expect(execute('480fae8301020000')).toBe(13); // not aligned
    t.poke(DATA + 0x218, [0, 0, 1, 0]); // MXCSR bit that does not exist
    expect(execute('480fae8b00020000')).toBe(13);
  });

  it('moves the whole state by FNSAVE and FRSTOR', () => {
    double(0, 0.1);
    execute(`dbe3 ${LOAD} d9eb ddb300020000 ${FNSTSW}`);
    expect(status()).toBe(0);
    expect(t.peek(DATA + 0x208, 2)).toBe(0x0fffn); // tags: two registers in use
    execute(`dda300020000 db7b40 db7b50`);
    expect(extended(0x40)).toBe('4000:c90fdaa22168c235');
    expect(extended(0x50)).toBe('3ffb:ccccccccccccd000');
  });
});
