/** Records the corpus on this processor: npx tsx test/differential/record.ts [COUNT] [SEED] */
import { cpus } from 'node:os';
import { CoreRunner } from './core';
import { approximateResults, digestOf, inputsDigest, NOT_COMPARED, writeCorpus } from './corpus';
import { allForms } from './forms';
import { makeCases } from './generate';
import { differences } from './makers';
import { buildNative, refusesLegacy, runNative } from './native';

const count = Number(process.argv[2] ?? 100_000);
const seed = Number(process.argv[3] ?? 20_261_126);

const problem = buildNative() ?? refusesLegacy();
if (problem) throw new Error(`cannot record here: ${problem}`);
const cases = makeCases(allForms, count, seed);
const digests = Buffer.alloc(count * 4);
const approximate: Uint8Array[] = [];
const core = new CoreRunner();
let skipped = 0;
for (let start = 0; start < count; start += 2000) {
  const batch = cases.slice(start, start + 2000);
  runNative(batch).forEach((outcome, i) => {
    const c = batch[i]!;
    approximate.push(approximateResults(c, outcome));
    let digest = digestOf(c, outcome);
    const got = core.run(c);
    // Where both vendors' results are right, the digest of one of them proves nothing.
    if (digest !== digestOf(c, got) && differences(c, outcome, got).length === 0) digest = NOT_COMPARED;
    if (digest === NOT_COMPARED) skipped++;
    digests.writeUInt32LE(digest, (start + i) * 4);
  });
}
writeCorpus({
  seed,
  count,
  processor: cpus()[0]?.model ?? 'unknown',
  inputs: inputsDigest(cases),
  digests: digests.toString('base64'),
  approximate: Buffer.concat(approximate).toString('base64'),
});
console.log(`${count} cases recorded, ${skipped} of them not compared`);
