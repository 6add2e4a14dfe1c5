/** Subtle colours for the monitor's output: errors, refusals, table heads, commands of help. Control characters never reach the terminal. */
const RED = '\x1b[31m';
const YELLOW = '\x1b[33m';
const BLUE = '\x1b[34m';
const DIM = '\x1b[90m';
const RESET = '\x1b[0m';

/** First words of the tables that our own commands print. */
const TABLE_HEAD = /^\s*(?:(?:id|slot)\s+(?:as|base|gpa|before)\b|vcpu\s+entries\b|gen\s+swaps\b)/;
/** "memslot_move ID GPA -- move a memslot", as help prints it. */
const HELP_LINE = /^([a-z0-9_|?-]+(?: [a-z0-9_|-]+)?)( .*)? -- (.*)$/;

/** Newlines become what a terminal needs; other control characters are shown as dots. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is replaced
  return text.replace(/\r\n?/g, '\n').replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, '·');
}

export function colourOutput(text: string): string {
  return printable(text)
    .split('\n')
    .map((line) => {
      if (/^(Error|error)\b|\b(EINVAL|EEXIST|ENOENT|ENOMEM|ENXIO|E2BIG|ESTALE)\b/.test(line)) return `${RED}${line}${RESET}`;
      if (TABLE_HEAD.test(line)) return `${DIM}${line}${RESET}`;
      if (/^(?:unknown command:|Try "help )/.test(line)) return `${YELLOW}${line}${RESET}`;
      const help = HELP_LINE.exec(line);
      return help ? `${BLUE}${help[1]}${RESET}${help[2] ?? ''} ${DIM}-- ${help[3]}${RESET}` : line;
    })
    .join('\r\n');
}
