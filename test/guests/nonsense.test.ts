import { describe, expect, it } from 'vitest';
import { fuzzMachine } from '../soak/fuzz';

const INSTRUCTIONS = 3e6;

/** `npm run soak -- fuzz` runs more of it. */
describe('a guest that writes nonsense to every port, device and MSR', () => {
  it.each([1, 2])(
    'neither stops the machine nor leaks memory, runs the same each time, and memlab boots afterwards: seed %i',
    async (seed) => {
      const first = await fuzzMachine(seed, INSTRUCTIONS);
      expect(first.stats.pio! + first.stats.mmio!).toBeGreaterThan(10_000);
      expect(first.stats.exceptions).toBeGreaterThan(500);
      expect(first.resets).toBeGreaterThan(1);
      expect(await fuzzMachine(seed, INSTRUCTIONS)).toEqual(first);
    },
  );
});
