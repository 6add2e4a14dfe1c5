/**
 * A guest changes the page table entry of the page that it runs in, without INVLPG, and something replaces the TLB's entry. Which frame the next
 * instruction comes from must not depend on where slices end, nor on the tier.
 */
import { describe, expect, it } from 'vitest';
import { TestCore } from '../../test/support/core';
import { VCPU_EFER } from '../abi/vcpu';
import { JIT_DEFAULTS } from '../jit/jit';

const RAM = 0x800000;
const TABLE = 0x9000;
const DIRECTORY = 0x3000;
const PAGE = 0x200000;
/** The frame that bit 13 of the page's entry selects. */
const OTHER_FRAME = PAGE + 0x2000;
/** Linear; its third page shares the TLB entry of PAGE. */
const CONFLICT = 0x2200000;
const IDT = 0x60000;
const HANDLERS = 0x70000;

/** Each round: xor qword [TABLE], 2000h; the action; add rbx, 1 or 7; dec ecx; jnz back; hlt */
const program = (action: string, step: number): string => {
  const body = `4881342500900000 00200000 ${action} 4883c3${step.toString(16).padStart(2, '0')} ffc9`.replaceAll(' ', '');
  return `${body}75${(254 - body.length / 2).toString(16)}f4`;
};

const ACTIONS: readonly [string, string][] = [
  ['a write to the page', '48ff042500082000'],
  ['a read of a page with the same entry of the TLB', '488b042500202002'],
  ['a write to a page with the same entry of the TLB', '48ff042508282002'],
  // xor dword [TABLE + 4], 80000000h
  ['NX, and a write to the page', '813425049000000000008048ff042500082000'],
];

/** What the guest is after 300 instructions, run in slices of this many. */
function after(action: string, slice: number, jit: boolean): string {
  const t = jit ? new TestCore(RAM, { ...JIT_DEFAULTS, quantum: 24, samples: 1 }) : new TestCore(RAM);
  t.longMode(PAGE);
  t.set64(VCPU_EFER, 0xd00n);
  t.haltingHandlers(true, IDT, HANDLERS);
  for (const at of [PAGE, CONFLICT]) t.poke64(DIRECTORY + 8 * (at >>> 21), BigInt(TABLE | 7));
  for (let page = 0; page < 16; page++) t.poke64(TABLE + 8 * page, BigInt((PAGE + page * 4096) | 7));
  t.poke(PAGE, program(action, 1));
  t.poke(OTHER_FRAME, program(action, 7));
  t.setReg('rbx', 0);
  t.setReg('rcx', 40);
  t.setReg('rsp', 0x40000);
  t.core.stateChanged(0);
  for (let done = 0; done < 300; done += slice) t.run(Math.min(slice, 300 - done));
  return t.state();
}

describe.each(ACTIONS)('the frame of the running page changes, then %s', (_name, action) => {
  const alone = after(action, 1, false);
  it.each([2, 3, 7, 300])('is the same in slices of %i as in single steps', (slice) => {
    expect(after(action, slice, false)).toBe(alone);
    expect(after(action, slice, true)).toBe(alone);
  });
});
