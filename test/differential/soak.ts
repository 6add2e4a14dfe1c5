/**
 * Random instructions with random state, on the host processor and on the core: every difference is an error of ours.
 *   npx tsx test/differential/soak.ts [--cases N] [--seed S] [--form TEXT] [--show N]
 */
import { parseArgs } from 'node:util';
import { compare } from './compare';
import { allForms } from './forms';

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '2000000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    form: { type: 'string', default: '' },
    show: { type: 'string', default: '30' },
  },
});

const cases = Number(values.cases);
const seed = Number(values.seed);
const forms = allForms.filter((form) => form.name.includes(values.form));
console.log(`differential: ${cases} cases of ${forms.length} forms, seed ${seed}`);
const progress = (done: number) => {
  if (process.stdout.isTTY && done % 100_000 === 0) process.stdout.write(`\r${done} of ${cases}\n`);
};
const { failing, failed, neverCompleted, noLegacy } = compare({
  forms,
  cases,
  seed,
  show: Number(values.show),
  tell: console.log,
  progress,
});
if (noLegacy !== undefined) console.log(`32- and 16-bit code is left out: ${noLegacy}`);
console.log(`forms that never completed natively (faults only): ${neverCompleted.join(', ') || 'none'}`);
for (const [name, count] of [...failing].sort((a, b) => b[1] - a[1])) console.log(`  ${count} differences: ${name}`);
console.log(`${cases - failed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
