/** A write to code drops the blocks decoded from its bytes, and no others of their page. */
import { describe, expect, it } from 'vitest';
import { STAT_BLOCKS_DECODED, VCPU_HALTED, VCPU_STATS } from '../abi/vcpu';
import { JIT_DEFAULTS } from '../jit/jit';
import { TestCore } from '../../test/support/core';

const CODE = 0x10000;
const EXIT_HLT = 1;
/** INC RAX, JMP; INC RBX, JMP; DEC ECX, JNZ back, HLT: 0x100 bytes apart. Then the middle with ADD RBX, 7. */
const ROUND = ['48ffc0 e9f8000000', '48ffc3 e9f8000000', 'ffc9 0f85f8fdffff f4'];
const OTHER_MIDDLE = '4883c307 e9f7000000';
/** A loop of its own in the same page: INC RDX, DEC ECX, JNZ, HLT. */
const APART = 0x10800;

function prepare(jit: boolean): TestCore {
  const t = jit ? new TestCore(0x800000, { ...JIT_DEFAULTS, quantum: 200, samples: 1 }) : new TestCore();
  t.longMode(CODE);
  for (const [index, code] of ROUND.entries()) t.poke(CODE + 0x100 * index, code);
  t.setReg('rdx', 0);
  t.poke(APART, '48ffc2 ffc9 75f9 f4');
  return t;
}

/** Runs the loop at `at` so many times. */
function loop(t: TestCore, at: number, rounds: number): void {
  t.rip = BigInt(at);
  t.setReg('rcx', rounds);
  t.set32(VCPU_HALTED, 0);
  expect(t.run(rounds * 8)).toBe(EXIT_HLT);
}

describe.each([false, true])('a write to code, compiled: %s', (jit) => {
  it('is seen by blocks that were linked to those it drops', () => {
    const t = prepare(jit);
    loop(t, CODE, 5000);
    t.poke(CODE + 0x100, OTHER_MIDDLE);
    loop(t, CODE, 1000);
    expect([t.reg('rax'), t.reg('rbx')]).toEqual([6000n, 12000n]);
    t.poke(CODE + 0x100, ROUND[1]!);
    loop(t, CODE, 1000);
    expect([t.reg('rax'), t.reg('rbx')]).toEqual([7000n, 13000n]);
  });

  it('leaves the other blocks of the page', () => {
    const t = prepare(jit);
    loop(t, APART, 5000);
    loop(t, CODE, 5000);
    const regions = t.jit?.figures().regions;
    const decoded = t.get64(VCPU_STATS + STAT_BLOCKS_DECODED);
    t.poke(CODE + 0x100, OTHER_MIDDLE);
    loop(t, APART, 3);
    loop(t, CODE, 3);
    expect(t.reg('rdx')).toBe(5003n);
    expect(t.get64(VCPU_STATS + STAT_BLOCKS_DECODED) - decoded).toBe(1n);
    if (jit) {
      expect(regions).toBe(2);
      expect(t.jit!.figures()).toMatchObject({ regions: 1, drops: { written: 1 } });
    }
  });

  it('by the preceding block takes effect each time', () => {
    const t = prepare(jit);
    // MOV [CODE + 0x340], AL; JMP to 0x33d. There ADD RBX, with the operand that was written; DEC ECX; JNZ back; HLT.
    t.poke(CODE + 0x300, '880425 40030100 eb34');
    t.poke(CODE + 0x33d, '4883c301 ffc9 75bb f4');
    t.setReg('rax', 1);
    loop(t, CODE + 0x300, 2000);
    t.setReg('rax', 5);
    loop(t, CODE + 0x300, 2000);
    expect(t.reg('rbx')).toBe(12000n);
  });
});
