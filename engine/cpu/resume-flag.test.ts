/**
 * RF in the RFLAGS that a handler finds in its frame (SDM 3B 18.3.1.1): 1 for every fault but #DB, and for every event between two iterations of a
 * repeated string instruction; 0 for software interrupts; otherwise the current RF, also for #DF, which is an abort.
 */
import { describe, expect, it } from 'vitest';
import { TestCore } from '../../test/support/core';
import { EXIT_HLT, EXIT_RETRY, PAGE_INVALID } from '../abi/exits';
import * as abi from '../abi/vcpu';

const CODE = 0x10000;
const SOURCE = 0x20ff0;
const TARGET = 0x30ff0;
const STACK = 0x40000;
const HANDLERS = 0x50000;
const IDT = 0x60000;
const GDT = 0x61000;
const DEVICE = 0x900000;
const RF = 0x10000;
const IF = 0x200;
const TF = 0x100;
const IRQ = 0x20;
const WITH_ERROR = [8, 10, 11, 12, 13, 14];
/** Bytes from one page into the next: two iterations, as the lab counts them. */
const COUNT = 32;

interface Setting {
  wide: boolean;
  jit: boolean;
}
const settings = [true, false].flatMap((wide) => [true, false].map((jit) => ({ wide, jit })));
const nameOf = ({ wide, jit }: Setting): string => `${wide ? '64' : '32'}-bit code, ${jit ? 'JIT' : 'interpreter'}`;

const cores = [false, true].map((jit) =>
  jit
    ? new TestCore(undefined, { quantum: 40, samples: 1, limits: { instructions: 200, pages: 8 }, regions: 100, thrashing: 1000 })
    : new TestCore(),
);

/** As from power-on; every vector's handler halts. */
function machine({ wide, jit }: Setting, code: string, flags: number): TestCore {
  const t = cores[Number(jit)]!;
  t.core.resetVcpu(0);
  t.core.invalidateAllCode();
  t.vectors.length = 0;
  t.deviceWrite = () => {};
  if (wide) t.longMode(CODE);
  else t.flat32(CODE);
  t.haltingHandlers(wide, IDT, HANDLERS);
  t.set64(abi.VCPU_GDT_BASE, BigInt(GDT));
  t.set32(abi.VCPU_GDT_LIMIT, 0x1f);
  t.poke64(GDT + 8, wide ? 0x00af9b000000ffffn : 0x00cf9b000000ffffn);
  t.poke64(GDT + 0x10, 0x00cf93000000ffffn);
  t.poke(CODE, `${code} ${'90'.repeat(16)} f4`);
  t.setReg('rsi', SOURCE);
  t.setReg('rdi', TARGET);
  t.setReg('rcx', COUNT);
  t.setReg('rdx', 0x80);
  t.setReg('rsp', STACK);
  t.core.setRflags(0, flags | 2);
  t.core.stateChanged(0);
  return t;
}

const interruptNow = (t: TestCore): void => {
  t.vectors.push(IRQ);
  t.set32(abi.VCPU_IRQ_PENDING, 1);
};

/** The vector whose handler runs, RF and RIP of its frame. */
function frame(t: TestCore, { wide }: Setting): { vector: number; rf: boolean; at: number } {
  const vector = (Number(t.rip) - 1 - HANDLERS) / 16;
  const word = wide ? 8 : 4;
  const rsp = Number(t.reg('rsp')) + (WITH_ERROR.includes(vector) ? word : 0);
  return { vector, rf: (t.peek(rsp + 2 * word, 4) & BigInt(RF)) !== 0n, at: Number(t.peek(rsp, word)) - CODE };
}

function halted(t: TestCore, setting: Setting): ReturnType<typeof frame> {
  expect(t.run(500)).toBe(EXIT_HLT);
  return frame(t, setting);
}

/** Repeated instructions; REPE CMPS and REPE SCAS find equal bytes. */
const REPEATED: Record<string, string> = {
  'REP MOVSB': 'f3a4',
  'REP STOSB': 'f3aa',
  'REP LODSB': 'f3ac',
  'REPE CMPSB': 'f3a6',
  'REPE SCASB': 'f3ae',
  'REP INSB': 'f36c',
  'REP OUTSB': 'f36e',
};
const repeated = Object.entries(REPEATED).map(([name, code]) => ({ name, code }));

