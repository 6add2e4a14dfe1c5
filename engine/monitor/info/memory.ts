/** info memory-devices, memory_size_summary, memdev, numa. */
import { MEM_BLOCK } from '../../devices/virtio/mem';
import type { Backend, Dimm, Machine, VirtioMemInfo } from '../../machine/index';
import { hex } from '../sizes';
import type { Command } from '../types';

/** By address, as in QEMU. */
function byAddress(machine: Machine): (Dimm | VirtioMemInfo)[] {
  return [...machine.dimms.list(), ...machine.virtio.mems()].sort((a, b) => a.addr - b.addr);
}

function memoryDevices(machine: Machine): string {
  return byAddress(machine)
    .map((device) =>
      'requestedSize' in device
        ? `Memory device [virtio-mem]: "${device.id}"\n  memaddr: ${hex(device.addr)}\n  node: ${device.node}\n` +
          `  requested-size: ${device.requestedSize}\n  size: ${device.size}\n  max-size: ${device.maxSize}\n` +
          `  block-size: ${MEM_BLOCK}\n  memdev: /objects/${device.memdev}\n`
        : `Memory device [dimm]: "${device.id}"\n  addr: ${hex(device.addr)}\n  slot: ${device.slot}\n  node: ${device.node}\n` +
          `  size: ${device.size}\n  memdev: /objects/${device.memdev}\n  hotplugged: ${device.hotplugged}\n  hotpluggable: true\n`,
    )
    .join('');
}

/** QMP's MemoryDeviceInfo. */
function memoryDeviceInfo(device: Dimm | VirtioMemInfo): unknown {
  if ('requestedSize' in device) {
    const { id, memdev, addr, node, size, maxSize, requestedSize } = device;
    const sizes = { 'block-size': MEM_BLOCK, size, node, 'max-size': maxSize, 'requested-size': requestedSize };
    return { type: 'virtio-mem', data: { memdev: `/objects/${memdev}`, memaddr: addr, ...sizes, id } };
  }
  const { id, memdev, hotplugged, addr, size, slot, node } = device;
  const data = { memdev: `/objects/${memdev}`, hotplugged, addr, hotpluggable: true, size, slot, node, ...(id === '' ? {} : { id }) };
  return { type: 'dimm', data };
}

const pluggedBytes = (machine: Machine): number => byAddress(machine).reduce((sum, device) => sum + device.size, 0);

/** Objects first, newest first; then the board's own. */
export function backendsInOrder(machine: Machine): Backend[] {
  const backends = machine.backends.list();
  const objects = backends.filter((backend) => backend.kind !== 'board');
  return [...objects.reverse(), ...backends.filter((backend) => backend.kind === 'board')];
}

/** Ids of memory backends without a device. */
export function freeBackends(machine: Machine): string[] {
  return machine.backends.list().flatMap(({ id, kind, busy }) => (kind !== 'board' && busy === undefined ? [id] : []));
}

/** The properties of this engine's host memory; none of them can be set. */
export const BACKEND_PROPERTIES = { merge: true, dump: true, prealloc: false, share: false, reserve: true, policy: 'default' } as const;

function memdev(machine: Machine): string {
  const properties = Object.entries(BACKEND_PROPERTIES)
    .map(([name, value]) => `  ${name}: ${value}\n`)
    .join('');
  const blocks = backendsInOrder(machine).map(
    ({ id, size, busy }) =>
      `memory backend: ${id}\n  size:  ${size}\n${properties}  host nodes: \n${busy === undefined ? '' : `  used by: ${busy}\n`}`,
  );
  return `${blocks.join('')}\n`;
}

function numa(machine: Machine): string {
  const mib = (bytes: number): number => Math.floor(bytes / 0x100000);
  const cpus = Array.from({ length: machine.config.smp }, (_, cpu) => ` ${cpu}`).join('');
  const plugged = pluggedBytes(machine);
  return `1 nodes\nnode 0 cpus:${cpus}\nnode 0 size: ${mib(machine.config.ram + plugged)} MB\nnode 0 plugged: ${mib(plugged)} MB\n`;
}

export const memoryInfo: Command[] = [
  {
    name: 'memory-devices',
    args: '',
    params: '',
    help: 'show memory devices',
    origin: 'qemu',
    run: (context) => memoryDevices(context.machine),
    qmp: {
      name: 'query-memory-devices',
      members: {},
      run: (context) => byAddress(context.machine).map(memoryDeviceInfo),
    },
  },
  {
    name: 'memory_size_summary',
    args: '',
    params: '',
    help: 'show the amount of initially allocated and present hotpluggable (if enabled) memory in bytes.',
    origin: 'qemu',
    run: ({ machine }) => `base memory: ${machine.config.ram}\nplugged memory: ${pluggedBytes(machine)}\n`,
    qmp: {
      name: 'query-memory-size-summary',
      members: {},
      run: ({ machine }) => ({ 'base-memory': machine.config.ram, 'plugged-memory': pluggedBytes(machine) }),
    },
  },
  {
    name: 'memdev',
    args: '',
    params: '',
    help: 'show memory backends',
    origin: 'qemu',
    run: (context) => memdev(context.machine),
    qmp: {
      name: 'query-memdev',
      members: {},
      run: (context) =>
        backendsInOrder(context.machine).map((backend) => ({
          share: false,
          reserve: true,
          prealloc: false,
          'host-nodes': [],
          size: backend.size,
          merge: true,
          dump: true,
          policy: 'default',
          id: backend.id,
        })),
    },
  },
  { name: 'numa', args: '', params: '', help: 'show NUMA information', origin: 'qemu', run: (context) => numa(context.machine) },
];
