/** Layouts: a saved layout can be restored, on the same machine and on a fresh one, and a refused one changes nothing. */
import { describe, expect, it } from 'vitest';
import { HOST_BASE } from '../abi/layout';
import type { Machine } from '../machine/index';
import { testMachine } from '../monitor/testing';
import { applyLayout, captureLayout, layoutText, loadLayout, parseLayout } from './index';
import type { Layout } from './layout';

const MIB = 0x100000;
const GIB4 = 0x100000000;

function plug(machine: Machine, id: string, addr: number, size = 128 * MIB): void {
  machine.backends.add(`mem-${id}`, size);
  machine.dimms.plug({ id, memdev: `mem-${id}`, addr });
}

/** The contents of a layout, without hvas. */
const shape = (machine: Machine): unknown =>
  machine.memory.memslots(0).map((slot) => {
    const backing = machine.host.backingOf(slot.userspaceAddr)!;
    return [slot.slot, slot.flags, slot.baseGfn, slot.npages, backing.id, backing.offset];
  });

const slotAt = (machine: Machine, gpa: number): number => machine.memory.memslotAt(gpa / 4096)!.slot;

async function exchanged(): Promise<Machine> {
  const machine = await testMachine();
  plug(machine, 'd1', GIB4);
  plug(machine, 'd2', GIB4 + 128 * MIB);
  const [a, b] = [slotAt(machine, GIB4), slotAt(machine, GIB4 + 128 * MIB)];
  machine.changeSet.begin();
  machine.changeSet.stage({ op: 'move', slot: a, gpa: GIB4 + 128 * MIB });
  machine.changeSet.stage({ op: 'move', slot: b, gpa: GIB4 });
  machine.changeSet.stage({ op: 'add', slot: 40, gpa: 2 ** 40, size: 2 * MIB, hva: machine.host.allocate(2 * MIB, 'bare.40'), flags: 3 });
  expect((await machine.changeSet.commit()).ok).toBe(true);
  return machine;
}

describe('a layout', () => {
  it('contains no hva and names every backing', async () => {
    const layout = captureLayout(await exchanged());
    expect(layout.machine).toEqual({ ram: 256 * MIB, slots: 8, maxmem: 2048 * MIB });
    expect(layout.bare).toEqual([{ id: 'bare.40', size: 2 * MIB }]);
    expect(layout.dimms.map((dimm) => dimm.id)).toEqual(['d1', 'd2']);
    expect(layout.memslots.find((slot) => slot.slot === 40)).toEqual({
      slot: 40,
      flags: 3,
      gpa: 2 ** 40,
      size: 2 * MIB,
      backing: 'bare.40',
      offset: 0,
    });
    expect(layoutText(layout)).not.toContain('hva');
  });

  it('is restored on a fresh machine', async () => {
    const source = await exchanged();
    const target = await testMachine();
    expect(await loadLayout(target, layoutText(captureLayout(source)))).toBeUndefined();
    expect(shape(target)).toEqual(shape(source));
    expect(target.dimms.list().map(({ id, memdev, slot }) => [id, memdev, slot])).toEqual(
      source.dimms.list().map(({ id, memdev, slot }) => [id, memdev, slot]),
    );
    expect(layoutText(captureLayout(target))).toBe(layoutText(captureLayout(source)));
  });

  it('is restored, with its memory, on the machine it was taken from', async () => {
    const machine = await exchanged();
    machine.physical.write(GIB4, Uint8Array.of(7));
    machine.physical.write(2 ** 40, Uint8Array.of(9));
    const saved = layoutText(captureLayout(machine));
    const before = shape(machine);
    const hva = machine.memory.memslotById(40)!.userspaceAddr;
    machine.changeSet.begin();
    machine.changeSet.stage({ op: 'del', slot: slotAt(machine, GIB4) });
    machine.changeSet.stage({ op: 'move', slot: 40, gpa: 2 ** 41 });
    await machine.changeSet.commit();
    const generation = machine.memory.generation();
    expect(await loadLayout(machine, saved)).toBeUndefined();
    expect(shape(machine)).toEqual(before);
    expect(machine.memory.memslotById(40)!.userspaceAddr).toBe(hva);
    expect([...machine.physical.read(GIB4, 1)!, ...machine.physical.read(2 ** 40, 1)!]).toEqual([7, 9]);
    // One switch: at most two swaps of the two address spaces' generations.
    expect(machine.memory.generation() - generation).toBeLessThanOrEqual(4);
  });

  it('leaves an unknown DIMM plugged but unmapped', async () => {
    const machine = await testMachine();
    const saved = layoutText(captureLayout(machine));
    plug(machine, 'd1', GIB4);
    expect(await loadLayout(machine, saved)).toBeUndefined();
    expect(machine.dimms.list()).toHaveLength(1);
    expect(machine.memory.memslotAt(GIB4 / 4096)).toBeUndefined();
  });

  it('plugs a DIMM elsewhere first when a slot occupies its place', async () => {
    const source = await exchanged();
    const target = await testMachine();
    target.changeSet.begin();
    target.changeSet.stage({ op: 'add', slot: 41, gpa: GIB4, size: 2 * MIB, hva: target.host.allocate(2 * MIB, 'bare.41'), flags: 0 });
    await target.changeSet.commit();
    expect(await loadLayout(target, layoutText(captureLayout(source)))).toBeUndefined();
    expect(shape(target)).toEqual(shape(source));
  });
});

