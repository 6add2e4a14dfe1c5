/** A machine snapshot includes zap mode, dirty-log mode and the entries of the dirty rings, and the digest covers them. */
import { expect, it } from 'vitest';
import type { Machine } from '../machine/index';
import { Monitor } from '../monitor/monitor';
import { testEnv, testMachine } from '../monitor/testing';
import { loadMachine, saveMachine } from './index';

const PAGE = 4096;
const RAM_A = 0x100000;

const monitorOf = (machine: Machine): ((line: string) => Promise<string>) => {
  const monitor = new Monitor(machine, testEnv());
  return (line) => monitor.execute(line);
};

const write = (machine: Machine, ...pages: number[]): void => {
  for (const page of pages) machine.physical.write(RAM_A + page * PAGE, Uint8Array.of(1));
};

const fileOf = async (machine: Machine): Promise<Uint8Array> => (await saveMachine(machine, 0)).bytes;

it('restores both modes, replacing those of the other machine', async () => {
  const [from, to] = [await testMachine(), await testMachine()];
  const plain = await from.digest();
  const before = await fileOf(from);
  const type = monitorOf(from);
  for (const [line, other] of [
    ['zap_mode all', 'zap_mode slot'],
    ['dirty_log_mode initially-set', 'dirty_log_mode normal'],
  ] as const) {
    await type(line);
    expect(await from.digest(), line).not.toBe(plain);
    await type(other);
    expect(await from.digest(), other).toBe(plain);
  }
  await type('zap_mode all');
  await type('dirty_log_mode manual');
  expect(await loadMachine(to, await fileOf(from))).toBeUndefined();
  expect([await monitorOf(to)('zap_mode'), await monitorOf(to)('dirty_log_mode')]).toEqual(['all\n', 'manual\n']);
  expect(await to.digest()).toBe(await from.digest());
  expect(await loadMachine(to, before)).toBeUndefined();
  expect([await monitorOf(to)('zap_mode'), await monitorOf(to)('dirty_log_mode')]).toEqual(['slot\n', 'normal\n']);
  expect(await to.digest()).toBe(plain);
});

it('includes the entries of dirty rings: harvested, waiting, and of deleted slots', async () => {
  const [from, to] = [await testMachine(), await testMachine()];
  const type = monitorOf(from);
  await type('dirty_ring enable 256');
  await type('memslot_flags 3 -l');
  write(from, 1, 2, 3);
  const some = await from.digest();
  expect(await type('dirty_ring harvest 2')).toMatch(/2 of \d+ pages dirty/);
  expect(await from.digest()).not.toBe(some);
  expect(await loadMachine(to, await fileOf(from))).toBeUndefined();
  expect(await to.digest()).toBe(await from.digest());
  expect(to.rings.status()).toEqual(from.rings.status());
  for (const machine of [from, to]) {
    // Pages in a ring are not recorded again before a reset.
    write(machine, 1, 3, 4);
    expect(machine.rings.status()[0]).toMatchObject({ used: 4, pending: 2 });
    expect(machine.rings.harvest().map(({ offset }) => offset)).toEqual([3, 4]);
    expect(machine.rings.reset()).toBe(4);
    write(machine, 1);
    expect(machine.rings.harvest().map(({ offset }) => offset)).toEqual([1]);
  }
  // The slot is deleted and created again: the ring's entries are not for the new one.
  await type('memslot_del 3');
  await type('undo');
  expect(await loadMachine(to, await fileOf(from))).toBeUndefined();
  for (const machine of [from, to]) {
    write(machine, 1);
    expect(machine.rings.harvest().map(({ offset }) => offset)).toEqual([1]);
  }
  expect(await to.digest()).toBe(await from.digest());
});

it('a state without rings leaves the rings of this machine on, and empty', async () => {
  const [from, to] = [await testMachine(), await testMachine({ dirtyRing: { entries: 256 } })];
  await monitorOf(from)('memslot_flags 3 -l');
  await monitorOf(to)('memslot_flags 3 -l');
  write(to, 5);
  expect(await loadMachine(to, await fileOf(from))).toBeUndefined();
  expect(to.rings.status()).toMatchObject([{ size: 256, used: 0 }]);
  write(to, 6);
  expect(to.rings.harvest().map(({ offset }) => offset)).toEqual([6]);
  to.memory.verify();
});

it('refuses modes and rings that cannot be, in one line, and changes nothing', async () => {
  const machine = await testMachine();
  await monitorOf(machine)('zap_mode all');
  await monitorOf(machine)('dirty_ring enable 256');
  const good = machine.snapshot.capture();
  const digest = await machine.digest();
  const ring = { harvested: 0, overflows: 0, slots: [3], pages: [1], live: [1] };
  const wrong: [object, RegExp][] = [
    [{ zap: 'none' }, /modes zap must be one of slot, all/],
    [{ dirtyLog: 2 }, /modes dirtyLog must be 0, 1 or 3/],
    [{ rings: { entries: 300, bitmap: false, vcpus: [] } }, /power of two/],
    [{ rings: { entries: 256, bitmap: false, vcpus: [{ ...ring, pages: [] }] } }, /lists of different lengths/],
    [{ rings: { entries: 256, bitmap: false, vcpus: [{ ...ring, harvested: 2 }] } }, /harvested is 2 of 1/],
    [{ rings: { entries: 256, bitmap: false, vcpus: [ring, ring] } }, /rings of 2 vCPUs/],
  ];
  for (const [change, reason] of wrong) {
    const modes = { ...good.machine.modes, ...change };
    expect(() => machine.snapshot.restore({ ...good, machine: { ...good.machine, modes } }), JSON.stringify(change)).toThrow(reason);
  }
  expect(await machine.digest()).toBe(digest);
  expect(machine.memory.zap).toBe('all');
});
