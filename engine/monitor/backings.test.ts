/** A memslot lies inside one backing unless -f allows more, and a removed device takes only its own bytes. */
import { beforeEach, expect, it } from 'vitest';
import { MEMHP_PORT } from '../machine/board';
import type { Machine } from '../machine/index';
import { layoutFormat } from '../snapshot/index';
import { Monitor } from './monitor';
import { testEnv, testMachine } from './testing';

const MIB = 0x100000;
const [D1, D2] = [0x10000000, 0x11000000];

let machine: Machine;
let monitor: Monitor;

const type = async (...lines: string[]): Promise<string> => {
  let text = '';
  for (const line of lines) text += await monitor.execute(line);
  return text;
};

/** The guest gives back the DIMM in that hotplug slot. */
const eject = (slot: number): void => {
  machine.ports.write(MEMHP_PORT, 4, slot);
  machine.ports.write(MEMHP_PORT + 0x14, 1, 8);
};

const mapped = (): string[] =>
  machine.memory
    .memslots(0)
    .filter(({ slot }) => slot > 4)
    .map((slot) => {
      const parts = machine.host
        .backingsOf(slot.userspaceAddr, slot.npages * 4096)
        .map(({ id, offset, size }) => `${id}+${offset / MIB}:${size / MIB}`);
      return `${slot.slot} at ${(slot.baseGfn * 4096).toString(16)}: ${parts.join(' ')}`;
    });

const twoDimms = ['m1', 'm2'].map((id) => `object_add memory-backend-ram,id=${id},size=16M`);
const plugged = [`device_add pc-dimm,id=d1,memdev=m1,addr=${D1}`, `device_add pc-dimm,id=d2,memdev=m2,addr=${D2}`];

beforeEach(async () => {
  machine = await testMachine();
  monitor = new Monitor(machine, testEnv(layoutFormat));
  expect(await type(...twoDimms, ...plugged)).toBe('');
});

it('two DIMMs that touch are not merged, and a DIMM does not grow into its neighbour', async () => {
  const before = machine.memory.generation();
  expect(await type('memslot_merge 5 6')).toBe(
    "Error: EINVAL: memslot 5 of 0x2000000 bytes goes beyond its backing 'm1', which has 0x1000000 bytes from there, into 'm2' (nearest size: 0x1000000; -f: use both anyway)\n",
  );
  await type('memslot_del 6');
  expect(await type('memslot_resize 5 20M')).toMatch(
    /^Error: EINVAL: memslot 5 of 0x1400000 bytes goes beyond its backing 'm1'.*nearest size: 0x1000000/,
  );
  await type('undo');
  expect(await type('memslot_resize 5 40M')).toMatch(
    /EINVAL: memslot 5 of 0x2800000 bytes goes beyond its backing 'm1'.*\(nearest size: 0x1000000\)\nError: EEXIST/,
  );
  expect(machine.memory.generation() - before).toBe(6);
  expect(mapped()).toEqual(['5 at 10000000: m1+0:16', '6 at 11000000: m2+0:16']);
});

it('with -f it is done, shown as such, and cut when one of its devices is removed', async () => {
  expect(await type('memslot_merge 5 6 -f')).toBe('');
  expect(mapped()).toEqual(['5 at 10000000: m1+0:16 m2+0:16']);
  expect(await type('info memslots')).toMatch(/d1 \(m1\), d2 \(m2\)/);
  expect(await type('info mtree')).toMatch(/10000000-0000000010ffffff .*: m1\n +0000000011000000-0000000011ffffff .*: m2\n/);
  expect(await type('memslot_move 5 0x20000000', 'memslot_flags 5 -l', 'memslot_split 5 0x21800000 9')).toBe('');
  expect(mapped()).toEqual(['5 at 20000000: m1+0:16 m2+0:8', '9 at 21800000: m2+8:8']);
  expect(await type('object_del m1', 'object_del m2')).toMatch(/'m1' is in use.*\nError: object 'm2' is in use/);
  await type('device_del d1');
  eject(0);
  expect(machine.dimms.list().map(({ id }) => id)).toEqual(['d2']);
  expect(mapped()).toEqual(['5 at 21000000: m2+0:8', '9 at 21800000: m2+8:8']);
  expect(await type('object_del m1')).toBe('');
  machine.memory.verify();
});

