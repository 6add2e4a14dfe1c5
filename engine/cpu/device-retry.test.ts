/**
 * An instruction that has accessed a device and then accesses an INVALID memslot is retried until the slot is valid again: the device sees each
 * access once, and the guest ends as if nothing had happened.
 */
import { describe, expect, it } from 'vitest';
import { TestCore } from '../../test/support/core';
import { EXIT_HLT, EXIT_RETRY, PAGE_INVALID } from '../abi/exits';
import { HOST_BASE, VCPU_BASE } from '../abi/layout';
import * as abi from '../abi/vcpu';

const CODE = 0x10000;
const LANDING = CODE + 0x80;
const DEVICE = 0x20000;
/** Below the device, for stacks that reach from one into the other. */
const BELOW = DEVICE - 0x1000;
const ABOVE = DEVICE + 0x1000;
const TARGET = 0x30000;
const STACK = 0x41000;
const HANDLERS = 0x50000;
const IDT = 0x60000;
const GDT = 0x61000;
const RAM = 0x71000;

interface Case {
  name: string;
  code: string;
  /** The device's answers from DEVICE on; 5a after it. */
  device?: string;
  set?: Partial<Record<'rbx' | 'rsi' | 'rdi' | 'rsp' | 'rbp' | 'rcx' | 'rdx', number>>;
  /** The page that is INVALID. */
  place: number;
  only?: 'wide' | 'narrow';
}

const FAR = '80000100 0800';
const cases: Case[] = [
  { name: 'PUSH m', code: 'ff33', place: STACK - 0x1000 },
  { name: 'CALL m', code: 'ff13', device: '80000100 00000000', place: STACK - 0x1000 },
  { name: 'CALL far m, stack', code: 'ff1b', device: FAR, place: STACK - 0x1000 },
  { name: 'CALL far m, GDT', code: 'ff1b', device: FAR, place: GDT },
  { name: 'JMP far m', code: 'ff2b', device: FAR, place: GDT },
  { name: 'MOVSB', code: 'a4', place: TARGET },
  { name: 'MOVSD into two pages', code: 'a5', set: { rdi: TARGET - 2 }, place: TARGET },
  { name: 'MOVSD from two pages, one a device', code: 'a5', set: { rsi: DEVICE - 2 }, place: TARGET },
  { name: 'REP MOVSB', code: 'f3a4', set: { rcx: 3 }, place: TARGET },
  { name: 'CMPSB', code: 'a6', place: TARGET },
  { name: 'REPE CMPSB', code: 'f3a6', set: { rcx: 3 }, place: TARGET },
  { name: 'INSB', code: '6c', place: TARGET },
  { name: 'REP INSB', code: 'f36c', set: { rcx: 3 }, place: TARGET },
  { name: 'POP m', code: '8f07', set: { rsp: DEVICE }, place: TARGET },
  { name: 'POP FS', code: '0fa1', device: '1000', set: { rsp: DEVICE }, place: GDT },
  { name: 'MOV SS, m', code: '8e13', device: '1000', place: GDT },
  { name: 'LSS', code: '0fb203', device: '00900000 1000', place: GDT },
  { name: 'LAR', code: '0f0203', device: '1000', place: GDT },
  { name: 'VERW', code: '0f002b', device: '1000', place: GDT },
  { name: 'LLDT', code: '0f0013', device: '2000', place: GDT },
  { name: 'LTR', code: '0f001b', device: '3000', place: GDT },
  { name: 'ENTER', code: 'c8 0010 05', set: { rbp: DEVICE + 0x800, rsp: STACK + 0x800 }, place: STACK - 0x1000 },
  { name: 'ENTER of 31 levels', code: 'c8 0010 1f', set: { rbp: DEVICE + 0x800, rsp: STACK + 0x800 }, place: STACK - 0x1000 },
  { name: 'ENTER, stack in the device', code: 'c8 0010 03', set: { rbp: TARGET + 0x800, rsp: DEVICE + 0x800 }, place: BELOW },
  { name: 'RETF', code: 'cb', device: '80000100 08000000', set: { rsp: DEVICE }, place: GDT },
  {
    name: 'IRETQ',
    code: '48cf',
    device: '8000010000000000 0800000000000000 0200000000000000 0008040000000000 1000000000000000',
    set: { rsp: DEVICE },
    place: GDT,
    only: 'wide',
  },
  { name: 'IRETD', code: 'cf', device: '80000100 08000000 02000000', set: { rsp: DEVICE }, place: GDT, only: 'narrow' },
  { name: 'LDS', code: 'c503', device: '00900000 1000', place: GDT, only: 'narrow' },
  { name: 'POPA', code: '61', set: { rsp: ABOVE - 12 }, place: ABOVE, only: 'narrow' },
];

