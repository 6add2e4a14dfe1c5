/**
 * The recorded corpus: what a real processor made of COUNT cases, as a 32-bit digest each, for machines without gcc or with
 * another processor. The cases themselves come from the generator; `inputs` tells when generator or forms have changed
 * and the corpus must be recorded again (npx tsx test/differential/record.ts).
 */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { type Case, COMPLETED, dataPattern, encodeInput, FLAG, INPUT_SIZE, jumpedOutOfCanonical, type Outcome, STATUS_FLAGS } from './case';

const file = resolve(import.meta.dirname, 'corpus.json.gz');

export interface Corpus {
  seed: number;
  count: number;
  /** Processor that it was recorded on. */
  processor: string;
  /** SHA-256 over all inputs. */
  inputs: string;
  /** One u32 a case, little-endian, base64. */
  digests: string;
}

const pattern = Buffer.from(dataPattern());

/** Digest of a recorded outcome that processors differ in. */
export const NOT_COMPARED = 0;

/** Everything of an outcome that the manual defines, in 32 bits. */
export function digestOf(c: Case, outcome: Outcome): number {
  if (jumpedOutOfCanonical(outcome)) return NOT_COMPARED;
  const completed = outcome.vector === COMPLETED;
  const defined = (completed ? ~c.undefinedFlags : -1) & (STATUS_FLAGS | FLAG.DF);
  const fault = outcome.vector === 14 ? `${outcome.cr2} ${outcome.error & 0x12}` : completed ? '' : outcome.error;
  const hash = createHash('sha1').update(`${outcome.vector} ${outcome.rip} ${outcome.flags & defined} ${fault} ${outcome.gpr.join(' ')}`);
  if (pattern.compare(outcome.data) !== 0) hash.update(outcome.data);
  if (c.usesFpu) {
    const { fx } = outcome;
    hash.update(`${(fx[2]! | (fx[3]! << 8)) & ~c.undefinedFsw}`);
    hash.update(fx.subarray(0, 2)).update(fx.subarray(4, 5)).update(fx.subarray(24, 28)).update(fx.subarray(160, 416));
    for (let i = 0; i < 8; i++) hash.update(fx.subarray(32 + 16 * i, 42 + 16 * i));
  }
  return hash.digest().readUInt32LE(0);
}

export function inputsDigest(cases: readonly Case[]): string {
  const hash = createHash('sha256');
  const buffer = new Uint8Array(INPUT_SIZE);
  for (const c of cases) {
    encodeInput(c, buffer);
    hash.update(buffer);
  }
  return hash.digest('hex');
}

export function readCorpus(): Corpus {
  return JSON.parse(gunzipSync(readFileSync(file)).toString()) as Corpus;
}

export function writeCorpus(corpus: Corpus): void {
  writeFileSync(file, gzipSync(JSON.stringify(corpus), { level: 9 }));
}
