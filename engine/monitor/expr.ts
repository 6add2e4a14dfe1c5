/** Expressions in QEMU's monitor syntax: 64-bit, + - * / % & | ^ ~, parentheses, character constants, $registers; ours: names of symbols. */
import { UsageError } from './types';

export type RegisterLookup = (name: string) => bigint | undefined;

const U64 = (value: bigint): bigint => BigInt.asUintN(64, value);
const S64 = (value: bigint): bigint => BigInt.asIntN(64, value);
const ALL_ONES = 0xffff_ffff_ffff_ffffn;

const SUFFIX: Record<string, bigint> = {
  b: 1n,
  k: 1n << 10n,
  m: 1n << 20n,
  g: 1n << 30n,
  t: 1n << 40n,
  p: 1n << 50n,
  e: 1n << 60n,
};

export interface ExpressionOptions {
  /** Numbers may have a suffix k, M, G, T, P or E (our own commands only). */
  suffixes?: boolean;
  /** The address of a name in the guest's code or data. */
  symbols?: (name: string) => bigint | undefined;
}

/** Parses one expression in `text` from `start`; `end` is where it stopped. Throws UsageError with QEMU's texts. */
export function readExpression(
  text: string,
  start: number,
  registers: RegisterLookup,
  options: ExpressionOptions = {},
): { value: bigint; end: number } {
  const reader = new Reader(text, start, registers, options);
  const value = reader.logic();
  return { value: U64(value), end: reader.at };
}

class Reader {
  constructor(
    private readonly text: string,
    public at: number,
    private readonly registers: RegisterLookup,
    private readonly options: ExpressionOptions,
  ) {
    this.skip();
  }

  /** & | ^ from left to right with equal precedence: QEMU's own grammar. */
  logic(): bigint {
    let value = this.sum();
    for (;;) {
      const operator = this.peek();
      if (operator !== '&' && operator !== '|' && operator !== '^') return value;
      this.next();
      const right = this.sum();
      value = operator === '&' ? value & right : operator === '|' ? value | right : value ^ right;
    }
  }

  private sum(): bigint {
    let value = this.product();
    for (;;) {
      const operator = this.peek();
      if (operator !== '+' && operator !== '-') return value;
      this.next();
      const right = this.product();
      value = U64(operator === '+' ? value + right : value - right);
    }
  }

  private product(): bigint {
    let value = this.unary();
    for (;;) {
      const operator = this.peek();
      if (operator !== '*' && operator !== '/' && operator !== '%') return value;
      this.next();
      const right = this.unary();
      if (operator === '*') {
        value = U64(value * right);
        continue;
      }
      if (right === 0n) throw new UsageError('division by zero');
      value = U64(operator === '/' ? S64(value) / S64(right) : S64(value) % S64(right));
    }
  }

  private unary(): bigint {
    const first = this.peek();
    switch (first) {
      case '':
        throw new UsageError('unexpected end of expression');
      case '+':
        this.next();
        return this.unary();
      case '-':
        this.next();
        return U64(-this.unary());
      case '~':
        this.next();
        return ~this.unary() & ALL_ONES;
      case '(':
        return this.parenthesis();
      case "'":
        return this.character();
      case '$':
        return this.register();
      default:
        return this.number();
    }
  }

  private parenthesis(): bigint {
    this.next();
    const value = this.logic();
    if (this.peek() !== ')') throw new UsageError("')' expected");
    this.next();
    return value;
  }

  private character(): bigint {
    this.at++;
    const code = this.text.charCodeAt(this.at);
    if (Number.isNaN(code)) throw new UsageError('character constant expected');
    this.at++;
    if (this.text[this.at] !== "'") throw new UsageError("missing terminating ' character");
    this.next();
    return BigInt(code);
  }

  private register(): bigint {
    const name = /^[A-Za-z0-9_.]*/.exec(this.text.slice(this.at + 1))![0];
    this.at += 1 + name.length;
    this.skip();
    const value = this.registers(name);
    if (value === undefined) throw new UsageError('unknown register');
    return U64(value);
  }

  /** strtoull with base 0: "0x" is hexadecimal, a leading 0 octal; other characters stay unread. */
  private number(): bigint {
    const rest = this.text.slice(this.at);
    const digits = (/^0[xX][0-9a-fA-F]+/.exec(rest) ?? /^0[0-7]*/.exec(rest) ?? /^[1-9][0-9]*/.exec(rest))?.[0];
    if (digits === undefined) {
      const symbol = this.symbol(rest);
      if (symbol !== undefined) return symbol;
      throw new UsageError(`invalid char '${String.fromCodePoint(rest.codePointAt(0)!)}' in expression`);
    }
    this.at += digits.length;
    let value = BigInt(/^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits);
    if (value > ALL_ONES) throw new UsageError('number too large');
    if (this.options.suffixes) {
      const factor = SUFFIX[(this.text[this.at] ?? '').toLowerCase()];
      if (factor !== undefined) {
        this.at++;
        value *= factor;
        if (value > ALL_ONES) throw new UsageError('number too large');
      }
    }
    this.skip();
    return value;
  }

  private symbol(rest: string): bigint | undefined {
    const name = /^[A-Za-z_.][\w.$@]*/.exec(rest)?.[0];
    const address = name === undefined ? undefined : this.options.symbols?.(name);
    if (name === undefined || address === undefined) return undefined;
    this.at += name.length;
    this.skip();
    return address;
  }

  private peek(): string {
    return this.text[this.at] ?? '';
  }
  private next(): void {
    this.at++;
    this.skip();
  }
  private skip(): void {
    while (/\s/.test(this.text[this.at] ?? '')) this.at++;
  }
}
