import { beforeEach, describe, expect, it } from 'vitest';
import type { MachineState } from '../../engine/machine/api';
import { Guest, MIB, rootFile } from './harness';

const kernel = rootFile('guests/memlab/memlab.elf');
const boot = (options = {}) => Guest.boot({ guest: { name: 'memlab', kernel }, ...options });

let guest: Guest;
let saved: MachineState;
let digest: string;

beforeEach(async () => {
  guest = await boot();
  guest.until('lab> ');
  guest.machine.addBackend('mem1', 64 * MIB);
  guest.machine.plugDimm({ id: 'dimm1', memdev: 'mem1' });
  guest.until('64 MiB');
  guest.command('poke 0x8000010 0x5a5a');
  guest.type('watch 0x8000010\r');
  guest.until('any key ends');
  saved = guest.machine.capture();
  digest = await guest.machine.digest();
});

describe('a captured machine', () => {
  it('comes back in a new one and goes on exactly as the first', async () => {
    const other = await boot();
    other.machine.restore(saved);
    expect(await other.machine.digest()).toBe(digest);
    for (const { machine } of [guest, other]) machine.runInstructions(2_000_000);
    expect(await other.machine.digest()).toBe(await guest.machine.digest());
    other.type('q');
    other.until('lab> ');
    expect(other.command('peek 0x8000010')).toContain('5a5a');
    other.machine.unplugDimm('dimm1');
    other.until('given back');
    expect(other.machine.dimms()).toEqual([]);
  });

  it('comes back in the same one after its topology changed', async () => {
    const { machine } = guest;
    machine.memory.splitMemslot(machine.memory.memslotAt(0x8000)!.slot, 0x9000000, 20);
    machine.addBackend('mem2', 2 * MIB);
    machine.plugDimm({ id: 'dimm2', memdev: 'mem2' });
    machine.runInstructions(1_000_000);
    machine.restore(saved);
    expect(await machine.digest()).toBe(digest);
    expect(machine.dimms().map((dimm) => dimm.id)).toEqual(['dimm1']);
    expect(machine.backends().map((backend) => backend.id)).not.toContain('mem2');
  });
});
