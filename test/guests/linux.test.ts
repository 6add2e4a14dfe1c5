import { beforeAll, describe, expect, it } from 'vitest';
import { breakpointsOf } from '../../engine/debug/index';
import { symbolsOf } from '../../engine/symbols/index';
import { hasFile, MIB } from './harness';
import { BLOCK, BZIMAGE, Linux, missing } from './linux';

if (missing) console.warn(`left out: ${missing}`);

/** The minimum RAM that the lab supports: little is free, so that files must go to plugged memory. */
const RAM = 96 * MIB;
const GIB4 = 2 ** 32;

describe.skipIf(missing)('a stock Linux', () => {
  let linux: Linux;
  let total: number;

  beforeAll(async () => {
    linux = await Linux.boot({ ram: RAM });
    total = linux.meminfo('MemTotal');
  });

  it('is at its shell within 420 million instructions, without a complaint', () => {
    expect(linux.bootInstructions).toBeLessThan(420e6);
    expect(linux.complaints()).toEqual([]);
    expect(linux.sh('nproc; cat /sys/devices/system/clocksource/clocksource0/current_clocksource')).toBe('1\ntsc');
    expect(linux.sh('date +%Y')).toBe('2024');
  });

  it('lets a program step itself over a system call: the trap follows it, and the kernel does not complain', () => {
    // write(1, "in\n", 3) right after a POPF that sets TF, then exit(0).
    const code = 'b801000000 bf01000000 488d3519000000 ba03000000 9c 810c2400010000 9d 0f05 31ff b83c000000 0f05 696e0a'.replaceAll(
      ' ',
      '',
    );
    const header =
      '7f454c46020101000000000000000000 02003e0001000000 7800400000000000 4000000000000000 0000000000000000 00000000 4000 3800 0100 000000000000';
    const segment =
      '01000000 05000000 0000000000000000 0000400000000000 0000400000000000 0002000000000000 0002000000000000 0010000000000000';
    const bytes = `${header}${segment}${code}`.replaceAll(' ', '').match(/../g)!;
    linux.sh(`printf '${bytes.map((byte) => `\\x${byte}`).join('')}' > /tmp/step; head -c 400 /dev/zero >> /tmp/step; chmod +x /tmp/step`);
    expect(linux.sh('/tmp/step; echo $?')).toMatch(/^in\n(Trace.*\n)?133$/);
    expect(linux.complaints()).toEqual([]);
    linux.sh('rm /tmp/step');
  });

  it('names its code from its own memory, and prints a backtrace', () => {
    const { machine } = linux;
    const symbols = symbolsOf(machine);
    expect(symbols.sources()).toEqual([{ name: 'Linux in memory', symbols: expect.any(Number) }]);
    // /proc/kallsyms is the kernel's own list. Linux takes a second to read all of it.
    expect(linux.sh("grep -m 1 ' _text$' /proc/kallsyms")).toBe(`${symbols.find('_text')!.toString(16)} T _text`);
    breakpointsOf(machine).add({
      place: { kind: 'gva', first: symbols.find('vfs_write')!, length: 1 },
      access: { execute: true, read: false, write: false },
      once: true,
    });
    linux.guest.type('echo x > /dev/null\r');
    machine.run.advance(100e6);
    expect(machine.run.state).toBe('paused');
    const { frames, end } = symbols.backtrace(0);
    expect(frames.map(({ symbol = '', by }) => `${symbol.replace(/\+.*/, '')} ${by}`)).toEqual([
      'vfs_write registers',
      'ksys_write ORC',
      'do_syscall_64 ORC',
      'entry_SYSCALL_64_after_hwframe ORC',
      ' ORC',
    ]);
    expect(end).toBe('user mode');
    machine.run.cont();
    linux.sh('true');
  });

  it('uses a DIMM, stores a file in it that did not fit before, moves it to another DIMM, and gives both back', () => {
    const free = linux.meminfo('MemFree');
    expect(linux.plug('d1', 256 * MIB)).toMatchObject({ addr: BLOCK, slot: 0 });
    linux.sh('sleep 1');
    expect(linux.meminfo('MemTotal') - total).toBeGreaterThanOrEqual(240 * MIB);
    expect([...linux.blocks()]).toEqual([0, 1, 2].map((block) => [block, 'online']));

    const size = Math.ceil(free / MIB) + 8;
    linux.sh('mkdir -p /mnt/t; mount -t tmpfs -o size=200m t /mnt/t');
    linux.sh(`dd if=/dev/urandom of=/mnt/t/file bs=1M count=${size} 2>&1`);
    const sum = linux.sh('md5sum /mnt/t/file');
    expect(sum).toMatch(/^[0-9a-f]{32} {2}/);
    linux.plug('d2', BLOCK);
    linux.sh('sleep 1');
    expect(linux.unplug('d1')).toBe(true);
    expect(linux.sh('md5sum /mnt/t/file')).toBe(sum);

    linux.sh('umount /mnt/t');
    expect(linux.unplug('d2')).toBe(true);
    expect(linux.meminfo('MemTotal')).toBe(total);
    expect(linux.machine.dimms.list()).toEqual([]);
    expect(linux.events.filter(({ event }) => event === 'DEVICE_DELETED')).toHaveLength(2);
    for (const id of ['d1-ram', 'd2-ram']) linux.machine.backends.delete(id);
  });

  it('uses a DIMM above 4 GiB', () => {
    linux.plug('high', BLOCK, GIB4);
    linux.sh('sleep 1');
    expect(linux.meminfo('MemTotal') - total).toBeGreaterThanOrEqual(120 * MIB);
    expect(linux.blocks().get(GIB4 / BLOCK)).toBe('online');
    expect(linux.sh('grep -i "system ram" /proc/iomem')).toContain('100000000-107ffffff');
    expect(linux.unplug('high')).toBe(true);
    linux.machine.backends.delete('high-ram');
  });

  it('never notices that its memory is split, copied to other host memory and merged while it computes checksums there', async () => {
    const { machine } = linux;
    const { addr } = linux.plug('busy', BLOCK);
    linux.sh('sleep 1; mount -t tmpfs -o size=100m t /mnt/t; dd if=/dev/urandom of=/mnt/t/f bs=1M count=16 2>&1; md5sum /mnt/t/f > /sum');
    linux.sh('(cp /mnt/t/f /mnt/t/g; md5sum -c /sum; cmp /mnt/t/f /mnt/t/g && echo same) > /result 2>&1 &');
    const backing = () => machine.backends.list().find(({ id }) => id === 'busy-ram')!.hva;
    const { slot } = machine.memory.memslotAt(addr / 4096)!;
    for (let n = 0; n < 8; n++) {
      const before = backing();
      machine.changeSet.begin();
      machine.changeSet.stage({ op: 'rehost', slot });
      machine.changeSet.stage(n % 2 === 0 ? { op: 'split', slot, gpa: addr + 5 * MIB, newSlot: 50 } : { op: 'merge', slots: [slot, 50] });
      expect(await machine.changeSet.commit()).toMatchObject({ ok: true });
      expect(backing()).not.toBe(before);
      machine.run.advance(20e6);
    }
    expect(linux.sh('wait; cat /result')).toMatch(/^\/mnt\/t\/f: OK\nsame$/m);
    expect(linux.machine.dimms.list()).toMatchObject([{ id: 'busy', addr, size: BLOCK }]);
    linux.sh('rm /mnt/t/g');
  });

  it('keeps a file in a DIMM that moves to another address', () => {
    const { machine } = linux;
    linux.sh('dd if=/mnt/t/f of=/mnt/t/g bs=1M count=4 2>&1; rm /mnt/t/f; md5sum /mnt/t/g > /sum');
    machine.dimms.move('busy', GIB4 + BLOCK);
    const end = machine.run.instructions + 4e9;
    while (machine.run.instructions < end && machine.dimms.list()[0]?.addr !== GIB4 + BLOCK) machine.run.advance(1e6);
    linux.sh('sleep 1');
    expect(machine.dimms.list()).toMatchObject([{ id: 'busy', addr: GIB4 + BLOCK, pendingUnplug: false }]);
    expect([...linux.blocks()].map(([block]) => block)).toEqual([0, GIB4 / BLOCK + 1]);
    expect(linux.sh('md5sum -c /sum')).toBe('/mnt/t/g: OK');
    linux.sh('umount /mnt/t');
    expect(linux.unplug('busy')).toBe(true);
    machine.backends.delete('busy-ram');
  });

  it('is never offered a DIMM that it would silently reject', () => {
    const { machine } = linux;
    machine.backends.add('odd', 64 * MIB);
    expect(() => machine.dimms.plug({ memdev: 'odd' })).toThrow(/multiple of 0x8000000: .*128 MiB \(nearest size: 128M\)/);
    machine.backends.delete('odd');
    machine.backends.add('even', BLOCK);
    expect(() => machine.dimms.plug({ memdev: 'even', addr: GIB4 + 2 * MIB })).toThrow(/nearest address: 0x100000000/);
    machine.backends.delete('even');
  });

  it('keeps a DIMM that it cannot empty, and says so', () => {
    linux.plug('stuck', BLOCK);
    linux.sh('sleep 1');
    // Kernel memory cannot be moved: the block goes online for kernel use, and is then filled with directory entries.
    linux.sh('cd /sys/devices/system/memory/memory1; echo 0 > online; echo online_kernel > state; cat valid_zones; cd');
    linux.sh('for i in $(seq 60); do mkdir -p /tmp/d/$i/$i; done; ls -R /proc > /dev/null 2>&1');
    const before = linux.events.length;
    expect(linux.unplug('stuck')).toBe(false);
    const told = linux.events.slice(before);
    expect(told.find(({ event }) => event === 'MEM_UNPLUG_ERROR')?.data).toMatchObject({ device: 'stuck' });
    const [stuck] = linux.machine.dimms.list();
    expect(stuck).toMatchObject({ id: 'stuck', pendingUnplug: false });

    const moved = linux.events.length;
    linux.machine.dimms.move('stuck', GIB4);
    while (linux.machine.dimms.list()[0]?.pendingUnplug) linux.machine.run.advance(1e6);
    expect(linux.machine.dimms.list()).toEqual([stuck]);
    expect(linux.events.slice(moved).map(({ event }) => event)).toContain('MEM_UNPLUG_ERROR');
    expect(linux.meminfo('MemTotal') - total).toBeGreaterThanOrEqual(120 * MIB);
  });

  it('reboots with the DIMM in place, and powers the machine off', () => {
    // Complaints since the boot, from all the tests above.
    expect(linux.complaints()).toEqual([]);
    linux.guest.type('reboot -f\r');
    linux.boots();
    expect(linux.guest.events.some((event) => event.type === 'reset' && event.by === 'guest')).toBe(true);
    expect(linux.meminfo('MemTotal') - total).toBeGreaterThanOrEqual(120 * MIB);
    expect(linux.complaints()).toEqual([]);
    linux.guest.type('poweroff -f\r');
    linux.machine.run.advance(1e9);
    expect(linux.machine.run.state).toBe('shutdown');
    expect(linux.guest.events.at(-1)).toEqual({ type: 'quit', status: 0 });
  });
});