describe('a layout that is refused', () => {
  async function refused(change: (layout: Layout) => void, prepare: (machine: Machine) => void = () => {}): Promise<string> {
    const layout = structuredClone(captureLayout(await exchanged()));
    change(layout);
    const machine = await testMachine();
    prepare(machine);
    const before = [shape(machine), machine.backends.list(), machine.dimms.list(), machine.memory.generation()];
    const reason = await applyLayout(machine, layout);
    expect([shape(machine), machine.backends.list(), machine.dimms.list(), machine.memory.generation()]).toEqual(before);
    expect(reason).toMatch(/^[^\n]+$/);
    return reason!;
  }

  it('is for another machine', async () => {
    expect(
      await refused((layout) => {
        layout.machine.ram = 128 * MIB;
      }),
    ).toBe('it was saved with 128 MiB of RAM; this machine has 256 MiB of RAM (-m)');
    expect(
      await refused((layout) => {
        layout.board[0]!.size += 4096;
      }),
    ).toMatch(/^boot RAM "ram.low" has 659456 bytes there and 655360 here$/);
  });

  it('overlaps', async () => {
    expect(
      await refused((layout) => {
        layout.memslots.find((slot) => slot.slot === 40)!.gpa = GIB4;
      }),
    ).toMatch(/^memslot \d+: EEXIST: /);
  });

  it('meets backends, DIMMs and slots of the machine', async () => {
    expect(
      await refused(
        () => {},
        (machine) => machine.backends.add('mem-d1', 2 * MIB),
      ),
    ).toMatch(/^backend "mem-d1" has 134217728 bytes there and 2097152 here/);
    expect(
      await refused(
        () => {},
        (machine) => plug(machine, 'other', 2 ** 32 + 512 * MIB),
      ),
    ).toMatch(/^DIMM slot 0, of "d1", is taken by "other"/);
    expect(
      await refused(
        () => {},
        (machine) => {
          machine.backends.add('mem-d1', 128 * MIB);
          machine.backends.add('x', 128 * MIB);
          machine.dimms.plug({ id: 'd1', memdev: 'x', addr: GIB4 });
        },
      ),
    ).toBe('DIMM "d1" uses "mem-d1" there and "x" here');
    expect(
      await refused(
        () => {},
        (machine) => machine.changeSet.begin(),
      ),
    ).toMatch(/^a change set is open/);
  });

  it('needs more host memory than there is', async () => {
    expect(
      await refused((layout) => {
        layout.bare.push({ id: 'huge', size: 2 ** 32 - 4096 });
      }),
    ).toMatch(/Cannot allocate memory/);
  });
});

