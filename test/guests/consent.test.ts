/** What the machine knows about a guest that was not asked for consent, and about one that cannot continue. */
import { beforeAll, describe, expect, it } from 'vitest';
import { Monitor } from '../../engine/monitor/index';
import { testEnv } from '../../engine/monitor/testing';
import { layoutFormat } from '../../engine/snapshot/index';
import { Guest, MIB, rootFile } from './harness';
import { BLOCK, Linux, missing } from './linux';

const kernel = rootFile('guests/memlab/memlab.elf');

const monitorOf = (machine: Guest['machine']): ((line: string) => Promise<string>) => {
  const monitor = new Monitor(machine, testEnv(layoutFormat));
  return (line) => monitor.execute(line);
};

describe.skipIf(missing)('a Linux that was not asked', () => {
  let linux: Linux;
  let hmp: (line: string) => Promise<string>;

  beforeAll(async () => {
    linux = await Linux.boot();
    hmp = monitorOf(linux.machine);
    linux.plug('dimm1', BLOCK);
    linux.sh('sleep 1');
  });

  it('is reported in the dry run, with the command that asks it and the nearest address it accepts', async () => {
    const slot = linux.machine.memory.memslotAt(linux.machine.dimms.list()[0]!.addr / 4096)!.slot;
    await hmp('changeset_begin');
    await hmp(`memslot_move ${slot} 0x40200000`);
    const warned = await hmp('changeset_check');
    expect(warned).toContain('would commit: 1 change');
    expect(warned).toMatch(
      /warning: the guest uses memslot \d+ \(dimm1\) at 0x[0-9a-f]+ and is not asked; device_move dimm1 0x40200000 asks it \(address must be aligned/,
    );
    expect(linux.machine.changeSet.entries[0]?.unasked).toMatchObject([{ how: 'moves', ask: { nearest: 0x40000000 } }]);
    await hmp('changeset_abort');
    // Board RAM too; dirty logging removes nothing.
    await hmp('changeset_begin');
    await hmp('memslot_del 3');
    expect(await hmp('changeset_check')).toMatch(
      /warning: the guest uses memslot 3 \(ram\.a\) at 0x100000 and is not asked; it will crash\n/,
    );
    await hmp('changeset_abort');
    await hmp('changeset_begin');
    await hmp('memslot_flags 3 -l');
    expect(await hmp('changeset_check')).not.toContain('warning');
    await hmp('changeset_abort');
  });

  it('is reported by undo, redo and layout_load too', async () => {
    const { machine } = linux;
    const slot = machine.memory.memslotAt(machine.dimms.list()[0]!.addr / 4096)!.slot;
    const warning = `warning: the guest uses memslot ${slot} (dimm1) at 0x${machine.dimms.list()[0]!.addr.toString(16)} and is not asked; device_move dimm1 0x48000000 asks it\n`;
    await hmp('layout_save here');
    expect(await hmp(`memslot_move ${slot} 0x48000000`)).toBe(warning);
    await hmp('layout_save moved');
    // The guest has not run in between, so putting its memory back takes nothing from it.
    expect(await hmp('undo')).toMatch(/^undid /);
    expect(await hmp('redo')).toMatch(new RegExp(`^${warning.replace(/[()]/g, '\\$&')}redid `));
    expect(await hmp('layout_load here')).toBe('');
    expect(await hmp('layout_load moved')).toBe(warning);
    expect(await hmp('layout_load here')).toBe('');
  });

  it('that panics is known to have panicked, also after a load', () => {
    expect(linux.machine.run.condition).toBeUndefined();
    linux.guest.type('echo c > /proc/sysrq-trigger\r');
    linux.guest.until('Kernel panic - not syncing');
    linux.machine.run.advance(1e6);
    expect(linux.machine.run.condition).toBe('panicked');
    const state = linux.machine.snapshot.capture();
    linux.machine.reset();
    expect(linux.machine.run.condition).toBeUndefined();
    linux.machine.snapshot.restore(state);
    expect(linux.machine.run.condition).toBe('panicked');
  });
});

describe('memlab', () => {
  it('follows its DIMMs, so they raise no warning; its own code and tables do', async () => {
    const guest = await Guest.boot({ guest: { name: 'memlab', kernel }, slots: 4, maxmem: 2 ** 30 });
    guest.until('lab> ');
    const { machine } = guest;
    const hmp = monitorOf(machine);
    machine.backends.add('m', 64 * MIB);
    machine.dimms.plug({ id: 'dimm1', memdev: 'm' });
    guest.until('64 MiB\r\nlab> ');
    const slot = machine.memory.memslotAt(machine.dimms.list()[0]!.addr / 4096)!.slot;
    expect(await hmp(`memslot_move ${slot} 0x30000000`)).toBe('');
    await hmp('changeset_begin');
    await hmp('memslot_del 3');
    expect(await hmp('changeset_check')).toMatch(
      /the guest uses memslot 3 \(the code that vCPU 0 runs\) at 0x1[0-9a-f]{5} and is not asked; it will crash/,
    );
    await hmp('changeset_abort');
  });

  it('that halts with interrupts off is known to be halted', async () => {
    const guest = await Guest.boot({ guest: { name: 'memlab', kernel } });
    guest.until('lab> ');
    expect(guest.machine.run.condition).toBeUndefined();
    guest.type('halt\r');
    guest.until('halt');
    guest.machine.run.advance(100_000);
    expect(guest.machine.run.condition).toBe('halted');
    guest.type('mem\r');
    guest.machine.run.advance(100_000);
    expect(guest.machine.run.condition).toBe('halted');
    guest.machine.reset();
    expect(guest.machine.run.condition).toBeUndefined();
  });
});
