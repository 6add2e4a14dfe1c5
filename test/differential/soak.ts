/**
 * Random instructions with random state, on the host processor and on the core: every difference is an error of ours.
 *   npx tsx test/differential/soak.ts [--cases N] [--seed S] [--form TEXT]
 */
import { parseArgs } from 'node:util';
import { type Case, differences } from './case';
import { CoreRunner } from './core';
import { type Form, integerForms } from './forms';
import { makeCases } from './generate';
import { buildNative, runNative } from './native';

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '2000000' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    form: { type: 'string', default: '' },
    show: { type: 'string', default: '30' },
  },
});
const batch = 2000;

function describe(c: Case): string {
  const bytes = Buffer.from(c.code.slice(0, 15))
    .toString('hex')
    .replace(/(cc)+$/, '');
  const registers = Array.from(c.gpr, (value, n) => `r${n} ${value.toString(16)}`).join(' ');
  return `${c.name}: ${bytes} flags 0x${c.flags.toString(16)} ${registers}`;
}

function main(): number {
  const problem = buildNative();
  if (problem) {
    console.error(`differential: cannot run cases natively: ${problem}`);
    return 1;
  }
  const seed = Number(values.seed);
  const total = Number(values.cases);
  const forms: readonly Form[] = integerForms.filter((form) => form.name.includes(values.form));
  console.log(`differential: ${total} cases of ${forms.length} forms, seed ${seed}`);
  const core = new CoreRunner();
  const failing = new Map<string, number>();
  const completed = new Set<string>();
  let shown = 0;
  for (let done = 0; done < total; done += batch) {
    const cases = makeCases(forms, Math.min(batch, total - done), seed + done);
    const expected = runNative(cases);
    cases.forEach((c, i) => {
      if (expected[i]!.vector === 3) completed.add(c.name);
      let found: string[];
      try {
        found = differences(c, expected[i]!, core.run(c));
      } catch (error) {
        found = [String(error)];
      }
      if (found.length === 0) return;
      const before = failing.get(c.name) ?? 0;
      failing.set(c.name, before + 1);
      if (before < 2 && shown++ < Number(values.show)) console.log(`${describe(c)}\n    ${found.slice(0, 4).join('; ')}`);
    });
    if (done % (batch * 50) === 0 && process.stdout.isTTY) process.stdout.write(`\r${done + batch} of ${total}`);
  }
  const never = forms.filter((form) => !completed.has(form.name)).map((form) => form.name);
  console.log(`forms that never completed natively (faults only): ${never.join(', ') || 'none'}`);
  for (const [name, count] of [...failing].sort((a, b) => b[1] - a[1])) console.log(`  ${count} differences: ${name}`);
  console.log(
    `${total - [...failing.values()].reduce((sum, count) => sum + count, 0)} passed, ${[...failing.values()].reduce((sum, count) => sum + count, 0)} failed`,
  );
  return failing.size === 0 ? 0 : 1;
}

process.exitCode = main();
