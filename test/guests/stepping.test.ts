import { beforeEach, describe, expect, it } from 'vitest';
import type { PhaseReport } from '../../engine/machine/index';
import { Guest, MIB, rootFile } from './harness';

const kernel = rootFile('guests/memlab/memlab.elf');
const A = 0x8000000;
const B = 0x10000000;
let guest: Guest;
let wall: number;

/** memlab with two DIMMs of 64 MiB, their first words different, and `watch` on the first. The wall clock is the test's. */
async function watching(smp = 1): Promise<Guest> {
  wall = 0;
  const booted = await Guest.boot({ guest: { name: 'memlab', kernel }, smp, wallClock: () => wall });
  booted.until('lab> ');
  for (const id of ['1', '2']) {
    booted.machine.backends.add(`mem${id}`, 64 * MIB);
    booted.machine.dimms.plug({ id: `dimm${id}`, memdev: `mem${id}` });
    booted.until('memory hotplug: DIMM slot');
  }
  booted.command(`poke 0x${A.toString(16)} 0x1111`);
  booted.command(`poke 0x${B.toString(16)} 0x2222`);
  booted.type(`watch 0x${A.toString(16)}\r`);
  booted.until('any key ends');
  return booted;
}

beforeEach(async () => {
  guest = await watching();
});

const slotAt = (gpa: number): number => guest.machine.memory.memslotAt(gpa / 4096)!.slot;

function stageExchange(): number[] {
  const { changeSet } = guest.machine;
  const slots = [slotAt(A), slotAt(B)];
  changeSet.begin();
  changeSet.stage({ op: 'move', slot: slots[0]!, gpa: B });
  changeSet.stage({ op: 'move', slot: slots[1]!, gpa: A });
  return slots;
}

/** Runs the guest for `ms` of wall time, as the runner does. */
function live(ms: number): { idle: boolean; wakeIn?: number } {
  wall += ms;
  return guest.machine.run.until(wall);
}

function stepTo(phase: PhaseReport['phase']): void {
  const { changeSet } = guest.machine;
  while (changeSet.stepping!.phase !== phase) changeSet.step();
}

