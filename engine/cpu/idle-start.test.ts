/** Blocks that begin with NOPs count and stop as all others do. */
import { describe, expect, it } from 'vitest';
import { VCPU_HALTED } from '../abi/vcpu';
import { TestCore } from '../../test/support/core';

const CODE = 0x10000;
const EXIT_BUDGET = 0;
/** ENDBR64, NOP of five bytes, NOP, INC RAX, NOP, JMP +2 (over 0F 0B), PAUSE, NOP, JMP to the start: address and bytes. */
const LISTING: readonly (readonly [at: number, bytes: string])[] = [
  [0x00, 'f30f1efa'],
  [0x04, '0f1f440000'],
  [0x09, '90'],
  [0x0a, '48ffc0'],
  [0x0d, '90'],
  [0x0e, 'eb02'],
  [0x12, 'f390'],
  [0x14, '90'],
  [0x15, 'ebe9'],
];

function prepare(): TestCore {
  const t = new TestCore();
  t.longMode(CODE);
  for (const [at, bytes] of LISTING) t.poke(CODE + at, bytes);
  t.setReg('rax', 0);
  t.set32(VCPU_HALTED, 0);
  return t;
}

/** What RIP and RAX are after so many instructions. */
const after = (count: number): [bigint, bigint] => [
  BigInt(CODE + LISTING[count % LISTING.length]![0]),
  BigInt(Math.floor((count + LISTING.length - 4) / LISTING.length)),
];

describe('a block that begins with NOPs', () => {
  it('stops at each of them', () => {
    const t = prepare();
    for (let count = 1; count <= 3 * LISTING.length; count++) {
      t.rip = BigInt(CODE);
      t.setReg('rax', 0);
      expect(t.run(count)).toBe(EXIT_BUDGET);
      expect([t.rip, t.reg('rax')], `after ${count}`).toEqual(after(count));
    }
  });

  it.each([1, 2, 3, 4, 5, 7])('counts them in slices of %i', (slice) => {
    const t = prepare();
    for (let count = slice; count <= 60; count += slice) {
      t.run(slice);
      expect([t.icount, t.rip, t.reg('rax')]).toEqual([BigInt(count), ...after(count)]);
    }
  });

  it('is entered at one of them', () => {
    const t = prepare();
    t.run(40);
    for (const [index, [at]] of LISTING.entries()) {
      t.rip = BigInt(CODE + at);
      t.setReg('rax', 0);
      t.run(2 * LISTING.length);
      expect([t.rip, t.reg('rax')], `from instruction ${index}`).toEqual([BigInt(CODE + at), 2n]);
    }
  });
});
