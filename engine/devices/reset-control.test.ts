import { describe, expect, it } from 'vitest';
import { CoprocessorError } from './coprocessor-error';
import { ResetControl, SystemControlA } from './reset-control';
import { recorder } from './test-clock';

describe('port 0x92', () => {
  it('resets when bit 0 rises, and keeps the A20 bit', () => {
    let resets = 0;
    const port = new SystemControlA(() => resets++);
    expect(port.read()).toBe(2);
    port.write(0, 1, 0);
    port.write(0, 1, 2);
    expect([resets, port.read()]).toEqual([0, 2]);
    port.write(0, 1, 0xff);
    port.write(0, 1, 1);
    expect([resets, port.read()]).toEqual([2, 0]);
    port.reset();
    expect(port.read()).toBe(2);
  });
});

describe('the reset control register', () => {
  it('resets on 6 after 2 and keeps the kind of reset', () => {
    let resets = 0;
    const control = new ResetControl(() => resets++);
    control.write(1, 1, 2);
    expect([resets, control.read(1, 1)]).toEqual([0, 2]);
    control.write(1, 1, 6);
    expect([resets, control.read(1, 1)]).toEqual([1, 2]);
  });

  it('is no part of the PCI configuration address around it', () => {
    let resets = 0;
    const control = new ResetControl(() => resets++);
    control.write(0, 4, 0x80000c00 + 0x400);
    control.write(0, 2, 0x0600);
    control.write(1, 2, 6);
    control.write(3, 1, 6);
    expect(resets).toBe(0);
    expect([control.read(0, 4), control.read(2, 2), control.read(0, 1)]).toEqual([0xffffffff, 0xffff, 0xff]);
  });
});

describe('the coprocessor error', () => {
  it('holds IRQ 13 until port 0xF0 is written, which asserts IGNNE# only then', () => {
    const irq = recorder();
    let ignored = 0;
    const error = new CoprocessorError({ irq: irq.line, ignore: () => ignored++ });
    error.write();
    expect(ignored).toBe(0);
    error.raise();
    expect(irq.level).toBe(1);
    error.write();
    expect([irq.level, ignored]).toEqual([0, 1]);
  });
});
