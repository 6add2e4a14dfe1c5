import { beforeEach, describe, expect, it } from 'vitest';
import type { MachineState } from '../../engine/machine/index';
import { Guest, MIB, rootFile } from './harness';

const kernel = rootFile('guests/memlab/memlab.elf');
const boot = (options = {}) => Guest.boot({ guest: { name: 'memlab', kernel }, ...options });

let guest: Guest;
let saved: MachineState;
let digest: string;

beforeEach(async () => {
  guest = await boot();
  guest.until('lab> ');
  guest.machine.backends.add('mem1', 64 * MIB);
  guest.machine.dimms.plug({ id: 'dimm1', memdev: 'mem1' });
  guest.until('64 MiB');
  guest.command('poke 0x8000010 0x5a5a');
  guest.type('watch 0x8000010\r');
  guest.until('any key ends');
  saved = guest.machine.snapshot.capture();
  digest = await guest.machine.digest();
});

describe('a captured machine', () => {
  it('is restored in a new one and continues exactly like the first', async () => {
    const other = await boot();
    other.machine.snapshot.restore(saved);
    expect(await other.machine.digest()).toBe(digest);
    for (const { machine } of [guest, other]) machine.run.advance(2_000_000);
    expect(await other.machine.digest()).toBe(await guest.machine.digest());
    other.type('q');
    other.until('lab> ');
    expect(other.command('peek 0x8000010')).toContain('5a5a');
    other.machine.dimms.unplug('dimm1');
    other.until('given back');
    expect(other.machine.dimms.list()).toEqual([]);
  });

  it('is restored in the same one after its topology changed', async () => {
    const { machine } = guest;
    machine.memory.splitMemslot(machine.memory.memslotAt(0x8000)!.slot, 0x9000000, 20);
    machine.backends.add('mem2', 2 * MIB);
    machine.dimms.plug({ id: 'dimm2', memdev: 'mem2' });
    machine.run.advance(1_000_000);
    machine.snapshot.restore(saved);
    expect(await machine.digest()).toBe(digest);
    expect(machine.dimms.list().map((dimm) => dimm.id)).toEqual(['dimm1']);
    expect(machine.backends.list().map((backend) => backend.id)).not.toContain('mem2');
  });
});

describe('a captured machine with virtio devices', () => {
  const SIZE = 64 * MIB;
  const devices = {
    objects: [{ id: 'vmem0', size: SIZE }],
    virtio: [{ driver: 'virtio-mem' as const, id: 'vm0', memdev: 'vmem0' }, { driver: 'virtio-balloon-device' as const }],
  };

  it('is restored in a matching one, whatever was plugged there first', async () => {
    const first = await boot(devices);
    first.until('lab> ');
    first.machine.virtio.setRequestedSize('vm0', 32 * MIB);
    const state = first.machine.snapshot.capture();
    const digest = await first.machine.digest();
    const [mem, balloon] = devices.virtio;
    const other = await boot({ ...devices, virtio: [{ ...mem, requested: 8 * MIB }, balloon] });
    other.machine.snapshot.restore(state);
    expect(await other.machine.digest()).toBe(digest);
    expect(other.machine.virtio.mems()).toMatchObject([{ requestedSize: 32 * MIB, size: 0 }]);
    expect(() => other.machine.backends.delete('vmem0')).toThrow('is in use');
  });

  it('is refused by any other, with the difference', async () => {
    const { machine } = await boot(devices);
    const state = machine.snapshot.capture();
    expect(() => guest.machine.snapshot.restore(state)).toThrow(
      "it is of a machine with virtio-mem 'vm0', virtio-balloon-device '', this one is without any (-object, -device)",
    );
    expect(() => machine.snapshot.restore(saved)).toThrow("it is of a machine without virtio devices, this one is with virtio-mem 'vm0'");
    const larger = await boot({ ...devices, objects: [{ id: 'vmem0', size: 2 * SIZE }] });
    expect(() => larger.machine.snapshot.restore(state)).toThrow(
      `device 'vm0' needs a backend 'vmem0' of ${2 * SIZE} bytes, which does not exist`,
    );
    const config = { ...state.machine.config, devices: { objects: [], virtio: [{ driver: 'virtio-mem', id: 7 }] } };
    expect(() => machine.snapshot.restore({ ...state, machine: { ...state.machine, config } })).toThrow(
      /^machine: config devices virtio \[0\] /,
    );
  });
});
