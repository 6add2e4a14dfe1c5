/** A small QOM tree of backends, DIMMs and virtio devices: the part of QEMU's paths that qom-get and qom-list reach here. */
import { MEM_BLOCK } from '../devices/virtio/mem';
import type { Machine } from '../machine/index';
import { BACKEND_PROPERTIES } from './info/memory';
import { parseSize } from './sizes';
import { type Command, CommandError, getString } from './types';

const MEM_TYPE = 'virtio-mem';
const REQUESTED = 'requested-size';

interface Property {
  name: string;
  type: string;
  value: unknown;
}

interface Node {
  path: string;
  type: string;
  properties: Property[];
}

const child = (name: string, type: string): Property => ({ name, type: `child<${type}>`, value: undefined });

function container(path: string, type: string, children: Property[]): Node {
  return { path, type, properties: [{ name: 'type', type: 'string', value: type }, ...children] };
}

function nodes(machine: Machine): Node[] {
  const dimms = machine.dimms.list().map((dimm, index) => ({ ...dimm, node: dimm.node, index }));
  const named = dimms.filter((dimm) => dimm.id !== '');
  const virtio = virtioNodes(machine);
  const anonymous = dimms.filter((dimm) => dimm.id === '');
  const all: Node[] = [
    container('/', 'container', [child('objects', 'container'), child('machine', 'labpc-machine')]),
    container('/machine', 'labpc-machine', [child('peripheral', 'container'), child('peripheral-anon', 'container')]),
    container('/machine/peripheral', 'container', [
      ...named.map((dimm) => child(dimm.id, 'pc-dimm')),
      ...virtio.map(({ path, type }) => child(nameOf(path), type)),
    ]),
    container(
      '/machine/peripheral-anon',
      'container',
      anonymous.map((_, index) => child(`device[${index}]`, 'pc-dimm')),
    ),
    container(
      '/objects',
      'container',
      machine.backends.list().map((backend) => child(backend.id, 'memory-backend-ram')),
    ),
  ];
  const dimmNode = (path: string, dimm: (typeof dimms)[number]): Node => ({
    path,
    type: 'pc-dimm',
    properties: [
      { name: 'type', type: 'string', value: 'pc-dimm' },
      { name: 'realized', type: 'bool', value: true },
      { name: 'hotplugged', type: 'bool', value: dimm.hotplugged },
      { name: 'hotpluggable', type: 'bool', value: true },
      { name: 'memdev', type: 'link<memory-backend>', value: `/objects/${dimm.memdev}` },
      { name: 'node', type: 'uint32', value: dimm.node },
      { name: 'addr', type: 'uint64', value: dimm.addr },
      { name: 'slot', type: 'int32', value: dimm.slot },
      { name: 'size', type: 'uint64', value: dimm.size },
    ],
  });
  for (const dimm of named) all.push(dimmNode(`/machine/peripheral/${dimm.id}`, dimm));
  anonymous.forEach((dimm, index) => {
    all.push(dimmNode(`/machine/peripheral-anon/device[${index}]`, dimm));
  });
  all.push(...virtio);
  for (const backend of machine.backends.list()) {
    all.push({
      path: `/objects/${backend.id}`,
      type: 'memory-backend-ram',
      properties: [
        { name: 'type', type: 'string', value: 'memory-backend-ram' },
        { name: 'size', type: 'int', value: backend.size },
        ...Object.entries(BACKEND_PROPERTIES).map(([name, value]) => ({
          name,
          type: typeof value === 'boolean' ? 'bool' : 'HostMemPolicy',
          value,
        })),
      ],
    });
  }
  return all;
}

/** Those with an id; the others have no name. */
function virtioNodes(machine: Machine): Node[] {
  const node = (id: string, type: string, properties: Property[]): Node => ({
    path: `/machine/peripheral/${id}`,
    type,
    properties: [
      { name: 'type', type: 'string', value: type },
      { name: 'realized', type: 'bool', value: true },
      { name: 'hotplugged', type: 'bool', value: false },
      { name: 'hotpluggable', type: 'bool', value: false },
      ...properties,
    ],
  });
  const mems = machine.virtio.mems().map((mem) =>
    node(mem.id, MEM_TYPE, [
      { name: 'memaddr', type: 'uint64', value: mem.addr },
      { name: 'memdev', type: 'link<memory-backend>', value: `/objects/${mem.memdev}` },
      { name: 'node', type: 'uint32', value: mem.node },
      { name: REQUESTED, type: 'size', value: mem.requestedSize },
      { name: 'block-size', type: 'size', value: MEM_BLOCK },
      { name: 'unplugged-inaccessible', type: 'OnOffAuto', value: 'on' },
      { name: 'dynamic-memslots', type: 'bool', value: true },
      { name: 'size', type: 'size', value: mem.size },
    ]),
  );
  const balloon = machine.virtio.balloon();
  return balloon && balloon.id !== '' ? [...mems, node(balloon.id, 'virtio-balloon-device', [])] : mems;
}

const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1);

export const qomExists = (machine: Machine, path: string): boolean => nodes(machine).some((node) => node.path === path);

