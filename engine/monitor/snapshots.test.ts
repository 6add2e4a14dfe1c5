/** savevm, loadvm, delvm, info snapshots: QEMU's texts (reference transcripts), on a store in memory. */
import { beforeEach, describe, expect, it } from 'vitest';
import type { Machine, NamedSnapshot } from '../machine/index';
import { Monitor } from './monitor';
import { replay, testEnv, testMachine } from './testing';
import type { MonitorEnv } from './types';

let machine: Machine;
let monitor: Monitor;
let env: MonitorEnv;
let now: number;
let saved: Map<string, { bytes: Uint8Array; meta: NamedSnapshot }>;

/** Replaces engine/snapshot, which the monitor may not import. */
const format: NonNullable<MonitorEnv['snapshotFormat']> = {
  save: async (_machine, date) => ({ bytes: Uint8Array.of(1), meta: { size: 84_829_798, date, vmClockNs: 10_881_234_567, icount: 397 } }),
  load: async (_machine, bytes) => (bytes[0] === 1 ? undefined : 'it is cut short at byte 5'),
};

beforeEach(async () => {
  machine = await testMachine({ ram: 16 * 0x100000, maxmem: 16 * 0x100000, slots: 0 });
  saved = new Map();
  now = new Date(2026, 10, 22, 7, 50, 10).getTime();
  env = {
    ...testEnv(),
    wallClock: () => now,
    snapshotFormat: format,
    snapshots: {
      put: async (name, bytes, meta) => void saved.set(name, { bytes, meta }),
      get: async (name) => saved.get(name)?.bytes,
      delete: async (name) => void saved.delete(name),
      list: async () => [...saved.values()].map(({ meta }) => meta),
    },
  };
  monitor = new Monitor(machine, env);
});

describe('snapshots', () => {
  it('are listed, replaced and deleted in QEMU words', async () => {
    const transcript = `(lab) info snapshots
There is no snapshot available.
(lab) savevm
(lab) info snapshots
List of snapshots present on all disks:
ID        TAG               VM SIZE                DATE     VM CLOCK     ICOUNT
--        vm-20261122075010 80.9 MiB 2026-11-22 07:50:10 00:00:10.881        397
(lab) savevm one
(lab) savevm one
(lab) loadvm one
(lab) info snapshots
List of snapshots present on all disks:
ID        TAG               VM SIZE                DATE     VM CLOCK     ICOUNT
--        one              80.9 MiB 2026-11-22 07:50:10 00:00:10.881        397
--        vm-20261122075010 80.9 MiB 2026-11-22 07:50:10 00:00:10.881        397
(lab) loadvm nope
Error: Snapshot 'nope' does not exist in one or more devices
(lab) delvm nope
(lab) delvm one
(lab) delvm
delvm: string expected
Try "help delvm" for more information
(lab) savevm " "
Error: " " is not a valid snapshot name: 1 to 64 printable characters, no blank at either end
`;
    expect(await replay(monitor, transcript)).toBe(transcript);
    expect([...saved.keys()]).toEqual(['vm-20261122075010']);
    expect(monitor.complete('loadvm v')).toEqual(['vm-20261122075010']);
  });

  it('that are refused say why', async () => {
    saved.set('bad', { bytes: Uint8Array.of(2), meta: { name: 'bad', size: 1, date: 0, vmClockNs: 0, icount: 0 } });
    expect(await monitor.execute('loadvm bad')).toBe("Error: snapshot 'bad' refused: it is cut short at byte 5\n");
  });

  it('need a folder', async () => {
    const { snapshots: _none, ...without } = env;
    const other = new Monitor(machine, without);
    for (const line of ['savevm', 'loadvm x', 'delvm x', 'info snapshots']) {
      expect(await other.execute(line)).toBe('Error: there is no folder for snapshots: start lab with -snapshots DIR\n');
    }
  });

  it('are saved one at a time, and a store that fails says so', async () => {
    const both = await Promise.all([monitor.execute('savevm a'), monitor.execute('savevm b')]);
    expect(both).toEqual(['', 'Error: a snapshot is being saved or loaded: try again afterwards\n']);
    env.snapshots!.put = async () => {
      throw new Error('The browser has no space left.');
    };
    expect(await monitor.execute('savevm c')).toBe('Error: The browser has no space left.\n');
  });
});

describe('host memory of bare memslots', () => {
  const inUse = (): number => machine.inspect.stats().host_memory!;

  it('is freed by refused, dropped and aborted edits', async () => {
    const before = inUse();
    expect(await monitor.execute('memslot_add 9 0x0 1M')).toContain('Error: EEXIST');
    expect(inUse()).toBe(before);
    await monitor.execute('changeset_begin');
    await monitor.execute('memslot_add 9 0x10000000000 1M');
    expect(await monitor.execute('memslot_add 9 0x20000000000 1M')).toContain('Error: memslot 9 already');
    expect(inUse()).toBe(before + 0x100000);
    await monitor.execute('changeset_abort');
    expect(inUse()).toBe(before);
  });

  it('stays while an undo can bring the slot back, and goes when none can', async () => {
    const before = inUse();
    await monitor.execute('memslot_add 9 0x10000000000 1M');
    await monitor.execute('memslot_del 9');
    await monitor.execute('system_reset');
    expect(inUse()).toBe(before + 0x100000);
    await monitor.execute('undo');
    expect(machine.memory.memslotById(9)).toBeDefined();
    await monitor.execute('undo');
    expect(machine.memory.memslotById(9)).toBeUndefined();
    // A new commit ends what redo could repeat.
    await monitor.execute('memslot_flags 0 -l');
    expect(inUse()).toBe(before);
  });

  it('does not survive an undo of what was there before', async () => {
    await monitor.execute('object_add memory-backend-ram,id=m1,size=1M');
    const { hva } = machine.backends.list().find(({ id }) => id === 'm1')!;
    await monitor.execute(`memslot_add 9 0x10000000000 1M ${hva}`);
    await monitor.execute('memslot_del 9');
    await monitor.execute('object_del m1');
    const before = inUse();
    await monitor.execute('changeset_begin');
    await monitor.execute('memslot_add 10 0x10000000000 1M');
    expect(machine.changeSet.entries[0]!.edit).toMatchObject({ hva });
    await monitor.execute('changeset_abort');
    expect(inUse()).toBe(before);
  });
});
