/** An 80 x 25 terminal for a guest's serial output: cursor addressing, erasing, text. Colours are dropped. */

const COLUMNS = 80;
const ROWS = 25;

export class Screen {
  private cells: string[][] = Screen.blank();
  private row = 0;
  private column = 0;
  /** Collected bytes of an unfinished escape sequence. */
  private escape: string | undefined;

  private static blank(): string[][] {
    return Array.from({ length: ROWS }, () => new Array<string>(COLUMNS).fill(' '));
  }

  write(bytes: Uint8Array): void {
    for (const byte of bytes) this.put(String.fromCharCode(byte));
  }

  /** Row as text, trailing blanks dropped. The first row is 1, as in the escape sequences. */
  line(row: number): string {
    return this.cells[row - 1]!.join('').trimEnd();
  }

  get text(): string {
    return this.cells.map((_, index) => this.line(index + 1)).join('\n');
  }

  private put(character: string): void {
    if (this.escape !== undefined) {
      this.escape += character;
      if (/^\[[0-9;?]*[A-Za-z]$/.test(this.escape)) {
        this.control(this.escape.at(-1)!, this.escape.slice(1, -1));
        this.escape = undefined;
      } else if (!this.escape.startsWith('[')) this.escape = undefined;
    } else if (character === '\x1b') this.escape = '';
    else if (character === '\r') this.column = 0;
    else if (character === '\n') this.row = Math.min(this.row + 1, ROWS - 1);
    else if (character >= ' ' && this.column < COLUMNS) this.cells[this.row]![this.column++] = character;
  }

  private control(command: string, parameters: string): void {
    const [first = 1, second = 1] = parameters.split(';').map((part) => Number(part) || 1);
    if (command === 'H') {
      this.row = Math.min(first, ROWS) - 1;
      this.column = Math.min(second, COLUMNS) - 1;
    } else if (command === 'J') this.cells = Screen.blank();
  }
}
