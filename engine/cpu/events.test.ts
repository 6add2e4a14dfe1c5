/**
 * Events whose delivery accesses an INVALID memslot, between the two swaps of a commit. Whatever the slot holds (frame, IDT, GDT, TSS, inner stack,
 * page table, handler), the guest then continues as if nothing had happened.
 */
import { expect, it } from 'vitest';
import { HOST_BASE, VCPU_BASE } from '../abi/layout';
import * as abi from '../abi/vcpu';
import { EXIT_BUDGET, EXIT_RETRY, PAGE_INVALID } from '../abi/exits';
import { TestCore } from '../../test/support/core';

const CODE = 0x10000;
const COUNTER = 0x9000;
const IDT = 0x60000;
const GDT = 0x61000;
const TSS = 0x62000;
const FRAME = 0x63000;
const HANDLERS = 0x64000;
const TABLE = 0x51000;
const USER_STACK = 0x20000;
/** Linear address of the inner stack's page, mapped by TABLE. */
const INNER = 0x200000;
const UNMAPPED = 0x7000;
const SPIN = 'ffc0 ebfc';

/** Handlers count at COUNTER and leave with IRET; faults skip two bytes, #DB clears TF in its frame. */
interface Flavour {
  name: string;
  setUp(code: string): TestCore;
  /** Possible contents of an INVALID slot. */
  places: Record<string, number>;
}

function page64(t: TestCore): void {
  t.poke64(0x3000, 0x50007n);
  t.poke64(0x3008, BigInt(TABLE) | 7n);
  for (let i = 0; i < 512; i++) t.poke64(0x50000 + 8 * i, i * 4096 === UNMAPPED ? 0n : BigInt(i * 4096) | 7n);
  t.poke64(TABLE, BigInt(FRAME) | 7n);
}

const COUNT64 = 'ff042500900000';
const HANDLER64 = {
  plain: `${COUNT64} 48cf`,
  fault: `${COUNT64} 4883042402 48cf`,
  error: `${COUNT64} 4883c408 4883042402 48cf`,
  trap: `${COUNT64} 4881642410fffeffff 48cf`,
};
const COUNT32 = 'ff0500900000';
const HANDLER32 = {
  plain: `${COUNT32} cf`,
  fault: `${COUNT32} 83042402 cf`,
  error: `${COUNT32} 83c404 83042402 cf`,
  trap: `${COUNT32} 81642408fffeffff cf`,
};
const handlerOf = (vector: number): keyof typeof HANDLER64 =>
  vector === 1 ? 'trap' : vector === 6 ? 'fault' : vector === 8 || (vector >= 10 && vector <= 14) ? 'error' : 'plain';

/** Gates for ring 3; vector 11 has none, so that #NP cannot be delivered. */
function gates(t: TestCore, wide: boolean): void {
  const handlers = wide ? HANDLER64 : HANDLER32;
  const size = wide ? 16 : 8;
  for (let vector = 0; vector < 48; vector++) {
    const at = HANDLERS + 64 * vector;
    t.poke(at, handlers[handlerOf(vector)]);
    t.poke64(IDT + size * vector, BigInt(at & 0xffff) | 0x80000n | (0xee00n << 32n) | (BigInt(at >>> 16) << 48n));
    if (wide) t.poke64(IDT + 8 + size * vector, 0n);
  }
  t.set64(abi.VCPU_IDT_BASE, BigInt(IDT));
  t.set32(abi.VCPU_IDT_LIMIT, 48 * size - 1);
  t.set64(abi.VCPU_GDT_BASE, BigInt(GDT));
  t.set32(abi.VCPU_GDT_LIMIT, 0x2f);
}

function user64(code: string): TestCore {
  const t = new TestCore(RAM);
  t.longMode(CODE);
  page64(t);
  gates(t, true);
  t.poke64(GDT + 8, 0x00af9b000000ffffn);
  t.poke64(GDT + 0x10, 0x00cf93000000ffffn);
  t.poke64(GDT + 0x18, 0x00affb000000ffffn);
  t.poke64(GDT + 0x20, 0x00cff3000000ffffn);
  t.poke64(TSS + 4, BigInt(INNER + 0x800));
  t.segment(abi.SEG_TR, 0x28, BigInt(TSS), 0x67, 0x8b);
  t.segment(abi.SEG_CS, 0x1b, 0n, 0xffffffff, 0xafb);
  for (const seg of [abi.SEG_SS, abi.SEG_DS, abi.SEG_ES]) t.segment(seg, 0x23, 0n, 0xffffffff, 0xcf3);
  t.setReg('rsp', USER_STACK + 0x800);
  return start(t, code);
}

