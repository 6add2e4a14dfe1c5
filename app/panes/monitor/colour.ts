/** Modest colour for what the monitor prints: errors, refusals and table heads. Control characters never reach the terminal. */
const RED = '\x1b[31m';
const DIM = '\x1b[90m';
const RESET = '\x1b[0m';

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
      if (/^\s*(id|slot)\s+(as|base|gpa)\b/.test(line)) return `${DIM}${line}${RESET}`;
      return line;
    })
    .join('\r\n');
}
