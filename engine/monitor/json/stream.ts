/** JSON values one after another from a byte stream, split as in QEMU's monitor. */
import { Lexer, type Token } from './lexer';
import { codePointAt, JsonError, type JsonValue, parseTokens } from './parse';

/** As in QEMU: nesting depth of brackets and braces. */
const MOST_NESTED = 1024;

export type Message = { value: JsonValue } | { error: string };

/** A value ends with its last bracket or brace; a bare word or number with the byte after it. Anything invalid is one error, and the stream continues. */
export class JsonStream {
  private readonly lexer: Lexer;
  private tokens: Token[] = [];
  private size = 0;
  private braces = 0;
  private brackets = 0;
  private found: Message[] = [];

  /** `limit`: bytes of all tokens of one value. */
  constructor(private readonly limit: number) {
    this.lexer = new Lexer(limit, (token) => this.take(token));
  }

  push(more: Uint8Array): Message[] {
    for (const byte of more) this.lexer.feed(byte);
    const { found } = this;
    this.found = [];
    return found;
  }

  private take(token: Token): void {
    const { type } = token;
    if (type === '{') this.braces++;
    else if (type === '}') this.braces--;
    else if (type === '[') this.brackets++;
    else if (type === ']') this.brackets--;
    const error = this.refusal(token);
    if (error !== undefined) {
      this.answer({ error });
      return;
    }
    this.tokens.push(token);
    this.size += token.text.length + 1;
    const open = (this.braces > 0 || this.brackets > 0) && this.braces >= 0 && this.brackets >= 0;
    if (!open) this.answer(parsed(this.tokens));
  }

  private refusal({ type, text }: Token): string | undefined {
    if (this.size + text.length > this.limit) return 'JSON token size limit exceeded';
    if (type === 'error') return `JSON parse error, stray '${shown(text)}'`;
    return this.braces + this.brackets > MOST_NESTED ? 'JSON nesting depth limit exceeded' : undefined;
  }

  private answer(message: Message): void {
    this.found.push(message);
    this.tokens = [];
    this.size = 0;
    this.braces = 0;
    this.brackets = 0;
  }
}

function parsed(tokens: readonly Token[]): Message {
  try {
    return { value: parseTokens(tokens) };
  } catch (error) {
    if (error instanceof JsonError) return { error: `JSON parse error, ${error.message}` };
    throw error;
  }
}

/** Bytes for a message, with U+FFFD for invalid characters. Ends at a zero byte, like a C string. */
function shown(bytes: string): string {
  let text = '';
  for (let at = 0; at < bytes.length && bytes[at] !== '\0'; ) {
    const { code, length } = codePointAt(bytes, at);
    text += code < 0 ? '\ufffd' : String.fromCodePoint(code);
    at += length;
  }
  return text;
}
