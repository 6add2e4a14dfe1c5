/** Going back over memlab: the state at an earlier count is that state, by digest, and the way forward leads to the same present. */
import { describe, expect, it } from 'vitest';
import { Guest, rootFile } from '../../../test/guests/harness';
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

async function lab(accel: 'jit' | 'interp', smp = 1): Promise<Lab> {
  let now = 0;
  const guest = await Guest.boot({ guest: { name: 'memlab', kernel }, accel, smp, wallClock: () => (now += 0.01) });
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
  const reverse = new Reverse({ machine, journal, wallClock: () => performance.now(), instructions: 20_000 });
  return {
    guest,
    reverse,
    type(text) {
      entries.push({ at: machine.run.position, text });
      send(text);
    },
  };
}

/** Boots, types, and runs until the guest has nothing to do. */
async function session(accel: 'jit' | 'interp', smp = 1): Promise<Lab> {
  const made = await lab(accel, smp);
  const { guest, type } = made;
  guest.until('lab> ');
  for (const line of ['poke 0x500000 0x77', 'fill 0x600000 0x40000 0x5a', 'poke 0x500000 0x1234', 'sum 0x600000 0x40000']) {
    type(`${line}\r`);
    guest.until('lab> ');
  }
  return made;
}

describe.each(['interp', 'jit'] as const)('going back (%s)', (accel) => {
  it('finds the last write, what memory was before it, and the way to the present again', async () => {
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

  it('steps back one instruction after another to the same states', async () => {
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
