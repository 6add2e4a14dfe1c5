/** Injection, exceptions, interrupts, interrupt windows, and EXITINTINFO. APM 2 15.12, 15.17, 15.20, 15.21. */
import { beforeEach, describe, expect, it } from 'vitest';
import * as svm from '../../abi/svm';
import * as abi from '../../abi/vcpu';
import { GUEST, GUEST_HANDLERS, GUEST_STACK, IDT, SvmCore, VMCB } from '../../../test/support/svm';

const VALID = 0x80000000n;
const EV = 0x800n;
let t: SvmCore;
beforeEach(() => {
  t = new SvmCore();
});

/** Vector of the guest's handler whose HLT ended the run. */
const handled = (): number => (Number(t.get(svm.VMCB_RIP)) - GUEST_HANDLERS) / 16;
/** A word of the frame on the guest's stack, from its top. */
const frame = (word: number): bigint => t.peek(Number(t.get(svm.VMCB_RSP)) + 8 * word, 8);

describe('EVENTINJ', () => {
  it.each([
    ['an interrupt', 0x0n, 0x40n],
    ['an NMI', 0x200n, 2n],
    ['exception 6', 0x300n, 6n],
    ['INT 0x50', 0x400n, 0x50n],
  ])('%s is delivered before the first instruction, and V is clear afterwards', (_name, type, vector) => {
    t.put(svm.VMCB_EVENTINJ, VALID | type | vector);
    expect(t.done(t.guest('90'))).toBe(true);
    expect(handled()).toBe(Number(vector));
    expect(frame(0)).toBe(BigInt(GUEST));
    expect(t.get(svm.VMCB_EVENTINJ) & VALID).toBe(0n);
  });

  it('an NMI has vector 2, regardless of its vector field', () => {
    t.put(svm.VMCB_EVENTINJ, VALID | 0x200n);
    expect(t.done(t.guest('90'))).toBe(true);
    expect(handled()).toBe(2);
  });

  it('pushes the error code, and is not intercepted itself', () => {
    t.intercept('exceptions', 1 << 13);
    t.put(svm.VMCB_EVENTINJ, VALID | EV | 0x300n | 13n | (0x1234n << 32n));
    expect(t.done(t.guest('90'))).toBe(true);
    expect([handled(), frame(0), frame(1)]).toEqual([13, 0x1234n, BigInt(GUEST)]);
  });

  it('a software interrupt pushes the RIP after its instruction, from NRIP', () => {
    t.put(svm.VMCB_EVENTINJ, VALID | 0x400n | 0x50n);
    t.put(svm.VMCB_NRIP, BigInt(GUEST + 2));
    t.guest('cd50');
    expect([handled(), frame(0)]).toEqual([0x50, BigInt(GUEST + 2)]);
  });

  it('an event that cannot be delivered is reported in EXITINTINFO', () => {
    t.intercept('exceptions', 1 << 11);
    t.poke(IDT + 16 * 0x40 + 5, [0x0e]); // not present
    t.put(svm.VMCB_EVENTINJ, VALID | 0x40n);
    expect(t.guest('90')).toMatchObject({ code: 0x4bn, info1: (0x40n << 3n) | 3n, event: VALID | 0x40n, rip: BigInt(GUEST) });
  });
});

describe('exceptions', () => {
  it.each([
    ['#UD', '0f0b', 6, 0n],
    ['#DE', 'f7f1', 0, 0n],
    ['#GP', '0f30', 13, 0n],
    ['#PF', '8b042500000080', 14, 0n],
  ])('%s is intercepted with its error code, at the instruction', (_name, code, vector, info1) => {
    t.setReg('rcx', vector === 13 ? 0x123456 : 0);
    t.intercept('exceptions', 1 << vector);
    const exit = t.guest(code);
    expect(exit).toMatchObject({ code: 0x40n + BigInt(vector), info1, event: 0n, nrip: 0n, rip: BigInt(GUEST) });
    if (vector === 14) expect([exit.info2, t.get(svm.VMCB_CR2)]).toEqual([0xffffffff80000000n, 0n]);
  });

  it('are delivered to the guest if they are not intercepted', () => {
    expect(t.done(t.guest('0f0b'))).toBe(true);
    expect(handled()).toBe(6);
  });

  it('one that occurs during a delivery reports the first in EXITINTINFO', () => {
    t.intercept('exceptions', 1 << 11);
    t.poke(IDT + 16 * 6 + 5, [0x0e]);
    expect(t.guest('0f0b')).toMatchObject({ code: 0x4bn, event: VALID | 0x306n, rip: BigInt(GUEST) });
  });

  it('two faults that are not intercepted make a double fault', () => {
    t.intercept('exceptions', 1 << 8);
    t.poke(IDT + 16 * 13 + 5, [0x0e]);
    t.setReg('rcx', 0x123456);
    expect(t.guest('0f30')).toMatchObject({ code: 0x48n, event: VALID | EV | 0x30dn });
  });
});