interface Setting {
  wide: boolean;
  jit: boolean;
}

const cores = [false, true].map(
  (jit) =>
    new TestCore(RAM, jit ? { quantum: 40, samples: 1, limits: { instructions: 200, pages: 8 }, regions: 100, thrashing: 1000 } : undefined),
);

/** As from power-on, with no trace of earlier use. */
function machine({ wide, jit }: Setting, { code, device = '', set = {} }: Omit<Case, 'name' | 'place'>): TestCore {
  const t = cores[Number(jit)]!;
  t.core.resetVcpu(0);
  t.core.invalidateAllCode();
  ramOf(t).fill(0);
  for (const list of [t.accesses, t.vectors]) list.length = 0;
  for (const map of [t.pageFlags, t.moved]) map.clear();
  if (wide) {
    t.longMode(CODE);
    t.poke64(0x3000, 0x5007n);
    for (let i = 0; i < 512; i++) t.poke64(0x5000 + 8 * i, BigInt(i * 4096) | 7n);
  } else t.flat32(CODE);
  t.moved.set(DEVICE >> 12, -1);
  t.haltingHandlers(wide, IDT, HANDLERS);
  t.set64(abi.VCPU_GDT_BASE, BigInt(GDT));
  t.set32(abi.VCPU_GDT_LIMIT, 0x3f);
  t.poke64(GDT + 8, wide ? 0x00af9b000000ffffn : 0x00cf9b000000ffffn);
  t.poke64(GDT + 0x10, 0x00cf93000000ffffn);
  t.poke64(GDT + 0x20, 0x000082070000003fn);
  t.poke64(GDT + 0x30, 0x0000890700000067n);
  t.poke(CODE, `${code} 90 f4`);
  t.poke(LANDING, '90 f4');
  const content = device.replaceAll(' ', '').match(/../g) ?? [];
  t.deviceRead = ({ kind, address, size: bytes }) => {
    let value = 0n;
    for (let i = bytes - 1; i >= 0; i--)
      value = (value << 8n) | BigInt(kind === 'mmioRead' ? Number.parseInt(content[address + i - DEVICE] ?? '5a', 16) : 0x11);
    return value;
  };
  for (const [name, value] of Object.entries({
    ...{ rbx: DEVICE, rsi: DEVICE, rdi: TARGET, rsp: STACK, rbp: 0, rcx: 0, rdx: 0x80 },
    ...set,
  }))
    t.setReg(name as 'rbx', value);
  t.core.setRflags(0, 0x202);
  t.core.stateChanged(0);
  return t;
}

const seen = (t: TestCore) => t.accesses.map(({ kind, address, size, value }) => `${kind} ${address.toString(16)} ${size} ${value}`);
const recordOf = (t: TestCore): Uint8Array => new Uint8Array(t.memory.buffer, VCPU_BASE, abi.VCPU_STATS);
const ramOf = (t: TestCore): Uint8Array => new Uint8Array(t.memory.buffer, HOST_BASE, RAM);

function setInvalid(t: TestCore, place: number): void {
  t.pageFlags.set(place >> 12, PAGE_INVALID);
  t.core.zapGfnRange(place >> 12, 1);
}
function makeValid(t: TestCore): void {
  t.pageFlags.clear();
  t.core.zapAll();
}

const settings = [true, false].flatMap((wide) => [true, false].map((jit) => ({ wide, jit })));

