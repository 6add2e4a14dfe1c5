import { describe, expect, it } from 'vitest';
import { colourOutput } from './colour';

describe('colourOutput', () => {
  it('changes nothing but colour', () => {
    const text = "id  as  gpa\nError: no\nmemslot_move id gpa -- move a memslot\nunknown command: 'x'\n0x1000 plain";
    // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is taken out
    expect(colourOutput(text).replace(/\x1b\[\d+m/g, '')).toBe(text.replace(/\n/g, '\r\n'));
  });

  it('distinguishes errors, heads, help and plain lines', () => {
    const start = (line: string): string => colourOutput(line).slice(0, 5);
    expect(start('Error: memslot 9 does not exist')).toBe('\x1b[31m');
    expect(start('entry 2: EEXIST: overlaps memslot 2')).toBe('\x1b[31m');
    expect(start('   gen  swaps  zapped')).toBe('\x1b[90m');
    expect(start('info walk addr -- show how the vCPU translates')).toBe('\x1b[34m');
    expect(start('stop|s  -- stop emulation')).toBe('\x1b[34m');
    expect(start("unknown command: 'wlk'")).toBe('\x1b[33m');
    expect(colourOutput('gpa: 0x1000')).toBe('gpa: 0x1000');
  });

  it('lets no control character through', () => {
    expect(colourOutput('a\x1b[2Jb\x07')).toBe('a·[2Jb·');
  });
});
