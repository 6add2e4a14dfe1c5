/**
 * Random loops run one instruction at a time and in long slices must agree at the end: joined compares and branches, instructions whose
 * flags are not stored, chained blocks and page ends must not show. A slice of 1 uses none of these.
 */
import { describe, expect, it } from 'vitest';
import { TestCore } from '../../test/support/core';

const DATA = 0x200000;

/** mulberry32. */
function generator(seed: number): (n: number) => number {
  let state = seed >>> 0;
  return (n) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) % n;
  };
}

/** Registers that the loop may change: not RSP, RSI (data pointer), R15 (loop counter). */
const FREE = [0, 1, 2, 3, 5, 7, 8, 9, 10, 11, 12, 13, 14];

function instruction(random: (n: number) => number): number[] {
  const reg = FREE[random(FREE.length)]!;
  const rm = FREE[random(FREE.length)]!;
  const wide = random(2) * 8;
  const rex = 0x40 | wide | (reg >> 3 ? 4 : 0) | (rm >> 3 ? 1 : 0);
  const direct = 0xc0 | ((reg & 7) << 3) | (rm & 7);
  const displacement = random(64) * 4;
  const memory = [0x40 | ((reg & 7) << 3) | 6, displacement & 0x7f]; // [rsi + disp8]
  const memoryRex = 0x40 | wide | (reg >> 3 ? 4 : 0);
  const alu = random(8) * 8;
  const byte = random(256);
  switch (random(20)) {
    case 0:
    case 1:
    case 2:
      return [rex, alu + 1, direct];
    case 3:
      return [rex, alu, direct];
    case 4:
      return [rex, 0x83, 0xc0 | alu | (rm & 7), byte];
    case 5:
      return [memoryRex, alu + 3, ...memory];
    case 6:
      return [memoryRex, alu + random(2), ...memory];
    case 7:
      return [rex, 0x85 - random(2), direct];
    case 8:
      return [rex, 0xff, 0xc0 | (random(2) << 3) | (rm & 7)];
    case 9:
      return [rex, 0xc1, 0xc0 | ([0, 1, 4, 5, 7][random(5)]! << 3) | (rm & 7), byte];
    case 10:
      return [rex, 0xd3, 0xc0 | (random(8) << 3) | (rm & 7)];
    case 11:
      return [rex, 0x0f, 0xaf, direct];
    case 12:
      return [rex, 0x0f, [0xb6, 0xb7, 0xbe, 0xbf][random(4)]!, direct];
    case 13:
      return [rex, 0x0f, 0x90 | random(16), 0xc0 | (rm & 7)];
    case 14:
      return [rex, 0x0f, 0x40 | random(16), direct];
    case 15:
      return [rex, 0x89, direct];
    case 16:
      return [rex, 0xf7, 0xc0 | ((2 + random(2)) << 3) | (rm & 7)];
    case 17:
      return [rex, 0x8d, 0x44 | ((reg & 7) << 3), ((rm & 7) << 3) | 0x80 | 3, byte]; // lea reg, [rbx + index * 4 + disp8]
    case 18:
      return [0x66, rex & ~8, alu + 1, direct];
    default:
      return [0x9c, 0x41, 0x58 | (rm & 7)]; // pushfq; pop r8-15: flags in a register
  }
}

/** A loop of `length` random instructions, some skipped by random conditional branches, `rounds` times round. */
function program(random: (n: number) => number, length: number): number[] {
  const body: number[] = [];
  for (let i = 0; i < length; i++) {
    const next = instruction(random);
    if (next[0] === 0x9c && (next[2]! & 7) === 7) continue; // not R15
    if (random(3) === 0) body.push(0x70 | random(16), next.length);
    body.push(...next);
  }
  const back = -(body.length + 9);
  return [...body, 0x41, 0xff, 0xcf, 0x0f, 0x85, back & 255, (back >> 8) & 255, (back >> 16) & 255, (back >> 24) & 255, 0xf4];
}

function outcome(seed: number, slice: number): { state: string; data: string } {
  const random = generator(seed);
  const core = new TestCore(0x400000);
  // Often near a page's end, so that blocks and instructions meet it.
  const start = 0x10000 + (random(2) ? 4096 - random(300) : random(2000));
  core.longMode(start);
  core.poke(start, program(random, 10 + random(60)));
  core.setReg('rsp', 0x80000);
  for (const name of ['rax', 'rcx', 'rdx', 'rbx', 'rbp', 'rdi', 'r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14'] as const)
    core.setReg(name, (BigInt(random(0x100000000)) << 32n) | BigInt(random(0x100000000)));
  for (let i = 0; i < 512; i++) core.view.setUint8(core.hva(DATA + 4096 - 256 + i), random(256));
  core.setReg('rsi', DATA + 4096 - random(100));
  core.setReg('r15', 3 + random(4));
  expect(core.run(20_000, slice)).toBe(1);
  let data = '';
  for (let i = 0; i < 512; i++)
    data += core.view
      .getUint8(core.hva(DATA + 4096 - 256 + i))
      .toString(16)
      .padStart(2, '0');
  return { state: core.state(), data };
}

const runs = Number(process.env.SEQUENCES ?? 40);
const first = Number(process.env.SEED ?? 1);

describe('random loops', () => {
  it.each(Array.from({ length: runs }, (_, i) => first + i))('agree between slices of 1, 7 and all (seed %i)', (seed) => {
    const single = outcome(seed, 1);
    expect(outcome(seed, 20_000)).toEqual(single);
    expect(outcome(seed, 7)).toEqual(single);
  });
});
