/** The args_type parser: parses one line's arguments by a command's description, with QEMU's error texts. */
import { type RegisterLookup, readExpression } from './expr';
import { parseQemuOpts } from './opts';
import { type Args, type Format, type MonitorState, UsageError } from './types';

interface Slot {
  key: string;
  type: string;
  optional: boolean;
}

/** "fmt:/,addr:l,index:i." -> its slots. */
export function parseArgsType(description: string): Slot[] {
  if (description === '') return [];
  return description.split(',').map((part) => {
    const colon = part.indexOf(':');
    const type = part.slice(colon + 1);
    return { key: part.slice(0, colon), type: type.replace('?', ''), optional: type.endsWith('?') };
  });
}

const skipSpaces = (text: string, at: number): number => {
  let next = at;
  while (/\s/.test(text[next] ?? '')) next++;
  return next;
};

const ESCAPES: Record<string, string> = { n: '\n', r: '\r', '\\': '\\', "'": "'", '"': '"' };

/** One word or one "quoted string"; undefined if there is none. Throws UsageError for a bad quote or escape. */
export function readString(text: string, start: number): { value: string; end: number } | undefined {
  let at = skipSpaces(text, start);
  if (at >= text.length) return undefined;
  if (text[at] !== '"') {
    const word = /^\S+/.exec(text.slice(at))![0];
    return { value: word, end: at + word.length };
  }
  let value = '';
  for (at++; text[at] !== '"'; at++) {
    if (at >= text.length) throw new UsageError('unterminated string');
    if (text[at] !== '\\') {
      value += text[at];
      continue;
    }
    at++;
    const escaped = ESCAPES[text[at] ?? ''];
    if (escaped === undefined) throw new UsageError(`unsupported escape code: '\\${text[at] ?? ''}'`);
    value += escaped;
  }
  return { value, end: at + 1 };
}

export interface ArgContext {
  /** The command's full name with its aliases ("stop|s"), with which QEMU's error texts begin. */
  command: string;
  state: MonitorState;
  registers: RegisterLookup;
  /** Symbols of the guest's code and data. */
  symbols?: (name: string) => bigint | undefined;
}

/** Throws UsageError; the lines of its message are printed before `Try "help ..."`. */
export function parseArguments(text: string, description: string, context: ArgContext): Args {
  const parser = new ArgParser(text, parseArgsType(description), context);
  return parser.run();
}

class ArgParser {
  private at = 0;
  private readonly args: Args = new Map();

  constructor(
    private readonly text: string,
    private readonly slots: Slot[],
    private readonly context: ArgContext,
  ) {}

  run(): Args {
    for (let index = 0; index < this.slots.length; index++) {
      if (this.slots[index]!.type.startsWith('-')) index = this.flags(index) - 1;
      else this.positional(this.slots[index]!);
    }
    this.skip();
    if (this.at < this.text.length) throw new UsageError(`${this.context.command}: extraneous characters at the end of line`);
    return this.args;
  }

  /** Consecutive flags in the description may come in any order. Returns the index after them. */
  private flags(from: number): number {
    let end = from;
    while (this.slots[end]?.type.startsWith('-')) end++;
    const group = this.slots.slice(from, end);
    for (;;) {
      this.skip();
      if (this.text[this.at] !== '-') return end;
      const letter = this.text[this.at + 1] ?? '';
      const slot = group.find((each) => each.type[1] === letter);
      if (!slot) throw new UsageError(`${this.context.command}: unsupported option -${letter}`);
      this.args.set(slot.key, true);
      this.at += 2;
    }
  }

  private positional(slot: Slot): void {
    const read = this.readers[slot.type];
    if (!read) throw new Error(`args_type: unknown type ${slot.type}`);
    read(slot);
  }

  private readonly readers: Record<string, (slot: Slot) => void> = {
    s: (slot) => this.word(slot),
    F: (slot) => this.word(slot),
    S: (slot) => this.rest(slot),
    O: (slot) => this.options(slot),
    '/': (slot) => this.format(slot),
    i: (slot) => this.expression(slot),
    l: (slot) => this.expression(slot),
    'i.': (slot) => this.dotted(slot),
    z: (slot) => this.size(slot),
    M: (slot) => this.mebibytes(slot),
    'n*': (slot) => this.numbers(slot),
  };

