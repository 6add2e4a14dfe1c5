/** stop, cont, system_reset, system_powerdown, quit, nmi, log. */
import type { Command, Context } from '../types';
import { CommandError, getString } from '../types';

/** Items of `log`; QEMU's items about generated code have no counterpart here. */
const LOG_ITEMS: Record<string, string> = {
  none: 'remove all logs',
  unimp: 'log unimplemented functionality and other reports of the machine',
  memslots: 'log each swap, zap and commit of the memslot engine',
};

const LOG_HELP = `Log items (comma separated):\n${Object.entries(LOG_ITEMS)
  .map(([name, text]) => `${name.padEnd(15)} ${text}\n`)
  .join('')}`;

export const logHelp = LOG_HELP;

function injectNmi({ machine, state }: Context): string {
  if (!machine.nmi) throw new CommandError('machine does not provide NMIs');
  machine.nmi(state.vcpu);
  return '';
}

function log(context: Context, items: string): string {
  const names = items.split(',');
  if (names.some((name) => LOG_ITEMS[name] === undefined)) return LOG_HELP;
  if (!names.includes('none') && !context.env.print) throw new CommandError("'log' cannot print here");
  context.state.logItems = new Set(names.filter((name) => name !== 'none'));
  return '';
}

export const runCommands: Command[] = [
  {
    name: 'stop|s',
    input: true,
    args: '',
    params: '',
    help: 'stop emulation',
    origin: 'qemu',
    run: ({ machine }) => {
      machine.run.stop();
      return '';
    },
    qmp: { name: 'stop', members: {}, run: ({ machine }) => machine.run.stop() },
  },
  {
    name: 'cont|c',
    input: true,
    args: '',
    params: '',
    help: 'resume emulation',
    origin: 'qemu',
    run: ({ machine }) => {
      machine.run.cont();
      return '';
    },
    qmp: { name: 'cont', members: {}, run: ({ machine }) => machine.run.cont() },
  },
  {
    name: 'system_reset',
    input: true,
    args: '',
    params: '',
    help: 'reset the system',
    origin: 'qemu',
    run: ({ machine }) => {
      machine.reset();
      return '';
    },
    qmp: { name: 'system_reset', members: {}, run: ({ machine }) => machine.reset() },
  },
  {
    name: 'system_powerdown',
    input: true,
    args: '',
    params: '',
    help: 'send system power down event',
    origin: 'qemu',
    run: ({ machine }) => {
      machine.powerdown();
      return '';
    },
    qmp: { name: 'system_powerdown', members: {}, run: ({ machine }) => machine.powerdown() },
  },
  {
    name: 'quit|q',
    args: '',
    params: '',
    help: 'quit the emulator',
    origin: 'qemu',
    run: ({ env }) => {
      env.quit();
      return '';
    },
    // The session answers before it ends the program: see qmp.ts.
    qmp: { name: 'quit', members: {}, run: () => undefined },
  },
  {
    name: 'nmi',
    input: true,
    args: '',
    params: '',
    help: 'inject an NMI',
    origin: 'qemu',
    run: injectNmi,
    qmp: { name: 'inject-nmi', members: {}, run: (context) => void injectNmi(context) },
  },
  {
    name: 'log',
    args: 'items:s',
    params: 'item1[,...]',
    help: 'activate logging of the specified items',
    origin: 'qemu',
    run: (context, args) => log(context, getString(args, 'items')!),
    complete: (_context, word) => {
      const start = word.slice(0, word.lastIndexOf(',') + 1);
      return Object.keys(LOG_ITEMS).map((name) => start + name);
    },
  },
];
