/** SSE3 to SSE4.2 and POPCNT: their guards, which the differential tester cannot see, and one simple example of each kind. */
import { beforeEach, describe, expect, it } from 'vitest';
import * as abi from '../../abi/vcpu';
import { bareLongMode, DATA, execute as executeOn } from '../../../test/support/bare-long-mode';
import type { TestCore } from '../../../test/support/core';

let t: TestCore;

beforeEach(() => {
  t = bareLongMode();
});

const execute = (code: string): number | undefined => executeOn(t, code);
function xmm(n: number, low: bigint, high: bigint): void {
  t.set64(abi.VCPU_XMM + 16 * n, low);
  t.set64(abi.VCPU_XMM + 16 * n + 8, high);
}
const readXmm = (n: number) => [t.get64(abi.VCPU_XMM + 16 * n), t.get64(abi.VCPU_XMM + 16 * n + 8)];
const set16 = (field: number, value: number): void => t.set32(field, (t.get32(field) & 0xffff0000) | value);
const get16 = (field: number): number => t.get32(field) & 0xffff;
/** 16 characters of Latin-1. */
function text(n: number, characters: string): void {
  const bytes = Buffer.from(characters.padEnd(16, '\0'), 'latin1');
  xmm(n, bytes.readBigUInt64LE(0), bytes.readBigUInt64LE(8));
}

const UD = 6;
const NM = 7;
const GP = 13;
const MF = 16;
const XM = 19;

/** With XMM registers, by map; with MMX registers; with neither. */
const XMM_FORMS = ['f20f7cc1', 'f20f12c1', 'f20ff003', '660f3800c1', '660f3817c1', '660f382003', '660f3a0fc104', '660f3a14c003', '660f3a63c100'];
const MMX_FORMS = ['0f3800c1', '0f381cc1', '0f3a0fc104'];
const INTEGER_FORMS = ['f30fb8c1', 'f20f38f1c1', 'f20f38f0c1'];

describe('availability', () => {
  it('is #UD without CR4.OSFXSR for those with XMM registers only', () => {
    t.set64(abi.VCPU_CR4, 0x20n);
    for (const code of XMM_FORMS) expect(execute(code), code).toBe(UD);
    for (const code of [...MMX_FORMS, ...INTEGER_FORMS]) expect(execute(code), code).toBeUndefined();
  });

  it('is #UD with CR0.EM and #NM with CR0.TS, but for the integer instructions', () => {
    t.set64(abi.VCPU_CR0, 0x80000035n);
    for (const code of [...XMM_FORMS, ...MMX_FORMS]) expect(execute(code), code).toBe(UD);
    for (const code of INTEGER_FORMS) expect(execute(code), code).toBeUndefined();
    t.set64(abi.VCPU_CR0, 0x80000039n);
    for (const code of [...XMM_FORMS, ...MMX_FORMS]) expect(execute(code), code).toBe(NM);
    for (const code of INTEGER_FORMS) expect(execute(code), code).toBeUndefined();
  });

  it('is #MF with an x87 error pending for those with MMX registers', () => {
    set16(abi.VCPU_FSW, 0x8081);
    set16(abi.VCPU_FCW, 0x37e);
    for (const code of MMX_FORMS) expect(execute(code), code).toBe(MF);
    for (const code of [...XMM_FORMS, ...INTEGER_FORMS]) expect(execute(code), code).toBeUndefined();
  });

  it('is #UD with LOCK', () => {
    for (const code of [...XMM_FORMS, ...MMX_FORMS, ...INTEGER_FORMS]) expect(execute(`f0${code}`), code).toBe(UD);
  });

  it('is #UD for instructions beyond x86-64-v2', () => {
    expect(execute('0f38f003')).toBe(UD); // movbe
    expect(execute('660f38dcc1')).toBe(UD); // aesenc
    expect(execute('660f3a44c100')).toBe(UD); // pclmulqdq
    expect(execute('0f01c8')).toBe(UD); // monitor
  });
});

