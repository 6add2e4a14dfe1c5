/** Compares compiled code, one instruction at a time, with the results of a real processor. */
import { expect, test } from 'vitest';
import { CoreRunner } from './core';
import { digestOf, NOT_COMPARED, readCorpus } from './corpus';
import { allForms } from './forms';
import { makeCases } from './generate';

/** Each STRIDE-th case of the corpus is compiled; `npm run soak -- compiled` compiles all. */
const STRIDE = Number(process.env.LAB_STRIDE ?? 53);

test(`compiled code gets the results of a real processor in every ${STRIDE}th case of the recorded corpus`, { timeout: 600_000 }, () => {
  const corpus = readCorpus();
  const digests = Buffer.from(corpus.digests, 'base64');
  const core = new CoreRunner();
  const wrong: string[] = [];
  let tried = 0;
  let compiled = 0;
  makeCases(allForms, corpus.count, corpus.seed).forEach((c, i) => {
    const recorded = digests.readUInt32LE(i * 4);
    if (i % STRIDE !== 0 || c.mode !== 64 || recorded === NOT_COMPARED) return;
    tried++;
    const before = digestOf(c, core.run(c));
    const ran = core.runCompiled(c, (outcome) => {
      // Differences between the interpreter and this processor are reported by the other tests.
      if (before === recorded && digestOf(c, outcome) !== recorded)
        wrong.push(`${c.name} ${Buffer.from(c.code).toString('hex')}, case ${i}`);
    });
    if (ran > 0) compiled++;
  });
  console.log(`${tried} cases, of which ${compiled} ran in compiled code`);
  expect(wrong).toEqual([]);
  expect(compiled).toBeGreaterThan(tried / 4);
});