describe.each(settings.map((setting) => ({ name: nameOf(setting), setting })))('$name', ({ setting }) => {
  describe.each(repeated)('$name', ({ code }) => {
    const start = (flags: number): TestCore => machine(setting, code, flags);

    it.each(['interrupt', 'NMI'])('%s between two iterations: RF', (what) => {
      const t = start(IF);
      t.run(1);
      expect(t.reg('rcx')).not.toBe(0n);
      if (what === 'NMI') t.set32(abi.VCPU_NMI_PENDING, 1);
      else interruptNow(t);
      expect(halted(t, setting)).toEqual({ vector: what === 'NMI' ? 2 : IRQ, rf: true, at: 0 });
    });

    it('an interrupt after the last iteration: none', () => {
      const t = start(IF);
      while (t.reg('rcx') !== 0n) t.run(1);
      interruptNow(t);
      expect(halted(t, setting)).toEqual({ vector: IRQ, rf: false, at: 2 });
    });

    it('an interrupt that waits for an INVALID slot between two iterations: RF', () => {
      const t = start(IF);
      t.run(1);
      interruptNow(t);
      t.pageFlags.set((STACK - 1) >> 12, PAGE_INVALID);
      t.core.zapAll();
      expect(t.run(5)).toBe(EXIT_RETRY);
      t.pageFlags.clear();
      expect(halted(t, setting)).toEqual({ vector: IRQ, rf: true, at: 0 });
    });

    it('a single-step trap: RF, except after the last iteration', () => {
      const t = start(TF);
      expect(halted(t, setting)).toEqual({ vector: 1, rf: true, at: 0 });
      const last = start(TF);
      last.setReg('rcx', 1);
      expect(halted(last, setting)).toEqual({ vector: 1, rf: false, at: 2 });
    });
  });

  it('an interrupt that a device raises at an element of REP STOSB to it: RF', () => {
    const t = machine(setting, 'f3aa', IF);
    t.setReg('rdi', DEVICE);
    let writes = 0;
    t.deviceWrite = () => {
      if (++writes === 3) interruptNow(t);
    };
    expect(halted(t, setting)).toEqual({ vector: IRQ, rf: true, at: 0 });
    expect(writes).toBe(3);
  });

  it('an interrupt between two other instructions: none, but RF after an IRET that set it', () => {
    const t = machine(setting, '90 90', IF);
    t.run(1);
    interruptNow(t);
    expect(halted(t, setting)).toEqual({ vector: IRQ, rf: false, at: 1 });
    const resumed = machine(setting, '90 90', IF | RF);
    interruptNow(resumed);
    expect(halted(resumed, setting)).toEqual({ vector: IRQ, rf: true, at: 0 });
  });

  it('faults: RF', () => {
    // UD2; MOV SS, a selector beyond the table; DIV by zero; FS beyond the table.
    for (const [code, vector] of [
      ['0f0b', 6],
      ['b8f8000000 8ed0', 13],
      ['31c9 f7f1', 0],
      ['b8f8000000 8ee0', 13],
    ] as const)
      expect(halted(machine(setting, code, 0), setting), code).toMatchObject({ vector, rf: true });
  });

  it('a double fault: RF as it was', () => {
    for (const rf of [0, RF]) {
      const t = machine(setting, '0f0b', rf);
      // Neither #UD nor the #NP that follows from it has a gate.
      for (const vector of [6, 11]) t.poke(IDT + (setting.wide ? 16 : 8) * vector + 5, '0e');
      expect(halted(t, setting)).toMatchObject({ vector: 8, rf: rf !== 0, at: 0 });
    }
  });

  it('INT n, INT3, INTO, INT1: none, though RF was set before', () => {
    for (const [code, vector] of [
      ['cd21', 0x21],
      ['cc', 3],
      ['f1', 1],
      ...(setting.wide ? [] : [['ce', 4] as const]),
    ] as const) {
      const t = machine(setting, code, RF | 0x800);
      expect(halted(t, setting), code).toMatchObject({ vector, rf: false });
    }
  });
});