describe.each(settings)('64-bit code: $wide, JIT: $jit', (setting) => {
  const mine = cases.filter(({ only }) => !only || (only === 'wide') === setting.wide);

  it.each(mine)('$name', (given) => {
    const first = machine(setting, given);
    expect(first.run(100)).toBe(EXIT_HLT);
    const undisturbed = { accesses: seen(first), state: first.state(), ram: ramOf(first).slice() };
    expect(undisturbed.accesses).not.toEqual([]);
    for (const way of ['goes on', 'is loaded']) {
      const t = machine(setting, given);
      setInvalid(t, given.place);
      for (let n = 0; n < 3; n++) expect(t.run(100), way).toBe(EXIT_RETRY);
      if (way === 'is loaded') {
        // Like a snapshot: keeps only record and memory.
        const record = recordOf(t).slice();
        t.core.resetVcpu(0);
        recordOf(t).set(record);
        t.core.invalidateAllCode();
        t.core.stateChanged(0);
      }
      makeValid(t);
      expect(t.run(100), way).toBe(EXIT_HLT);
      expect(seen(t), way).toEqual(undisturbed.accesses);
      expect(t.state(), way).toBe(undisturbed.state);
      expect(Buffer.compare(ramOf(t), undisturbed.ram), way).toBe(0);
      expect(t.get32(abi.VCPU_DONE_COUNT), way).toBe(0);
    }
  });

  const push = { code: 'ff33' };

  it.each(['interrupt', 'NMI'])('an %s comes after an instruction that has accessed a device', (what) => {
    const t = machine(setting, push);
    setInvalid(t, STACK - 0x1000);
    expect(t.run(100)).toBe(EXIT_RETRY);
    if (what === 'NMI') t.set32(abi.VCPU_NMI_PENDING, 1);
    else {
      t.vectors.push(0x20);
      t.set32(abi.VCPU_IRQ_PENDING, 1);
    }
    expect(t.run(100)).toBe(EXIT_RETRY);
    makeValid(t);
    expect(t.run(100)).toBe(EXIT_HLT);
    expect(t.rip).toBe(BigInt(HANDLERS + 16 * (what === 'NMI' ? 2 : 0x20) + 1));
    expect(t.peek(Number(t.reg('rsp')), 4)).toBe(BigInt(CODE + 2));
    expect(t.accesses).toHaveLength(1);
  });

  it('an access that changes is made again', () => {
    const t = machine(setting, push);
    setInvalid(t, STACK - 0x1000);
    expect(t.run(100)).toBe(EXIT_RETRY);
    t.setReg('rbx', DEVICE + 8);
    makeValid(t);
    expect(t.run(100)).toBe(EXIT_HLT);
    expect(t.accesses.map(({ address }) => address)).toEqual([DEVICE, DEVICE + 8]);
  });

  it('a vCPU that a debugger moves accesses the device again', () => {
    const t = machine(setting, { code: 'ff33 ff33' });
    setInvalid(t, STACK - 0x1000);
    expect(t.run(100)).toBe(EXIT_RETRY);
    t.rip = BigInt(CODE + 2);
    makeValid(t);
    expect(t.run(100)).toBe(EXIT_HLT);
    expect(t.accesses).toHaveLength(2);
  });

  it('memory that has replaced the device is read', () => {
    const t = machine(setting, push);
    setInvalid(t, STACK - 0x1000);
    expect(t.run(100)).toBe(EXIT_RETRY);
    t.moved.clear();
    t.poke(DEVICE, '0102030405060708');
    makeValid(t);
    expect(t.run(100)).toBe(EXIT_HLT);
    expect(t.accesses).toHaveLength(1);
    expect(t.peek(Number(t.reg('rsp')), 2)).toBe(0x201n);
  });

  it('an instruction that faults after the access and is restarted by its handler accesses the device again, as on a processor', () => {
    if (!setting.wide) return;
    const t = machine(setting, push);
    t.poke64(0x5000 + 8 * ((STACK >> 12) - 1), 0n);
    // #PF, on a stack of its own: maps the page and returns. mov qword [PTE], ...; add rsp, 8; iretq
    t.poke(IDT + 16 * 14 + 4, '01');
    t.segment(abi.SEG_TR, 0x30, 0x70000n, 0x67, 0x8b);
    t.poke64(0x70024, BigInt(TARGET + 0x800));
    t.poke(HANDLERS + 16 * 14, `48c70425${'00520000'}${'07000400'} e91f000000`);
    t.poke(HANDLERS + 16 * 14 + 17 + 0x1f, '4883c408 48cf');
    expect(t.run(100)).toBe(EXIT_HLT);
    expect(t.reg('rsp')).toBe(BigInt(STACK - 8));
    expect(t.accesses).toHaveLength(2);
  });
});
