import { describe, expect, it } from 'vitest';
import { absentInstruction } from './absent';

const name = (bytes: string): string | undefined => absentInstruction(bytes.split(' ').map((byte) => Number.parseInt(byte, 16)))?.name;

describe('instructions that are not there', () => {
  it.each([
    ['c5 fc 77', 'AVX (VEX prefix)'],
    ['c4 e2 7d 18 05', 'AVX (VEX prefix)'],
    ['62 f1 7c 48 28', 'AVX-512 (EVEX prefix)'],
    ['66 0f 38 dc c1', 'AES-NI'],
    ['66 41 0f 3a 44 c1 00', 'PCLMULQDQ'],
    ['0f ae 21', 'XSAVE'],
    ['48 0f ae 21', 'XSAVE'],
    ['f3 48 0f ae c0', 'RDFSBASE'],
    ['0f 38 f0 04 24', 'MOVBE'],
  ])('%s: %s', (bytes, expected) => {
    expect(name(bytes)).toBe(expected);
  });

  it('of no known family have no name', () => {
    expect(name('0f 24 c0')).toBeUndefined();
    expect(name('66 66')).toBeUndefined();
    expect(absentInstruction([])).toBeUndefined();
  });
});