describe('a commit phase by phase under a running guest', () => {
  it('makes the guest wait at an INVALID slot and shows no hole', () => {
    const { machine } = guest;
    const slots = stageExchange();
    machine.changeSet.beginStepped();
    expect(machine.changeSet.stepping).toMatchObject({ phase: 'validate', done: [], invalid: [], canAbort: true });
    stepTo('swap1');
    const before = machine.run.instructions;
    live(5);
    expect(machine.run.instructions).toBeGreaterThan(before);
    expect(machine.changeSet.stepping).toMatchObject({ swaps: 2, zappedPages: 32768, canAbort: true, retries: 0 });
    stepTo('swap2');
    for (let n = 0; n < 20; n++) live(4);
    const { stepping } = machine.changeSet;
    expect(stepping!.done.map(({ phase }) => phase)).toEqual(['validate', 'prepare', 'swap1', 'zap']);
    expect(stepping!.invalid.toSorted()).toEqual(slots.toSorted());
    expect(stepping!.retries).toBeGreaterThan(0);
    // The guest reads the first of them and no other.
    expect(stepping!.invalidRetries[stepping!.invalid.indexOf(slots[0]!)]).toBe(stepping!.retries);
    expect(stepping!.invalidRetries[stepping!.invalid.indexOf(slots[1]!)]).toBe(0);
    expect(stepping!.canAbort).toBe(false);
    const reports = machine.changeSet.finish();
    expect(reports.at(-1)!.commit).toMatchObject({ ok: true, swaps: 2 });
    expect(machine.changeSet.open).toBe(false);
    expect(machine.changeSet.stepping).toBeUndefined();
    expect(guest.until('0x0000000000002222')).toContain('changed  0x0000000000001111 -> 0x0000000000002222');
    guest.type('q');
    expect(guest.until('lab> ')).toContain(', 1 change, 0 holes');
    expect(machine.inspect.holes.total).toBe(0);
  });

  it('lets time pass and sleeps while the guest waits, instead of retrying all the time', () => {
    const { machine } = guest;
    stageExchange();
    machine.changeSet.beginStepped();
    stepTo('swap2');
    live(1);
    const before = { retries: machine.inspect.stats().retries!, time: machine.run.guestTimeNs };
    const told = live(200);
    expect(told.idle).toBe(true);
    expect(told.wakeIn).toBeGreaterThan(0);
    expect(told.wakeIn).toBeLessThanOrEqual(10e6);
    expect(machine.run.guestTimeNs - before.time).toBeGreaterThan(100e6);
    // Once for each guest timer that expired, and once more.
    expect(machine.inspect.stats().retries! - before.retries).toBeLessThan(1000);
    machine.changeSet.finish();
    expect(guest.until('0x0000000000002222')).toContain('changed');
  });

  it('does not hold up other vCPUs', async () => {
    guest = await watching(2);
    const { machine } = guest;
    stageExchange();
    machine.changeSet.beginStepped();
    stepTo('swap2');
    for (let n = 0; n < 10; n++) live(4);
    expect(machine.changeSet.stepping!.retries).toBeGreaterThan(0);
    machine.changeSet.finish();
    expect(guest.until('0x0000000000002222')).toContain('changed');
    expect(machine.inspect.holes.total).toBe(0);
  });

  it('can be cancelled before swap 1, and the set stays open as it was', () => {
    const { machine } = guest;
    const { changeSet } = machine;
    stageExchange();
    const layout = machine.memory.layout();
    const generation = machine.memory.generation();
    for (const phase of ['validate', 'prepare', 'swap1'] as const) {
      changeSet.beginStepped();
      stepTo(phase);
      changeSet.abort();
      expect(changeSet.stepping).toBeUndefined();
      expect(changeSet.entries).toHaveLength(2);
    }
    expect(machine.memory.generation()).toBe(generation);
    expect(machine.memory.layout()).toEqual(layout);
    changeSet.beginStepped();
    stepTo('zap');
    expect(() => changeSet.abort()).toThrow('past swap 1');
    expect(changeSet.finish().at(-1)!.commit!.ok).toBe(true);
  });

  it('refuses every other change of the layout with a reason, and is not affected by it', () => {
    const { machine } = guest;
    const { changeSet, memory } = machine;
    machine.backends.add('mem3', 64 * MIB);
    const state = machine.snapshot.capture();
    stageExchange();
    changeSet.beginStepped();
    for (const phase of ['prepare', 'zap', 'swap2', 'hooks'] as const) {
      stepTo(phase);
      const refused = [
        () => changeSet.begin(),
        () => changeSet.stage({ op: 'del', slot: 0 }),
        () => changeSet.drop(0),
        () => changeSet.check(),
        () => changeSet.beginStepped(),
        () => machine.dimms.plug({ memdev: 'mem3' }),
        () => machine.dimms.unplug('dimm1'),
        () => machine.dimms.move('dimm1', 0x20000000),
        () => machine.backends.delete('mem3'),
        () => machine.reset(),
        () => machine.snapshot.capture(),
        () => machine.snapshot.restore(state),
        () => machine.changeSet.setZap('all'),
      ];
      for (const action of refused) expect(action).toThrow(/between its phases|already open/);
      expect(memory.zap).toBe('slot');
      expect(changeSet.entries.every((entry) => entry.refusals.length === 0)).toBe(true);
      expect(changeSet.preview()!.find((region) => region.guestPhysAddr === A)!.slot).toBe(6);
    }
    expect(changeSet.finish().at(-1)!.commit!.ok).toBe(true);
    expect(slotAt(A)).toBe(6);
  });

  it('is finished when the guest gives a DIMM back in the middle of it', () => {
    const { machine } = guest;
    guest.type('q');
    guest.until('lab> ');
    machine.dimms.unplug('dimm1');
    machine.changeSet.begin();
    machine.changeSet.stage({ op: 'move', slot: slotAt(B), gpa: 0x20000000 });
    machine.changeSet.beginStepped();
    stepTo('swap2');
    guest.until('given back');
    expect(machine.changeSet.stepping).toBeUndefined();
    expect(machine.dimms.list().map(({ id }) => id)).toEqual(['dimm2']);
    expect(machine.memory.memslotAt(0x20000)).toBeDefined();
    machine.memory.verify();
  });

  it('is finished when the guest resets in the middle of it', () => {
    const { machine } = guest;
    stageExchange();
    machine.changeSet.beginStepped();
    stepTo('zap');
    machine.ports.write(0x64, 1, 0xfe);
    guest.until('lab> ');
    expect(machine.changeSet.stepping).toBeUndefined();
    expect(slotAt(A)).toBe(6);
  });

  it('copies a backing to other host memory at its zap', () => {
    const { machine } = guest;
    const { changeSet, memory } = machine;
    const slot = slotAt(A);
    const hva = memory.memslotById(slot)!.userspaceAddr;
    changeSet.begin();
    changeSet.stage({ op: 'rehost', slot });
    changeSet.beginStepped();
    stepTo('swap1');
    live(5);
    guest.machine.physical.write(A, Uint8Array.of(0x33));
    stepTo('zap');
    live(5);
    expect(guest.until('0x0000000000001133')).toContain('changed');
    changeSet.finish();
    expect(memory.memslotById(slot)!.userspaceAddr).not.toBe(hva);
    live(5);
    guest.type('q');
    expect(guest.until('lab> ')).toContain(', 1 change, 0 holes');
    expect(machine.physical.read(A, 2)).toEqual(Uint8Array.of(0x33, 0x11));
  });

  it('ends at a phase that refuses, and leaves the set open', () => {
    const { machine } = guest;
    const { changeSet, memory } = machine;
    stageExchange();
    changeSet.beginStepped();
    stepTo('swap1');
    memory.setUserMemoryRegion({ ...memory.layout()[0]!, flags: 1 });
    const report = changeSet.step();
    expect(report.commit).toMatchObject({ ok: false, refusals: [{ errno: 'ESTALE' }] });
    expect(changeSet.stepping).toBeUndefined();
    expect(changeSet.entries).toHaveLength(2);
    changeSet.beginStepped();
    expect(changeSet.finish().at(-1)!.commit!.ok).toBe(true);
  });
});
