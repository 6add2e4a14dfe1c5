/**
 * JSON tokens from a byte stream, split as in QEMU's monitor: RFC 8259, and strings in single quotes too. A byte that fits no token makes everything
 * since the token began an error. Then bytes are skipped up to one that can start anew (a control character except tab, a bracket, a brace, a comma,
 * a colon, 0xFE or 0xFF), so a client that abandoned a command can recover by sending one of these.
 */

export type TokenType = '{' | '}' | '[' | ']' | ':' | ',' | 'integer' | 'float' | 'keyword' | 'string' | 'error';

export interface Token {
  type: TokenType;
  /** Its bytes, one per character (Latin-1); with the quotes of a string. */
  text: string;
}

enum State {
  start,
  skipping,
  double,
  doubleEscape,
  single,
  singleEscape,
  sign,
  zero,
  digits,
  point,
  fraction,
  exponent,
  exponentSign,
  exponentDigits,
  keyword,
}

const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39;
const isLetter = (byte: number): boolean => byte >= 0x61 && byte <= 0x7a;
const isBlank = (byte: number): boolean => byte === 0x20 || byte === 0x09 || byte === 0x0d || byte === 0x0a;
/** Allowed in a string. */
const isText = (byte: number): boolean => byte >= 0x20 && byte <= 0xfd;
const STRUCTURE = '{}[]:,';

/** Effect of a byte on a token: the next state; 'ends': the byte is the last of a token of this type; 'behind': the byte follows the token. */
type Step = State | { ends: TokenType } | { behind: TokenType };

const STRING_ENDS: Step = { ends: 'string' };
const INTEGER_BEHIND: Step = { behind: 'integer' };
const FLOAT_BEHIND: Step = { behind: 'float' };
const KEYWORD_BEHIND: Step = { behind: 'keyword' };
const WRONG: Step = { ends: 'error' };

/** For a token that begins with this byte; `start`: none that continues. */
function stateOf(byte: number): State {
  if (byte === 0x22) return State.double;
  if (byte === 0x27) return State.single;
  if (byte === 0x2d) return State.sign;
  if (byte === 0x30) return State.zero;
  if (isDigit(byte)) return State.digits;
  return isLetter(byte) ? State.keyword : State.start;
}

export class Lexer {
  private state = State.start;
  private bytes: number[] = [];

  /** `limit`: bytes of one token. A longer one is returned as an error. */
  constructor(
    private readonly limit: number,
    private readonly emit: (token: Token) => void,
  ) {}

  feed(byte: number): void {
    if (this.state === State.skipping) {
      if ((isText(byte) || byte === 0x09) && !STRUCTURE.includes(String.fromCharCode(byte))) return;
      this.state = State.start;
    }
    if (this.state !== State.start) {
      const step = this.step(byte);
      if (typeof step === 'number') {
        this.take(byte, step);
        return;
      }
      if ('ends' in step) {
        this.bytes.push(byte);
        this.finish(step.ends);
        return;
      }
      this.finish(step.behind);
    }
    if (isBlank(byte)) return;
    const next = stateOf(byte);
    if (next !== State.start) {
      this.take(byte, next);
      return;
    }
    const char = String.fromCharCode(byte);
    this.bytes.push(byte);
    this.finish(STRUCTURE.includes(char) ? (char as TokenType) : 'error');
  }

  private take(byte: number, next: State): void {
    this.state = next;
    this.bytes.push(byte);
    if (this.bytes.length > this.limit) {
      this.finish('error');
      this.state = State.start;
    }
  }

  private finish(type: TokenType): void {
    const text = Array.from(this.bytes, (byte) => String.fromCharCode(byte)).join('');
    this.bytes = [];
    this.state = type === 'error' ? State.skipping : State.start;
    this.emit({ type, text });
  }

  private step(byte: number): Step {
    switch (this.state) {
      case State.double:
        return byte === 0x22 ? STRING_ENDS : byte === 0x5c ? State.doubleEscape : isText(byte) ? State.double : WRONG;
      case State.single:
        return byte === 0x27 ? STRING_ENDS : byte === 0x5c ? State.singleEscape : isText(byte) ? State.single : WRONG;
      case State.doubleEscape:
        return isText(byte) ? State.double : WRONG;
      case State.singleEscape:
        return isText(byte) ? State.single : WRONG;
      case State.keyword:
        return isLetter(byte) ? State.keyword : KEYWORD_BEHIND;
      default:
        return this.inNumber(byte, String.fromCharCode(byte));
    }
  }

  private inNumber(byte: number, char: string): Step {
    const digit = isDigit(byte);
    switch (this.state) {
      case State.sign:
        return char === '0' ? State.zero : digit ? State.digits : WRONG;
      case State.zero:
        return char === '.' ? State.point : digit ? WRONG : INTEGER_BEHIND;
      case State.digits:
        return digit ? State.digits : char === '.' ? State.point : char === 'e' || char === 'E' ? State.exponent : INTEGER_BEHIND;
      case State.point:
        return digit ? State.fraction : WRONG;
      case State.fraction:
        return digit ? State.fraction : char === 'e' || char === 'E' ? State.exponent : FLOAT_BEHIND;
      case State.exponent:
        return digit ? State.exponentDigits : char === '+' || char === '-' ? State.exponentSign : WRONG;
      case State.exponentSign:
        return digit ? State.exponentDigits : WRONG;
      default:
        return digit ? State.exponentDigits : FLOAT_BEHIND;
    }
  }
}
