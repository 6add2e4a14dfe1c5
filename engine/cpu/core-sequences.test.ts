/**
 * Random loops run one instruction at a time and in long slices must agree at the end: joined compares and branches, instructions whose flags are not
 * stored, chained blocks and page ends must have no visible effect. A slice of 1 uses none of these.
 */
import { describe, expect, it } from 'vitest';
import { TestCore } from '../../test/support/core';
import { SEG_CS, SEG_DS, SEG_SS, VCPU_CR0 } from '../abi/vcpu';

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

/** A loop of `length` random instructions, some skipped by random conditional branches, that runs `rounds` times. */
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

/** 32-bit code that uses its stack and memory: EAX, ECX, EDX and EBX are free, ESI is the data pointer, EDI the loop counter. */
function instruction32(random: (n: number) => number): number[] {
  const reg = random(4);
  const rm = random(4);
  const displacement = random(32) * 4;
  const here = [0xe8, 0, 0, 0, 0, 0x59, 0x83, 0xc1]; // call to the next instruction; pop ecx; add ecx, the byte that follows
  switch (random(16)) {
    case 0:
      return [0x50 | reg, 0x58 | rm];
    case 1:
      return [0x6a, random(256), 0x58 | rm];
    case 2:
      return [0x68, random(256), random(256), random(256), random(256), 0x58 | rm];
    case 3:
      return [0xff, 0xf0 | reg, 0x8f, 0x46, displacement]; // push reg; pop [esi + disp]
    case 4:
      return [0xff, 0x76, displacement, 0x58 | rm]; // push [esi + disp]; pop
    case 5:
      return [0x55, 0x89, 0xe5, 0x50 | reg, 0x8b, 0x45 | (rm << 3), 0xfc, 0xc9]; // push ebp; mov ebp, esp; push; mov rm, [ebp - 4]; leave
    case 6:
      return [0xe8, 2, 0, 0, 0, 0xeb, 2, 0x40 | reg, 0xc3]; // call of inc; ret, behind a jump over it
    case 7:
      return [0x50, 0xe8, 2, 0, 0, 0, 0xeb, 7, 0x8b, 0x5c, 0x24, 4, 0xc2, 4, 0]; // push eax; call of mov ebx, [esp + 4]; ret 4
    case 8:
      return [...here, 7, 0xff, 0xe1, 0xcc]; // jmp ecx
    case 9:
      return [...here, 9, 0x51, 0xff, 0x24, 0x24, 0xcc, 0x59]; // push ecx; jmp [esp]; pop ecx
    case 10:
      return [...here, 8, 0xff, 0xd1, 0xeb, 1, 0xc3]; // call ecx of ret
    case 11:
      return [...here, 10, 0x51, 0xff, 0x14, 0x24, 0xeb, 1, 0xc3, 0x59]; // push ecx; call [esp] of ret; pop ecx
    case 12:
      return [0x8b, 0x46 | (reg << 3), displacement];
    case 13:
      return [0x89, 0x44 | (reg << 3), 0x26, displacement];
    case 14:
      return [0x03, 0x06 | (reg << 3)];
    default:
      return [0x01, 0xc0 | (reg << 3) | rm];
  }
}

function program32(random: (n: number) => number, length: number): number[] {
  const body: number[] = [];
  for (let i = 0; i < length; i++) {
    const next = instruction32(random);
    if (random(4) === 0) body.push(0x70 | random(16), next.length);
    body.push(...next);
  }
  const back = -(body.length + 7);
  return [...body, 0x4f, 0x0f, 0x85, back & 255, (back >> 8) & 255, (back >> 16) & 255, (back >> 24) & 255, 0xf4];
}

/** `limit`: of CS, SS and DS. */
function outcome32(seed: number, slice: number, limit: number): { state: string; data: string } {
  const random = generator(seed);
  const core = new TestCore(0x400000);
  const start = 0x10000 + (random(2) ? 4096 - random(300) : random(2000));
  core.segment(SEG_CS, 8, 0n, limit, 0xc9b);
  for (const seg of [SEG_SS, SEG_DS]) core.segment(seg, 16, 0n, limit, 0xc93);
  core.set64(VCPU_CR0, 0x11n);
  core.rip = BigInt(start);
  core.core.stateChanged(0);
  core.poke(start, program32(random, 10 + random(60)));
  for (const name of ['rax', 'rcx', 'rdx', 'rbx', 'rbp'] as const) core.setReg(name, random(0x100000000));
  for (let i = 0; i < 512; i++) core.view.setUint8(core.hva(DATA + 4096 - 256 + i), random(256));
  core.setReg('rsp', 0x80000 + random(3));
  core.setReg('rsi', DATA + 4096 - random(160));
  core.setReg('rdi', 3 + random(4));
  expect(core.run(20_000, slice)).toBe(1);
  const data = Array.from({ length: 512 }, (_, i) => core.peek(DATA + 4096 - 256 + i, 1)).join(' ');
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

  it.each(Array.from({ length: runs }, (_, i) => first + i))('of 32-bit code agree, whether segments are flat or not (seed %i)', (seed) => {
    const single = outcome32(seed, 1, 0xfffffffe);
    expect(outcome32(seed, 20_000, 0xfffffffe)).toEqual(single);
    for (const slice of [1, 7, 20_000]) expect(outcome32(seed, slice, 0xffffffff)).toEqual(single);
  });
});