it('undo and redo go over it, in one step, call by call and as a whole set', async () => {
  for (const how of ['', ' -l', ' -w']) {
    expect(await type('changeset_begin', 'memslot_merge 5 6 -f')).toBe('');
    expect(await type('info changeset')).toBe('1: memslot_merge 5 6 -f\n');
    expect(await type(`changeset_commit${how}`)).toMatch(/^generation/);
    expect(mapped()).toEqual(['5 at 10000000: m1+0:16 m2+0:16']);
    expect(await type('undo', 'redo', 'undo')).not.toMatch(/Error/);
    expect(mapped()).toHaveLength(2);
  }
});

it('a layout stores it as one slot for each backing; a machine snapshot stores it unchanged', async () => {
  await type('memslot_merge 5 6 -f', 'layout_save mine');
  const state = machine.snapshot.capture();
  expect(await type('layout_load mine')).toBe('');
  expect(mapped()).toEqual(['5 at 10000000: m1+0:16', '256 at 11000000: m2+0:16']);
  machine.snapshot.restore(state);
  expect(mapped()).toEqual(['5 at 10000000: m1+0:16 m2+0:16']);
  const silent = structuredClone(state);
  for (const slot of silent.machine.slots) delete slot.span;
  expect(() => machine.snapshot.restore(silent)).toThrow("memslots: memslot 5 of 0x2000000 bytes goes beyond its backing 'm1'");
  expect(mapped()).toEqual(['5 at 10000000: m1+0:16 m2+0:16']);
});

it('undo does not map memory whose owner has changed since', async () => {
  await type('memslot_add 9 0x20000000 8M 0x0');
  await type('object_add memory-backend-ram,id=m3,size=16M');
  const { hva } = machine.backends.list().find(({ id }) => id === 'm3')!;
  expect(await type(`memslot_add 9 0x20000000 16M ${hva}`, 'memslot_del 9', 'object_del m3')).toBe('');
  expect(await type('undo')).toBe('Error: cannot undo "- 9 m3": the host memory of memslot 9 was freed\n');
  expect(await type('object_add memory-backend-ram,id=m4,size=16M')).toBe('');
  expect(machine.backends.list().find(({ id }) => id === 'm4')!.hva).toBe(hva);
  expect(await type('undo')).toBe('Error: cannot undo "- 9 m3": the host memory of memslot 9 was freed\n');
  expect(mapped()).toHaveLength(2);
});

it('a set with several faults names each, with its entry', async () => {
  await type('changeset_begin', 'memslot_add 70000 0x10000800 2M 0x3001', 'memslot_move 6 0x10800000', 'memslot_del 9');
  const text = await type('changeset_check');
  for (const part of ['memslot id is 70000', 'guestPhysAddr is 0x10000800', 'userspaceAddr is 0x3001'])
    expect(text, text).toContain(`entry 1: EINVAL: ${part}`);
  expect(text).toMatch(/entry 2: EEXIST: memslot 6 at .* overlaps memslot 5 at .*\(nearest free address: 0x11000000/);
  expect(text).toContain('entry 3: ENOENT: memslot 9 does not exist');
});

it('many commits are not undone at once over memory whose owner changed between them', async () => {
  await type('object_add memory-backend-ram,id=m3,size=16M');
  const { hva } = machine.backends.list().find(({ id }) => id === 'm3')!;
  const add = `memslot_add 9 0x20000000 16M ${hva}`;
  expect(await type(add, 'memslot_flags 9 -l')).toBe('');
  const { live } = monitor.commits;
  expect(await type('memslot_flags 9', 'memslot_del 9', 'object_del m3', 'object_add memory-backend-ram,id=m4,size=16M')).toBe('');
  expect(await type(add)).toBe('');
  // Slot 9 is the same as at both entries, except for the memory that it maps.
  for (const entry of [live, live + 1])
    expect(monitor.commits.goTo(entry)).toBe(`cannot undo ${live + 3 - entry} commits: the host memory of memslot 9 was freed`);
  expect(await type('undo')).toMatch(/^undid "\+ 9 m4"/);
});
