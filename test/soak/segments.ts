/** Random segments under random code in all modes, an instruction at a time, in slices and with the JIT, for MINUTES (SEED: the first). */
import { Trio } from '../tiers/segments';
import type { Soak } from './soak';

const MINUTES = 10;

export const segments: Soak = {
  name: 'segments',
  title: `${MINUTES} minutes of random segments, one instruction at a time, in slices and with the JIT`,
  async run(say) {
    const first = Number(process.env.SEED ?? Math.floor(Date.now() / 1000));
    say(`seeds from ${first} (SEED=${first})`);
    const until = performance.now() + Number(process.env.MINUTES ?? MINUTES) * 60_000;
    const trio = new Trio();
    let scenes = 0;
    for (; performance.now() < until; scenes++) {
      const difference = trio.try(first + scenes);
      if (difference !== undefined) throw new Error(difference);
      if (scenes % 1000 === 999) {
        say(`${scenes + 1} scenes, ${trio.rounds} rounds, ${trio.instructions} instructions`);
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    const faults = [...trio.faults].sort(([a], [b]) => a - b).map(([vector, times]) => `${vector}: ${times}`);
    return `${scenes} scenes, ${trio.rounds} rounds, ${trio.instructions} instructions agree (${trio.stuck} rounds faulted forever); faults by vector: ${faults.join(', ')}`;
  },
};
