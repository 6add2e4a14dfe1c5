/** x, xp, print, sum, gva2gpa, gpa2hva, i, o, memsave, pmemsave. */
import type { Machine } from '../../machine/index';
import { readVirtual, symbolsOf } from '../../symbols/index';
import type { Read } from '../disasm';
import { dumpInstructions, dumpMemory, printChar } from '../dump';
import { codeBits } from '../registers';
import { hex } from '../sizes';
import { type Args, type Command, CommandError, type Context, type Format, getBig, getNumber, getString } from '../types';

const PAGE = 4096;
/** Physical addresses end here; JS numbers are exact beyond it. */
const MAX_PHYSICAL = 2 ** 52;

const formatOf = (args: Args): Format => args.get('fmt') as Format;

/** Bytes at a gpa, undefined if one is not in a slot. */
function physical(machine: Machine, gpa: bigint, length: number): Uint8Array | undefined {
  if (gpa + BigInt(length) > BigInt(MAX_PHYSICAL)) return undefined;
  return machine.physical.read(Number(gpa), length);
}

function dump({ machine, state }: Context, args: Args, read: Read, name?: (gva: bigint) => string | undefined): string {
  const format = formatOf(args);
  const start = getBig(args, 'addr');
  if (format.format !== 'i') return dumpMemory(start, format, read);
  return dumpInstructions(start, format.count, codeBits(machine.inspect.registers(state.vcpu)), read, name);
}

function print(args: Args): string {
  const value = getBig(args, 'val');
  switch (formatOf(args).format) {
    case 'o':
      return value === 0n ? '0\n' : `0${value.toString(8)}\n`;
    case 'x':
      return value === 0n ? '0\n' : `0x${value.toString(16)}\n`;
    case 'u':
      return `${value}\n`;
    case 'c':
      return `${printChar(Number(BigInt.asIntN(32, value)))}\n`;
    default:
      return `${BigInt.asIntN(64, value)}\n`;
  }
}

/** Most bytes that memsave and pmemsave accept. */
const MAX_SAVE = 2 ** 30;

/**
 * Calls `visit` with the bytes of [start, start + size), page by page; with `undefined` for a page without a slot (slots consist of whole pages, so a
 * page is backed or not).
 */
function eachPage(
  machine: Machine,
  start: bigint,
  size: number,
  visit: (bytes: Uint8Array | undefined, done: number, length: number) => void,
): void {
  for (let done = 0; done < size; ) {
    const at = start + BigInt(done);
    const length = Math.min(PAGE - Number(at % BigInt(PAGE)), size - done);
    visit(physical(machine, at, length), done, length);
    done += length;
  }
}

/** BSD checksum of 16 bits, as in QEMU; unbacked memory counts as zeros. */
function sum(machine: Machine, start: number, size: number): string {
  let total = 0;
  eachPage(machine, BigInt(start), size, (bytes, _done, length) => {
    // A zero byte rotates the sum by one bit: 16 of them change nothing.
    for (const byte of bytes ?? new Uint8Array(length % 16)) total = (((total >> 1) | ((total & 1) << 15)) + byte) & 0xffff;
  });
  return `${String(total).padStart(5, '0')}\n`;
}

function gpa2hva(machine: Machine, addr: bigint): string {
  const text = hex(addr);
  const gpa = addr < BigInt(MAX_PHYSICAL) ? Number(addr) : -1;
  const hva = gpa < 0 ? -1 : machine.memory.gpaToHva(gpa);
  if (hva >= 0) return `Host virtual address for ${text} (${machine.host.backingOf(hva)?.id ?? 'host'}) is ${hex(hva)}\n`;
  if (machine.inspect.mmioRegions().some((region) => gpa >= region.start && gpa < region.end))
    return `Memory at address ${text} is not RAM\n`;
  return `No memory is mapped at address ${text}\n`;
}

const PORT_SUFFIX: Record<number, string> = { 1: 'b', 2: 'w', 4: 'l' };

/** 8-byte and absent sizes are bytes, as in QEMU. */
const portSize = (format: Format): number => (format.size === 2 || format.size === 4 ? format.size : 1);

function portRead(machine: Machine, args: Args): string {
  const format = formatOf(args);
  let port = getNumber(args, 'addr')! % 0x10000;
  const index = getNumber(args, 'index');
  if (index !== undefined) {
    machine.ports.write(port, 1, index & 0xff);
    port = (port + 1) % 0x10000;
  }
  const size = portSize(format);
  const value = machine.ports.read(port, size) >>> 0;
  const digits = Math.max(format.size, 1) * 2;
  return `port${PORT_SUFFIX[size]}[0x${port.toString(16).padStart(4, '0')}] = 0x${value.toString(16).padStart(digits, '0')}\n`;
}

