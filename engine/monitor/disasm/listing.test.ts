import { describe, expect, it } from 'vitest';
import { instructionsBefore, instructionsFrom, type Placed, type Read } from './index';

const bytesOf = (hex: string): Uint8Array =>
  Uint8Array.from(hex.replaceAll(' ', '').match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

/** One page, which ends with these bytes. Before them: INT3. */
function page(start: bigint, bytes: Uint8Array): Read {
  const whole = new Uint8Array(4096).fill(0xcc);
  whole.set(bytes, 4096 - bytes.length);
  return (address, length) => {
    const at = Number(address - start);
    return at < 0 || at + length > 4096 ? undefined : whole.subarray(at, at + length);
  };
}

// push %rbp; mov %rsp,%rbp; sub $0x20,%rsp; movabs; mov (%rip); call; test; je; leave; ret
const FUNCTION = '55 4889e5 4883ec20 48b8887766554433221 1 488b0510000000 e800000000 85c0 7402 c9 c3'.replaceAll(' ', '');
const STARTS = [0, 1, 4, 8, 18, 25, 30, 32, 34, 35];

describe('instructions around an address', () => {
  const bottom = 0xffffffff81000000n;
  const bytes = bytesOf(FUNCTION);
  const read = page(bottom, bytes);
  const start = bottom + 4096n - BigInt(bytes.length);
  const offsets = (found: Placed[]): number[] => found.map(({ address }) => Number(address - start));

  it('go on from it, to the end of what is mapped', () => {
    expect(offsets(instructionsFrom(read, start, 100, 64))).toEqual(STARTS);
    expect(instructionsFrom(read, bottom - 16n, 4, 64)).toEqual([]);
  });

  it('are guessed backwards along the way that most starts share', () => {
    const known = [-4, -3, -2, -1, ...STARTS];
    for (let index = 4; index < known.length; index++) {
      expect(offsets(instructionsBefore(read, start + BigInt(known[index]!), 4, 64))).toEqual(known.slice(index - 4, index));
    }
  });

  it('begin at the start of memory', () => {
    expect(instructionsBefore(read, bottom, 4, 64)).toEqual([]);
    expect(offsets(instructionsBefore(read, bottom + 2n, 4, 64))).toHaveLength(2);
    expect(instructionsBefore(page(0n, bytes), 0n, 4, 64)).toEqual([]);
  });

  it('leave out a way with an unknown byte', () => {
    expect(instructionsBefore(page(0n, bytesOf('06')), 4096n, 4, 64)).toEqual([]);
  });

  it('print targets as offsets in the code segment', () => {
    const real = page(0xf0000n, bytesOf('ebfe eb10'));
    const found = instructionsFrom(real, 0xf0ffcn, 2, 16, 0xf0000n);
    expect(found.map(({ operands, target }) => [operands, target])).toEqual([
      ['0xffc', 0xffcn],
      ['0x1010', 0x1010n],
    ]);
  });
});
