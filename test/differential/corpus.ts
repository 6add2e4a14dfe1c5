/**
 * The recorded corpus: a real processor's results for COUNT cases, as one 32-bit digest per case, for machines without gcc or with another processor.
 * The generator makes the cases themselves; `inputs` shows when the generator or the forms have changed, so that the corpus must be recorded again
 * (npx tsx test/differential/record.ts).
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { type Case, encodeInput, INPUT_SIZE, type Outcome } from './case';
import { approximateDifferences, approximateParts, defined, jumpedOutOfCanonical } from './makers';
import { dataPattern } from './pattern';

const file = resolve(import.meta.dirname, 'corpus.json.gz');

export interface Corpus {
  seed: number;
  count: number;
  /** The processor that the corpus was recorded on. */
  processor: string;
  /** SHA-256 over all inputs. */
  inputs: string;
  /** One u32 a case, little-endian, base64. */
  digests: string;
  /** The results of the approximate cases, one after another, base64. */
  approximate: string;
}

const pattern = Buffer.from(dataPattern());

/** Stands for an outcome that differs between processors. */
export const NOT_COMPARED = 0;

/** A 32-bit digest of the parts of an outcome that are compared exactly. */
export function digestOf(c: Case, outcome: Outcome): number {
  if (jumpedOutOfCanonical(outcome)) return NOT_COMPARED;
  const { vector, rip, flags, error, cr2, gpr, segments, fx, data } = defined(c, outcome);
  approximateDifferences(c, fx, fx.slice());
  const hash = createHash('sha1').update(`${vector} ${rip} ${flags} ${error} ${cr2} ${gpr.join(' ')} ${segments.join(' ')}`);
  if (pattern.compare(outcome.data) !== 0) hash.update(data);
  if (c.usesFpu) hash.update(fx);
  return hash.digest().readUInt32LE(0);
}

/** The bytes of this case in `Corpus.approximate`. */
export function approximateResults(c: Case, outcome: Outcome): Uint8Array {
  const { fx } = defined(c, outcome);
  return Buffer.concat(approximateParts(c, fx).map(([at, length]) => fx.subarray(at, at + length)));
}

/** Compares approximate results with recorded ones; returns what is wrong. */
export function approximatelyWrong(c: Case, recorded: Uint8Array, outcome: Outcome): string[] {
  const got = defined(c, outcome).fx;
  const expected = got.slice();
  let from = 0;
  for (const [at, length] of approximateParts(c, got)) {
    expected.set(recorded.subarray(from, from + length), at);
    from += length;
  }
  return approximateDifferences(c, expected, got);
}

export function inputsDigest(cases: readonly Case[]): string {
  const hash = createHash('sha256');
  const buffer = new Uint8Array(INPUT_SIZE);
  for (const c of cases) {
    encodeInput(c, buffer);
    hash.update(buffer);
  }
  return hash.update(pattern).digest('hex');
}

export function readCorpus(): Corpus {
  return JSON.parse(gunzipSync(readFileSync(file)).toString()) as Corpus;
}

export function writeCorpus(corpus: Corpus): void {
  writeFileSync(file, gzipSync(JSON.stringify(corpus), { level: 9 }));
}