  private word(slot: Slot): void {
    this.skip();
    if (slot.optional && this.at >= this.text.length) return;
    const missing = slot.type === 'F' ? 'filename expected' : 'string expected';
    try {
      const found = readString(this.text, this.at);
      if (!found) throw new UsageError('');
      this.args.set(slot.key, found.value);
      this.at = found.end;
    } catch (error) {
      const reason = error instanceof UsageError && error.message !== '' ? `${error.message}\n` : '';
      throw new UsageError(`${reason}${this.context.command}: ${missing}`);
    }
  }

  private rest(slot: Slot): void {
    this.skip();
    const rest = this.text.slice(this.at);
    if (rest === '') {
      if (slot.optional) return;
      throw new UsageError(`${this.context.command}: string expected`);
    }
    this.args.set(slot.key, rest);
    this.at = this.text.length;
  }

  private options(slot: Slot): void {
    const found = readString(this.text, this.at);
    this.args.set(slot.key, parseQemuOpts(found?.value ?? '', 'driver'));
    if (found) this.at = found.end;
  }

  private format(slot: Slot): void {
    this.skip();
    const { state } = this.context;
    const value: Format = { count: 1, format: state.format, size: state.format === 'i' ? -1 : state.size };
    if (this.text[this.at] === '/') {
      const match = /^\/(\d*)([odxuicbhwgL]*)/.exec(this.text.slice(this.at))!;
      this.at += match[0].length;
      const stray = this.text[this.at];
      if (stray !== undefined && !/\s/.test(stray)) throw new UsageError(`invalid char in format: '${stray}'`);
      applyFormat(value, match[1]!, match[2]!, state);
    }
    this.args.set(slot.key, value);
  }

  private expression(slot: Slot): void {
    this.skip();
    if (slot.optional && this.at >= this.text.length) return;
    const { value, end } = readExpression(this.text, this.at, this.context.registers, this.context);
    this.at = end;
    if (slot.type === 'l') {
      this.args.set(slot.key, value);
      return;
    }
    if (value >> 32n !== 0n) {
      throw new UsageError(`'${this.context.command}' has failed: integer is for 32-bit values`);
    }
    this.args.set(slot.key, Number(value));
  }

  /** A number of MiB, as bytes. */
  private mebibytes(slot: Slot): void {
    this.skip();
    const { value, end } = readExpression(this.text, this.at, this.context.registers, this.context);
    this.at = end;
    if (BigInt.asIntN(64, value) < 0n) throw new UsageError('enter a positive value');
    this.args.set(slot.key, Number(value) * 0x100000);
  }

  private dotted(slot: Slot): void {
    if (this.text[this.at] !== '.') return;
    this.at++;
    this.expression({ ...slot, type: 'i', optional: false });
  }

  private token(): string {
    this.skip();
    return /^\S*/.exec(this.text.slice(this.at))![0];
  }

  private size(slot: Slot): void {
    const token = this.token();
    if (slot.optional && (token === '' || token.startsWith('-'))) return;
    this.args.set(slot.key, this.numberOf(token));
    this.at += token.length;
  }

  private numbers(slot: Slot): void {
    const values: number[] = [];
    // A flag may follow: no list parsed here has negative numbers.
    for (let token = this.token(); (token !== '' && !/^-[a-z]/.test(token)) || values.length === 0; token = this.token()) {
      values.push(this.numberOf(token));
      this.at += token.length;
    }
    this.args.set(slot.key, values);
  }

  /** A whole word as a number that a JS number represents exactly. */
  private numberOf(token: string): number {
    const { value, end } = readExpression(token, 0, this.context.registers, { suffixes: true });
    if (end < token.length) throw new UsageError(`invalid char '${token[end]}' in '${token}'`);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw new UsageError(`number too large: '${token}', at most 0x1fffffffffffff`);
    return Number(value);
  }

  private skip(): void {
    this.at = skipSpaces(this.text, this.at);
  }
}

const UNIT_BYTES: Record<string, number> = { b: 1, h: 2, w: 4, g: 8, L: 8 };

function applyFormat(value: Format, digits: string, letters: string, state: MonitorState): void {
  // QEMU counts in signed 32 bits.
  if (digits !== '') value.count = Number(BigInt.asIntN(32, BigInt(digits)));
  let size = -1;
  for (const letter of letters) {
    if (UNIT_BYTES[letter] !== undefined) size = UNIT_BYTES[letter];
    else value.format = letter as Format['format'];
  }
  if (value.format !== 'i') {
    value.size = size < 0 ? state.size : size;
    state.size = value.size;
  } else {
    value.size = size;
  }
  state.format = value.format;
}
