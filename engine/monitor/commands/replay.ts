/** replay_break, replay_delete_break, info replay. Any run can be repeated without a record file, so QEMU's play mode is the only mode. */
import { type Command, CommandError, type Context, getBig } from '../types';

function breakAt({ machine }: Context, count: number): string {
  machine.run.breakAt(count);
  return '';
}

function deleteBreak({ machine }: Context): string {
  if (machine.run.breakCount === undefined) throw new CommandError('replay breakpoint is not set');
  machine.run.breakAt(undefined);
  return '';
}

export const replayCommands: Command[] = [
  {
    name: 'replay_break',
    input: true,
    args: 'icount:l',
    params: 'icount',
    help: 'set breakpoint at the specified instruction count',
    origin: 'qemu',
    run: (context, args) => breakAt(context, Number(getBig(args, 'icount'))),
    qmp: {
      name: 'replay-break',
      members: { icount: { type: 'int', required: true } },
      run: (context, members) => void breakAt(context, Number(members.icount)),
    },
  },
  {
    name: 'replay_delete_break',
    input: true,
    args: '',
    params: '',
    help: 'remove replay breakpoint',
    origin: 'qemu',
    run: deleteBreak,
    qmp: { name: 'replay-delete-break', members: {}, run: (context) => void deleteBreak(context) },
  },
];

export const replayInfo: Command = {
  name: 'replay',
  args: '',
  params: '',
  help: 'show record/replay information',
  origin: 'qemu',
  run({ machine }) {
    const stop = machine.run.breakCount === undefined ? '' : `, breakpoint at ${machine.run.breakCount}`;
    return `Record/replay is not active: instruction count = ${machine.run.instructions}${stop}\n`;
  },
  qmp: { name: 'query-replay', members: {}, run: ({ machine }) => ({ mode: 'none', icount: machine.run.instructions }) },
};