function matches(machine: Machine, path: string): Node[] {
  const all = nodes(machine);
  return path.startsWith('/')
    ? all.filter((node) => node.path === path)
    : all.filter((node) => node.path.endsWith(`/${path}`) || path === '');
}

/** An absolute path, or the end of one if it is unambiguous ("d1"). */
function resolve(machine: Machine, path: string): Node {
  const found = matches(machine, path);
  if (found.length !== 1 || path === '') throw new CommandError(`Device '${path}' not found`, 'DeviceNotFound');
  return found[0]!;
}

export function qomGet(machine: Machine, path: string, name: string): unknown {
  const node = resolve(machine, path);
  const property = node.properties.find((each) => each.name === name && each.value !== undefined);
  if (!property) throw new CommandError(`Property '${node.type}.${name}' not found`);
  return property.value;
}

export function qomList(machine: Machine, path: string): { name: string; type: string }[] {
  if (matches(machine, path).length > 1) throw new CommandError(`Path '${path}' is ambiguous`);
  return resolve(machine, path).properties.map(({ name, type }) => ({ name, type }));
}

function qomSet(machine: Machine, path: string, name: string, value: unknown): string {
  const node = resolve(machine, path);
  if (!node.properties.some((each) => each.name === name)) throw new CommandError(`Property '${node.type}.${name}' not found`);
  if (node.type === 'memory-backend-ram') throw new CommandError(`cannot change property ${name} of memory-backend-ram `);
  const id = nameOf(node.path);
  if (node.type === MEM_TYPE) {
    if (name === 'size') throw new CommandError(`Property '${node.type}.size' is not writable`);
    if (name === 'block-size') throw new CommandError("'block-size' cannot be changed");
    if (name === REQUESTED) {
      machine.virtio.setRequestedSize(id, sizeOf(value));
      return '';
    }
  }
  throw new CommandError(`Attempt to set property '${name}' on device '${id}' (type '${node.type}') after it was realized`);
}

/** A size as text (HMP) or as a number (QMP). */
function sizeOf(value: unknown): number {
  if (typeof value === 'number') {
    if (Number.isSafeInteger(value) && value >= 0) return value;
  } else if (typeof value === 'string') {
    const size = parseSize(value);
    if (size !== undefined) return size;
    const help = 'Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, peta-\nand exabytes, respectively.';
    throw new CommandError(`Parameter '${REQUESTED}' expects a non-negative number below 2^64\n${help}`);
  }
  throw new CommandError(`Invalid parameter type for '${REQUESTED}', expected: integer`);
}

/** As JSON in HMP, as QEMU prints it. */
const printed = (value: unknown): string => `${typeof value === 'string' ? JSON.stringify(value) : String(value)}\n`;

export const qomCommands: Command[] = [
  {
    name: 'qom-get',
    args: 'path:s,property:s',
    params: 'path property',
    help: 'print QOM property',
    origin: 'qemu',
    run: ({ machine }, args) => printed(qomGet(machine, getString(args, 'path')!, getString(args, 'property')!)),
    complete: ({ machine }, _word, words) =>
      words.length === 0 ? nodes(machine).map((node) => node.path) : propertyNames(machine, words[0]!),
    qmp: {
      name: 'qom-get',
      members: { path: { type: 'str', required: true }, property: { type: 'str', required: true } },
      run: ({ machine }, members) => qomGet(machine, String(members.path), String(members.property)),
    },
  },
  {
    name: 'qom-list',
    args: 'path:s?',
    params: 'path',
    help: 'list QOM properties',
    origin: 'qemu',
    run: ({ machine }, args) => {
      const path = getString(args, 'path');
      if (path === undefined) return '/\n';
      return qomList(machine, path)
        .map(({ name, type }) => `${name} (${type})\n`)
        .join('');
    },
    complete: ({ machine }, _word, words) => (words.length === 0 ? nodes(machine).map((node) => node.path) : []),
    qmp: {
      name: 'qom-list',
      members: { path: { type: 'str', required: true } },
      run: ({ machine }, members) => qomList(machine, String(members.path)),
    },
  },
  {
    name: 'qom-set',
    input: true,
    args: 'path:s,property:s,value:S',
    params: 'path property value',
    help: 'set QOM property.',
    origin: 'qemu',
    run: ({ machine }, args) => qomSet(machine, getString(args, 'path')!, getString(args, 'property')!, getString(args, 'value')!),
    complete: ({ machine }, _word, words) =>
      words.length === 0 ? nodes(machine).map((node) => node.path) : words.length === 1 ? propertyNames(machine, words[0]!) : [],
    qmp: {
      name: 'qom-set',
      members: { path: { type: 'str', required: true }, property: { type: 'str', required: true }, value: { type: 'any', required: true } },
      run: ({ machine }, members) => void qomSet(machine, String(members.path), String(members.property), members.value),
    },
  },
];

function propertyNames(machine: Machine, path: string): string[] {
  return (
    nodes(machine)
      .find((node) => node.path === path)
      ?.properties.map((property) => property.name) ?? []
  );
}