function user32(code: string): TestCore {
  const t = new TestCore(RAM);
  t.flat32(CODE);
  gates(t, false);
  t.poke64(GDT + 8, 0x00cf9b000000ffffn);
  t.poke64(GDT + 0x10, 0x00cf93000000ffffn);
  t.poke64(GDT + 0x18, 0x00cffb000000ffffn);
  t.poke64(GDT + 0x20, 0x00cff3000000ffffn);
  // Two-level paging: the same linear addresses as in long mode, the inner stack at 4 MiB.
  t.poke64(0x1000, 0x50007n | (BigInt(TABLE | 7) << 32n));
  for (let i = 0; i < 1024; i += 2) {
    const entry = (page: number): bigint => (page * 4096 === UNMAPPED ? 0n : BigInt(page * 4096) | 7n);
    t.poke64(0x50000 + 4 * i, entry(i) | (entry(i + 1) << 32n));
  }
  t.poke64(TABLE, BigInt(FRAME) | 7n);
  t.set64(abi.VCPU_CR3, 0x1000n);
  t.set64(abi.VCPU_CR0, 0x80000011n);
  t.poke64(TSS, BigInt(0x400000 + 0x800) << 32n);
  t.poke64(TSS + 8, 0x10n);
  t.segment(abi.SEG_TR, 0x28, BigInt(TSS), 0x67, 0x8b);
  t.segment(abi.SEG_CS, 0x1b, 0n, 0xffffffff, 0xcfb);
  for (const seg of [abi.SEG_SS, abi.SEG_DS, abi.SEG_ES]) t.segment(seg, 0x23, 0n, 0xffffffff, 0xcf3);
  t.setReg('rsp', USER_STACK + 0x800);
  return start(t, code);
}

/** Ring 0 with an interrupt stack of the TSS's table for every vector. */
function kernel64(code: string): TestCore {
  const t = user64(code);
  for (let vector = 0; vector < 48; vector++) {
    t.poke64(IDT + 16 * vector, t.peek(IDT + 16 * vector, 8) | (1n << 32n));
  }
  t.poke64(TSS + 0x24, BigInt(INNER + 0x800));
  t.segment(abi.SEG_CS, 8, 0n, 0xffffffff, 0xa9b);
  for (const seg of [abi.SEG_SS, abi.SEG_DS, abi.SEG_ES]) t.segment(seg, 0x10, 0n, 0xffffffff, 0xc93);
  t.core.stateChanged(0);
  return t;
}

/** Real mode: the vector table lies at IDT. */
function real(code: string): TestCore {
  const t = new TestCore(RAM);
  t.real(0);
  t.segment(abi.SEG_CS, CODE >> 4, BigInt(CODE), 0xffff, 0x93);
  t.segment(abi.SEG_SS, FRAME >> 4, BigInt(FRAME), 0xffff, 0x93);
  t.setReg('rsp', 0x800);
  for (let vector = 0; vector < 48; vector += 2) {
    const entry = (v: number): bigint => BigInt((HANDLERS >> 4) << 16) | BigInt(64 * v);
    t.poke64(IDT + 4 * vector, entry(vector) | (entry(vector + 1) << 32n));
  }
  t.set64(abi.VCPU_IDT_BASE, BigInt(IDT));
  t.set32(abi.VCPU_IDT_LIMIT, 48 * 4 - 1);
  const count = 'ff060090';
  for (let vector = 0; vector < 48; vector++) {
    const flavour = handlerOf(vector);
    // Frames of real mode hold no error codes.
    const tail = flavour === 'plain' ? 'cf' : flavour === 'trap' ? '89e5 816604fffe cf' : '89e5 83460002 cf';
    t.poke(HANDLERS + 64 * vector, `${count} ${tail}`);
  }
  return start(t, code);
}

function start(t: TestCore, code: string): TestCore {
  t.poke(CODE, `9090 ${code} 9090 ${SPIN}`);
  t.setReg('rbx', UNMAPPED);
  t.core.setRflags(0, 0x202);
  t.core.stateChanged(0);
  return t;
}

const flavours: Flavour[] = [
  { name: '64-bit, ring 3', setUp: user64, places: { frame: FRAME, IDT, GDT, TSS, 'page table': TABLE, handler: HANDLERS } },
  { name: '64-bit, ring 0 with IST', setUp: kernel64, places: { frame: FRAME, IDT, GDT, TSS, 'page table': TABLE, handler: HANDLERS } },
  { name: '32-bit, ring 3', setUp: user32, places: { frame: FRAME, IDT, GDT, TSS, 'page table': TABLE, handler: HANDLERS } },
  { name: 'real mode', setUp: real, places: { frame: FRAME, IDT, handler: HANDLERS } },
];

