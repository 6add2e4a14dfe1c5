/** 100,000 random programs in both tiers (PROGRAMS: how many). A difference is narrowed to an instruction. */
import { narrow, Pair, tryProgram } from '../tiers/pair';
import { x87Program } from '../tiers/x87-program';
import type { Soak } from './soak';

const PROGRAMS = 100_000;
const SLICES = 20;

export const tiers: Soak = {
  name: 'tiers',
  title: `${PROGRAMS} random programs with the interpreter and with the JIT`,
  async run(say) {
    const first = Number(process.env.SEED ?? Math.floor(Date.now() / 1000));
    say(`seeds from ${first} (SEED=${first})`);
    const programs = Number(process.env.PROGRAMS ?? PROGRAMS);
    // With scattered and with contiguous host memory.
    const pairs = [new Pair(false), new Pair(true)] as const;
    for (let n = 0; n < programs; n++) {
      // Every fourth is one of x87 code.
      const trial = { seed: first + n, slices: SLICES, ...((n & 3) === 3 && { make: x87Program }) };
      const forward = (n & 1) === 1;
      const pair = pairs[forward ? 1 : 0];
      const found = tryProgram(pair, trial);
      if (found) throw new Error(narrow(() => new Pair(forward), trial, found).text);
      if (n % 5000 === 4999) {
        say(`${n + 1} programs, ${pair.compiled.jit!.figures().compiled} regions compiled`);
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    return `${programs} programs agree`;
  },
};
