/** A userland program compiled here for x86-64-v2, in a stock Linux. */
import { beforeAll, describe, expect, it } from 'vitest';
import { MIB } from './harness';
import { Linux, linuxImage, missing } from './linux';
import { staticProgram, withProgram } from './own-program';

/** What the program prints on a real processor. Its results do not depend on compiler or vendor. */
const CHECKSUM = 'x86-64-v2: 8d2a3120';

const program = missing ?? staticProgram('x86-64-v2.c', ['-O2', '-ftree-vectorize', '-march=x86-64-v2']);
if (typeof program === 'string') console.warn(`left out: ${program}`);

describe.skipIf(typeof program === 'string')('a program built for x86-64-v2', () => {
  let linux: Linux;

  beforeAll(async () => {
    linux = await Linux.boot({ ram: 128 * MIB, guest: withProgram(linuxImage(), 'v2', program as Uint8Array) });
  });

  it('finds a processor of that level, and right results in every kind of instruction', () => {
    expect(linux.sh('/v2')).toBe(CHECKSUM);
    expect(linux.sh('grep -o -w -E "pni|ssse3|cx16|sse4_1|sse4_2|popcnt|lahf_lm" /proc/cpuinfo')).toBe(
      ['pni', 'ssse3', 'cx16', 'sse4_1', 'sse4_2', 'popcnt', 'lahf_lm'].join('\n'),
    );
  });

  it('gets SIGBUS for an unaligned access once it has set RFLAGS.AC', () => {
    expect(linux.sh('/v2 alignment')).toBe('alignment: SIGBUS, code 1'); // BUS_ADRALN
    expect(linux.complaints()).toEqual([]);
  });
});
