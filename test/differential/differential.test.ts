import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Outcome } from './case';
import { CoreRunner } from './core';
import { approximatelyWrong, approximateResults, digestOf, inputsDigest, NOT_COMPARED, readCorpus } from './corpus';
import type { Form } from './form';
import { allForms } from './forms';
import { makeCases } from './generate';
import { differences } from './makers';
import { buildNative, refusesLegacy, runNative } from './native';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

test('the core does what a real processor did with every case of the recorded corpus', () => {
  const corpus = readCorpus();
  const cases = makeCases(allForms, corpus.count, corpus.seed);
  expect(inputsDigest(cases), 'the generator has changed: record the corpus again (test/differential/record.ts)').toBe(corpus.inputs);
  const digests = Buffer.from(corpus.digests, 'base64');
  const core = new CoreRunner();
  const approximate = Buffer.from(corpus.approximate, 'base64');
  let at = 0;
  const wrong: string[] = [];
  cases.forEach((c, i) => {
    const outcome = core.run(c);
    const recorded = digests.readUInt32LE(i * 4);
    if (recorded !== NOT_COMPARED && digestOf(c, outcome) !== recorded) wrong.push(`${c.name} ${hex(c.code)}`);
    const results = approximateResults(c, outcome).length;
    if (recorded !== NOT_COMPARED) wrong.push(...approximatelyWrong(c, approximate.subarray(at, at + results), outcome));
    at += results;
  });
  expect(wrong).toEqual([]);
});

const cpuInfo = existsSync('/proc/cpuinfo') ? readFileSync('/proc/cpuinfo', 'utf8') : '';
/** makers.ts and amd.ts list how Intel and AMD differ. On another vendor's processor, `npm run soak -- differential` compares and reports. */
const otherMaker = /^vendor_id\s*: (?!GenuineIntel|AuthenticAMD)(.*)$/m.exec(cpuInfo)?.[1];
const problem = otherMaker ? `this processor is ${otherMaker}'s` : buildNative();
const noLegacy = problem === undefined ? refusesLegacy() : undefined;
if (problem !== undefined) console.log(`only the recorded corpus is compared: ${problem}`);

test.skipIf(problem !== undefined)('the core does what this processor does, on cases outside the corpus', () => {
  const seed = Number(process.env.LAB_SEED ?? 20_261_126);
  console.log(`differential seed ${seed} (LAB_SEED=${seed} runs the same cases)`);
  if (noLegacy !== undefined) console.log(`32- and 16-bit code is left out: ${noLegacy}`);
  const core = new CoreRunner();
  const wrong: string[] = [];
  for (let batch = 0; batch < 5; batch++) {
    const cases = makeCases(allForms, 2000, seed + batch * 2000, noLegacy === undefined);
    const expected = runNative(cases);
    cases.forEach((c, i) => {
      const found = differences(c, expected[i]!, core.run(c));
      if (found.length > 0) wrong.push(`${c.name} ${hex(c.code)}: ${found.join('; ')}`);
    });
  }
  expect(wrong).toEqual([]);
});

test('32- and 16-bit code does the same in protected mode as in long mode', () => {
  // These depend on the mode: 64-bit code segments, and system calls. FPU images contain pointers to earlier instructions.
  const ofMode = /^(retf|iret|(call|jmp) [AM]p|sys)/;
  const image = (form: Form) => form.image === 'x87' || form.image === 'fx';
  const forms = allForms.filter((form) => form.only !== 'long' && !ofMode.test(form.name) && !image(form));
  const core = new CoreRunner();
  const seed = Number(process.env.LAB_SEED ?? 20_261_127);
  console.log(`protected mode seed ${seed} (LAB_SEED=${seed} runs the same cases)`);
  const wrong: string[] = [];
  for (const c of makeCases(forms, 10_000, seed)) {
    if (c.mode === 64) continue;
    const inLong = lines(core.run(c));
    const found = lines(core.run(c, false)).find((line, i) => line !== inLong[i]);
    if (found !== undefined) wrong.push(`${c.name} ${hex(c.code)}: ${found}`);
  }
  expect(wrong).toEqual([]);
});

/** Copies an outcome field by field, since its memory is the core's and the next case changes it. */
function lines(outcome: Outcome): string[] {
  return Object.entries(outcome).map(([name, value]) => `${name} ${value}`);
}

test('a single wrong bit in any part of an outcome is detected', () => {
  const c = makeCases(allForms, 1, 7)[0]!;
  const core = new CoreRunner();
  const good = core.run(c);
  const copy = () => ({ ...good, gpr: good.gpr.slice(), fx: good.fx.slice(), data: good.data.slice(), segments: [...good.segments] });
  const watched = { ...c, usesFpu: true, undefinedFlags: 0, undefinedFsw: 0 };
  const damage: ((outcome: ReturnType<typeof copy>) => void)[] = [
    (outcome) => (outcome.gpr[11]! ^= 1n),
    (outcome) => (outcome.rip ^= 1n),
    (outcome) => (outcome.flags ^= 1),
    (outcome) => (outcome.vector ^= 1),
    (outcome) => (outcome.data[5000]! ^= 1),
    (outcome) => (outcome.segments[4]! ^= 8),
    (outcome) => (outcome.fx[160]! ^= 1),
    (outcome) => (outcome.fx[24]! ^= 1),
    (outcome) => (outcome.fx[3]! ^= 1),
  ];
  expect(differences(watched, copy(), copy())).toEqual([]);
  for (const change of damage) {
    const bad = copy();
    change(bad);
    expect(differences(watched, copy(), bad)).not.toEqual([]);
    expect(digestOf(watched, bad)).not.toBe(digestOf(watched, good));
  }
});
