/** The disassembler against binutils' objdump on real code: memlab, a compiler's output in all three modes, a stock kernel where prepared. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { readElf } from '../../engine/machine/loaders/elf';
import { disassemble } from '../../engine/monitor/disasm/disassemble';
import { type Bits, hasTool, objdump, ourSpelling, theirSpelling } from './objdump';

const root = resolve(import.meta.dirname, '../..');
const KERNEL = join(root, 'public/guests/linux.vmlinux.gz');
const noObjdump = !hasTool('objdump');

interface Comparison {
  compared: number;
  different: string[];
}

/** What the disassembler reports as unknown: VEX and EVEX, and objdump's own words for bytes that are no instruction. */
const outside = (text: string, first: number): boolean =>
  /\(bad\)|^\.byte|^(?:rex|data16|[c-gs]s|lock|rep\w*|addr\d+)\S*$/.test(text) || [0xc4, 0xc5, 0x62].includes(first);

function compare(bytes: Uint8Array, bits: Bits): Comparison {
  const different: string[] = [];
  let compared = 0;
  for (const { address, length, text } of objdump(bytes, bits)) {
    if (outside(text, bytes[address]!)) continue;
    const ours = disassemble(bytes.subarray(address, address + 15), BigInt(address), bits);
    // The end of the slice cuts an instruction.
    if (!ours) continue;
    compared++;
    const [mine, theirs] = [ourSpelling(ours), theirSpelling(text, bits)];
    if (ours.length !== length || mine !== theirs)
      different.push(`${address.toString(16)}: ${mine} (${ours.length}), objdump ${theirs} (${length})`);
  }
  return { compared, different };
}

function textSection(file: string): Uint8Array {
  const text = join(mkdtempSync(join(tmpdir(), 'lab-text-')), 'text');
  try {
    spawnSync('objcopy', ['-O', 'binary', '-j', '.text', file, text]);
    return readFileSync(text);
  } finally {
    rmSync(join(text, '..'), { recursive: true });
  }
}

function compile(flags: readonly string[]): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'lab-code-'));
  try {
    const object = join(folder, 'code.o');
    const always = ['-ffreestanding', '-fno-pic', '-fcf-protection=none', '-fno-asynchronous-unwind-tables', '-c', '-o', object];
    const gcc = spawnSync('gcc', [...flags, ...always, join(import.meta.dirname, 'code.c')], { encoding: 'utf8' });
    if (gcc.status !== 0) throw new Error(`gcc: ${gcc.stderr}`);
    return textSection(object);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe.skipIf(noObjdump)('objdump agrees on', () => {
  test('all of memlab', () => {
    const { compared, different } = compare(textSection(join(root, 'guests/memlab/memlab.elf')), 64);
    expect(compared).toBeGreaterThan(3000);
    expect(different).toEqual([]);
  });

  test.skipIf(!hasTool('gcc') || process.arch !== 'x64')('compiled code in 64-bit, 32-bit and 16-bit mode', () => {
    for (const [bits, flags] of [
      [64, ['-O2']],
      [64, ['-O3', '-msse4.2']],
      [64, ['-O0']],
      [32, ['-O2', '-m32']],
      [32, ['-O2', '-m32', '-msse2', '-mfpmath=sse']],
      [16, ['-O2', '-m16']],
      [16, ['-O0', '-m16']],
    ] as const) {
      const { compared, different } = compare(compile(flags), bits);
      expect(compared, flags.join(' ')).toBeGreaterThan(200);
      expect(different, flags.join(' ')).toEqual([]);
    }
  });

  test.skipIf(!existsSync(KERNEL))("a megabyte of a stock kernel's code", () => {
    const text = readElf(gunzipSync(readFileSync(KERNEL))).segments[0]!.bytes;
    const { compared, different } = compare(text.subarray(0x100000, 0x200000), 64);
    expect(compared).toBeGreaterThan(200_000);
    expect(different.length, different.slice(0, 20).join('\n')).toBeLessThan(compared / 10_000);
  });
});
