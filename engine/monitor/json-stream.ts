/** JSON values one after another from a byte stream, and QEMU's way of printing them. */

/**
 * Cuts a stream into JSON values: by balanced braces and brackets outside strings, or by the end of a line for anything else. Bounded: a value
 * longer than `limit` characters is dropped with an error.
 */
export class JsonStream {
  private text = '';
  private scanned = 0;
  private depth = 0;
  private inString = false;
  private escaped = false;

  constructor(private readonly limit: number) {}

  push(more: string): ({ value: unknown } | { error: string })[] {
    this.text += more;
    const found: ({ value: unknown } | { error: string })[] = [];
    while (this.scanned < this.text.length) {
      const char = this.text[this.scanned++]!;
      if (this.inString) this.insideString(char);
      else if (char === '"') this.inString = true;
      else if (char === '{' || char === '[') this.depth++;
      else if (char === '}' || char === ']') {
        this.depth--;
        if (this.depth <= 0) found.push(...this.take());
      } else if (char === '\n' && this.depth === 0) found.push(...this.take());
    }
    if (this.text.length > this.limit) {
      found.push({ error: `JSON token size limit exceeded: more than ${this.limit} characters` });
      this.text = '';
      this.restart();
    }
    return found;
  }

  private insideString(char: string): void {
    if (char === '\n') {
      // A line cannot end inside a JSON string: the string was never closed.
      this.inString = false;
      this.escaped = false;
      if (this.depth === 0) this.scanned--;
    } else if (this.escaped) this.escaped = false;
    else if (char === '\\') this.escaped = true;
    else if (char === '"') this.inString = false;
  }

  private take(): ({ value: unknown } | { error: string })[] {
    const piece = this.text.slice(0, this.scanned).trim();
    this.text = this.text.slice(this.scanned);
    this.restart();
    if (piece === '') return [];
    try {
      return [{ value: JSON.parse(piece) }];
    } catch {
      return [{ error: `JSON parse error, ${parseError(piece)}` }];
    }
  }

  private restart(): void {
    this.scanned = 0;
    this.depth = 0;
    this.inString = false;
    this.escaped = false;
  }
}

/** QEMU names a bare word that it does not know; other faults are one phrase. */
function parseError(piece: string): string {
  const bare = piece.replace(/"(?:[^"\\]|\\.)*"/g, '').match(/[A-Za-z_]\w*/g) ?? [];
  const unknown = bare.find((word) => !['true', 'false', 'null'].includes(word));
  return unknown ? `invalid keyword '${unknown}'` : 'expecting value';
}

/** As QEMU prints: a blank after each colon and comma. */
export function stringify(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(stringify).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).filter(([, member]) => member !== undefined);
    return `{${members.map(([name, member]) => `${JSON.stringify(name)}: ${stringify(member)}`).join(', ')}}`;
  }
  return JSON.stringify(value) ?? 'null';
}
