/** Branches between pages, and returns, follow the guest's current memory and page tables, wherever they went before. */
import { beforeEach, describe, expect, it } from 'vitest';
import { VCPU_HALTED } from '../abi/vcpu';
import { JIT_DEFAULTS } from '../jit/jit';
import { TestCore } from '../../test/support/core';

const EXIT_HLT = 1;
/** CALL FUNCTION, DEC ECX, JNZ back, HLT. */
const CALLER = 0x10000;
/** The same in a second page. */
const OTHER_CALLER = 0x14000;
const FUNCTION = 0x20000;
const SPARE = 0x30000;
/** INC RBX, RET; ADD RBX, 7, RET. */
const ONE = '48ffc3 c3';
const SEVEN = '4883c307 c3';

const call = (from: number): string => {
  const distance = Buffer.alloc(4);
  distance.writeInt32LE(FUNCTION - (from + 5));
  return `e8${distance.toString('hex')} ffc9 75f7 f4`;
};

describe.each([false, true])('code that calls into another page, compiled: %s', (jit) => {
  let t: TestCore;

  beforeEach(() => {
    t = jit ? new TestCore(0x800000, { ...JIT_DEFAULTS, quantum: 200, samples: 1 }) : new TestCore();
    t.longMode(CALLER);
    t.poke(CALLER, call(CALLER));
    t.poke(OTHER_CALLER, call(OTHER_CALLER));
    t.poke(FUNCTION, ONE);
    t.poke(SPARE, SEVEN);
    t.setReg('rbx', 0);
    t.setReg('rsp', 0x40000);
  });

  /** Calls this many times; returns the growth of RBX. */
  function loop(at: number, rounds: number): bigint {
    const before = t.reg('rbx');
    t.rip = BigInt(at);
    t.setReg('rcx', rounds);
    t.set32(VCPU_HALTED, 0);
    expect(t.run(rounds * 8)).toBe(EXIT_HLT);
    expect(t.reg('rsp')).toBe(0x40000n);
    return t.reg('rbx') - before;
  }

  it('sees a new function there', () => {
    expect(loop(CALLER, 3000)).toBe(3000n);
    t.poke(FUNCTION, SEVEN);
    expect(loop(CALLER, 100)).toBe(700n);
    t.poke(FUNCTION, ONE);
    expect(loop(CALLER, 100)).toBe(100n);
  });

  it('sees the page replaced by another', () => {
    expect(loop(CALLER, 3000)).toBe(3000n);
    for (let round = 0; round < 3; round++) {
      t.moved.set(FUNCTION / 4096, SPARE / 4096);
      t.core.zapGfnRange(FUNCTION / 4096, 1);
      expect(loop(CALLER, 100)).toBe(700n);
      t.moved.clear();
      t.core.zapGfnRange(FUNCTION / 4096, 1);
      expect(loop(CALLER, 100)).toBe(100n);
    }
  });

  it('returns to new code behind the call', () => {
    expect(loop(CALLER, 3000)).toBe(3000n);
    // INC RBX before DEC ECX.
    t.poke(CALLER + 5, '48ffc3 ffc9 75f4 f4');
    expect(loop(CALLER, 100)).toBe(200n);
  });

  it('returns to the caller whose return address is on the stack', () => {
    for (let round = 0; round < 50; round++) {
      expect(loop(CALLER, 1 + (round % 3))).toBe(BigInt(1 + (round % 3)));
      expect(loop(OTHER_CALLER, 2)).toBe(2n);
    }
    // MOV QWORD [RSP], SPARE, RET. There ADD RBX, 7 and a jump to after the call.
    t.poke(FUNCTION, '48c70424 00000300 c3');
    t.poke(SPARE, '4883c307 e9fcfffdff');
    expect(loop(CALLER, 200)).toBe(1400n);
  });

  it('goes on when all decoded code is dropped', () => {
    expect(loop(CALLER, 3000)).toBe(3000n);
    t.core.invalidateAllCode();
    expect(loop(OTHER_CALLER, 100)).toBe(100n);
    t.core.invalidateAllCode();
    expect(loop(CALLER, 100)).toBe(100n);
  });
});
