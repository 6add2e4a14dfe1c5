/** Two million random instructions, on this processor and on the core: no difference. */
import { compare } from '../differential/compare';
import { allForms } from '../differential/forms';
import type { Soak } from './soak';

const CASES = 2_000_000;

export const differential: Soak = {
  name: 'differential',
  title: `${CASES} random instructions of ${allForms.length} forms, on this processor and on the core`,
  async run(line) {
    const seed = Number(process.env.LAB_SEED ?? Date.now() % 1_000_000);
    line(`seed ${seed} (LAB_SEED=${seed} runs the same cases)`);
    const progress = (done: number) => {
      if (done % 200_000 === 0) line(`${done} of ${CASES}`);
    };
    const { failed, noLegacy } = compare({ forms: allForms, cases: CASES, seed, show: 30, tell: line, progress });
    if (failed > 0) throw new Error(`${failed} of ${CASES} cases differ`);
    return noLegacy === undefined ? 'no difference' : `no difference; without 32- and 16-bit code: ${noLegacy}`;
  },
};
