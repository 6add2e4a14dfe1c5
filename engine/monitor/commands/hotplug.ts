/** object_add, object_del, device_add, device_del. Checks and texts in QEMU's order; the machine has the rules of DIMMs themselves. */
import type { Machine } from '../../machine/index';
import { BACKEND_PROPERTIES, freeBackends } from '../info/memory';
import { JsonFloat } from '../json/parse';
import { stringify } from '../json/print';
import { parseKeyval } from '../opts';
import { qomExists } from '../qom';
import { IDENTIFIER_RULE, isIdentifier, parseInteger, parseSize } from '../sizes';
import { type Command, CommandError, type Context, getNumber, getString } from '../types';

const BACKEND_TYPE = 'memory-backend-ram';
const OBJECT_TYPES_HELP = `List of user creatable objects:\n  ${BACKEND_TYPE}\n`;
const BACKEND_HELP = `memory-backend-ram options:\n  size=<int>             - Size of the memory region (ex: 500M)\n`;
const DEVICES_HELP = 'Misc devices:\nname "pc-dimm", desc "DIMM memory module"\n';
const DIMM_HELP = `pc-dimm options:
  addr=<uint64>          -  (default: 0)
  memdev=<link<memory-backend>>
  node=<uint32>          -  (default: 0)
  size=<uint64>
  slot=<int32>           -  (default: -1)
`;

const missing = (name: string): CommandError => new CommandError(`Parameter '${name}' is missing`);

/** QAPI's order: type, id, the type's members, then the rest. */
function createBackend(
  machine: Machine,
  values: ReadonlyMap<string, unknown>,
  read: { flag(name: string, value: unknown): unknown; size(value: unknown): number },
): void {
  const left = new Map(values);
  const take = (name: string): unknown => {
    const value = left.get(name);
    left.delete(name);
    return value;
  };
  const type = stringOf(take('qom-type'), 'qom-type');
  if (type !== BACKEND_TYPE) throw new CommandError(`Parameter 'qom-type' does not accept value '${type}'`);
  const id = stringOf(take('id'), 'id');
  for (const [name, value] of Object.entries(BACKEND_PROPERTIES)) checkFixed(name, take(name), value, read.flag);
  const given = take('size');
  if (given === undefined) throw missing('size');
  const size = read.size(given);
  for (const name of left.keys()) {
    const dot = name.indexOf('.');
    throw new CommandError(dot < 0 ? `Parameter '${name}' is unexpected` : `Parameters '${name.slice(0, dot)}.*' are unexpected`);
  }
  if (!isIdentifier(id)) throw new CommandError(`Parameter 'id' expects an identifier\n${IDENTIFIER_RULE}`);
  machine.backends.add(id, size);
}

function stringOf(value: unknown, name: string): string {
  if (value === undefined) throw missing(name);
  if (typeof value !== 'string') throw new CommandError(`Invalid parameter type for '${name}', expected: string`);
  return value;
}

/** QEMU's other properties of a backend are accepted with their default only. */
function checkFixed(name: string, given: unknown, fixed: boolean | string, flag: (name: string, value: unknown) => unknown): void {
  if (given === undefined) return;
  if (typeof fixed === 'string') {
    if (typeof given !== 'string') throw new CommandError(`Invalid parameter type for '${name}', expected: string`);
    if (given !== fixed) throw new CommandError(`Parameter '${name}' does not accept value '${given}'`);
    return;
  }
  const text = String(flag(name, given));
  const on = text === 'on' || text === 'yes' || text === 'true' || text === 'y';
  const off = text === 'off' || text === 'no' || text === 'false' || text === 'n';
  if (!on && !off) throw new CommandError(`Parameter '${name}' expects 'on' or 'off'`);
  if (on !== fixed) throw new CommandError(`property '${name}' of memory-backend-ram doesn't take value '${text}'`);
}

/** QMP's members: flags are JSON booleans, not words. */
function addObject(machine: Machine, members: Record<string, unknown>): void {
  const flag = (name: string, value: unknown): unknown => {
    if (typeof value === 'boolean') return value;
    throw new CommandError(`Invalid parameter type for '${name}', expected: boolean`);
  };
  const size = (value: unknown): number => {
    if (typeof value === 'number' && value >= 0) return value;
    // More than any host memory: gives the error for that.
    if (typeof value === 'bigint' && value >= 0n) return Number(value);
    throw new CommandError("Parameter 'size' expects uint64");
  };
  createBackend(machine, new Map(Object.entries(members)), { flag, size });
}

/** Members of device_add as QEMU passes them on: as words of an option list. Values that are not words are omitted. */
function wordsOf(members: Record<string, unknown>): Map<string, unknown> {
  const words = new Map<string, unknown>();
  for (const [name, value] of Object.entries(members)) {
    if (value instanceof JsonFloat) words.set(name, stringify(value));
    else if (typeof value === 'boolean') words.set(name, value ? 'on' : 'off');
    else if (typeof value !== 'object') words.set(name, String(value));
  }
  return words;
}

