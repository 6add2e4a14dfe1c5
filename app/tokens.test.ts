/** axe does not see text on a canvas: the pairs that the map paints are checked here, from the tokens themselves. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const css = readFileSync(new URL('./tokens.css', import.meta.url), 'utf8');

/** Each colour by its token, as one of the two themes has it. */
function coloursOf(theme: 'light' | 'dark'): Map<string, string> {
  const pairs = [...css.matchAll(/--([\w-]+):\s*light-dark\((#[0-9a-f]{6}),\s*(#[0-9a-f]{6})\);/g)];
  return new Map(pairs.map(([, name = '', light = '', dark = '']) => [name, theme === 'light' ? light : dark]));
}

const THEMES = { dark: coloursOf('dark'), light: coloursOf('light') };

/** Relative luminance, WCAG 2.2. */
function luminance(colour: string): number {
  const channel = (at: number): number => {
    const value = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5);
}

function contrast(a: string, b: string): number {
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

/** Text and what is behind it. */
const TEXT = [
  ['slot-text', 'ram'],
  ['slot-text', 'dimm'],
  ['slot-text', 'ro'],
  ['slot-text-2', 'ram'],
  ['slot-text-2', 'dimm'],
  ['slot-text-2', 'ro'],
  ['text', 'staged-bg'],
  ['text', 'pane'],
  ['text-2', 'pane'],
  ['text-2', 'raised'],
  ['text-3', 'well'],
  ['text-3', 'pane'],
  ['bad', 'well'],
  ['staged', 'pane'],
  ['pane', 'text'],
] as const;

/** Marks that carry a meaning and what is behind them. */
const MARKS = [
  ['ram-mark', 'well'],
  ['dimm-mark', 'well'],
  ['ro-mark', 'well'],
  ['dimm-mark', 'dimm'],
  ['ro-mark', 'ro'],
  ['accent', 'ram'],
  ['accent', 'dimm'],
  ['accent', 'ro'],
  ['staged', 'staged-bg'],
  ['bad', 'bad-bg'],
  ['edge', 'pane'],
  ['edge', 'well'],
] as const;

describe.each(Object.entries(THEMES))('the %s theme on the canvas', (_theme, tokens) => {
  const of = (name: string): string => {
    const colour = tokens.get(name);
    if (!colour) throw new Error(`tokens.css has no --${name} in this theme`);
    return colour;
  };

  it.each(TEXT)('%s is legible on %s', (text, behind) => {
    expect(contrast(of(text), of(behind))).toBeGreaterThanOrEqual(4.5);
  });

  it.each(MARKS)('%s is seen on %s', (mark, behind) => {
    expect(contrast(of(mark), of(behind))).toBeGreaterThanOrEqual(3);
  });
});