describe('interrupts', () => {
  const pending = (): void => t.set32(abi.VCPU_IRQ_PENDING, 1);

  it('an intercepted one stays pending, with the host’s IF deciding', () => {
    t.intercept('third', 1);
    t.put(svm.VMCB_VINTR, 1n << 24n);
    t.core.setRflags(0, 0x202);
    pending();
    expect(t.guest('90')).toMatchObject({ code: 0x60n, rip: BigInt(GUEST), nrip: 0n });
    expect(t.get32(abi.VCPU_IRQ_PENDING)).toBe(1);
    expect(t.vectors).toEqual([]);
  });

  it('the host’s IF masks it under V_INTR_MASKING; otherwise the guest’s own does', () => {
    t.intercept('third', 1);
    t.put(svm.VMCB_VINTR, 1n << 24n);
    pending();
    expect(t.done(t.guest('90'))).toBe(true);
    t.put(svm.VMCB_VINTR, 0n);
    t.put(svm.VMCB_RIP, BigInt(GUEST));
    expect(t.guest('90 fb 90 90')).toMatchObject({ code: 0x60n, rip: BigInt(GUEST + 3) });
  });

  it('one that is not intercepted goes through the guest’s IDT', () => {
    t.vectors.push(0x41);
    t.put(svm.VMCB_RFLAGS, 0x202n);
    pending();
    expect(t.done(t.guest('90'))).toBe(true);
    expect(handled()).toBe(0x41);
  });

  it('an NMI exits, and stays pending', () => {
    t.intercept('third', 2);
    t.set32(abi.VCPU_NMI_PENDING, 1);
    expect(t.guest('90')).toMatchObject({ code: 0x61n, rip: BigInt(GUEST) });
    expect(t.get32(abi.VCPU_NMI_PENDING)).toBe(1);
  });

  it('none is taken while GIF is clear; STGI enables them', () => {
    t.vectors.push(0x42);
    t.set64(abi.VCPU_IDT_BASE, BigInt(IDT));
    t.set32(abi.VCPU_IDT_LIMIT, 0xfff);
    // clgi; sti; nop; nop; stgi; nop
    t.poke(0x11000, '0f01dd fb 90 90 0f01dc 90 f4');
    t.rip = 0x11000n;
    pending();
    t.run(100);
    expect(t.rip).toBe(BigInt(GUEST_HANDLERS + 16 * 0x42 + 1));
    expect(t.peek(Number(t.reg('rsp')), 8)).toBe(0x11009n);
  });
});

describe('virtual interrupts', () => {
  const VIRQ = (1n << 8n) | (8n << 16n) | (1n << 24n) | (0x33n << 32n);

  it('V_IRQ is taken once IF allows, after the shadow of STI', () => {
    t.put(svm.VMCB_VINTR, VIRQ);
    t.guest('90 fb 90 90');
    expect([handled(), frame(0)]).toEqual([0x33, BigInt(GUEST + 3)]);
    expect(t.get(svm.VMCB_VINTR)).toBe(VIRQ & ~0x100n);
  });

  it('VINTR reports that the window is open, and V_IRQ stays set', () => {
    t.intercept('third', 1 << 4);
    t.put(svm.VMCB_VINTR, VIRQ);
    expect(t.guest('90 fb 90 90')).toMatchObject({ code: 0x64n, rip: BigInt(GUEST + 3) });
    expect(t.get(svm.VMCB_VINTR)).toBe(VIRQ);
  });

  it('the TPR masks priorities that are not above it, unless V_IGN_TPR is set; CR8 is the TPR', () => {
    t.put(svm.VMCB_RFLAGS, 0x202n);
    t.put(svm.VMCB_VINTR, VIRQ | 8n);
    expect(t.done(t.guest('90'))).toBe(true);
    expect(handled()).not.toBe(0x33);
    t.put(svm.VMCB_RIP, BigInt(GUEST));
    t.put(svm.VMCB_RAX, 7n);
    t.guest('440f22c0');
    expect(handled()).toBe(0x33);
    expect(t.get(svm.VMCB_VINTR) & 0xffn).toBe(7n);
    expect(t.get64(abi.VCPU_CR8)).toBe(0n);
    t.put(svm.VMCB_RIP, BigInt(GUEST));
    t.put(svm.VMCB_RFLAGS, 0x202n);
    t.put(svm.VMCB_VINTR, VIRQ | 15n | (1n << 20n));
    t.guest('90');
    expect(handled()).toBe(0x33);
  });

  it('the interrupt shadow is loaded and saved', () => {
    t.put(svm.VMCB_VINTR, VIRQ);
    t.put(svm.VMCB_RFLAGS, 0x202n);
    t.put(svm.VMCB_INTERRUPT_SHADOW, 1n);
    t.guest('90 90');
    expect(frame(0)).toBe(BigInt(GUEST + 1));
    t.put(svm.VMCB_VINTR, 0n);
    t.put(svm.VMCB_RIP, BigInt(GUEST));
    t.put(svm.VMCB_RFLAGS, 2n);
    t.put(svm.VMCB_RSP, BigInt(GUEST_STACK));
    t.guest('fb'); // sti, and the HLT after it
    expect(t.get(svm.VMCB_INTERRUPT_SHADOW)).toBe(1n);
  });
});

describe('EXITINTINFO of a nested page fault', () => {
  it('reports the interrupt during whose delivery it occurred', () => {
    t.put(svm.VMCB_NP_ENABLE, 1n);
    t.put(svm.VMCB_RSP, 0x3fffff8n); // only the guest's tables map this address
    t.put(svm.VMCB_EVENTINJ, VALID | 0x40n);
    t.put(svm.VMCB_NCR3, BigInt(VMCB + 0x10000));
    for (let i = 0; i < 512; i++) t.poke64(VMCB + 0x12000 + 8 * i, i < 16 ? BigInt(i * 0x200000) | 0x87n : 0n);
    t.poke64(VMCB + 0x10000, BigInt(VMCB + 0x11000) | 7n);
    t.poke64(VMCB + 0x11000, BigInt(VMCB + 0x12000) | 7n);
    const exit = t.guest('90');
    expect(exit).toMatchObject({ code: 0x400n, info2: 0x3ffffe8n, event: VALID | 0x40n, rip: BigInt(GUEST) });
    expect(exit.info1).toBe((1n << 32n) | 6n);
  });
});
