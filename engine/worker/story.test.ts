/** The story of the project in one test: a running guest watches an address while two DIMMs exchange places, atomically and as KVM's users must. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createMachine } from '../machine/index';
import { Monitor } from '../monitor/index';
import { testEnv } from '../monitor/testing';
import { layoutFormat } from '../snapshot/index';

const root = resolve(import.meta.dirname, '../..');
const file = (path: string): Uint8Array<ArrayBuffer> => new Uint8Array(readFileSync(resolve(root, path)));

async function memlab() {
  const machine = await createMachine({
    ram: 64 * 2 ** 20,
    slots: 8,
    maxmem: 2 ** 31,
    smp: 1,
    accel: 'interp',
    core: file('build/core.wasm'),
    guest: { name: 'memlab', kernel: file('guests/memlab/memlab.elf') },
    wallClock: () => 0,
  });
  let printed = '';
  machine.serial.onOutput((bytes) => {
    printed += new TextDecoder().decode(bytes);
  });
  const monitor = new Monitor(machine, testEnv(layoutFormat));
  const run = (): string => {
    machine.run.advance(3_000_000);
    const text = printed;
    printed = '';
    return text;
  };
  /** Types keys for the guest; returns its output. */
  const guest = (keys: string): string => {
    machine.serial.input(new TextEncoder().encode(keys));
    return run();
  };
  /** Runs a monitor line; returns the guest's output during it and for a while after. */
  const lab = async (line: string, expected: RegExp | '' = ''): Promise<string> => {
    const answer = await monitor.execute(line);
    if (expected === '') expect(answer).toBe('');
    else expect(answer).toMatch(expected);
    return run();
  };
  return { machine, lab, guest };
}

describe('two DIMMs exchange places under a running guest', () => {
  it('the guest sees the change and no hole; one ioctl after another it sees the hole', async () => {
    const { machine, lab, guest } = await memlab();
    guest('');
    await lab('object_add memory-backend-ram,id=m1,size=128M');
    await lab('object_add memory-backend-ram,id=m2,size=128M');
    expect(await lab('device_add pc-dimm,id=d1,memdev=m1,addr=0x8000000')).toContain('DIMM slot 0 at 0x08000000, 128 MiB');
    expect(await lab('device_add pc-dimm,id=d2,memdev=m2,addr=0x10000000')).toContain('DIMM slot 1 at 0x10000000, 128 MiB');
    guest('poke 0x8000000 0x1111\r');
    guest('poke 0x10000000 0x2222\r');
    expect(guest('peek 0x8000000\r')).toContain('0x0000000000001111');
    guest('watch 0x8000000\r');
    await lab('changeset_begin');
    await lab('memslot_move 5 0x10000000');
    await lab('memslot_move 6 0x8000000');
    const atomic = await lab('changeset_commit', /^generation \d+, 2 swaps, 65536 pages zapped\n$/);
    expect(atomic).toContain('changed  0x0000000000001111 -> 0x0000000000002222');
    expect(atomic).toContain('memory moved: DIMM slot 0 from 0x08000000 to 0x10000000');
    expect(machine.inspect.holes.total).toBe(0);
    await lab('changeset_begin');
    await lab('memslot_move 5 0x8000000');
    await lab('memslot_move 6 0x10000000');
    const legacy = await lab('changeset_commit -l', /legacy: [1-9]\d* guest accesses fell into a hole\n$/);
    expect(legacy).toMatch(/hole {2,}\d+ reads answered by the bus/);
    expect(legacy).toContain('changed  0x0000000000002222 -> 0x0000000000001111');
    expect(guest('q')).toMatch(/reads, 2 changes, 1 hole/);
    expect(await lab('device_del d1')).toContain('given back, 128 MiB');
    await lab('object_del m1');
    expect(machine.dimms.list().map((dimm) => dimm.id)).toEqual(['d2']);
  });
});