describe('MMX forms', () => {
  it('enter MMX state and give the register the exponent of all ones', () => {
    set16(abi.VCPU_FSW, 0x1800);
    set16(abi.VCPU_FTW, 0xffff);
    t.set64(abi.VCPU_FPU_REGS, 0x0102030405060708n);
    t.set64(abi.VCPU_FPU_REGS + 16, 0x8000000007060504n);
    execute('0f3800c1'); // pshufb mm0, mm1
    expect(t.get64(abi.VCPU_FPU_REGS)).toBe(0x0008080801020304n);
    expect([get16(abi.VCPU_FSW), get16(abi.VCPU_FTW), get16(abi.VCPU_FPU_REGS + 8)]).toEqual([0, 0, 0xffff]);
  });
});

describe('memory operands', () => {
  it('must be aligned except for LDDQU, the string compares and short operands', () => {
    for (const code of ['660f380043', '660f382a43', '660f3a0e43']) {
      const imm = code.startsWith('660f3a') ? '00' : '';
      expect(execute(`${code}08${imm}`), code).toBe(GP);
      expect(execute(`${code}10${imm}`), code).toBeUndefined();
    }
    for (const code of ['f20ff04301', '660f3a634301 0c', '660f3820 4301', 'f20f124301']) expect(execute(code), code).toBeUndefined();
  });
});

describe('arithmetic', () => {
  it('takes exceptions of a dot product step by step', () => {
    // 2^64 * 2^64 overflows in the first step; the sums are not computed.
    xmm(0, 0x5f8000005f800000n, 0n);
    xmm(1, 0x5f8000005f800000n, 0n);
    t.set32(abi.VCPU_MXCSR, 0x1b80); // OM clear
    expect(execute('660f3a40c1ff')).toBe(XM);
    expect([t.get32(abi.VCPU_MXCSR) & 0x3f, readXmm(0)]).toEqual([0x08, [0x5f8000005f800000n, 0n]]);
  });

  it('rounds without a trace when the immediate says so', () => {
    xmm(1, 0xbfd0000000000000n, 0n); // -0.25
    t.set32(abi.VCPU_MXCSR, 0x1f80);
    execute('660f3a0bc108');
    expect([readXmm(0)[0], t.get32(abi.VCPU_MXCSR)]).toEqual([0x8000000000000000n, 0x1f80]);
    execute('660f3a0bc101'); // down
    expect([readXmm(0)[0], t.get32(abi.VCPU_MXCSR)]).toEqual([0xbff0000000000000n, 0x1fa0]);
  });
});

describe('strings', () => {
  it('finds a substring, a character of a set and the first difference', () => {
    text(0, 'lab');
    text(1, 'memslot-lab');
    execute('660f3a63c10c'); // pcmpistri, equal ordered
    expect([t.reg('rcx'), t.flags & 0x8d5]).toEqual([8n, 0xc1]);
    text(0, '-/');
    execute('660f3a63c100'); // equal any
    expect(t.reg('rcx')).toBe(7n);
    text(0, 'memslots');
    execute('660f3a63c118'); // equal each, negated
    expect(t.reg('rcx')).toBe(7n);
  });

  it('takes lengths from registers and gives masks', () => {
    text(0, 'az');
    text(1, 'aBcD');
    t.setReg('rax', 2n);
    t.setReg('rdx', 0xfffffffcn); // 4 by its magnitude
    execute('660f3a60c144'); // pcmpestrm, ranges, bytes of the mask
    expect(readXmm(0)).toEqual([0x00ff00ffn, 0n]);
  });
});

describe('integers', () => {
  it('counts bits and sums CRC-32C', () => {
    t.setReg('rcx', 0xf0f0f0f0f0f0f0f1n);
    execute('f3480fb8c1');
    expect([t.reg('rax'), t.flags & 0x8d5]).toEqual([33n, 0]);
    // The check value of CRC-32C: 0xE3069283 for "123456789".
    t.poke(DATA, Buffer.from('123456789').toString('hex'));
    t.setReg('rax', 0xffffffffn);
    execute('f2480f38f103 f20f38f04308'); // a quadword, then a byte
    expect(~Number(t.reg('rax')) >>> 0).toBe(0xe3069283);
  });

  it('finds the smallest word', () => {
    xmm(1, 0x0005000700030009n, 0x0003000400080006n);
    execute('660f3841c1');
    expect(readXmm(0)).toEqual([0x10003n, 0n]);
  });
});
