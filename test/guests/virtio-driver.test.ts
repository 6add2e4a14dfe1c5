/** A guest of our own that drives virtio-mem as hard as it can: plugs all, writes into it, unplugs all, without end. */
import { expect, it } from 'vitest';
import type { Machine } from '../../engine/machine/api';
import { virtioBase } from '../../engine/machine/board';
import { multibootImage } from '../support/assembler';
import { Guest, MIB } from './harness';

const [TABLE, DRIVER, DEVICE, REQUEST, ANSWER, COUNTERS] = [0x200000, 0x201000, 0x202000, 0x203000, 0x203100, 0x204000] as const;
const SIZE = 256 * MIB;
const ADDR = 128 * MIB;
const [PLUG, UNPLUG_ALL] = [0, 2];

/** COUNTERS: rounds; everything ever found in freshly plugged memory; answers that were no ACK. */
const image = multibootImage((asm) => {
  const set = (at: number, value: number) => asm.b(0xc7, 0x05).d(at).d(value); // mov dword [at], value
  const register = (offset: number, value: number) => set(virtioBase(0) + offset, value);
  const request = (type: number) => {
    set(REQUEST, type);
    asm.b(0x66, 0xff, 0x05).d(DRIVER + 2); // inc word [available index]
    register(0x50, 0);
    asm
      .b(0xa1)
      .d(ANSWER)
      .b(0x09, 0x05)
      .d(COUNTERS + 8); // mov eax, [ANSWER]; or [COUNTERS + 8], eax
  };
  for (const [offset, value] of [
    [0x70, 3],
    [0x24, 0],
    [0x20, 2],
    [0x24, 1],
    [0x20, 1],
    [0x70, 11],
    [0x38, 8],
    [0x80, TABLE],
    [0x90, DRIVER],
    [0xa0, DEVICE],
    [0x44, 1],
    [0x70, 15],
  ] as const)
    register(offset, value);
  // REQUEST: 24 bytes, then ANSWER: 16 bytes for the device to write.
  for (const [at, value] of [
    [0, REQUEST],
    [8, 24],
    [12, 1 | (1 << 16)],
    [16, ANSWER],
    [24, 16],
    [28, 2],
  ] as const)
    set(TABLE + at, value);
  set(REQUEST + 8, ADDR);
  set(REQUEST + 16, SIZE / (2 * MIB));
  asm.label('again');
  request(PLUG);
  for (const at of [ADDR, ADDR + SIZE / 2, ADDR + SIZE - 4]) {
    asm
      .b(0xa1)
      .d(at)
      .b(0x09, 0x05)
      .d(COUNTERS + 4); // mov eax, [at]; or [COUNTERS + 4], eax
    set(at, 0xffffffff);
  }
  request(UNPLUG_ALL);
  asm.b(0xff, 0x05).d(COUNTERS); // inc dword [COUNTERS]
  asm.jmp('again');
});

const counterOf = (machine: Machine, index: number): number => {
  const bytes = machine.readPhysical(COUNTERS + 4 * index, 4)!;
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
};

it('a device that needs memory in an INVALID slot ends the stepped commit, and never takes it for a hole', async () => {
  const { machine } = await Guest.boot({
    guest: { name: 'driver', kernel: image },
    objects: [{ id: 'vmem0', size: SIZE }],
    virtio: [{ driver: 'virtio-mem', id: 'vm0', memdev: 'vmem0', requested: SIZE }],
  });
  const rounds = (count: number) => {
    const end = counterOf(machine, 0) + count;
    for (let n = 0; n < 1000 && counterOf(machine, 0) < end; n++) machine.runInstructions(100);
    expect(counterOf(machine, 0)).toBeGreaterThanOrEqual(end);
  };
  rounds(2);
  const { changeSet } = machine;
  changeSet.begin();
  changeSet.stage({ op: 'rehost', slot: machine.memory.memslotAt(TABLE / 4096)!.slot });
  changeSet.beginStepped();
  // The guest still holds its translations and asks the device, whose rings and buffers lie in the slot that goes.
  while (changeSet.stepping!.phase !== 'zap') changeSet.step();
  for (let n = 0; n < 1000 && changeSet.stepping; n++) machine.runInstructions(100);
  expect(changeSet.open).toBe(false);
  rounds(2);
  expect([counterOf(machine, 1), counterOf(machine, 2)]).toEqual([0, 0]);
  expect(machine.holes.total).toBe(0);
  machine.memory.verify();
});

it('a guest that plugs and unplugs without end finds zeros each time, and does not keep the machine from looking at the clock', async () => {
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
    machine.runUntil(now + 5);
    expect(counter(0) - before).toBeLessThanOrEqual(5);
  }
  // The clock goes on with each look at it, those that measure the commits included.
  expect(counter(0)).toBeGreaterThanOrEqual(4);
  expect([counter(1), counter(2)]).toEqual([0, 0]);
  expect(machine.holes.total).toBe(0);
  expect(machine.memory.history().length - history).toBeLessThanOrEqual(256);
  machine.memory.verify();
});
