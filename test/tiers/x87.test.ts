/** x87 code in both tiers: runs on ordinary numbers, which compiled code does by itself, and now and then something that it leaves alone. */
import { expect, it } from 'vitest';
import { narrow, Pair, tryProgram } from './pair';
import { x87Program } from './x87-program';

const SEED = 20261130;
const PROGRAMS = 150;
const SLICES = 40;

it(`agrees after each of ${SLICES} slices of ${PROGRAMS} programs, seeds from ${SEED}`, { timeout: 240_000 }, () => {
  const pair = new Pair();
  let all = 0n;
  for (let seed = SEED; seed < SEED + PROGRAMS; seed++) {
    const trial = { seed, slices: SLICES, make: x87Program };
    const found = tryProgram(pair, trial);
    expect(found && narrow(() => new Pair(), trial, found).text).toBeUndefined();
    all += pair.plain.icount;
  }
  // Most of it ran in compiled code.
  expect(pair.compiled.jit!.figures().ran).toBeGreaterThan(Number(all) / 3);
});
