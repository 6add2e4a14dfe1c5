/** who_wrote and replay_seek, for a machine that keeps its past. */
import { type HostRange, type Reverse, reverseOf, type WhoWrote, whoWrote, writtenText } from '../../debug/index';
import type { Machine } from '../../machine/index';
import { symbolsOf } from '../../symbols/index';
import { readExpression } from '../expr';
import { registerValue } from '../registers';
import { type Command, CommandError, type Context, getBig, getFlag, getString, UsageError } from '../types';

const PAGE = 4096;

function pastOf(machine: Machine): Reverse {
  const reverse = reverseOf(machine);
  if (!reverse) throw new CommandError('this machine keeps no history, so it cannot go back (the page does, and lab with -gdb or -s)');
  return reverse;
}

/** Host memory at a gpa; CommandError if a slot does not back all of it. */
export function hostRange(machine: Machine, gpa: number, size: number): HostRange {
  const start = machine.memory.gpaToHva(gpa);
  if (start < 0) throw new CommandError(`no memslot backs gpa 0x${gpa.toString(16)}`);
  for (let at = gpa - (gpa % PAGE) + PAGE; at < gpa + size; at += PAGE)
    if (machine.memory.gpaToHva(at) !== start + at - gpa)
      throw new CommandError(`gpa 0x${gpa.toString(16)} and the ${size} bytes from there are not contiguous memory: use a smaller size`);
  return { start, end: start + size };
}

export function slotRange(machine: Machine, id: number): HostRange {
  const slot = machine.memory.memslotById(id, 0);
  if (!slot) throw new CommandError(`memslot ${id} does not exist`);
  return { start: slot.userspaceAddr, end: slot.userspaceAddr + slot.npages * PAGE };
}

function rangeOf({ machine, state }: Context, where: string, size: number, virtual: boolean): HostRange {
  const slot = /^slot=(\d{1,5})$/.exec(where);
  if (slot) return slotRange(machine, Number(slot[1]));
  const registers = machine.inspect.registers(state.vcpu);
  const { value, end } = readExpression(where, 0, (register) => registerValue(registers, register), {
    suffixes: true,
    symbols: (name) => symbolsOf(machine).find(name),
  });
  if (where.slice(end).trim() !== '') throw new UsageError(`'${where}': it continues with '${where.slice(end).trim()}'`);
  if (!virtual && value >= 2n ** 53n) throw new CommandError(`${where} is not a gpa: with -v it is a gva`);
  const gpa = virtual ? machine.inspect.translate(value, state.vcpu) : Number(value);
  if (gpa === undefined) throw new CommandError(`${where} is not mapped by the tables of vCPU ${state.vcpu}`);
  return hostRange(machine, gpa, size);
}

async function ask(context: Context, where: string, size: bigint, virtual: boolean): Promise<string> {
  const reverse = pastOf(context.machine);
  if (size < 1n || size > 0x4000_0000n) throw new CommandError(`size ${size}: the size must be 1 byte to 1 GiB`);
  const who: WhoWrote = await whoWrote(reverse, rangeOf(context, where, Number(size), virtual), reverse.going);
  return `${writtenText(who, (address) => symbolsOf(context.machine).name(address))}\n`;
}

async function seek({ machine }: Context, where: string): Promise<string> {
  const reverse = pastOf(machine);
  if (machine.run.state === 'running') throw new CommandError('the machine is running: "stop" it first');
  if (where === 'end') {
    await reverse.home();
    return '';
  }
  if (!/^\d{1,16}$/.test(where)) throw new UsageError(`replay_seek: '${where}' is not an instruction count`);
  const { begin, present } = reverse.span;
  const count = Number(where);
  if (count < begin || count > present)
    throw new CommandError(`${where} is not between ${begin}, where the kept history begins, and ${present}, the present`);
  await reverse.toCount(count, reverse.going);
  return '';
}

export const pastCommands: Command[] = [
  {
    name: 'who_wrote',
    args: 'virtual:-v,where:s,size:l?',
    params: '[-v] ADDR|slot=ID [SIZE]',
    help: 'show which instruction last wrote to guest-physical (with -v virtual) memory, or to a slot',
    origin: 'lab',
    run: (context, args) => ask(context, getString(args, 'where')!, getBig(args, 'size') ?? 1n, getFlag(args, 'virtual')),
  },
  {
    name: 'replay_seek',
    args: 'icount:s',
    params: 'icount|end',
    help: 'go backward or forward to an instruction count',
    origin: 'qemu',
    run: (context, args) => seek(context, getString(args, 'icount')!),
  },
];
