/** DIMMs that move in host memory (memslot_rehost) and in guest memory (device_move), under memlab. */
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
const backing = () => guest.machine.backends.list().find(({ id }) => id === 'm')!.hva;
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
  guest.machine.backends.add('m', SIZE);
  guest.machine.dimms.plug({ id: 'd', memdev: 'm', addr: ADDR });
  guest.until('8 MiB\r\nlab> ');
  guest.command(`fill ${ADDR} 8M 0x123456789abcdef`);
});

describe('memslot_rehost', () => {
  it('moves contents and slots, in one change set with a split and a move of the upper half', async () => {
    const before = sum();
    const [old, inUse] = [backing(), guest.machine.inspect.stats().host_memory];
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
    expect(guest.machine.dimms.list()).toMatchObject([{ id: 'd', memdev: 'm', addr: ADDR, pendingUnplug: false }]);
    expect(guest.machine.inspect.stats().host_memory).toBe(inUse);
    expect(await monitor.execute('undo')).toMatch(/^Error: /);
  });

  it('is refused as a legacy commit, for a missing slot, and twice for one backing; no memory stays allocated', async () => {
    const inUse = guest.machine.inspect.stats().host_memory;
    expect(await monitor.execute('memslot_rehost 77')).toBe('Error: EINVAL: memslot 77 does not exist\n');
    await monitor.execute('changeset_begin');
    await monitor.execute(`memslot_rehost ${slot()}`);
    expect(await monitor.execute('changeset_commit -l')).toMatch(/^Error: memslot_rehost needs an atomic commit/);
    await monitor.execute(`memslot_rehost ${slot()}`);
    expect(await monitor.execute('changeset_commit')).toMatch(/^entry 2: EINVAL: this backing is moved twice/);
    expect(await monitor.execute('info changeset')).toContain(`1: memslot_rehost ${slot()}\n`);
    await monitor.execute('changeset_abort');
    expect(guest.machine.inspect.stats().host_memory).toBe(inUse);
  });

  it('leaves a DIMM that can be unplugged, wherever its parts are', async () => {
    await monitor.execute(`memslot_split ${slot()} ${ADDR + MIB} 60`);
    expect(await monitor.execute('memslot_rehost 60')).toBe('');
    guest.machine.dimms.unplug('d');
    guest.machine.run.advance(5e6);
    expect(guest.machine.dimms.list()).toEqual([]);
    expect(guest.machine.memory.memslotAt(ADDR / 4096)).toBeUndefined();
    const at = backing();
    guest.machine.backends.delete('m');
    expect(guest.machine.host.backingOf(at)).toBeUndefined();
  });
});

