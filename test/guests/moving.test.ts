/** DIMMs that move: in host memory (memslot_rehost) and in the guest's (device_move), under memlab. */
import { beforeEach, describe, expect, it } from 'vitest';
import { Monitor, noticeOf } from '../../engine/monitor/index';
import { layoutFormat } from '../../engine/snapshot/index';
import { Guest, MIB, rootFile } from './harness';

const kernel = rootFile('guests/memlab/memlab.elf');
const ADDR = 0x10000000;
const SIZE = 8 * MIB;

let guest: Guest;
let monitor: Monitor;
let notices: string[];

const slot = () => guest.machine.memory.memslotAt(ADDR / 4096)!.slot;
const backing = () => guest.machine.backends().find(({ id }) => id === 'm')!.hva;
const sum = () => /0x[0-9a-f]+/.exec(guest.command(`sum ${ADDR} 8M`).split('\n').slice(1).join(''))?.[0];

beforeEach(async () => {
  guest = await Guest.boot({ guest: { name: 'memlab', kernel }, ram: 16 * MIB, slots: 8, maxmem: 2 ** 40 });
  guest.until('lab> ', 5e6);
  const layouts = new Map<string, string>();
  monitor = new Monitor(guest.machine, {
    layouts: {
      get: async (name) => layouts.get(name),
      set: async (name, text) => void layouts.set(name, text),
      delete: async (name) => void layouts.delete(name),
      keys: async () => [...layouts.keys()],
    },
    format: layoutFormat,
    linkBase: '',
    quit: () => {},
  });
  notices = [];
  guest.machine.subscribe((event) => {
    const notice = noticeOf(event);
    if (notice !== undefined) notices.push(notice);
  });
  guest.machine.addBackend('m', SIZE);
  guest.machine.plugDimm({ id: 'd', memdev: 'm', addr: ADDR });
  guest.until('8 MiB\r\nlab> ');
  guest.command(`fill ${ADDR} 8M 0x123456789abcdef`);
});

describe('memslot_rehost', () => {
  it('takes contents and slots along, in one change set with a split and a move of the upper half', async () => {
    const before = sum();
    const [old, inUse] = [backing(), guest.machine.stats().host_memory];
    const lines = [
      'changeset_begin',
      `memslot_rehost ${slot()}`,
      `memslot_split ${slot()} ${ADDR + 4 * MIB} 60`,
      'changeset_check',
      'changeset_commit',
    ];
    const answers: string[] = [];
    for (const line of lines) answers.push(await monitor.execute(line));
    expect(answers.slice(0, 3)).toEqual(['', '', '']);
    expect(answers[3]).toMatch(/^would commit: 2 changes/);
    expect(answers[4]).toMatch(/^generation /);
    expect(backing()).not.toBe(old);
    expect(guest.machine.memory.memslotById(60)).toMatchObject({ userspaceAddr: backing() + 4 * MIB });
    expect(sum()).toBe(before);
    expect(guest.machine.dimms()).toMatchObject([{ id: 'd', memdev: 'm', addr: ADDR, pendingUnplug: false }]);
    expect(guest.machine.stats().host_memory).toBe(inUse);
    expect(await monitor.execute('undo')).toMatch(/^Error: /);
  });

  it('is refused as a legacy commit, for a slot that is not there, and twice for one backing; nothing stays taken', async () => {
    const inUse = guest.machine.stats().host_memory;
    expect(await monitor.execute('memslot_rehost 77')).toBe('Error: EINVAL: slot 77 does not exist\n');
    await monitor.execute('changeset_begin');
    await monitor.execute(`memslot_rehost ${slot()}`);
    expect(await monitor.execute('changeset_commit -l')).toMatch(/^Error: memslot_rehost needs an atomic commit/);
    await monitor.execute(`memslot_rehost ${slot()}`);
    expect(await monitor.execute('changeset_commit')).toMatch(/^entry 2: EINVAL: this backing is moved twice/);
    expect(await monitor.execute('info changeset')).toContain(`1: memslot_rehost ${slot()}\n`);
    await monitor.execute('changeset_abort');
    expect(guest.machine.stats().host_memory).toBe(inUse);
  });

  it('leaves a DIMM that can be unplugged, wherever its parts are', async () => {
    await monitor.execute(`memslot_split ${slot()} ${ADDR + MIB} 60`);
    expect(await monitor.execute('memslot_rehost 60')).toBe('');
    guest.machine.unplugDimm('d');
    guest.machine.runInstructions(5e6);
    expect(guest.machine.dimms()).toEqual([]);
    expect(guest.machine.memory.memslotAt(ADDR / 4096)).toBeUndefined();
    const at = backing();
    guest.machine.deleteBackend('m');
    expect(guest.machine.backingOf(at)).toBeUndefined();
  });
});

describe('device_move', () => {
  it('unplugs the DIMM and plugs it in at the new address, and says how it goes', async () => {
    expect(await monitor.execute('device_move d 0x20000000')).toBe('');
    guest.machine.runInstructions(5e6);
    expect(guest.machine.dimms()).toMatchObject([{ id: 'd', addr: 0x20000000, pendingUnplug: false }]);
    expect(notices).toContain('d: given back, and plugged in again at 0x20000000');
    expect(guest.command('peek 0x20000000')).toContain('123456789abcdef');
  });

  it('leaves the DIMM where it is when the guest keeps it', async () => {
    guest.command('hold 0');
    expect(await monitor.execute('device_move d 0x20000000')).toBe('');
    guest.machine.runInstructions(5e6);
    expect(guest.machine.dimms()).toMatchObject([{ id: 'd', addr: ADDR, pendingUnplug: false }]);
    expect(notices.at(-1)).toMatch(/^d: the guest keeps it/);
    expect(guest.machine.memory.memslotAt(0x20000000 / 4096)).toBeUndefined();
  });

  it.each([
    ['device_move nope 0x20000000', "Error: Device 'nope' not found\n"],
    ['device_move d 0x20000001', 'Error: address must be aligned to 0x200000 bytes\n'],
    ['device_move d 0', /^Error: can't add memory device/],
    ['device_move d', /Try "help device_move"/],
  ])('refuses %s', async (line, answer) => {
    expect(await monitor.execute(line)).toMatch(answer);
    expect(guest.machine.dimms()).toMatchObject([{ addr: ADDR, pendingUnplug: false }]);
  });
});
