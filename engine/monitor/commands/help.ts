/** help and info themselves. */

import { readString } from '../args';
import type { Command, Context } from '../types';
import { getString } from '../types';
import { logHelp } from './run';

/** "stop|s" means "stop" and "s". */
export const namesOf = (command: Command): string[] => command.name.split('|');

export const findCommand = (table: readonly Command[], name: string): Command | undefined =>
  table.find((command) => namesOf(command).includes(name));

export const helpLine = (command: Command, prefix = ''): string => `${prefix}${command.name} ${command.params} -- ${command.help}\n`;

const sorted = (table: readonly Command[]): Command[] => [...table].sort((a, b) => (a.name < b.name ? -1 : 1));

export const helpOf = (table: readonly Command[], prefix = ''): string =>
  sorted(table)
    .map((command) => helpLine(command, prefix))
    .join('');

function words(text: string): string[] {
  const found: string[] = [];
  let at = 0;
  for (let word = readString(text, at); word; word = readString(text, at)) {
    found.push(word.value);
    at = word.end;
  }
  return found;
}

function help(context: Context, text: string | undefined): string {
  const [name, sub] = words(text ?? '');
  if (name === undefined) return helpOf(context.commands);
  if (name === 'log') return logHelp;
  const command = findCommand(context.commands, name);
  if (!command) return `unknown command: '${name}'\n`;
  if (!command.sub) return helpLine(command);
  if (sub === undefined) return helpOf(command.sub, `${command.name} `);
  const found = findCommand(command.sub, sub);
  return found ? helpLine(found, `${command.name} `) : `unknown command: '${name} ${sub}'\n`;
}

export const helpCommand: Command = {
  name: 'help|?',
  args: 'name:S?',
  params: '[cmd]',
  help: 'show the help',
  origin: 'qemu',
  run: (context, args) => help(context, getString(args, 'name')),
  complete: (context, _word, before) => {
    if (before.length === 0) return context.commands.flatMap(namesOf);
    return findCommand(context.commands, before[0]!)?.sub?.flatMap(namesOf) ?? [];
  },
};

export const infoCommand = (sub: readonly Command[]): Command => ({
  name: 'info',
  args: 'item:s?',
  params: '[subcommand]',
  help: 'show various information about the system state',
  origin: 'qemu',
  sub,
  run: () => helpOf(sub, 'info '),
});