describe('parseLayout', () => {
  it('reads what captureLayout made', async () => {
    const layout = captureLayout(await exchanged());
    expect(parseLayout(layoutText(layout))).toEqual({ ok: true, layout });
  });

  it('names what is wrong', async () => {
    const good = layoutText(captureLayout(await exchanged()));
    const reason = (change: (layout: Record<string, never>) => void): string => {
      const value = JSON.parse(good);
      change(value);
      const parsed = parseLayout(JSON.stringify(value));
      return parsed.ok ? 'accepted' : parsed.reason;
    };
    // biome-ignore lint/suspicious/noExplicitAny: wrong on purpose
    const wrong = (change: (layout: any) => void): string => reason(change as never);
    expect(wrong((l) => (l.version = 2))).toBe('version is 2: this program reads version 1');
    expect(wrong((l) => (l.format = 'x'))).toBe('format is "x", not "memslot-lab layout"');
    expect(wrong((l) => (l.extra = 1))).toBe('layout has a member "extra" that is not known');
    expect(wrong((l) => delete l.dimms)).toBe('layout lacks the member "dimms"');
    expect(wrong((l) => (l.memslots = {}))).toBe('memslots is an object, not a list');
    expect(wrong((l) => (l.memslots[0].gpa = 1.5))).toBe('memslots[0].gpa is 1.5, not a whole number');
    expect(wrong((l) => (l.memslots[0].gpa = 2 ** 53))).toBe('memslots[0].gpa is 9007199254740992, not within 0 to 70368744173568');
    expect(wrong((l) => (l.memslots[0].gpa = 4097))).toBe('memslots[0].gpa is 4097, not a multiple of 4096');
    expect(wrong((l) => (l.memslots[0].gpa = 2 ** 46))).toMatch(/^memslots\[0\].gpa is 70368744177664, not within/);
    expect(wrong((l) => (l.memslots[0].size = -4096))).toMatch(/^memslots\[0\].size is -4096, not within/);
    expect(wrong((l) => (l.memslots[0].size *= 2))).toMatch(/^memslot 0 ends 1310720 bytes into "ram.low", which has 655360$/);
    expect(wrong((l) => (l.memslots[0].flags = 4))).toMatch(/flags is 4/);
    expect(wrong((l) => (l.memslots[1].slot = 0))).toBe('memslot 0 occurs twice');
    expect(wrong((l) => (l.memslots[0].backing = 'nope'))).toBe('memslot 0 names the backing "nope", which is not in the layout');
    expect(wrong((l) => (l.memslots[0].backing = '<b>'))).toMatch(/^memslots\[0\].backing is "<b>": letters/);
    expect(wrong((l) => (l.backends[0].id = 'ram.low'))).toBe('backing "ram.low" occurs twice');
    expect(wrong((l) => (l.dimms[1].slot = 0))).toBe('DIMM slot 0 occurs twice');
    expect(wrong((l) => (l.dimms[0].slot = 9))).toBe('DIMM "d1" has DIMM slot 9, but machine.slots is 8');
    expect(wrong((l) => (l.guest = 'a\nb'))).toMatch(/^guest is "a.*nb"/);
    expect(wrong((l) => (l.backends = Array(5000).fill({ id: 'a', size: 1 })))).toBe('backends has 5000 entries, at most 4096 are read');
    expect(wrong((l) => (l.bare = ['bare.40', 'b'].map((id) => ({ id, size: 2 ** 31 })))).replace(/\d{10}/, 'N')).toBe(
      `its backings take N bytes of host memory, there are ${GIB4 - HOST_BASE}`,
    );
    // Aliases of one small backing, each with a dirty bitmap of its own.
    const aliases = Array.from({ length: 8192 }, (_, slot) => ({
      ...{ slot, flags: 1, gpa: slot * 2 ** 32, size: 2 ** 31, backing: 'bomb', offset: 0 },
    }));
    expect(
      wrong((l) => {
        l.bare = [{ id: 'bomb', size: 2 ** 31 }];
        l.memslots = aliases;
      }),
    ).toBe('the dirty logs of its memslots take 536870912 bytes, at most 67108864 are given');
    expect(parseLayout('nope')).toEqual({ ok: false, reason: 'it is not JSON' });
    expect(parseLayout('[]')).toEqual({ ok: false, reason: 'layout is a list, not an object' });
    expect(parseLayout('null')).toEqual({ ok: false, reason: 'layout is null, not an object' });
    expect(parseLayout(good.replace('{', '{"__proto__":{"x":1},'))).toEqual({
      ok: false,
      reason: 'layout has a member "__proto__" that is not known',
    });
    expect(parseLayout('['.repeat(4_000_000))).toMatchObject({ ok: false });
    expect(parseLayout(' '.repeat(9_000_000))).toEqual({ ok: false, reason: 'it has 9000000 characters, at most 8388608 are read' });
    expect(({} as Record<string, unknown>).x).toBeUndefined();
  });
});

