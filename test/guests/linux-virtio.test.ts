/** A stock Linux with virtio-mem and a balloon: it plugs and unplugs its memory itself, as the monitor requests. */
import { beforeAll, describe, expect, it } from 'vitest';
import { Monitor } from '../../engine/monitor/index';
import { testEnv } from '../../engine/monitor/testing';
import { loadMachine, saveMachine } from '../../engine/snapshot/index';
import { GIB, Guest, MIB } from './harness';
import { BLOCK, Linux, linuxImage, missing } from './linux';

/** Little of its memory is free, so that files must go to plugged memory. */
const RAM = 96 * MIB;
const DEVICES = {
  ram: RAM,
  objects: [{ id: 'vmem0', size: GIB }],
  virtio: [
    { driver: 'virtio-mem' as const, id: 'vm0', memdev: 'vmem0' },
    { driver: 'virtio-balloon-device' as const, id: 'balloon0' },
  ],
};
/** Limit of instructions for the guest to plug or unplug the requested size. */
const LIMIT = 4e9;

describe.skipIf(missing)('a stock Linux with virtio-mem and a balloon', () => {
  let linux: Linux;
  let monitor: Monitor;
  let total: number;

  const plugged = (): number => linux.machine.virtio.mems()[0]!.size;
  /** First gpa and size of each memslot of vm0. */
  const slots = () =>
    linux.machine.memory
      .memslots()
      .filter(({ userspaceAddr }) => linux.machine.host.backingOf(userspaceAddr)?.id === 'vmem0')
      .map(({ baseGfn, npages }) => [baseGfn * 4096, npages * 4096]);

  function runUntil(there: () => boolean): void {
    const end = linux.machine.run.instructions + LIMIT;
    while (!there()) {
      if (linux.machine.run.instructions >= end)
        throw new Error(`the guest does not reach that size; its log: ${linux.sh('dmesg | tail')}`);
      linux.machine.run.advance(1e6);
    }
  }

  async function resize(size: string, bytes: number): Promise<void> {
    expect(await monitor.execute(`qom-set vm0 requested-size ${size}`)).toBe('');
    runUntil(() => plugged() === bytes);
    linux.sh('sleep 2');
  }

  const sizeEvents = (): unknown[] => linux.events.filter(({ event }) => event === 'MEMORY_DEVICE_SIZE_CHANGE').map(({ data }) => data);

  beforeAll(async () => {
    linux = await Linux.boot(DEVICES);
    monitor = new Monitor(linux.machine, testEnv());
    total = linux.meminfo('MemTotal');
  });

  it('finds both devices and has none of their memory', () => {
    expect(linux.complaints()).toEqual([]);
    expect(linux.sh('ls /sys/bus/virtio/drivers/virtio_mem /sys/bus/virtio/drivers/virtio_balloon')).toMatch(
      /virtio_balloon:\n.*virtio1[\s\S]*virtio_mem:\n.*virtio0/,
    );
    expect(linux.sh('grep virtio0 /proc/iomem | head -1')).toBe('08000000-47ffffff : virtio0');
    expect(slots()).toEqual([]);
  });

  it('grows by the requested size, reports it, and stores a file that did not fit before', async () => {
    const free = linux.meminfo('MemFree');
    const holes = linux.machine.inspect.holes.total;
    await resize('256M', 256 * MIB);
    expect(linux.machine.inspect.holes.total).toBe(holes);
    expect(linux.meminfo('MemTotal') - total).toBeGreaterThanOrEqual(240 * MIB);
    expect(sizeEvents().at(-1)).toEqual({ size: 256 * MIB, 'qom-path': '/machine/peripheral/vm0', id: 'vm0' });
    expect(slots()).toEqual([[BLOCK, 256 * MIB]]);
    expect(await monitor.execute('info memory-devices')).toBe(
      'Memory device [virtio-mem]: "vm0"\n  memaddr: 0x8000000\n  node: 0\n  requested-size: 268435456\n  size: 268435456\n' +
        '  max-size: 1073741824\n  block-size: 2097152\n  memdev: /objects/vmem0\n',
    );
    expect(await monitor.execute('info memory_size_summary')).toBe(`base memory: ${RAM}\nplugged memory: 268435456\n`);

    const size = Math.ceil(free / MIB) + 8;
    linux.sh('mkdir -p /mnt/t; mount -t tmpfs -o size=200m t /mnt/t');
    linux.sh(`dd if=/dev/urandom of=/mnt/t/file bs=1M count=${size} 2>&1; md5sum /mnt/t/file > /sum`);
    expect(linux.sh('md5sum -c /sum')).toBe('/mnt/t/file: OK');
  });

  it('survives a snapshot in the middle, and continues in another machine', async () => {
    const { machine } = linux;
    const before = await machine.digest();
    const { bytes } = await saveMachine(machine, 0);
    linux.sh('rm /mnt/t/file');
    await resize('0', 0);
    expect(await loadMachine(machine, bytes)).toBeUndefined();
    expect(await machine.digest()).toBe(before);
    expect(plugged()).toBe(256 * MIB);
    expect(linux.sh('md5sum -c /sum')).toBe('/mnt/t/file: OK');

    const guest = await Guest.boot({ slots: 8, maxmem: 4 * GIB, guest: linuxImage(), ...DEVICES });
    expect(await loadMachine(guest.machine, bytes)).toBeUndefined();
    expect(await guest.machine.digest()).toBe(before);
    expect(guest.machine.backends.list().find(({ id }) => id === 'vmem0')?.busy).toBe('vm0');
    guest.since();
    guest.type('md5sum -c /sum\r');
    guest.until('/mnt/t/file: OK', LIMIT);
  });

  it('gives memory back block by block, except where it cannot move pages, and loses nothing', async () => {
    const holes = linux.machine.inspect.holes.total;
    await resize('160M', 160 * MIB);
    const mapped = slots().reduce((sum, [, size]) => sum + size!, 0);
    expect(mapped).toBe(160 * MIB);
    expect(linux.sh('md5sum -c /sum')).toBe('/mnt/t/file: OK');
    linux.sh('umount /mnt/t');
    await resize('0', 0);
    expect(linux.meminfo('MemTotal')).toBe(total);
    // It never accesses unplugged memory.
    expect(linux.machine.inspect.holes.total).toBe(holes);
    expect(slots()).toEqual([]);
    expect(sizeEvents().at(-1)).toMatchObject({ size: 0 });
    // Unplugged memory is zero: host memory beyond boot RAM holds nothing.
    const { hva, size } = linux.machine.backends.list().find(({ id }) => id === 'vmem0')!;
    const { ram } = linux.machine.snapshot.capture();
    const kept = ram.flatMap(({ pages }) => [...pages]).filter((page) => page * 4096 >= hva && page * 4096 < hva + size);
    expect(kept).toEqual([]);
  });

  it('fills its balloon as far as requested, and empties it', async () => {
    expect(await monitor.execute('info balloon')).toBe('balloon: actual=96\n');
    expect(await monitor.execute('balloon 72')).toBe('');
    runUntil(() => linux.machine.virtio.balloon()!.actual === 72 * MIB);
    linux.sh('sleep 2');
    expect(await monitor.execute('info balloon')).toBe('balloon: actual=72\n');
    expect(total - linux.meminfo('MemTotal')).toBe(24 * MIB);
    const told = linux.events.filter(({ event }) => event === 'BALLOON_CHANGE').map(({ data }) => data.actual);
    expect(told.at(-1)).toBe(72 * MIB);
    // At most one event per second of guest time, although it reports every 256 pages.
    expect(told.length).toBeLessThan(5);
    await monitor.execute('balloon 96');
    runUntil(() => linux.machine.virtio.balloon()!.actual === RAM);
    expect(linux.meminfo('MemTotal')).toBe(total);
  });

  it('shares the window with DIMMs', async () => {
    expect(linux.plug('d1', BLOCK).addr).toBe(9 * BLOCK);
    linux.sh('sleep 1');
    await resize('128M', 128 * MIB);
    expect(linux.meminfo('MemTotal') - total).toBeGreaterThanOrEqual(240 * MIB);
    expect(linux.unplug('d1')).toBe(true);
  });

  it('plugs the requested size again after a reboot', () => {
    linux.guest.type('reboot -f\r');
    linux.boots();
    runUntil(() => plugged() === 128 * MIB);
    linux.sh('sleep 1');
    expect(linux.meminfo('MemTotal') - total).toBeGreaterThanOrEqual(120 * MIB);
    expect(linux.complaints()).toEqual([]);
    expect(linux.guest.events.filter((event) => event.type === 'log' && event.text.includes('virtio'))).toEqual([]);
  });
});
