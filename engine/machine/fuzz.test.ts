/** A guest that writes random values to every device: no exception, no hang, and the machine still resets. Seeded. */
import { describe, expect, it } from 'vitest';
import type { CoreExports } from '../abi/core';
import { MemslotEngine } from '../memory/index';
import type { DeviceCommit } from './api';
import { Backends } from './backends';
import * as board from './board';
import { MmioBus, PortBus } from './bus';
import { Clock } from './clock';
import { Board } from './devices';
import { Dimms } from './dimms';
import { HostMemory } from './host-memory';
import { Vcpu } from './vcpu';

const SEEDS = [1, 2, 3, 4];
const STEPS = 20_000;
const PORTS = [
  0x20, 0x21, 0x40, 0x42, 0x43, 0x61, 0x64, 0x70, 0x71, 0xa0, 0xa1, 0xe9, 0x3f8, 0x3f9, 0x3fa, 0x3fb, 0x3fc, 0x4d0, 0xa00, 0xa04, 0xa08,
  0xa14,
];

const VIRTIO = [
  { driver: 'virtio-mem' as const, id: 'vm0', memdev: 'm', node: 0, addr: 0x10000000, size: 0x4000000, requested: 0x2000000 },
  { driver: 'virtio-balloon-device' as const, id: 'b0' },
];

function random(seed: number) {
  let state = seed;
  return (below: number) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function rig() {
  const host = new HostMemory();
  const engine = new MemslotEngine({ hostBase: 0x2000000, hostSize: host.limit });
  const vcpus = [0, 1].map((index) => new Vcpu(index, host, {} as CoreExports));
  let now = 0;
  const clock = new Clock({ now: () => now, endSliceBy: () => {} });
  const ports = new PortBus();
  const mmio = new MmioBus(() => false);
  const backends = new Backends(host, engine, { changed: () => {}, editable: () => {} });
  const through = <T>(_device: DeviceCommit, commit: () => T): T => commit();
  const nothing = (): void => {};
  const hooks = {
    ...{ changed: nothing, editable: nothing, wake: nothing, qmp: nothing, rescan: nothing, settle: nothing },
    ...{ guestBlock: () => undefined, through },
  };
  const dimms: Dimms = new Dimms({ ram: 0x4000000, slots: 4, maxmem: 0x40000000 }, engine, backends, () => devices.memhp, hooks);
  let current = 0;
  let plugs = 0;
  // Small, so that random addresses hit it.
  const ram = new Uint8Array(0x10000);
  const memory = {
    read: (gpa: number, length: number) => (gpa + length <= ram.length ? ram.slice(gpa, gpa + length) : undefined),
    write: (gpa: number, bytes: Uint8Array) => {
      if (gpa + bytes.length > ram.length) return false;
      ram.set(bytes, gpa);
      return true;
    },
  };
  const devices: Board = new Board(
    { ram: 0x4000000, slots: 4, rtcStart: 0, debugExitPort: 0xf4, virtio: VIRTIO },
    {
      clock,
      ports,
      mmio,
      vcpus,
      dimms,
      current: () => vcpus[current]!,
      resetVcpu: () => {},
      startVcpu: () => {},
      serialOutput: () => {},
      debugOutput: () => {},
      powerOff: () => {},
      resetRequested: () => {},
      debugExit: () => {},
      virtio: {
        memory,
        plug: () => (plugs++ % 3 === 0 ? 'busy' : 'done'),
        unplug: () => 'done',
        sizeChanged: () => {},
        discard: () => {},
        balloonChanged: () => {},
        log: () => {},
      },
    },
  );
  const advance = (ns: number) => {
    now += ns;
    clock.fireDue(now);
  };
  const vcpu = (index: number) => {
    current = index;
  };
  return { ports, mmio, devices, backends, dimms, advance, vcpu };
}

describe('nonsense on the buses', () => {
  it.each(SEEDS)('seed %i', (seed) => {
    const next = random(seed);
    const { ports, mmio, devices, backends, dimms, advance, vcpu } = rig();
    backends.add('m1', 0x200000);
    dimms.plug({ id: 'd1', memdev: 'm1' });
    const bases = [board.virtioBase(0), board.virtioBase(1), board.LAPIC_BASE, board.IOAPIC_BASE, board.GED_BASE, 0xd0000000];
    for (let step = 0; step < STEPS; step++) {
      vcpu(next(2));
      const size = 1 << next(3);
      const value = next(4) === 0 ? next(2 ** 32) : next(256);
      const port = next(3) === 0 ? next(0x10000) : PORTS[next(PORTS.length)]!;
      const gpa = bases[next(bases.length)]! + (next(2) === 0 ? next(0x1000) : next(0x100) * 16);
      const what = next(6);
      if (what === 0) expect(ports.read(port, size)).toBeGreaterThanOrEqual(0);
      else if (what === 1) expect(mmio.read(gpa, size)).toBeLessThan(2 ** (8 * size));
      else if (what <= 3) ports.write(port, size, value % 2 ** (8 * size));
      else if (what === 4) mmio.write(gpa, size, value % 2 ** (8 * size));
      else {
        advance(next(1_000_000));
        devices.serial.input(Uint8Array.of(value));
        devices.acknowledge(next(2));
      }
    }
    const saved = JSON.parse(JSON.stringify(devices.save()));
    devices.restore(saved);
    expect(JSON.parse(JSON.stringify(devices.save()))).toEqual(saved);
    devices.reset();
  });
});