function portWrite(machine: Machine, args: Args): string {
  const size = portSize(formatOf(args));
  const value = getNumber(args, 'val')! % 2 ** (8 * size);
  machine.ports.write(getNumber(args, 'addr')! % 0x10000, size, value);
  return '';
}

async function writeFile(context: Context, name: string, bytes: Uint8Array): Promise<string> {
  if (!context.env.writeFile) throw new CommandError(`cannot write '${name}': there are no files here (the headless lab has them)`);
  try {
    await context.env.writeFile(name, bytes);
  } catch (error) {
    throw new CommandError(`could not write file '${name}': ${(error as Error).message}`);
  }
  return '';
}

function saveSize(args: Args): number {
  const size = getNumber(args, 'size')!;
  if (size > MAX_SAVE) throw new CommandError(`size ${size} is too large, at most ${MAX_SAVE} bytes are saved at once`);
  return size;
}

async function memsave(context: Context, args: Args): Promise<string> {
  const addr = getBig(args, 'val');
  const size = saveSize(args);
  const bytes = readVirtual(context.machine, context.state.vcpu, addr, size);
  if (!bytes) throw new CommandError(`Invalid addr ${hex(addr, 16)}/size ${size} specified`);
  return writeFile(context, getString(args, 'filename')!, bytes);
}

/** Unbacked memory is written as zeros, as in QEMU. */
async function pmemsave(context: Context, args: Args): Promise<string> {
  const size = saveSize(args);
  const all = new Uint8Array(size);
  eachPage(context.machine, getBig(args, 'val'), size, (bytes, done) => bytes && all.set(bytes, done));
  return writeFile(context, getString(args, 'filename')!, all);
}

export const memoryCommands: Command[] = [
  {
    name: 'x',
    args: 'fmt:/,addr:l',
    params: '/fmt addr',
    help: "virtual memory dump starting at 'addr'",
    origin: 'qemu',
    run: ({ machine, state, ...context }, args) =>
      dump(
        { machine, state, ...context },
        args,
        (gva, length) => readVirtual(machine, state.vcpu, gva, length),
        (gva) => symbolsOf(machine).name(gva),
      ),
  },
  {
    name: 'xp',
    args: 'fmt:/,addr:l',
    params: '/fmt addr',
    help: "physical memory dump starting at 'addr'",
    origin: 'qemu',
    run: (context, args) => dump(context, args, (gpa, length) => physical(context.machine, gpa, length)),
  },
  {
    name: 'print|p',
    args: 'fmt:/,val:l',
    params: '/fmt expr',
    help: 'print expression value (use $reg for CPU register access)',
    origin: 'qemu',
    run: (_context, args) => print(args),
  },
  {
    name: 'sum',
    args: 'start:i,size:i',
    params: 'addr size',
    help: 'compute the checksum of a memory region',
    origin: 'qemu',
    run: ({ machine }, args) => sum(machine, getNumber(args, 'start')!, getNumber(args, 'size')!),
  },
  {
    name: 'gva2gpa',
    args: 'addr:l',
    params: 'addr',
    help: 'print the guest physical address corresponding to a guest virtual address',
    origin: 'qemu',
    run: ({ machine, state }, args) => {
      const gpa = machine.inspect.translate(getBig(args, 'addr'), state.vcpu);
      return gpa === undefined ? 'Unmapped\n' : `gpa: ${gpa === 0 ? '0' : hex(gpa)}\n`;
    },
  },
  {
    name: 'gpa2hva',
    args: 'addr:l',
    params: 'addr',
    help: 'print the host virtual address corresponding to a guest physical address',
    origin: 'qemu',
    run: ({ machine }, args) => gpa2hva(machine, getBig(args, 'addr')),
  },
  {
    name: 'i',
    input: true,
    args: 'fmt:/,addr:i,index:i.',
    params: '/fmt addr',
    help: 'I/O port read',
    origin: 'qemu',
    run: ({ machine }, args) => portRead(machine, args),
  },
  {
    name: 'o',
    input: true,
    args: 'fmt:/,addr:i,val:i',
    params: '/fmt addr value',
    help: 'I/O port write',
    origin: 'qemu',
    run: ({ machine }, args) => portWrite(machine, args),
  },
  {
    name: 'memsave',
    args: 'val:l,size:i,filename:s',
    params: 'addr size file',
    help: "save to disk virtual memory dump starting at 'addr' of size 'size'",
    origin: 'qemu',
    run: memsave,
  },
  {
    name: 'pmemsave',
    args: 'val:l,size:i,filename:s',
    params: 'addr size file',
    help: "save to disk physical memory dump starting at 'addr' of size 'size'",
    origin: 'qemu',
    run: pmemsave,
  },
];
