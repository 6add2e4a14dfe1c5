/** balloon and info balloon. */
import { type Command, CommandError, type Context, getNumber } from '../types';

const MIB = 0x100000;

function actual({ machine }: Context): number {
  const balloon = machine.virtio.balloon();
  if (!balloon) throw new CommandError('No balloon device has been activated', 'DeviceNotActive');
  return balloon.actual;
}

function setBalloon(context: Context, target: unknown): void {
  // Without a device this is the error, whatever the target.
  actual(context);
  if (typeof target !== 'number' || !Number.isSafeInteger(target) || target <= 0)
    throw new CommandError("Parameter 'target' expects a size");
  context.machine.virtio.setBalloon(target);
}

export const balloonCommand: Command = {
  name: 'balloon',
  input: true,
  args: 'value:M',
  params: 'target',
  help: 'request VM to change its memory allocation (in MB)',
  origin: 'qemu',
  run: (context, args) => {
    setBalloon(context, getNumber(args, 'value'));
    return '';
  },
  qmp: {
    name: 'balloon',
    members: { value: { type: 'int', required: true } },
    // A target above the RAM size means all of it.
    run: (context, members) => setBalloon(context, Math.min(Number(members.value), Number.MAX_SAFE_INTEGER)),
  },
};

export const balloonInfo: Command = {
  name: 'balloon',
  args: '',
  params: '',
  help: 'show balloon information',
  origin: 'qemu',
  run: (context) => `balloon: actual=${Math.floor(actual(context) / MIB)}\n`,
  qmp: { name: 'query-balloon', members: {}, run: (context) => ({ actual: actual(context) }) },
};
