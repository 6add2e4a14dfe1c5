/** gdbserver, where the host can listen. */
import { type Command, CommandError, getString } from '../types';

export const gdbCommand: Command = {
  name: 'gdbserver',
  args: 'device:s?',
  params: '[device]',
  help: "start gdbserver on given device (default 'tcp::1234'), stop with 'none'",
  origin: 'qemu',
  async run({ env }, args) {
    if (!env.gdbserver) throw new CommandError('gdbserver: this program cannot listen; use lab -gdb');
    try {
      return await env.gdbserver(getString(args, 'device'));
    } catch (error) {
      throw new CommandError((error as Error).message);
    }
  },
};