describe('a machine loads what it saved', () => {
  it('with hundreds of backends', async () => {
    const machine = await testMachine();
    for (let n = 0; n < 300; n++) machine.backends.add(`m${n}`, 4096);
    const saved = layoutText(captureLayout(machine));
    const other = await testMachine();
    expect(await loadLayout(other, saved)).toBeUndefined();
    expect(other.backends.list()).toHaveLength(machine.backends.list().length);
  });

  it('or is refused before anything is made: a guest that takes memory in blocks of 128 MiB', async () => {
    const source = await testMachine();
    plug(source, 'd1', GIB4, 128 * MIB);
    plug(source, 'd2', GIB4 + 130 * MIB, 128 * MIB);
    const saved = layoutText(captureLayout(source));
    const machine = await testMachine();
    // As after loading a Linux.
    Object.assign((machine.dimms as unknown as { hooks: object }).hooks, { guestBlock: () => 128 * MIB });
    const before = layoutText(captureLayout(machine));
    expect(await loadLayout(machine, saved)).toBe(
      'DIMM "d2": address 0x108200000 is not a multiple of 128 MiB, in whose blocks this guest takes memory',
    );
    expect(layoutText(captureLayout(machine))).toBe(before);
  });

  it('or is refused with all its memory given back, where host memory runs out half-way', async () => {
    const machine = await testMachine();
    const layout = captureLayout(machine);
    layout.bare.push({ id: 'bare.40', size: 16 * MIB }, { id: 'bare.41', size: 3000 * MIB });
    for (const [slot, backing] of [
      [40, 'bare.40'],
      [41, 'bare.41'],
    ] as const)
      layout.memslots.push({ slot, gpa: slot * 2 ** 40, size: 4096, flags: 0, backing, offset: 0 });
    machine.backends.add('big', 1024 * MIB);
    const before = machine.inspect.stats().host_memory;
    expect(await loadLayout(machine, layoutText(layout))).toMatch(/Cannot allocate memory/);
    expect(machine.inspect.stats().host_memory).toBe(before);
  });
});

describe('a layout and a virtio-mem device', () => {
  const devices = {
    objects: [{ id: 'vmem0', size: 256 * MIB }],
    virtio: [{ driver: 'virtio-mem' as const, id: 'vm0', memdev: 'vmem0' }],
  };

  it('are independent: a layout does not contain what the guest plugged, and loading one keeps it', async () => {
    const machine = await testMachine(devices);
    const [{ addr } = { addr: 0 }] = machine.virtio.mems();
    const { hva } = machine.backends.list().find(({ id }) => id === 'vmem0')!;
    const own = { slot: 256, guestPhysAddr: addr, memorySize: 4 * MIB, userspaceAddr: hva };
    expect(machine.memory.setUserMemoryRegion(own).ok).toBe(true);
    plug(machine, 'd1', GIB4);
    const saved = layoutText(captureLayout(machine));
    expect(saved).not.toContain('vmem0');

    const plain = await testMachine();
    expect(await loadLayout(plain, saved)).toBeUndefined();
    expect(plain.backends.list().map(({ id }) => id)).not.toContain('vmem0');

    machine.memory.setUserMemoryRegion({ ...own, slot: slotAt(machine, GIB4), memorySize: 0 });
    expect(await loadLayout(machine, saved)).toBeUndefined();
    expect(machine.memory.memslotById(256)).toMatchObject({ userspaceAddr: hva, npages: 1024 });
    expect(machine.memory.gpaToHva(GIB4)).toBeGreaterThan(0);
  });

  it('do not share a place: a new DIMM gets another one', async () => {
    const source = await testMachine();
    plug(source, 'd1', 256 * MIB);
    const moved = captureLayout(source);
    const target = await testMachine(devices);
    expect(target.virtio.mems()[0]!.addr).toBe(256 * MIB);
    expect(await loadLayout(target, layoutText(moved))).toBeUndefined();
    expect(target.dimms.list()[0]!.addr).toBe(512 * MIB);
  });
});
