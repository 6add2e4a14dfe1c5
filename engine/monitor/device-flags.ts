/**
 * -object and -device: backends and devices at power-on, for `lab` and for the page. Names are QEMU's; the machine checks how they fit together.
 * Throws MachineError: one line that names the flag.
 */
import { type MachineConfig, MachineError, type VirtioConfig } from '../machine/index';
import { splitCommas } from './opts';
import { IDENTIFIER_RULE, isIdentifier, parseInteger, parseSize } from './sizes';

type Fail = (reason: string) => MachineError;

export interface DebugExitFlag {
  port: number;
  size: number;
}

const BACKEND = 'memory-backend-ram';
/** QEMU's names of a virtio device differ by its bus; ours is virtio-mmio. */
const MEM_NAMES = ['virtio-mem', 'virtio-mem-device', 'virtio-mem-pci'];
const BALLOON_NAMES = ['virtio-balloon', 'virtio-balloon-device', 'virtio-balloon-pci'];
const NAMES = 'isa-debug-exit is, and virtio-mem-device and virtio-balloon-device (DIMMs: device_add in the monitor)';

/** "-object ... -device ...": those for the virtio-mmio bus, as a machine's configuration takes them. */
export function parseDeviceFlags(text: string): Pick<MachineConfig, 'objects' | 'virtio'> {
  const words = text.split(/\s+/).filter((word) => word !== '');
  const objects: NonNullable<MachineConfig['objects']> = [];
  const virtio: VirtioConfig[] = [];
  for (let at = 0; at < words.length; at += 2) {
    const flag = words[at]!.replace(/^--/, '-');
    const value = words[at + 1];
    if (flag !== '-object' && flag !== '-device') throw new MachineError(`${words[at]}: -object and -device can stand here`);
    if (value === undefined) throw new MachineError(`${flag}: requires an argument`);
    if (flag === '-object') objects.push(parseObject(value));
    else {
      const device = parseDevice(value);
      if (!('driver' in device)) throw new MachineError(`-device ${value}: only for the headless lab`);
      virtio.push(device);
    }
  }
  return { ...(objects.length > 0 && { objects }), ...(virtio.length > 0 && { virtio }) };
}

/** -object memory-backend-ram,id=ID,size=SIZE */
export function parseObject(value: string): NonNullable<MachineConfig['objects']>[number] {
  const [type = '', ...options] = splitCommas(value);
  const wrong: Fail = (reason) => new MachineError(`-object ${value}: ${reason}`);
  if (type.replace(/^qom-type=/, '') !== BACKEND)
    throw wrong(`Parameter 'qom-type' does not accept value '${type}'; ${BACKEND} is what there is`);
  const given = pairs(options, ['id', 'size'], (key) => wrong(`Parameter '${key}' is unexpected; ${BACKEND} takes id and size`));
  const size = parseSize(needed(given, 'size', wrong));
  if (size === undefined) throw wrong("Parameter 'size' expects a number with an optional suffix k, M, G or T");
  return { id: identifier(needed(given, 'id', wrong), wrong), size };
}

export function parseDevice(value: string): VirtioConfig | DebugExitFlag {
  const [name = '', ...options] = splitCommas(value);
  const driver = name.replace(/^driver=/, '');
  const wrong: Fail = (reason) => new MachineError(`-device ${value}: ${reason}`);
  if (driver === 'isa-debug-exit') return parseDebugExit(options, wrong);
  const unknown = (keys: string) => (key: string) => wrong(`Property '${driver}.${key}' not found; it has ${keys}`);
  if (MEM_NAMES.includes(driver)) {
    const keys = ['id', 'memdev', 'requested-size', 'memaddr', 'node'];
    return parseMem(pairs(options, keys, unknown(keys.join(', '))), wrong);
  }
  if (BALLOON_NAMES.includes(driver)) {
    const id = pairs(options, ['id'], unknown('id')).get('id');
    return { driver: 'virtio-balloon-device', ...(id === undefined ? {} : { id: identifier(id, wrong) }) };
  }
  throw wrong(`'${driver}' is not a valid device model name here; ${NAMES}`);
}

function parseMem(given: ReadonlyMap<string, string>, wrong: Fail): VirtioConfig {
  const id = given.get('id');
  if (id === undefined) throw wrong("Parameter 'id' is missing: the monitor names the device by it");
  const memdev = given.get('memdev');
  if (memdev === undefined) throw wrong("'memdev' property must be set");
  const requested = given.get('requested-size');
  const size = requested === undefined ? undefined : parseSize(requested);
  if (requested !== undefined && size === undefined) throw wrong("Parameter 'requested-size' expects size");
  const addr = integer(given, 'memaddr', wrong);
  const node = integer(given, 'node', wrong);
  return {
    driver: 'virtio-mem',
    id: identifier(id, wrong),
    memdev: memdev.replace(/^\/objects\//, ''),
    ...(size === undefined ? {} : { requested: size }),
    // In QEMU 0 means "anywhere".
    ...(addr ? { addr } : {}),
    ...(node === undefined ? {} : { node }),
  };
}

function parseDebugExit(options: readonly string[], wrong: Fail): DebugExitFlag {
  const given = pairs(options, ['iobase', 'iosize'], (key) =>
    wrong(`Property 'isa-debug-exit.${key}' not found; it has iobase and iosize`),
  );
  const port = integer(given, 'iobase', wrong) ?? 0x501;
  const size = integer(given, 'iosize', wrong) ?? 2;
  if (port > 0xffff) throw wrong(`iobase ${given.get('iobase')} is not an I/O port; ports are 0 to 0xffff`);
  if (size < 1 || size > 0x100) throw wrong(`iosize ${given.get('iosize')} is out of range; 1 to 0x100 ports are possible`);
  if (port + size > 0x10000) throw wrong(`iobase 0x${port.toString(16)} + iosize ${size} passes the last I/O port 0xffff`);
  return { port, size };
}

/** KEY=VALUE parts; of equal keys the last counts. */
function pairs(options: readonly string[], known: readonly string[], unknown: (key: string) => MachineError): Map<string, string> {
  const given = new Map<string, string>();
  for (const option of options) {
    const equals = option.indexOf('=');
    const key = equals < 0 ? option : option.slice(0, equals);
    if (!known.includes(key)) throw unknown(key);
    given.set(key, equals < 0 ? '' : option.slice(equals + 1));
  }
  return given;
}

function needed(given: ReadonlyMap<string, string>, key: string, wrong: Fail): string {
  const value = given.get(key);
  if (value === undefined) throw wrong(`Parameter '${key}' is missing`);
  return value;
}

function identifier(id: string, wrong: Fail): string {
  if (!isIdentifier(id)) throw wrong(`Parameter 'id' expects an identifier, not '${id}'. ${IDENTIFIER_RULE}`);
  return id;
}

function integer(given: ReadonlyMap<string, string>, key: string, wrong: Fail): number | undefined {
  const text = given.get(key);
  if (text === undefined) return undefined;
  const value = parseInteger(text);
  if (value === undefined || value < 0n) throw wrong(`Parameter '${key}' expects a number, not '${text}'`);
  return Number(value);
}
