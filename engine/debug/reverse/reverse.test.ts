/** Going back in memlab: the state at an earlier count has the same digest, and running forward leads to the same present. */
import { describe, expect, it } from 'vitest';
import { Guest, rootFile } from '../../../test/guests/harness';
import { multibootImage } from '../../../test/support/assembler';
import { COUNTER, startSecond } from '../../../test/support/two-vcpus';
import type { Position } from '../../machine/index';
import { breakpointsOf } from '../breakpoints/index';
import { type Journal, Reverse } from './index';

const kernel = rootFile('guests/memlab/memlab.elf');
const going = async (): Promise<boolean> => true;

interface Lab {
  guest: Guest;
  reverse: Reverse;
  type(text: string): void;
}

async function lab(accel: 'jit' | 'interp', image = kernel, smp = 1, instructions = 20_000): Promise<Lab> {
  let now = 0;
  const guest = await Guest.boot({ guest: { name: 'guest', kernel: image }, accel, smp, wallClock: () => (now += 0.01) });
  const { machine } = guest;
  const entries: { at: Position; text: string }[] = [];
  const send = (text: string): void => void machine.serial.input(new TextEncoder().encode(text));
  const journal: Journal = {
    get length() {
      return entries.length;
    },
    at: (index) => entries[index]!.at,
    redo: (index) => send(entries[index]!.text),
    past: () => {},
  };
  const reverse = new Reverse({ machine, journal, wallClock: () => now, instructions });
  return {
    guest,
    reverse,
    type(text) {
      entries.push({ at: machine.run.position, text });
      send(text);
    },
  };
}

/** Boots, types, and runs until the guest is idle. */
async function session(accel: 'jit' | 'interp'): Promise<Lab> {
  const made = await lab(accel);
  const { guest, type } = made;
  guest.until('lab> ');
  for (const line of ['poke 0x500000 0x77', 'fill 0x600000 0x40000 0x5a', 'poke 0x500000 0x1234', 'sum 0x600000 0x40000']) {
    type(`${line}\r`);
    guest.until('lab> ');
  }
  return made;
}

const writesTo = (gpa: number) => ({
  place: { kind: 'gpa', first: BigInt(gpa), length: 4 } as const,
  access: { execute: false, read: false, write: true },
});

describe.each(['interp', 'jit'] as const)('going back (%s)', (accel) => {
  it('finds the last write, shows memory before it, and returns to the present', async () => {
    const { guest, reverse } = await session(accel);
    const { machine } = guest;
    machine.run.stop();
    const text = guest.text;
    const present = await machine.digest();
    const count = machine.run.instructions;
    expect(machine.checkpoints.list().length).toBeGreaterThan(3);
    breakpointsOf(machine).add({
      place: { kind: 'gpa', first: 0x500000n, length: 8 },
      access: { execute: false, read: false, write: true },
    });
    const word = (): number => new DataView(machine.physical.read(0x500000, 8)!.buffer).getUint32(0, true);
    expect(word()).toBe(0x1234);
    expect(await reverse.toBreakpoint(going)).toBe('there');
    expect(word()).toBe(0x77);
    expect(breakpointsOf(machine).stop?.hit).toMatchObject({ access: 'write', gpa: 0x500000, bytes: 8 });
    const before = machine.run.instructions;
    expect(before).toBeLessThan(count);
    expect(await reverse.toBreakpoint(going)).toBe('there');
    expect(word()).toBe(0);
    expect(machine.run.instructions).toBeLessThan(before);
    breakpointsOf(machine).clear('lab');
    expect(await reverse.forward(going)).toBe('present');
    expect(machine.run.instructions).toBe(count);
    expect(await machine.digest()).toBe(present);
    expect(guest.text).toBe(text);
  });

  it('steps back instruction by instruction to the same states', async () => {
    const { guest, reverse } = await session(accel);
    const { machine } = guest;
    machine.run.stop();
    const count = machine.run.instructions;
    const rips: bigint[] = [];
    for (let i = 0; i < 5; i++) {
      expect(await reverse.step(0, going)).toBe('there');
      expect(machine.run.instructions).toBe(count - 1 - i);
      rips.unshift(machine.inspect.registers().rip);
    }
    const digest = await machine.digest();
    for (let i = 1; i < 5; i++) {
      await reverse.forward(going, { vcpu: 0, icount: count - 5 + i });
      expect(machine.inspect.registers().rip).toBe(rips[i]);
    }
    for (let i = 1; i < 5; i++) await reverse.step(0, going);
    expect(await machine.digest()).toBe(digest);
  });

  it('stops at a breakpoint on code, and at the beginning where there is none', async () => {
    const { guest, reverse } = await session(accel);
    const { machine } = guest;
    machine.run.stop();
    await reverse.step(0, going);
    const { rip } = machine.inspect.registers();
    const count = machine.run.instructions;
    const set = breakpointsOf(machine);
    set.add({ place: { kind: 'gva', first: rip, length: 1 }, access: { execute: true, read: false, write: false } });
    expect(await reverse.toBreakpoint(going)).toBe('there');
    expect(machine.inspect.registers().rip).toBe(rip);
    expect(machine.run.instructions).toBeLessThan(count);
    set.clear('lab');
    expect(await reverse.toBreakpoint(going)).toBe('begin');
    expect(machine.run.instructions).toBe(0);
  });
});

