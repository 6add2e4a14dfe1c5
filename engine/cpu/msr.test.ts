/** RDMSR and WRMSR for absent features, which kernels and test suites access without checking CPUID. */
import { describe, expect, it } from 'vitest';
import { LOG_MSR } from '../abi/exits';
import { bareLongMode, execute } from '../../test/support/bare-long-mode';

const RDMSR = '0f32';
const WRMSR = '0f30';
const GP = 13;

function access(code: string, index: number, value = 0n): { fault: number | undefined; value: bigint; logged: boolean } {
  const t = bareLongMode();
  t.setReg('rcx', index);
  t.setReg('rax', value & 0xffffffffn);
  t.setReg('rdx', value >> 32n);
  const fault = execute(t, code);
  const read = t.reg('rax') | (t.reg('rdx') << 32n);
  return { fault, value: read, logged: t.logs.some(([kind, msr]) => kind === LOG_MSR && msr === index) };
}

const quiet = { fault: undefined, logged: false };
/** Machine check, its banks, memory type ranges, DEBUGCTL, last branch, performance counters, platform. */
const ABSENT = [
  0x0, 0x1, 0x17, 0x2a, 0x34, 0x79, 0xc1, 0xce, 0xfe, 0x140, 0x179, 0x17a, 0x186, 0x199, 0x19c, 0x1c9, 0x1d9, 0x200, 0x20f, 0x250, 0x268, 0x2ff, 0x38f, 0x400,
  0x401, 0x47f,
];

describe('MSRs of absent features', () => {
  it.each(ABSENT)('0x%s reads 0 without a log line', (index) => {
    expect(access(RDMSR, index)).toEqual({ ...quiet, value: 0n });
  });

  it.each([0x79, 0x17a, 0x1d9, 0x200, 0x250, 0x2ff, 0x400, 0x38f])('0x%s takes a write and keeps nothing', (index) => {
    const { fault, value, logged } = access(`${WRMSR} 0f32`, index, 0x806n);
    expect({ fault, value, logged }).toEqual({ ...quiet, value: 0n });
  });

  it.each([0xfe, 0x179, 0x17, 0x198])('0x%s is read-only', (index) => {
    expect(access(WRMSR, index, 1n)).toMatchObject({ fault: GP, logged: false });
  });

  it('IA32_FEATURE_CONTROL is locked with VMX off', () => {
    expect(access(RDMSR, 0x3a)).toEqual({ ...quiet, value: 1n });
  });
});

describe('MSRs that hold what is written', () => {
  it.each([
    ['IA32_MISC_ENABLE', 0x1a0, 0x400c51889n],
    ['IA32_PAT', 0x277, 0x0007010600070406n],
  ])('%s', (_what, index, value) => {
    expect(access(`${WRMSR} 31c0 31d2 ${RDMSR}`, index, value)).toEqual({ ...quiet, value });
  });
});

it('an MSR that no processor has is #GP with a log line', () => {
  expect(access(RDMSR, 0x4b564d00)).toMatchObject({ fault: GP, logged: true });
  expect(access(WRMSR, 0x4b564d00)).toMatchObject({ fault: GP, logged: true });
});
