/** Records the corpus on this processor: npx tsx test/differential/record.ts [COUNT] [SEED] */
import { cpus } from 'node:os';
import { digestOf, inputsDigest, writeCorpus } from './corpus';
import { allForms } from './forms';
import { makeCases } from './generate';
import { buildNative, runNative } from './native';

const count = Number(process.argv[2] ?? 60_000);
const seed = Number(process.argv[3] ?? 20_260_101);

const problem = buildNative();
if (problem) throw new Error(`cannot record here: ${problem}`);
const cases = makeCases(allForms, count, seed);
const digests = Buffer.alloc(count * 4);
for (let start = 0; start < count; start += 2000) {
  runNative(cases.slice(start, start + 2000)).forEach((outcome, i) => {
    digests.writeUInt32LE(digestOf(cases[start + i]!, outcome), (start + i) * 4);
  });
}
writeCorpus({ seed, count, processor: cpus()[0]?.model ?? 'unknown', inputs: inputsDigest(cases), digests: digests.toString('base64') });
console.log(`${count} cases recorded`);