/** vCPU 1 counts, in 16-bit code, beside vCPU 0. */
const counters = multibootImage((asm) => {
  startSecond(asm, 16);
  // xor ax, ax; mov ds, ax; L: lock inc dword [COUNTER]; jmp L
  asm.b(0x31, 0xc0, 0x8e, 0xd8, 0xf0, 0x66, 0xff, 0x06, COUNTER & 255, COUNTER >> 8, 0xeb, -8 & 255);
});

it('returns to the same position, in the middle of a round that no timer ends', async () => {
  const { guest, reverse, type } = await lab('jit');
  const { machine } = guest;
  guest.until('lab> ');
  type('bench\r');
  machine.run.advance(100_000);
  machine.run.stop();
  const { position } = machine.run;
  expect(position).toMatchObject({ inRound: true, turn: 0 });
  await reverse.step(0, going);
  await reverse.home();
  expect(machine.run.position).toEqual(position);
});

describe('from where a breakpoint stopped the machine', () => {
  it('goes back to before that access and each earlier one, past the start of another vCPU, for accesses by any vCPU', async () => {
    const { guest, reverse } = await lab('jit', counters, 2, 10_000_000);
    const { machine } = guest;
    const set = breakpointsOf(machine);
    const counted = (): number => new DataView(machine.physical.read(COUNTER, 4)!.buffer).getUint32(0, true);
    set.add({ ...writesTo(COUNTER), vcpu: 1 });
    for (let stops = 0; stops < 3; stops++) {
      machine.run.cont();
      machine.run.advance(1_000_000);
    }
    const before = [counted() - 1, counted() - 2, counted() - 3];
    const places: number[] = [];
    for (const value of before) {
      expect(await reverse.toBreakpoint(going)).toBe('there');
      expect([counted(), set.stop?.vcpu]).toEqual([value, 1]);
      places.push(machine.run.instructions);
    }
    expect(await reverse.toBreakpoint(going)).toBe('begin');
    expect(counted()).toBe(0);
    for (const place of places.reverse()) {
      expect(await reverse.forward(going)).toBe('stopped');
      expect([machine.run.instructions, set.stop?.vcpu]).toEqual([place + 1, 1]);
    }
  });

  it('goes back from a handler to before the instruction that faulted', async () => {
    const { guest, reverse, type } = await lab('jit');
    const { machine } = guest;
    guest.until('lab> ');
    const set = breakpointsOf(machine);
    set.add({ place: { kind: 'vector', first: 14n, length: 1 }, access: { execute: true, read: false, write: false } });
    const rips: bigint[] = [];
    for (const address of ['0x7000000000', '0x6000000000']) {
      type(`peek ${address}\r`);
      machine.run.cont();
      machine.run.advance(1_000_000);
      expect(set.stop?.hit.address).toBe(14n);
      rips.push(machine.inspect.registers().rip);
    }
    const stopped = machine.run.instructions;
    expect(await reverse.toBreakpoint(going)).toBe('there');
    expect(machine.run.instructions).toBe(stopped - 1);
    expect(machine.inspect.registers().rip).not.toBe(rips[1]);
    expect(await reverse.toBreakpoint(going)).toBe('there');
    expect(machine.run.instructions).toBeLessThan(stopped - 1000);
    expect(await reverse.forward(going)).toBe('stopped');
    expect(machine.inspect.registers().rip).toBe(rips[0]);
  });
});

it('keeps within its bounds, at growing distances', async () => {
  const { guest, reverse } = await session('jit');
  const { machine } = guest;
  reverse.end();
  expect(machine.checkpoints.list()).toHaveLength(0);
  let mark = 0;
  machine.checkpoints.keep({ instructions: 1000, bytes: 64 * 0x100000, mark: () => mark++ });
  for (let i = 0; i < 120; i++) {
    machine.checkpoints.take();
    guest.type('x');
    machine.run.advance(2000);
  }
  const list = machine.checkpoints.list();
  expect(list.length).toBeLessThanOrEqual(48);
  expect(list.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThan(64 * 0x100000);
});

it('takes none before the last one is paid for: their cost is bounded, not their distance', async () => {
  const { guest, reverse } = await session('jit');
  const { machine } = guest;
  reverse.end();
  // Each read of the clock is 1 ms later, so a checkpoint takes 1 ms, and 19 reads have to pass.
  let now = 0;
  machine.checkpoints.keep({ instructions: 1000, bytes: 64 * 0x100000, mark: () => 0, wallClock: () => now++ });
  const taken = (): number => machine.checkpoints.list().length;
  const looks: number[] = [];
  for (let known = taken(); looks.length < 4; ) {
    guest.type('x');
    machine.run.advance(2000);
    if (taken() === known) continue;
    known = taken();
    looks.push(now);
  }
  for (const [i, at] of looks.entries()) expect(at - (looks[i - 1] ?? 0)).toBeGreaterThanOrEqual(20);
});