describe.skipIf(missing ?? !hasFile(BZIMAGE))('the untouched bzImage', () => {
  it('boots with nothing but console=ttyS0 as its command line', async () => {
    const linux = await Linux.boot({ bzImage: true, append: 'console=ttyS0', bootLimit: 3e9 });
    expect(linux.sh('cat /proc/cmdline')).toBe('console=ttyS0');
    // KASLR moved the kernel: a symbol file with link addresses moves along, and one of another build is not used.
    const symbols = symbolsOf(linux.machine);
    const text = symbols.find('_text')!;
    const linked = 0xffffffff81000000n;
    expect(text).not.toBe(linked);
    expect(linux.sh("grep -m 1 ' _text$' /proc/kallsyms")).toBe(`${text.toString(16)} T _text`);
    const inFile = (address: bigint): string => (address - text + linked).toString(16);
    const map = (name: string, away: bigint): Promise<unknown> => {
      const lines = `${inFile(text)} T _text\n${inFile(symbols.find('schedule')! + away)} T schedule\n${inFile(text + 0x40n)} T ${name}\n`;
      const bytes = new TextEncoder().encode(lines);
      return symbols.load('System.map', { size: bytes.length, read: async (at, length) => bytes.slice(at, at + length) });
    };
    await expect(map('mine', 0n)).resolves.toMatchObject({ slide: text - linked });
    expect(symbols.find('mine')).toBe(text + 0x40n);
    await expect(map('other', 0x10n)).resolves.toMatchObject({
      unused: 'the kernel that runs has schedule elsewhere: it is another build',
    });
    expect(symbols.find('other')).toBeUndefined();
    expect(linux.complaints()).toEqual([]);
  });
});
