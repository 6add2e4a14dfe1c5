/** An address in the page's fields: an expression of the monitor, so `0x400000` and `$rip+8` both work. */
import type { Machine } from '../machine/index';
import { symbolsOf } from '../symbols/index';
import { readExpression } from './expr';
import { registerValue } from './registers';
import { CommandError, UsageError } from './types';

/** CommandError, one line, if the text is not an expression. */
export function readAddress(machine: Machine, text: string, vcpu = 0): bigint {
  const wrong = (why: string): CommandError =>
    new CommandError(`'${text}' is not an address (${why}): use 0x..., $rip or a symbol, with + and -`);
  try {
    const { value, end } = readExpression(text, 0, (name) => registerValue(machine.inspect.registers(vcpu), name), {
      symbols: (name) => symbolsOf(machine).find(name),
    });
    if (text.slice(end).trim() !== '') throw wrong(`unexpected text after it: '${text.slice(end).trim()}'`);
    return value;
  } catch (error) {
    throw error instanceof UsageError ? wrong(error.message) : error;
  }
}
