import { beforeEach, describe, expect, it } from 'vitest';
import { GIB, Guest, MIB, rootFile } from './harness';

const kernel = rootFile('guests/memlab/memlab.elf');
let guest: Guest;

async function boot(): Promise<Guest> {
  const booted = await Guest.boot({ guest: { name: 'memlab', kernel } });
  booted.until('lab> ');
  return booted;
}

beforeEach(async () => {
  guest = await boot();
});

/** Two DIMMs of 64 MiB with different first words. */
function plugTwo(): void {
  for (const id of ['1', '2']) {
    guest.machine.backends.add(`mem${id}`, 64 * MIB);
    guest.machine.dimms.plug({ id: `dimm${id}`, memdev: `mem${id}` });
    guest.until('memory hotplug: DIMM slot');
  }
  guest.command('poke 0x8000000 0x1111111111111111');
  guest.command('poke 0x10000000 0x2222222222222222');
}

function stageExchange(): void {
  const { changeSet, memory } = guest.machine;
  const a = memory.memslotAt(0x8000)!;
  const b = memory.memslotAt(0x10000)!;
  changeSet.begin();
  changeSet.stage({ op: 'move', slot: a.slot, gpa: 0x10000000 });
  changeSet.stage({ op: 'move', slot: b.slot, gpa: 0x8000000 });
}

describe('memlab', () => {
  it('reaches its prompt and answers', () => {
    expect(guest.command('help')).toContain('watch');
    expect(guest.command('peek 0x100000')).toContain('1badb002');
  });

  it('is notified of a DIMM by an interrupt, uses it, and gives it back', () => {
    guest.machine.backends.add('mem1', 64 * MIB);
    guest.machine.dimms.plug({ id: 'dimm1', memdev: 'mem1' });
    expect(guest.until('64 MiB')).toContain('memory hotplug: DIMM slot 0 at 0x08000000');
    expect(guest.command('mem')).toMatch(/0\s+0x08000000\s+64 MiB\s+plugged/);
    guest.machine.dimms.unplug('dimm1');
    expect(guest.until('given back')).toContain('DIMM slot 0 at 0x08000000');
    expect(guest.machine.dimms.list()).toEqual([]);
    guest.machine.backends.delete('mem1');
  });

  it('uses a DIMM above 4 GiB', () => {
    guest.machine.backends.add('mem1', 64 * MIB);
    guest.machine.dimms.plug({ memdev: 'mem1', addr: 4 * GIB });
    guest.until('memory hotplug: DIMM slot 0 at 0x100000000');
    guest.command('poke 0x100000008 0x1234');
    expect(guest.command('peek 0x100000008')).toContain('1234');
    expect(guest.machine.physical.read(4 * GIB + 8, 2)).toEqual(Uint8Array.of(0x34, 0x12));
  });

  it('sees an exchange in one change set as one change and no hole', async () => {
    plugTwo();
    guest.type('watch 0x8000000\r');
    guest.until('any key ends');
    guest.machine.run.advance(1_000_000);
    stageExchange();
    expect(await guest.machine.changeSet.commit()).toMatchObject({ ok: true, swaps: 2 });
    const seen = guest.until('0x2222222222222222');
    expect(seen).toContain('changed  0x1111111111111111 -> 0x2222222222222222');
    guest.type('q');
    const end = guest.until('lab> ');
    expect(seen + end).not.toContain('hole ');
    expect(end).toContain(', 1 change, 0 holes');
    expect(guest.machine.inspect.holes.total).toBe(0);
    expect(guest.text).toContain('memory moved: DIMM slot 0 from 0x08000000 to 0x10000000');
  });

  it('sees the same exchange one ioctl after another as a hole', async () => {
    plugTwo();
    guest.type('watch 0x8000000\r');
    guest.until('any key ends');
    guest.machine.run.advance(1_000_000);
    stageExchange();
    expect((await guest.machine.changeSet.commit({ legacy: true })).ok).toBe(true);
    const seen = guest.until('0x2222222222222222');
    expect(seen).toMatch(/hole\s+\d+ reads answered by the bus/);
    guest.type('q');
    guest.until(', 1 change, 1 hole');
    expect(guest.machine.inspect.holes.total).toBeGreaterThan(0);
  });

  it('runs the same in one slice and in many: equal digests', async () => {
    const other = await boot();
    for (const one of [guest, other]) {
      one.type('watch 0x100000\r');
      one.until('any key ends');
    }
    const goal = Math.max(guest.machine.run.instructions, other.machine.run.instructions) + 3_000_000;
    guest.machine.run.advance(goal - guest.machine.run.instructions);
    while (other.machine.run.instructions < goal) other.machine.run.advance(Math.min(7_777, goal - other.machine.run.instructions));
    expect(await other.machine.digest()).toBe(await guest.machine.digest());
    other.machine.run.advance(1000);
    expect(await other.machine.digest()).not.toBe(await guest.machine.digest());
  });

  it('gives a DIMM back and finds it at its new address with its contents', () => {
    plugTwo();
    expect(() => guest.machine.dimms.move('dimm1', 0x10000000)).toThrow("address range conflicts with memory device id='dimm2'");
    guest.machine.dimms.move('dimm1', 4 * GIB);
    guest.until('memory hotplug: DIMM slot 0 at 0x100000000');
    expect(guest.command('peek 0x100000000')).toContain('1111111111111111');
    expect(guest.machine.dimms.list().find((dimm) => dimm.id === 'dimm1')).toMatchObject({ addr: 4 * GIB, pendingUnplug: false });
    const moved = { device: 'dimm1', path: '/machine/peripheral/dimm1', addr: 4 * GIB };
    expect(guest.events).toContainEqual({ type: 'qmp', event: 'DEVICE_MOVED', data: moved });
    guest.command('hold 0');
    guest.machine.dimms.move('dimm1', 0x20000000);
    guest.until('stays: held');
    guest.machine.run.advance(100_000);
    expect(guest.machine.dimms.list().find((dimm) => dimm.id === 'dimm1')).toMatchObject({ addr: 4 * GIB, pendingUnplug: false });
  });

  it('stops with a reason when the layout has no room for it at a reset', () => {
    const { memory } = guest.machine;
    memory.setUserMemoryRegion({ slot: 3, guestPhysAddr: 0, memorySize: 0, userspaceAddr: 0 });
    expect(() => guest.machine.reset()).toThrow(/could not load kernel 'memlab': .*not RAM/);
    expect(guest.machine.run.state).toBe('internal-error');
    memory.undo();
    guest.machine.reset();
    expect(guest.machine.run.state).toBe('running');
    guest.until('lab> ');
  });

  it('restarts after a reset, with its DIMM still plugged', () => {
    guest.machine.backends.add('mem1', 64 * MIB);
    guest.machine.dimms.plug({ id: 'dimm1', memdev: 'mem1' });
    guest.until('64 MiB');
    guest.machine.reset();
    guest.until('lab> ');
    expect(guest.command('mem')).toMatch(/0x08000000\s+64 MiB/);
  });

  it('switches off by the power button', () => {
    guest.machine.powerdown();
    guest.until('switching off');
    guest.machine.run.advance(1_000_000);
    expect(guest.machine.run.state).toBe('shutdown');
    expect(guest.events).toContainEqual({ type: 'quit', status: 0 });
  });
});
