/** The same machine in both tiers: random programs, slices, interrupts, faults, writes to code, and memory that moves. */
import { describe, expect, it } from 'vitest';
import { narrow, Pair, tryProgram } from './pair';

const SEED = 20240901;
const PROGRAMS = 300;
const SLICES = 40;

describe.each([
  ['scattered', false],
  ['side by side', true],
] as const)('interpreter and JIT, host pages %s', (_name, forward) => {
  it(`agree after each of ${SLICES} slices of ${PROGRAMS} programs, seeds from ${SEED}`, { timeout: 240_000 }, () => {
    const pair = new Pair(forward);
    const first = SEED + (forward ? PROGRAMS : 0);
    for (let seed = first; seed < first + PROGRAMS; seed++) {
      const trial = { seed, slices: SLICES };
      const found = tryProgram(pair, trial);
      expect(found && narrow(() => new Pair(forward), trial, found).text).toBeUndefined();
    }
    const figures = pair.compiled.jit!.figures();
    expect(figures.compiled).toBeGreaterThan(PROGRAMS);
    expect(figures.drops.written).toBeGreaterThan(0);
    expect(figures.windows.filled).toBeGreaterThan(1000);
    expect(figures.windows.dropped).toBeGreaterThan(100);
    for (const reason of ['slice', 'jump', 'window']) expect(figures.exits.map((exit) => exit.reason)).toContain(reason);
  });
});
