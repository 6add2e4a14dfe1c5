/** symbol, info backtrace: ours. */
import { type SymbolSource, symbolsOf } from '../../symbols/index';
import { readExpression } from '../expr';
import { registerValue } from '../registers';
import { hex } from '../sizes';
import { type Command, CommandError, type Context, getNumber, getString, UsageError } from '../types';

const MOST_COMPLETIONS = 40;

export function sourceLine({ name, symbols, slide, unused }: SymbolSource): string {
  const moved = slide === undefined ? '' : `, moved by ${slide < 0n ? '-' : ''}${hex(slide < 0n ? -slide : slide)}`;
  return `${name}: ${symbols} symbols${moved}${unused === undefined ? '' : `, not used: ${unused}`}`;
}

function sources({ machine }: Context): string {
  const found = symbolsOf(machine).sources();
  if (found.length === 0) return 'No symbols: neither the guest image nor its memory has any; lab -symbols FILE loads some\n';
  return found.map((source) => `${sourceLine(source)}\n`).join('');
}

/** Prints the address of a name, or the name of an address. */
function symbol(context: Context, text: string): string {
  const { machine, state } = context;
  const symbols = symbolsOf(machine);
  const named = symbols.find(text);
  if (named !== undefined) return `${text} ${hex(named, 16)}\n`;
  let address: bigint;
  try {
    const registers = machine.inspect.registers(state.vcpu);
    const { value, end } = readExpression(text, 0, (name) => registerValue(registers, name), { symbols: (name) => symbols.find(name) });
    if (text.slice(end).trim() !== '') throw new UsageError('');
    address = value;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new CommandError(`there is no symbol '${text}'${near(symbols.startingWith(text, 3))}`);
  }
  const name = symbols.name(address);
  if (name === undefined) throw new CommandError(`no symbol is known at ${hex(address)}`);
  return `${hex(address, 16)} ${name}\n`;
}

const near = (names: readonly string[]): string => (names.length === 0 ? '' : `; there is ${names.join(', ')}`);

function backtrace({ machine, state }: Context, vcpu = state.vcpu): string {
  if (vcpu < 0 || vcpu >= machine.config.smp) throw new CommandError('invalid CPU index');
  const { frames, end } = symbolsOf(machine).backtrace(vcpu);
  const lines = frames.map(({ address, by, symbol: name }, index) => {
    const how = by === 'registers' ? '' : ` (${by})`;
    return `#${String(index).padEnd(3)}${hex(address, 16)}${name === undefined ? '' : ` ${name}`}${how}\n`;
  });
  return lines.join('') + (end === undefined ? '' : `ends here: ${end}\n`);
}

export const symbolCommand: Command = {
  name: 'symbol',
  args: 'what:S?',
  params: '[NAME|ADDR]',
  help: 'show the address of a symbol, or the symbol that an address lies in; without an argument: where symbols come from',
  origin: 'lab',
  run: (context, args) => {
    const what = getString(args, 'what')?.trim();
    return what ? symbol(context, what) : sources(context);
  },
  complete: ({ machine }, word) => (word.length < 2 ? [] : symbolsOf(machine).startingWith(word, MOST_COMPLETIONS)),
};

export const backtraceInfo: Command = {
  name: 'backtrace',
  args: 'vcpu:i?',
  params: '[vcpu]',
  help: 'show the callers of the code that a vCPU runs (default: the current one)',
  origin: 'lab',
  run: (context, args) => backtrace(context, getNumber(args, 'vcpu')),
};
