/** A core in 64-bit mode at CPL 0 that reports a fault by its vector: every gate leads to a separate HLT. */
import { expect } from 'vitest';
import { EXIT_HLT } from '../../engine/abi/exits';
import * as abi from '../../engine/abi/vcpu';
import { TestCore } from './core';

const CODE = 0x10000;
/** Operands and results; code addresses them by RBX. */
export const DATA = 0x20000;
const GDT = 0x61000;
const IDT = 0x60000;
const HANDLERS = 0x70000;
const STACK = 0x80000;

export function bareLongMode(): TestCore {
  const t = new TestCore();
  t.longMode(CODE);
  t.set64(abi.VCPU_CR0, 0x80000031n); // NE
  t.set64(abi.VCPU_CR4, 0x620n);
  t.set64(abi.VCPU_GDT_BASE, BigInt(GDT));
  t.set32(abi.VCPU_GDT_LIMIT, 0x17);
  t.poke64(GDT + 8, 0x00af9b000000ffffn);
  t.poke64(GDT + 16, 0x00cf93000000ffffn);
  t.set64(abi.VCPU_IDT_BASE, BigInt(IDT));
  t.set32(abi.VCPU_IDT_LIMIT, 0xfff);
  for (let vector = 0; vector < 32; vector++) {
    t.poke(HANDLERS + 16 * vector, 'f4');
    t.poke64(IDT + 16 * vector, (BigInt(16 * vector) & 0xffffn) | 0x80000n | (0x8e00n << 32n) | (7n << 48n));
    t.poke64(IDT + 8 + 16 * vector, 0n);
  }
  return t;
}

/** Runs code with RBX = DATA until HLT; the vector of a fault, or undefined. */
export function execute(t: TestCore, code: string): number | undefined {
  t.poke(CODE, `${code} f4`);
  t.rip = BigInt(CODE);
  t.setReg('rbx', DATA);
  t.setReg('rsp', STACK);
  t.set32(abi.VCPU_HALTED, 0);
  t.core.stateChanged(0);
  expect(t.run(1000)).toBe(EXIT_HLT);
  const at = Number(t.rip) - 1;
  return at < HANDLERS ? undefined : (at - HANDLERS) / 16;
}
