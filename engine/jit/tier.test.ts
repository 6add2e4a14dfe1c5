/** Reports of the tier that runs some code: compiled, with its entry, or interpreted, with the reason. */
import { describe, expect, it } from 'vitest';
import { TestCore } from '../../test/support/core';
import { VCPU_CR4 } from '../abi/vcpu';
import type { CodeTier } from './tier';

const CODE = 0x8000;
const SAMPLES = 20;
const OPTIONS = { quantum: 40, samples: SAMPLES, limits: { instructions: 200, pages: 8 }, regions: 100, thrashing: 2 };

/** xor eax, eax; the loop: inc eax; xor ecx, ecx; in the end `more`, and back. */
const LOOP = CODE + 2;
function looping(more = '90', options = OPTIONS): TestCore {
  const t = new TestCore(undefined, options);
  t.longMode(CODE);
  const length = more.replaceAll(' ', '').length / 2;
  t.poke(CODE, `31c0 ffc0 31c9 ${more} eb${(256 - 6 - length).toString(16)}`);
  return t;
}
const tier = (t: TestCore, address: number, is64 = true): CodeTier =>
  t.jit!.tier({ linear: BigInt(address), hva: t.hva(address), is64, watched: false });

describe('the tier of code', () => {
  it('that did not run is unknown, then cold, then a region holds all of it except the part before the loop', () => {
    const t = looping();
    expect(tier(t, LOOP)).toEqual({ tier: 'interpreter', why: 'unseen' });
    t.core.run(0, 200);
    const cold = tier(t, LOOP);
    expect(cold).toMatchObject({ tier: 'interpreter', why: 'cold', wanted: SAMPLES });
    t.core.run(0, 300);
    const warmer = tier(t, LOOP);
    expect('samples' in cold && 'samples' in warmer && warmer.samples > cold.samples).toBe(true);
    t.core.run(0, 20_000);
    const { jit } = t;
    expect(jit?.figures().regions).toBe(1);
    for (const address of [LOOP, LOOP + 2, LOOP + 4])
      expect(tier(t, address)).toEqual({ tier: 'compiled', entry: BigInt(LOOP), instructions: 4, bytes: jit?.figures().bytes });
    // The same page holds code that ran only once, and code that never ran.
    expect(tier(t, CODE)).toMatchObject({ tier: 'interpreter', why: 'cold' });
    expect(tier(t, CODE + 0x100)).toEqual({ tier: 'interpreter', why: 'unseen' });
    expect(tier(t, LOOP, false)).toEqual({ tier: 'interpreter', why: 'mode' });
    expect(jit?.tier({ linear: BigInt(LOOP), hva: undefined, is64: true, watched: false })).toEqual({ tier: 'interpreter', why: 'unseen' });
  });

  it('is also compiled where an instruction ends its block', () => {
    const t = looping('ec');
    t.core.run(0, 40_000);
    expect(tier(t, LOOP + 4)).toMatchObject({ tier: 'compiled' });
  });

  it('is the interpreter where regions exited too soon to gain', () => {
    // ADDPS of zeros: while MXCSR has no PE, only the interpreter can tell that the result raises none.
    const t = looping('0f58c0');
    t.set64(VCPU_CR4, 0x620n);
    t.core.stateChanged(0);
    t.core.run(0, 40_000);
    expect(t.jit?.figures().regions).toBe(1);
    expect(tier(t, LOOP)).toEqual({ tier: 'interpreter', why: 'short' });
  });

  it('is the interpreter in a page whose code is written again and again', () => {
    const t = looping();
    for (let times = 0; times < OPTIONS.thrashing; times++) {
      t.core.run(0, 20_000);
      expect(tier(t, LOOP)).toMatchObject({ tier: 'compiled' });
      t.poke(LOOP, 'ffc0');
      t.core.invalidateCode(t.hva(LOOP), 2);
      expect(tier(t, LOOP)).toMatchObject({ tier: 'interpreter' });
    }
    t.core.run(0, 20_000);
    expect(tier(t, LOOP)).toEqual({ tier: 'interpreter', why: 'thrashing', written: OPTIONS.thrashing });
  });
});
