/** A guest that plugs and unplugs virtio-mem's memory endlessly. */
import { expect, it } from 'vitest';
import type { Machine } from '../../engine/machine/index';
import { Guest } from './harness';
import { COUNTERS, image, SIZE, TABLE } from './virtio-mem-driver';

const counterOf = (machine: Machine, index: number): number => {
  const bytes = machine.physical.read(COUNTERS + 4 * index, 4)!;
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
};

it('a device that needs memory in an INVALID slot finishes the stepped commit, and never treats it as a hole', async () => {
  const { machine } = await Guest.boot({
    guest: { name: 'driver', kernel: image },
    objects: [{ id: 'vmem0', size: SIZE }],
    virtio: [{ driver: 'virtio-mem', id: 'vm0', memdev: 'vmem0', requested: SIZE }],
  });
  const rounds = (count: number) => {
    const end = counterOf(machine, 0) + count;
    for (let n = 0; n < 1000 && counterOf(machine, 0) < end; n++) machine.run.advance(100);
    expect(counterOf(machine, 0)).toBeGreaterThanOrEqual(end);
  };
  rounds(2);
  const { changeSet } = machine;
  changeSet.begin();
  changeSet.stage({ op: 'rehost', slot: machine.memory.memslotAt(TABLE / 4096)!.slot });
  changeSet.beginStepped();
  // The guest still holds its translations and notifies the device, whose rings and buffers lie in the slot being removed.
  while (changeSet.stepping!.phase !== 'zap') changeSet.step();
  for (let n = 0; n < 1000 && changeSet.stepping; n++) machine.run.advance(100);
  expect(changeSet.open).toBe(false);
  rounds(2);
  expect([counterOf(machine, 1), counterOf(machine, 2)]).toEqual([0, 0]);
  expect(machine.inspect.holes.total).toBe(0);
  machine.memory.verify();
});

it('a guest that plugs and unplugs endlessly finds zeros each time, and does not keep the machine from checking the clock', async () => {
  let now = 0;
  const { machine } = await Guest.boot({
    guest: { name: 'driver', kernel: image },
    objects: [{ id: 'vmem0', size: SIZE }],
    virtio: [{ driver: 'virtio-mem', id: 'vm0', memdev: 'vmem0', requested: SIZE }],
    wallClock: () => {
      now += 1;
      return now;
    },
  });
  const counter = (index: number): number => counterOf(machine, index);
  const history = machine.memory.history().length;
  for (let stretch = 0; stretch < 8; stretch++) {
    const before = counter(0);
    machine.run.until(now + 5);
    expect(counter(0) - before).toBeLessThanOrEqual(5);
  }
  // The clock advances with each reading, including those that measure commits.
  expect(counter(0)).toBeGreaterThanOrEqual(4);
  expect([counter(1), counter(2)]).toEqual([0, 0]);
  expect(machine.inspect.holes.total).toBe(0);
  expect(machine.memory.history().length - history).toBeLessThanOrEqual(256);
  machine.memory.verify();
});

it('a virtio-mem device moves to another memory backend and back under a guest that plugs, writes and unplugs; snapshots record it', async () => {
  const { machine } = await Guest.boot({
    guest: { name: 'driver', kernel: image },
    objects: [{ id: 'vmem0', size: SIZE }],
    virtio: [{ driver: 'virtio-mem', id: 'vm0', memdev: 'vmem0', requested: SIZE }],
  });
  machine.backends.add('vmem1', SIZE);
  const plugged = () => {
    for (let n = 0; n < 1e6 && machine.virtio.mems()[0]!.size === 0; n++) machine.run.advance(1);
    return machine.memory.memslots().find(({ userspaceAddr }) => ['vmem0', 'vmem1'].includes(machine.host.backingOf(userspaceAddr)!.id))!
      .slot;
  };
  const rehost = async (memdev: string) => {
    const slot = plugged();
    machine.changeSet.begin();
    machine.changeSet.stage({ op: 'rehost', slot, memdev });
    expect(await machine.changeSet.commit()).toMatchObject({ ok: true });
    expect(machine.virtio.mems()).toMatchObject([{ id: 'vm0', memdev }]);
  };
  const rounds = (count: number) => {
    const end = counterOf(machine, 0) + count;
    for (let n = 0; n < 1000 && counterOf(machine, 0) < end; n++) machine.run.advance(100);
    expect([counterOf(machine, 0) >= end, counterOf(machine, 1), counterOf(machine, 2)]).toEqual([true, 0, 0]);
  };
  const busy = () => machine.backends.list().flatMap(({ id, busy: by }) => (by === undefined ? [] : [[id, by]]));
  for (const memdev of ['vmem1', 'vmem0', 'vmem1']) {
    await rehost(memdev);
    rounds(2);
  }
  expect(busy()).toEqual([['vmem1', 'vm0']]);
  machine.backends.delete('vmem0');
  const state = machine.snapshot.capture();
  machine.backends.add('vmem2', SIZE);
  await rehost('vmem2');
  machine.snapshot.restore(state);
  expect([machine.virtio.mems()[0]!.memdev, busy()]).toEqual(['vmem1', [['vmem1', 'vm0']]]);
  rounds(1);
  const refused = (memdevs: { device: string; memdev: string }[], reason: string) =>
    expect(() => machine.snapshot.restore({ ...state, machine: { ...state.machine, memdevs } })).toThrow(reason);
  refused([{ device: 'vm9', memdev: 'vmem1' }], "memdevs names 'vm9', which is no virtio-mem device");
  refused([], "device 'vm0' needs a backend 'vmem0' of");
  machine.reset();
  for (let n = 0; n < 1000 && counterOf(machine, 0) === 0; n++) machine.run.advance(100);
  expect([machine.inspect.holes.total, machine.virtio.mems()[0]!.memdev]).toEqual([0, 'vmem1']);
  machine.memory.verify();
});