function objectAdd(machine: Machine, text: string): string {
  const { values, help } = parseKeyval(text, 'qom-type');
  const type = values.get('qom-type');
  if (type === 'help' || type === '?') return OBJECT_TYPES_HELP;
  if (help && type === undefined) return OBJECT_TYPES_HELP;
  if (help && type === BACKEND_TYPE) return BACKEND_HELP;
  const size = (value: unknown): number => {
    const parsed = parseSize(String(value));
    if (parsed === undefined) throw new CommandError("Parameter 'size' expects size");
    return parsed;
  };
  createBackend(machine, values, { flag: (_name, value) => value, size });
  return '';
}

const DIMM_READ_ONLY = new Set(['size', 'type', 'realized', 'parent_bus', 'hotplugged', 'hotpluggable', 'legacy-memdev']);

/** `driver`, `id` and the properties of a pc-dimm. */
function createDevice(machine: Machine, options: ReadonlyMap<string, unknown>): void {
  const driver = options.get('driver');
  if (driver === undefined) throw missing('driver');
  const given = /^(virtio-(?:mem|balloon))(?:-device|-pci)?$/.exec(String(driver));
  if (given) {
    const reason = 'guests probe it only when they boot';
    throw new CommandError(`Bus 'virtio-mmio-bus' does not support hotplugging: ${reason}; give -device ${given[1]}-device at the start`);
  }
  if (driver !== 'pc-dimm') throw new CommandError(`'${String(driver)}' is not a valid device model name`);
  const id = options.get('id');
  if (id !== undefined && !(typeof id === 'string' && isIdentifier(id))) throw new CommandError("Parameter 'id' expects an identifier");
  if (id !== undefined && (machine.dimms.list().some((dimm) => dimm.id === id) || isVirtio(machine, String(id))))
    throw new CommandError(`Duplicate device ID '${id}'`);
  const plug: { id?: string; memdev?: string; addr?: number; slot?: number; node?: number } = {};
  if (id !== undefined) plug.id = id;
  for (const [name, value] of options) {
    if (name !== 'driver' && name !== 'id') setProperty(machine, plug, name, value);
  }
  if (plug.memdev === undefined) throw new CommandError("'memdev' property must be set");
  machine.dimms.plug({ ...plug, memdev: plug.memdev });
}

function setProperty(
  machine: Machine,
  plug: { memdev?: string; addr?: number; slot?: number; node?: number },
  name: string,
  value: unknown,
): void {
  switch (name) {
    case 'memdev':
      // The empty link.
      if (value !== '') plug.memdev = backendId(machine, String(value));
      return;
    case 'addr':
      plug.addr = integer(name, value, 0n, 2n ** 64n - 1n, 'uint64_t');
      return;
    case 'slot':
      plug.slot = integer(name, value, -(2n ** 31n), 2n ** 31n - 1n, 'int32_t');
      return;
    case 'node':
      plug.node = integer(name, value, 0n, 2n ** 32n - 1n, 'uint32_t');
      return;
    default:
      throw new CommandError(
        `Property 'pc-dimm.${name}' not ${DIMM_READ_ONLY.has(name) ? 'writable' : 'found'}`.replace('not writable', 'is not writable'),
      );
  }
}

function backendId(machine: Machine, path: string): string {
  const id = path.startsWith('/objects/') ? path.slice('/objects/'.length) : path;
  if (!machine.backends.list().some((backend) => backend.id === id)) throw new CommandError(`Device '${path}' not found`, 'DeviceNotFound');
  return id;
}

function integer(name: string, value: unknown, low: bigint, high: bigint, type: string): number {
  const parsed =
    typeof value === 'bigint' || Number.isSafeInteger(value)
      ? BigInt(value as bigint | number)
      : typeof value === 'string'
        ? parseInteger(value)
        : undefined;
  if (parsed === undefined) throw new CommandError(`Parameter '${name}' expects integer`);
  // A negative 64-bit value wraps, as in QEMU, and is then an invalid address.
  const wrapped = type === 'uint64_t' ? BigInt.asUintN(64, parsed) : parsed;
  if (wrapped < low || wrapped > high) throw new CommandError(`Parameter '${name}' expects ${type}`);
  return Number(wrapped);
}

function isVirtio(machine: Machine, id: string): boolean {
  return id !== '' && (machine.virtio.mems().some((mem) => mem.id === id) || machine.virtio.balloon()?.id === id);
}

function deviceAdd(machine: Machine, options: Map<string, string>): string {
  const driver = options.get('driver');
  if (driver === 'help' || driver === '?') return DEVICES_HELP;
  if (options.has('help') && driver === 'pc-dimm') return DIMM_HELP;
  createDevice(machine, options);
  return '';
}

