/** who_wrote and replay_seek: what a machine that keeps its past can say about it, and going there. */
import { type HostRange, type Reverse, reverseOf, type WhoWrote, whoWrote, writtenText } from '../../debug/index';
import type { Machine } from '../../machine/index';
import { symbolsOf } from '../../symbols/index';
import { readExpression } from '../expr';
import { registerValue } from '../registers';
import { type Command, CommandError, type Context, getBig, getFlag, getString, UsageError } from '../types';

const PAGE = 4096;

function pastOf(machine: Machine): Reverse {
  const reverse = reverseOf(machine);
  if (!reverse) throw new CommandError('this machine keeps no past to go back over (the page does, and lab with -gdb or -s)');
  return reverse;
}

/** Where memory at a gpa lies; CommandError where no slot backs all of it. */
export function hostRange(machine: Machine, gpa: number, size: number): HostRange {
  const start = machine.memory.gpaToHva(gpa);
  if (start < 0) throw new CommandError(`no memslot backs gpa 0x${gpa.toString(16)}`);
  for (let at = gpa - (gpa % PAGE) + PAGE; at < gpa + size; at += PAGE)
    if (machine.memory.gpaToHva(at) !== start + at - gpa)
      throw new CommandError(`gpa 0x${gpa.toString(16)} and the ${size} bytes from there are not one piece of memory: ask for less`);
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
  if (where.slice(end).trim() !== '') throw new UsageError(`'${where}': it goes on with '${where.slice(end).trim()}'`);
  if (!virtual && value >= 2n ** 53n) throw new CommandError(`${where} is no gpa: with -v it is a gva`);
  const gpa = virtual ? machine.inspect.translate(value, state.vcpu) : Number(value);
  if (gpa === undefined) throw new CommandError(`${where} is not mapped by the tables of vCPU ${state.vcpu}`);
  return hostRange(machine, gpa, size);
}

async function ask(context: Context, where: string, size: bigint, virtual: boolean): Promise<string> {
  const reverse = pastOf(context.machine);
  if (size < 1n || size > 0x4000_0000n) throw new CommandError(`size ${size}: 1 byte to 1 GiB is possible`);
  const who: WhoWrote = await whoWrote(reverse, rangeOf(context, where, Number(size), virtual), reverse.going);
  return `${writtenText(who, (address) => symbolsOf(context.machine).name(address))}\n`;
}

async function seek({ machine }: Context, where: string): Promise<string> {
  const reverse = pastOf(machine);
  if (machine.run.state === 'running') throw new CommandError('the machine runs: "stop" it first');
  if (where === 'end') {
    await reverse.home();
    return '';
  }
  if (!/^\d{1,16}$/.test(where)) throw new UsageError(`replay_seek: '${where}' is no count of instructions`);
  const { begin, present } = reverse.span;
  const count = Number(where);
  if (count < begin || count > present)
    throw new CommandError(`${where} is not between ${begin}, where what is kept begins, and ${present}, the present`);
  await reverse.toCount(count, reverse.going);
  return '';
}

export const pastCommands: Command[] = [
  {
    name: 'who_wrote',
    args: 'virtual:-v,where:s,size:l?',
    params: '[-v] ADDR|slot=ID [SIZE]',
    help: 'show which instruction wrote last to guest-physical (with -v virtual) memory, or to a slot',
    origin: 'lab',
    note:
      'SIZE is in bytes, 1 where it is absent. It goes back through the checkpoints and looks for the last write to that memory, wherever slots showed it then; ' +
      "the machine is where it was afterwards. Writes of devices are no vCPU's.",
    run: (context, args) => ask(context, getString(args, 'where')!, getBig(args, 'size') ?? 1n, getFlag(args, 'virtual')),
  },
  {
    name: 'replay_seek',
    args: 'icount:s',
    params: 'icount|end',
    help: 'go to where so many instructions had run, back or on',
    origin: 'qemu',
    note:
      'All vCPUs together, since power-on; `end` is the present. QEMU has it while it plays a record; here it is there where checkpoints are kept. In its past the ' +
      "machine takes no input; QEMU's takes any count ahead.",
    run: (context, args) => seek(context, getString(args, 'icount')!),
  },
];
