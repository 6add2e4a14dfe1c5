/**
 * Compares the engine with KVM: 20,000 calls of kvm-fuzz (seed 7) with the answers of Debian's 6.1 kernel, recorded in the lab (`npm run soak -- kvm`
 * repeats it with other seeds). Neither the calls nor the answers come from this engine.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { compareAnswers } from '../support/kvm-answers';

const lines = gunzipSync(readFileSync(new URL('kvm-6.1.txt.gz', import.meta.url)))
  .toString('latin1')
  .split('\n');

describe.each(['array', 'rbtree', 'btree'] as const)('20,000 random memslot calls, %s', (index) => {
  it('get the answers that KVM gave', () => {
    const { calls, answers, difference } = compareAnswers(lines, { physAddrBits: 46, index });
    expect(difference).toBeUndefined();
    expect(calls).toBeGreaterThanOrEqual(20_000);
    // Every kind of call was both accepted and refused.
    for (const kind of ['s 0', 's EINVAL', 's EEXIST', 'g 0', 'g ENOENT', 'g EINVAL', 'c 0', 'c ENOENT', 'c EINVAL', 'm 0', 'm EINVAL'])
      expect(answers.get(kind), kind).toBeGreaterThan(10);
    for (const kind of ['b EINVAL', 'g ENXIO', 'c ENXIO', 'z EINVAL', 'z 0', 'z 1', 'z 2'])
      expect(answers.get(kind), kind).toBeGreaterThan(8);
    for (const kind of ['r ok', 'r mmio', 'w ok', 'w mmio', 'w fault']) expect(answers.get(kind), kind).toBeGreaterThan(10);
  });
});