function deviceDel(machine: Machine, name: string): string {
  const prefix = '/machine/peripheral/';
  const id = name.startsWith(prefix) ? name.slice(prefix.length) : name;
  const known = machine.dimms.list().some((dimm) => dimm.id === id && id !== '');
  if (machine.virtio.mems().some((mem) => mem.id === id)) throw new CommandError('virtio based memory devices cannot be unplugged.');
  if (isVirtio(machine, id)) throw new CommandError("Bus 'virtio-mmio-bus' does not support hotplugging");
  const isDimm = name.startsWith(prefix) || name.startsWith('/machine/peripheral-anon/');
  // An empty path is the root.
  if (!known && !isDimm && (name === '' || qomExists(machine, name))) {
    throw new CommandError(`${name} is not a hotpluggable device`);
  }
  if (!known && !name.startsWith('/machine/peripheral-anon/')) throw new CommandError(`Device '${name}' not found`, 'DeviceNotFound');
  try {
    machine.dimms.unplug(known ? id : name);
  } catch (error) {
    throw new CommandError((error as Error).message, 'DeviceNotFound');
  }
  return '';
}

function moveDevice(machine: Machine, id: string, addr: number): string {
  if (!machine.dimms.list().some((dimm) => dimm.id === id && id !== '') && !id.startsWith('/machine/peripheral-anon/')) {
    throw new CommandError(`Device '${id}' not found`, 'DeviceNotFound');
  }
  machine.dimms.move(id, addr);
  return '';
}

const dimmIds = ({ machine }: Context): string[] => machine.dimms.list().flatMap((dimm) => (dimm.id === '' ? [] : [dimm.id]));

const backendIds = ({ machine }: Context): string[] => machine.backends.list().map((backend) => backend.id);

/** Ids for the value of `memdev=` at the end of an option list, types for its first word. */
function completeDevice(context: Context, word: string): string[] {
  const memdev = /^(.*,memdev=)[^,]*$/.exec(word);
  if (memdev) {
    return freeBackends(context.machine).map((id) => memdev[1] + id);
  }
  return word.includes(',') ? [] : ['pc-dimm'];
}

export const hotplugCommands: Command[] = [
  {
    name: 'object_add',
    input: true,
    args: 'object:S',
    params: '[qom-type=]type,id=str[,prop=value][,...]',
    help: 'create QOM object',
    origin: 'qemu',
    run: ({ machine }, args) => objectAdd(machine, getString(args, 'object')!),
    complete: (_context, word) => (word.includes(',') ? [] : [BACKEND_TYPE]),
    qmp: {
      name: 'object-add',
      members: { 'qom-type': { type: 'any', required: true } },
      open: true,
      run: ({ machine }, members) => addObject(machine, members),
    },
  },
  {
    name: 'object_del',
    input: true,
    args: 'id:s',
    params: 'id',
    help: 'destroy QOM object',
    origin: 'qemu',
    run: ({ machine }, args) => {
      machine.backends.delete(getString(args, 'id')!);
      return '';
    },
    complete: (context) => backendIds(context),
    qmp: {
      name: 'object-del',
      members: { id: { type: 'str', required: true } },
      run: ({ machine }, members) => machine.backends.delete(String(members.id)),
    },
  },
  {
    name: 'device_add',
    input: true,
    args: 'device:O',
    params: 'driver[,prop=value][,...]',
    help: 'add device, like -device on the command line',
    origin: 'qemu',
    run: ({ machine }, args) => deviceAdd(machine, args.get('device') as Map<string, string>),
    complete: completeDevice,
    qmp: {
      name: 'device_add',
      members: { driver: { type: 'any', required: true } },
      open: true,
      run: ({ machine }, members) => createDevice(machine, wordsOf(members)),
    },
  },
  {
    name: 'device_del',
    input: true,
    args: 'id:s',
    params: 'device',
    help: 'remove device',
    origin: 'qemu',
    run: ({ machine }, args) => deviceDel(machine, getString(args, 'id')!),
    complete: dimmIds,
    qmp: {
      name: 'device_del',
      members: { id: { type: 'str', required: true } },
      run: ({ machine }, members) => void deviceDel(machine, String(members.id)),
    },
  },
  {
    name: 'device_move',
    input: true,
    args: 'id:s,addr:z',
    params: 'device addr',
    help: 'move a DIMM: the guest ejects it, and it is plugged in again at addr; its answers are printed as they arrive',
    origin: 'lab',
    run: ({ machine }, args) => moveDevice(machine, getString(args, 'id')!, getNumber(args, 'addr')!),
    complete: (context, _word, words) => (words.length === 0 ? dimmIds(context) : []),
    qmp: {
      name: 'device_move',
      members: { id: { type: 'str', required: true }, addr: { type: 'any', required: true } },
      run: ({ machine }, members) =>
        void moveDevice(machine, String(members.id), integer('addr', members.addr, 0n, 2n ** 64n - 1n, 'uint64_t')),
    },
  },
];