interface Event {
  name: string;
  /** An instruction after two NOPs. */
  code: string;
  /** An event after two instructions. */
  arrive?(t: TestCore): void;
  /** An instruction delivers it and is restarted; otherwise it waits in the record. */
  software?: boolean;
  /** Not in real mode. */
  protectedOnly?: boolean;
}

const interruptArrives = (t: TestCore): void => {
  t.vectors.push(0x20);
  t.set32(abi.VCPU_IRQ_PENDING, 1);
};
const events: Event[] = [
  { name: 'external interrupt', code: '90', arrive: interruptArrives },
  {
    name: 'external interrupt that ends HLT',
    code: '90',
    arrive(t) {
      interruptArrives(t);
      t.set32(abi.VCPU_HALTED, 1);
    },
  },
  { name: 'NMI', code: '90', arrive: (t) => t.set32(abi.VCPU_NMI_PENDING, 1) },
  { name: 'fault without error code', code: '0f0b' },
  { name: 'fault with error code', code: '8a03', protectedOnly: true },
  { name: 'single-step trap', code: '90', arrive: (t) => t.core.setRflags(0, 0x302) },
  { name: 'INT n', code: 'cd21', software: true },
  { name: 'INT3', code: 'cc', software: true },
  { name: 'INT1', code: 'f1', software: true },
  {
    name: 'double fault',
    code: '8a03',
    protectedOnly: true,
    arrive(t) {
      // #PF has no gate: #NP on the way to it is #DF.
      const at = IDT + (t.get64(abi.VCPU_EFER) ? 16 : 8) * 14;
      t.poke64(at, t.peek(at, 8) & ~(0x8000n << 32n));
    },
  },
  {
    name: 'external interrupt whose own delivery faults',
    code: '90',
    protectedOnly: true,
    arrive(t) {
      t.vectors.push(0x40);
      t.set32(abi.VCPU_IRQ_PENDING, 1);
    },
  },
];

const INSTRUCTIONS = 40n;
const RAM = 0x71000;

interface Image {
  record: Uint8Array;
  ram: Uint8Array;
}
const recordOf = (t: TestCore): Uint8Array => new Uint8Array(t.memory.buffer, VCPU_BASE, abi.VCPU_STATS);
const ramOf = (t: TestCore): Uint8Array => new Uint8Array(t.memory.buffer, HOST_BASE, RAM);
const capture = (t: TestCore): Image => ({ record: recordOf(t).slice(), ram: ramOf(t).slice() });

/** Like loading a snapshot: keeps only record and memory. */
function restore(t: TestCore, { record, ram }: Image): void {
  recordOf(t).set(record);
  ramOf(t).set(ram);
  t.core.invalidateAllCode();
  t.core.stateChanged(0);
}

function finish(t: TestCore): void {
  t.run(Number(INSTRUCTIONS - t.icount));
}

const cases = flavours.flatMap((flavour) =>
  events.filter(({ protectedOnly }) => !protectedOnly || flavour.setUp !== real).map((event) => ({ flavour, event })),
);

it.each(cases)('$flavour.name: $event.name survives an INVALID slot', ({ flavour, event }) => {
  const t = flavour.setUp(event.code);
  expect(t.run(2)).toBe(EXIT_BUDGET);
  const before = capture(t);
  const begin = (): void => {
    restore(t, before);
    t.vectors.length = 0;
    event.arrive?.(t);
  };
  begin();
  finish(t);
  // The event must occur, or the test proves nothing.
  expect(t.peek(COUNTER, 4)).toBeGreaterThan(0n);
  const undisturbed = { state: t.state(), ram: ramOf(t).slice() };

  for (const [place, at] of Object.entries(flavour.places)) {
    for (const zap of ['slot', 'all']) {
      const where = `${place}, zap ${zap}`;
      const gfn = at / 4096;
      const zapNow = (): unknown => (zap === 'slot' ? t.core.zapGfnRange(gfn, 1) : t.core.zapAll());
      begin();
      t.pageFlags.set(gfn, PAGE_INVALID);
      zapNow();
      for (let n = 0; n < 3; n++) expect(t.run(20), where).toBe(EXIT_RETRY);
      expect(t.get32(abi.VCPU_EVENT) !== 0, where).toBe(!event.software && place !== 'handler');
      const waiting = capture(t);
      t.pageFlags.delete(gfn);
      for (const way of ['goes on', 'is loaded']) {
        if (way === 'is loaded') restore(t, waiting);
        else zapNow();
        finish(t);
        expect(t.state(), `${where}, ${way}`).toBe(undisturbed.state);
        expect(Buffer.compare(ramOf(t), undisturbed.ram), `${where}, ${way}`).toBe(0);
        expect(t.get32(abi.VCPU_EVENT) | t.get32(abi.VCPU_EVENT_ERROR), where).toBe(0);
      }
    }
  }
});