describe('memslot_rehost onto a memory backend', () => {
  const say = async (...lines: string[]) => {
    const answers: string[] = [];
    for (const line of lines) answers.push(await monitor.execute(line));
    return answers;
  };
  const busy = () =>
    Object.fromEntries(guest.machine.backends.list().flatMap(({ id, busy: by, kind }) => (kind === 'board' ? [] : [[id, by]])));

  beforeEach(() => {
    guest.machine.backends.add('n', SIZE);
  });

  it('copies the contents, frees the old backend, and the DIMM uses the new one', async () => {
    const before = sum();
    const { hva } = guest.machine.backends.list().find(({ id }) => id === 'n')!;
    const inUse = guest.machine.inspect.stats().host_memory!;
    expect(await monitor.execute(`memslot_rehost ${slot()} n`)).toBe('');
    expect(guest.machine.memory.memslotById(slot())).toMatchObject({ userspaceAddr: hva });
    expect(sum()).toBe(before);
    expect(busy()).toEqual({ m: undefined, n: 'd' });
    expect(await monitor.execute('info memory-devices')).toContain('memdev: /objects/n\n');
    expect(await monitor.execute('info memdev')).toMatch(/backend: n\n[\s\S]*used by: d\nmemory backend: m\n(?![\s\S]*used by: d)/);
    expect(await monitor.execute('info memslots')).toContain('d (n)\n');
    expect(await monitor.execute('info generations')).toContain('  + d\n');
    expect(await say('object_del n', 'object_del m')).toEqual([expect.stringContaining("'n' is in use"), '']);
    expect(guest.machine.inspect.stats().host_memory).toBe(inUse - SIZE);
    guest.machine.dimms.unplug('d');
    guest.machine.run.advance(5e6);
    expect([guest.machine.dimms.list(), await monitor.execute('object_del n')]).toEqual([[], '']);
  });

  it('loses nothing under a guest that keeps writing to it, in both directions', async () => {
    const { changeSet } = guest.machine;
    guest.type(`test ${ADDR} 8M\r`);
    guest.machine.run.advance(2e6);
    const told = guest.since();
    for (let n = 0; n < 12; n++) {
      changeSet.begin();
      changeSet.stage({ op: 'rehost', slot: slot(), memdev: n % 2 ? 'm' : 'n' });
      if (n % 3 === 2) {
        changeSet.beginStepped();
        while (changeSet.stepping) {
          guest.machine.run.advance(200_003);
          changeSet.step();
        }
      } else expect(await changeSet.commit()).toMatchObject({ ok: true });
      expect(guest.machine.dimms.list()[0]).toMatchObject({ memdev: n % 2 ? 'm' : 'n' });
      guest.machine.run.advance(500_003);
    }
    expect(told).not.toContain('lab> ');
    expect(guest.until('lab> ', 4e9)).toContain('test: no error in 8 MiB');
    expect(guest.machine.inspect.holes.total).toBe(0);
  });

  it('moves bare memslots to a backend and frees their host memory', async () => {
    const inUse = guest.machine.inspect.stats().host_memory!;
    await say('memslot_add 40 4G 8M', 'memslot_add 41 5G 8M', `memslot_split 40 ${2 ** 32 + 4 * MIB} 42`);
    guest.machine.physical.write(2 ** 32 + 5 * MIB, Uint8Array.of(7, 8));
    expect(await monitor.execute('memslot_rehost 42 /objects/n')).toBe('');
    expect([...guest.machine.physical.read(2 ** 32 + 5 * MIB, 2)!]).toEqual([7, 8]);
    expect(guest.machine.inspect.stats().host_memory).toBe(inUse + SIZE);
    expect(await monitor.execute('memslot_rehost 41 n')).toMatch(
      /^Error: EINVAL: memory backend 'n' is already in use: memslot 4[02] maps it/,
    );
    expect(await monitor.execute('object_del n')).toContain("'n' is in use");
  });

  it('is refused with a reason, and nothing changes', async () => {
    guest.machine.backends.add('small', 4 * MIB);
    guest.machine.backends.add('used', SIZE);
    guest.machine.dimms.plug({ id: 'e', memdev: 'used' });
    const id = slot();
    const generation = guest.machine.memory.generation();
    const bytes = `memory backend 'small' has 0x400000 bytes, 'm' under memslot ${id} has 0x800000: they must be equal`;
    expect(await say(...['nope', 'used', 'm', 'small', 'ram.a'].map((memdev) => `memslot_rehost ${id} ${memdev}`))).toEqual([
      "Error: EINVAL: memory backend 'nope' does not exist: object_add makes one\n",
      "Error: EINVAL: memory backend 'used' is already used by 'e'\n",
      `Error: EINVAL: memslot ${id} is on memory backend 'm' already\n`,
      `Error: EINVAL: ${bytes}\n`,
      "Error: EINVAL: 'ram.a' is the board's own RAM: object_add makes a memory backend\n",
    ]);
    const ram = guest.machine.memory.memslotAt(0x100)!.slot;
    expect(await monitor.execute(`memslot_rehost ${ram} n`)).toMatch(/the board's own RAM, which keeps its name: without a memory backend/);
    expect(await say('changeset_begin', `memslot_rehost ${id} n`, 'object_del n', 'changeset_commit')).toEqual([
      '',
      '',
      '',
      "entry 1: EINVAL: memory backend 'n' does not exist: object_add makes one\n",
    ]);
    expect(await monitor.execute('info changeset')).toMatch(`1: memslot_rehost ${id} n\n`);
    expect([guest.machine.memory.generation(), busy()]).toEqual([generation, { m: 'd', small: undefined, used: 'e' }]);
  });

  it('cannot be undone, and says why', async () => {
    const carried = 'copied memory to other host memory, and undo restores layouts, not contents; memslot_rehost moves it again';
    await say(`memslot_flags ${slot()} -l`, `memslot_rehost ${slot()} n`);
    expect(await monitor.execute('undo')).toBe(`Error: cannot undo "${slot()} replaced": it ${carried}\n`);
    await monitor.execute(`memslot_flags ${slot()}`);
    expect(await monitor.execute('undo')).toMatch(/^undid "\d+ -L"/);
    expect(await monitor.execute('undo 2')).toBe(`Error: cannot undo 2 commits: "${slot()} replaced" ${carried}\n`);
  });

  it('is in a snapshot', async () => {
    await monitor.execute(`memslot_rehost ${slot()} n`);
    const before = sum();
    const state = guest.machine.snapshot.capture();
    expect(await say(`memslot_rehost ${slot()} m`, 'object_del n')).toEqual(['', '']);
    guest.machine.snapshot.restore(state);
    expect(busy()).toEqual({ m: undefined, n: 'd' });
    expect(guest.machine.dimms.list()).toMatchObject([{ memdev: 'n' }]);
    expect(sum()).toBe(before);
  });
});

describe('device_move', () => {
  it('unplugs the DIMM, plugs it in at the new address, and reports the progress', async () => {
    expect(await monitor.execute('device_move d 0x20000000')).toBe('');
    guest.machine.run.advance(5e6);
    expect(guest.machine.dimms.list()).toMatchObject([{ id: 'd', addr: 0x20000000, pendingUnplug: false }]);
    expect(notices).toContain('d: given back, and plugged in again at 0x20000000');
    expect(guest.command('peek 0x20000000')).toContain('123456789abcdef');
  });

  it('leaves the DIMM in place when the guest keeps it', async () => {
    guest.command('hold 0');
    expect(await monitor.execute('device_move d 0x20000000')).toBe('');
    guest.machine.run.advance(5e6);
    expect(guest.machine.dimms.list()).toMatchObject([{ id: 'd', addr: ADDR, pendingUnplug: false }]);
    expect(notices.at(-1)).toMatch(/^d: the guest keeps it/);
    expect(guest.machine.memory.memslotAt(0x20000000 / 4096)).toBeUndefined();
  });

  it.each([
    ['device_move nope 0x20000000', "Error: Device 'nope' not found\n"],
    ['device_move d 0x20000001', /^Error: address must be aligned to 0x[28]0+ bytes.*nearest address: 0x20000000\)\n$/],
    ['device_move d 0', /^Error: can't add memory device/],
    ['device_move d', /Try "help device_move"/],
  ])('refuses %s', async (line, answer) => {
    expect(await monitor.execute(line)).toMatch(answer);
    expect(guest.machine.dimms.list()).toMatchObject([{ addr: ADDR, pendingUnplug: false }]);
  });
});
