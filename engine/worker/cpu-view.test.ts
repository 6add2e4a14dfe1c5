/** The page's queries about a vCPU, on the real machine. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { WATCH_EXEC } from '../abi/index';
import type { Machine } from '../machine/index';
import { testMachine } from '../monitor/testing';
import { symbolsOf } from '../symbols/index';
import type { CpuView } from './cpu-types';
import type { Query } from './protocol';
import { answerQuery } from './queries';

const kernel = new Uint8Array(readFileSync(resolve(import.meta.dirname, '../../guests/memlab/memlab.elf')));
/** None of these queries is long enough to use it. */
const clock = { monotonic: () => 0, yieldTurn: async () => {} };
const ask = (machine: Machine, query: Query) => answerQuery(query as never, { machine, clock }) as never;
const cpu = (machine: Machine, more = {}): CpuView => ask(machine, { ask: 'cpu', before: 4, count: 8, ...more });
const value = (view: CpuView, name: string) => view.groups.flatMap(({ registers }) => registers).find((each) => each.name === name);

describe('a vCPU in 64-bit mode', () => {
  let machine: Machine;
  beforeAll(async () => {
    machine = await testMachine({ guest: { name: 'memlab', kernel }, smp: 2 });
    machine.run.cont();
    machine.run.advance(2_000_000);
    machine.run.stop();
  });

  it('is shown with its code around rip, and a step goes to the next line or to the target', () => {
    const view = cpu(machine);
    expect(view.code.bits).toBe(64);
    expect(BigInt(view.code.rip)).toBe(machine.inspect.registers().rip);
    expect(value(view, 'rip')?.value).toBe(machine.inspect.registers().rip.toString(16).padStart(16, '0'));
    expect(value(view, 'cs')?.note).toMatch(/^base 0x0, limit 0xffffffff, DPL=0 CS64 \[-R[A-]\]$/);
    const known = view.code.lines.filter((line) => !line.guess);
    expect(known).toHaveLength(8);
    expect(known[0]?.gva).toBe(view.code.rip);
    const guessed = view.code.lines.filter((line) => line.guess);
    expect(guessed).toHaveLength(4);
    const last = guessed.at(-1)!;
    expect(BigInt(last.gva) + BigInt(last.bytes.split(' ').length)).toBe(BigInt(view.code.rip));
    machine.run.advance(1);
    const after = cpu(machine);
    expect([known[0]?.gva, known[1]?.gva, known[0]?.target]).toContain(after.code.rip);
  });

  it('is not changed by viewing it', async () => {
    const before = await machine.digest();
    cpu(machine);
    cpu(machine, { vcpu: 1 });
    ask(machine, { ask: 'disassemble', from: '0xfee00000', count: 3 });
    expect(await machine.digest()).toBe(before);
  });

  it('shows any code by address, and says where it ends', () => {
    machine.physical.write(0x180ffa, Uint8Array.of(0x90, 0xeb, 0xfd, 0x48, 0xb8, 0x01));
    const lines = (ask(machine, { ask: 'disassemble', from: '0x180ffa', count: 2 }) as { lines: unknown[] }).lines;
    expect(lines).toEqual([
      { gva: '0x180ffa', bytes: '90', mnemonic: 'nop', operands: '', guess: false },
      { gva: '0x180ffb', bytes: 'eb fd', mnemonic: 'jmp', operands: '0x180ffa', target: '0x180ffa', guess: false },
    ]);
    const end = ask(machine, { ask: 'disassemble', from: '0xffff800000000000', count: 2 });
    expect(end).toMatchObject({ lines: [], reason: "0xffff800000000000 is not mapped by the guest's page tables" });
  });

  it('names code, targets and frames where symbols are known, in the order of the calls', async () => {
    const at = symbolsOf(machine).find('lab_main')!;
    const { lines } = ask(machine, { ask: 'disassemble', from: `0x${at.toString(16)}`, count: 6 }) as CpuView['code'];
    expect(lines[0]).toMatchObject({ symbol: 'lab_main' });
    expect(lines.slice(1).every(({ symbol }) => symbol === undefined)).toBe(true);
    expect(lines[1]?.targetSymbol).toMatch(/^[a-z_]+$/);
    const { frames } = cpu(machine);
    expect(frames?.[0]).toMatchObject({ by: 'registers', symbol: expect.stringMatching(/\+0x/) });
    expect(frames?.some(({ symbol = '' }) => symbol.startsWith('lab_main+'))).toBe(true);
    expect(ask(machine, { ask: 'symbol-at', gpa: Number(at) })).toEqual({ symbol: 'lab_main' });
    expect(ask(machine, { ask: 'symbol-at', gpa: 0x800000 })).toEqual({});
    expect(ask(machine, { ask: 'page-walk', address: 'lab_main' })).toMatchObject({ symbol: 'lab_main', page: { gpa: Number(at) } });
  });

  it('translates through the tables', () => {
    expect(ask(machine, { ask: 'translate', gva: '0x180000' })).toEqual({ gpa: 0x180000 });
    expect(ask(machine, { ask: 'translate', gva: '0xffff800000000000' })).toEqual({});
  });

  it.each([
    [{ ask: 'cpu', vcpu: 2, before: 0, count: 1 }, 'there is no vCPU 2: this machine has 0 to 1'],
    [{ ask: 'cpu', vcpu: 0.5, before: 0, count: 1 }, 'there is no vCPU 0.5'],
    [{ ask: 'disassemble', count: 1e9 }, 'count 1000000000 is out of range: 0 to 256 lines'],
    [{ ask: 'disassemble', count: -1 }, 'count -1'],
    [{ ask: 'disassemble', count: 1, before: Number.NaN }, 'before NaN'],
    [{ ask: 'disassemble', count: 1, from: 'rip' }, "'rip' is not an address"],
    [{ ask: 'translate', gva: `0x${'f'.repeat(17)}` }, 'is not an address'],
    [{ ask: 'translate', gva: 7 }, "'7' is not an address"],
  ])('refuses %o', (query, reason) => {
    expect(() => ask(machine, query as Query)).toThrow(reason);
  });
});

