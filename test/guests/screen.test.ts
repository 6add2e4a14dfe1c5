import { describe, expect, it } from 'vitest';
import { Screen } from './screen';

const show = (text: string) => {
  const screen = new Screen();
  screen.write(new TextEncoder().encode(text));
  return screen;
};

describe('Screen', () => {
  it('puts text where the cursor was sent', () => {
    expect(show('\x1b[2;3Hab\x1b[1;1Hc').text.trimEnd()).toBe('c\n  ab');
  });

  it('overwrites, erases everything, and drops colours', () => {
    const screen = show('old text\x1b[1;1H\x1b[7mnew\x1b[0m');
    expect(screen.line(1)).toBe('new text');
    screen.write(new TextEncoder().encode('\x1b[2J'));
    expect(screen.text.trim()).toBe('');
  });

  it('takes a sequence that arrives in two pieces', () => {
    const screen = show('\x1b[5');
    screen.write(new TextEncoder().encode(';1Hx'));
    expect(screen.line(5)).toBe('x');
  });
});
