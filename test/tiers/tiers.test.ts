/** The same machine in both tiers: random programs, slices, interrupts, faults, writes to code, and memory that moves. */
import { describe, expect, it } from 'vitest';
import { narrow, Pair, tryProgram } from './pair';

const SEED = 20240901;
const PROGRAMS = 400;
const SLICES = 40;

describe('interpreter and JIT', () => {
  it(`agree after each of ${SLICES} slices of ${PROGRAMS} programs, seeds from ${SEED}`, { timeout: 240_000 }, () => {
    const pair = new Pair();
    for (let seed = SEED; seed < SEED + PROGRAMS; seed++) {
      const trial = { seed, slices: SLICES };
      const found = tryProgram(pair, trial);
      expect(found && narrow(() => new Pair(), trial, found).text).toBeUndefined();
    }
    const figures = pair.compiled.jit!.figures();
    expect(figures.compiled).toBeGreaterThan(PROGRAMS);
    expect(figures.drops.written).toBeGreaterThan(0);
    for (const reason of ['slice', 'jump', 'memory']) expect(figures.exits.map((exit) => exit.reason)).toContain(reason);
  });
});
