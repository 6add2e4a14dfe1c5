/** cases.txt holds what QEMU 7.2's disassembler (capstone 4.0.2, AT&T) prints at 0x1000 for each mnemonic, register and memory forms, in each mode. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Bits, disassemble } from './index';

const bytesOf = (hex: string): Uint8Array => Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));

function text(bits: Bits, hex: string, address = 0x1000n): string {
  const found = disassemble(bytesOf(hex), address, bits);
  if (!found) return 'cut';
  const whole = `${found.mnemonic} ${found.operands}`.trim();
  return found.length === hex.length / 2 ? whole : `${whole}; ${found.length} bytes`;
}

describe('one instruction', () => {
  it('is printed as in QEMU', () => {
    const lines = readFileSync(join(import.meta.dirname, 'cases.txt'), 'utf8')
      .trim()
      .split('\n');
    expect(lines.length).toBeGreaterThan(2500);
    const ours = lines.map((line) => {
      const [bits, hex] = line.split(' ');
      return `${bits} ${hex} ${text(Number(bits) as Bits, hex!)}`;
    });
    expect(ours).toEqual(lines);
  });

  it.each<[Bits, string, string, string]>([
    [64, '666a01', 'pushw $1', 'pushq $1'],
    [16, '98', 'cbtw', 'cwtl'],
    [16, '99', 'cwtd', 'cltd'],
    [16, '0fc8', 'bswapw %ax', 'bswapl %ax'],
    [16, '660fefc1', 'pxor %xmm1, %xmm0', 'pxor %mm1, %mm0'],
    [32, '660fb7c1', 'movzww %cx, %ax', 'movzwl %cx, %ax'],
    [32, '678b06f0ff', 'movl 0xfff0, %eax', 'movl 0xfffffff0, %eax'],
    [64, '63c0', 'movslq %eax, %eax', 'movslq %eax, %rax'],
    [64, '66e900000000', 'jmp 0x1006', 'jmp 0x1004; the prefix is ignored by Intel and by our core'],
    [64, 'c8850100', 'enter $0x185, $0', 'enter with negative numbers'],
    [64, '0fb9c1', 'ud1l %ecx, %eax', 'ud2b, 2 bytes'],
    [64, '0f1cc0', 'nopl %eax', 'nothing'],
    [64, '0f0d00', 'prefetch (%rax)', 'nothing'],
  ])('mode %i, %s is %s, where QEMU is wrong: %s', (bits, hex, ours) => {
    expect(text(bits, hex)).toBe(ours);
  });

  it('knows targets of near branches, and wraps them as the mode does', () => {
    expect(disassemble(bytesOf('e8fbffffff'), 0xffffffff81000000n, 64)?.target).toBe(0xffffffff81000000n);
    expect(disassemble(bytesOf('eb80'), 0x10n, 16)?.target).toBe(0xff92n);
    expect(disassemble(bytesOf('eb80'), 0x10n, 32)?.target).toBe(0xffffff92n);
    expect(disassemble(bytesOf('ffe0'), 0n, 64)?.target).toBeUndefined();
  });

  it('shows a byte that begins no instruction as itself, and continues behind it', () => {
    expect(text(64, '06')).toBe('.byte 0x06');
    expect(text(64, 'c5f8770000')).toBe('.byte 0xc5; 1 bytes');
    expect(text(64, 'f089c8')).toBe('.byte 0xf0; 1 bytes');
    expect(text(64, `${'66'.repeat(14)}90`)).toBe('nop');
    expect(text(64, `${'66'.repeat(15)}90`)).toBe('.byte 0x66; 1 bytes');
  });

  it('says when the bytes do not suffice', () => {
    expect(text(64, '48')).toBe('cut');
    expect(text(64, '48b8010203')).toBe('cut');
    expect(disassemble(new Uint8Array(), 0n, 64)).toBeUndefined();
  });
});

describe('any bytes', () => {
  const bits = fc.constantFrom<Bits>(16, 32, 64);
  const start = fc.constantFrom([], [0x0f], [0x0f, 0x38], [0x0f, 0x3a], [0x66, 0x0f], [0xf3, 0x0f], [0x48], [0x67]);
  const bytes = fc
    .tuple(start, fc.uint8Array({ minLength: 15, maxLength: 20 }))
    .map(([first, rest]) => Uint8Array.from([...first, ...rest]));

  it('make an instruction of 1 to 15 bytes that does not depend on what follows', () => {
    fc.assert(
      fc.property(bytes, bits, fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (given, mode, address) => {
        const found = disassemble(given, address, mode)!;
        expect(found.length).toBeGreaterThanOrEqual(1);
        expect(found.length).toBeLessThanOrEqual(15);
        expect(`${found.mnemonic} ${found.operands}`).not.toMatch(/undefined|NaN|[=*^~@|&?](?![%$(0-9-])/);
        if (found.mnemonic === '.byte') return;
        expect(disassemble(given.subarray(0, found.length), address, mode)).toEqual(found);
        if (found.length > 1) expect(disassemble(given.subarray(0, found.length - 1), address, mode)).toBeUndefined();
      }),
      { seed: 20210204, numRuns: 20_000 },
    );
  });
});