describe('the tier of the code at rip', () => {
  it('is the region that a hot loop was compiled to, until a breakpoint is set in its page', async () => {
    const machine = await testMachine({ guest: { name: 'memlab', kernel }, accel: 'jit' });
    machine.run.cont();
    machine.run.advance(2_000_000);
    expect(cpu(machine).tier).toMatchObject({ tier: 'interpreter' });
    machine.serial.input(new TextEncoder().encode('sweep 0x1000000 4M\r'));
    machine.run.advance(40_000_003);
    const { tier, code } = cpu(machine);
    expect(tier).toMatchObject({ tier: 'compiled', entrySymbol: expect.stringMatching(/^\w+(\+0x|$)/) });
    const here = BigInt(code.rip);
    machine.debug.watch([{ kind: WATCH_EXEC, first: here, last: here }]);
    machine.debug.onHit = () => 'here';
    machine.run.advance(1_000_000);
    const stopped = cpu(machine);
    expect(stopped.code.rip).toBe(code.rip);
    expect(stopped.tier).toEqual({ tier: 'interpreter', why: 'breakpoint' });
  });

  it('is the interpreter in 16-bit code, and with -accel interp', async () => {
    expect(cpu(await testMachine({ accel: 'jit' })).tier).toEqual({ tier: 'interpreter', why: 'mode' });
    expect(cpu(await testMachine()).tier).toEqual({ tier: 'interpreter', why: 'accel' });
  });
});

describe('other states', () => {
  it('in real mode addresses are linear, and targets count from the code segment', async () => {
    const machine = await testMachine();
    const view = cpu(machine, { count: 4 });
    expect(view.code.bits).toBe(16);
    const { segments, rip } = machine.inspect.registers();
    expect(BigInt(view.code.rip)).toBe((segments[1]!.base + rip) & 0xffffffffn);
    expect(view.groups[0]?.registers.map(({ name }) => name)).toEqual('eax ebx ecx edx esi edi ebp esp eip'.split(' '));
    expect(value(view, 'st0')).toMatchObject({ note: '0' });
  });

  it('a slot that was taken away leaves a reason in place of code', async () => {
    const machine = await testMachine({ guest: { name: 'memlab', kernel } });
    machine.run.cont();
    machine.run.advance(2_000_000);
    machine.run.stop();
    for (const slot of machine.memory.memslots(0))
      machine.memory.setUserMemoryRegion({ slot: slot.slot, guestPhysAddr: 0, memorySize: 0, userspaceAddr: 0 });
    const { code } = cpu(machine);
    expect(code.lines).toEqual([]);
    expect(code.reason).toMatch(/^0x[0-9a-f]+ is (?:not mapped by the guest's page tables|gpa 0x[0-9a-f]+, which no memslot backs)$/);
  });
});
