/** #AC: cases that a single instruction of the differential tester cannot show, and accesses that are exempt. */
import { expect, test } from 'vitest';
import { type Case, CODE, COMPLETED, DATA, FLAG } from './case';
import { CoreRunner } from './core';

const core = new CoreRunner();
const ALIGNMENT = 17;

/** Runs bytes at CPL 3 in 64-bit code, with RBX at the start of the data and RSP in its middle. */
function run(code: string, flags: number, given: Partial<Case> = {}) {
  const bytes = new Uint8Array(16).fill(0xcc);
  bytes.set(Buffer.from(code.replaceAll(' ', ''), 'hex'));
  const gpr = new BigUint64Array(16);
  gpr[3] = BigInt(DATA);
  gpr[4] = BigInt(DATA + 0x800);
  const fx = new Uint8Array(512);
  fx.set([0x7f, 3], 0);
  fx.set([0x80, 0x1f], 24);
  return core.run({
    name: code,
    code: bytes,
    gpr,
    flags: 0x202 | flags,
    offset: 0x200,
    fx,
    undefinedFlags: 0,
    usesFpu: false,
    undefinedFsw: 0,
    mode: 64,
    usesFs: false,
    undefinedData: [],
    makers: [],
    ...given,
  });
}
const vector = (code: string, flags: number = FLAG.AC): number => run(code, flags).vector;

/** PUSHFQ, OR or AND of AC, POPFQ. */
const SET_AC = '9c 810c2400000400 9d';
const CLEAR_AC = '9c 812424fffffbff 9d';

test('an unaligned operand is #AC with an error code of 0, only with RFLAGS.AC', () => {
  for (const code of ['8b4301', '668b4301', '488b4304', '894303', '834301ff', 'd94301', 'f30f104302', 'f20f104304', 'ff7301']) {
    expect(vector(code), code).toBe(ALIGNMENT);
    expect(vector(code, 0), code).toBe(COMPLETED);
  }
  expect(run('8b4301', FLAG.AC)).toMatchObject({ vector: ALIGNMENT, error: 0, rip: BigInt(CODE + 0x200) });
  for (const code of ['8a4301', '8b4304', '668b4302', '488b4308', 'db6b08', '0f1003', '0f2803']) expect(vector(code), code).toBe(COMPLETED);
});

test('a 16-byte operand that must be aligned is #GP all the same', () => {
  expect(vector('0f284304')).toBe(13);
  expect(vector('0fae03')).toBe(COMPLETED); // fxsave
  expect(vector('0fae4308')).toBe(13);
});

test('the area of FSAVE is aligned as its words are', () => {
  for (const code of ['dd7304', 'dd6304', 'd97304', '66dd7302', '66dd6302']) expect(vector(code), code).toBe(COMPLETED);
  for (const code of ['dd7302', 'dd6302', 'd97302', '66dd7301']) expect(vector(code), code).toBe(ALIGNMENT);
});

test('POPF switches the checks on and off for the next instruction, whatever the TLB holds', () => {
  const after = run(`8b4301 ${SET_AC} 8b4301`, 0);
  expect([after.vector, after.rip]).toEqual([ALIGNMENT, BigInt(CODE + 0x200 + 12)]);
  expect(vector(`${CLEAR_AC} 8b4301`)).toBe(COMPLETED);
});

test('REP MOVS and the stack are checked', () => {
  const strings = new BigUint64Array(16);
  strings.set([0n, 4n, 0n, 0n, BigInt(DATA + 0x800), 0n, BigInt(DATA + 2), BigInt(DATA + 0x100)]);
  expect(run('f3a5', FLAG.AC, { gpr: strings }).vector).toBe(ALIGNMENT);
  strings[6] = BigInt(DATA + 4);
  expect(run('f3a5', FLAG.AC, { gpr: strings }).vector).toBe(COMPLETED);
  const stack = new BigUint64Array(16);
  stack[4] = BigInt(DATA + 0x802);
  for (const code of ['50', 'c3', 'cb', '48cf', 'c8000000']) expect(run(code, FLAG.AC, { gpr: stack }).vector, code).toBe(ALIGNMENT);
});
