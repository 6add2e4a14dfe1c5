/** Segment corners in all modes: one instruction at a time, in slices, and with the JIT. The long form: `npm run soak -- segments`. */
import { expect, it } from 'vitest';
import { Trio } from './segments';

const SEED = 20261130;
const SCENES = 80;

it(`interpreter and JIT agree on ${SCENES} scenes of segments, seeds from ${SEED}`, { timeout: 60_000 }, () => {
  const trio = new Trio();
  for (let seed = SEED; seed < SEED + SCENES; seed++) expect(trio.try(seed)).toBeUndefined();
  // The scenes do exercise what they should: #UD, #NP, #SS, #GP, #PF and #AC occur, and code is compiled.
  for (const vector of [6, 11, 12, 13, 14, 17]) expect(trio.faults.get(vector) ?? 0, `vector ${vector}`).toBeGreaterThan(0);
  expect(trio.compiled.jit!.figures().compiled).toBeGreaterThan(10);
});
