/** Compares repeated string instructions with a model that handles one element at a time. */
import { expect, it } from 'vitest';
import { TestCore } from '../../test/support/core';
import { Random } from '../../test/support/random';
import { EXIT_HLT } from '../abi/exits';
import { VCPU_HALTED } from '../abi/vcpu';

const CODE = 0x10000;
const DATA = 0x20000;
const SIZE = 0x5000;
const PAGE = 4096;
const SEED = 7341;
const CASES = 600;
const MOVS = 0xa4;
const CMPS = 0xa6;
const STOS = 0xaa;
const LODS = 0xac;
const SCAS = 0xae;

interface Model {
  bytes: Uint8Array;
  rax: bigint;
  rcx: number;
  rsi: number;
  rdi: number;
  zero: boolean | undefined;
}

function element(bytes: Uint8Array, at: number, size: number): bigint {
  let value = 0n;
  for (let i = size - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[at + i]!);
  return value;
}
function put(bytes: Uint8Array, at: number, size: number, value: bigint): void {
  for (let i = 0; i < size; i++) bytes[at + i] = Number((value >> BigInt(8 * i)) & 255n);
}

/** The host's page of the data at this offset. */
const page = (t: TestCore, at: number): Uint8Array => new Uint8Array(t.memory.buffer, t.hva(DATA + at), PAGE);

/** Addresses are offsets in `bytes`. */
function model(m: Model, kind: number, size: number, step: number, untilEqual: boolean): void {
  while (m.rcx > 0) {
    const first = kind === MOVS || kind === CMPS || kind === LODS ? element(m.bytes, m.rsi, size) : BigInt.asUintN(8 * size, m.rax);
    if (kind === MOVS || kind === STOS) put(m.bytes, m.rdi, size, first);
    if (kind === LODS) m.rax = size < 4 ? (m.rax & ~((1n << BigInt(8 * size)) - 1n)) | first : first;
    if (kind === CMPS || kind === SCAS) m.zero = first === element(m.bytes, m.rdi, size);
    if (kind !== STOS && kind !== SCAS) m.rsi += step;
    if (kind !== LODS) m.rdi += step;
    m.rcx--;
    if (m.zero === untilEqual) return;
  }
}

it(`follows the manual element by element, in ${CASES} random cases (seed ${SEED})`, () => {
  const t = new TestCore();
  t.longMode(CODE);
  const random = new Random(SEED);
  for (let i = 0; i < CASES; i++) {
    const kind = random.of([MOVS, MOVS, CMPS, STOS, LODS, SCAS]);
    const shift = random.below(4);
    const size = 1 << shift;
    const down = random.below(3) === 0;
    const untilEqual = (kind === CMPS || kind === SCAS) && random.below(2) === 0;
    const bytes = new Uint8Array(SIZE);
    // Long runs of equal values, and few different ones: comparisons end late, or at once.
    const kinds = 1 + random.below(3);
    for (let at = 0; at < SIZE; at++) bytes[at] = random.below(400) === 0 ? random.below(256) : untilEqual ? (at * 7) & 255 : kinds;
    const rsi = 0x1000 + random.below(0x3000);
    const near = random.below(2) ? rsi + random.below(80) - 40 : 0x1000 + random.below(0x3000);
    const room = Math.floor((down ? Math.min(rsi, near) - 8 : SIZE - 8 - Math.max(rsi, near)) / size);
    const m: Model = {
      bytes,
      rax: BigInt(kinds) * 0x0101010101010101n + (random.below(2) ? BigInt(random.below(0x1000000)) << 16n : 0n),
      rcx: random.below(Math.max(1, Math.min(room, random.of([3, 40, 6000])))),
      rsi,
      rdi: near,
      zero: undefined,
    };
    for (let at = 0; at < SIZE; at += PAGE) page(t, at).set(bytes.subarray(at, at + PAGE));
    const code = [down ? 0xfd : 0xfc, untilEqual ? 0xf2 : 0xf3];
    if (shift === 1) code.unshift(0x66);
    if (shift === 3) code.push(0x48);
    code.push(kind | (shift === 0 ? 0 : 1), 0xf4);
    // The operand-size prefix belongs to the string instruction.
    if (shift === 1) [code[0], code[1]] = [code[1]!, 0x66];
    t.poke(CODE, code);
    t.rip = BigInt(CODE);
    t.setReg('rax', m.rax);
    t.setReg('rcx', m.rcx);
    t.setReg('rsi', DATA + m.rsi);
    t.setReg('rdi', DATA + m.rdi);
    t.set32(VCPU_HALTED, 0);
    t.core.setRflags(0, 2);
    t.core.stateChanged(0);
    expect(t.run(100_000, random.of([1, 2, 100_000]))).toBe(EXIT_HLT);
    model(m, kind, size, down ? -size : size, untilEqual);
    const text = `case ${i}: ${kind.toString(16)} size ${size} ${down ? 'down' : 'up'} ${untilEqual ? 'REPNE' : 'REP'}`;
    const seen = [t.reg('rax'), t.reg('rcx'), t.reg('rsi') - BigInt(DATA), t.reg('rdi') - BigInt(DATA)];
    expect(seen, text).toEqual([m.rax, BigInt(m.rcx), BigInt(m.rsi), BigInt(m.rdi)]);
    if (m.zero !== undefined) expect((t.flags & 0x40) !== 0, text).toBe(m.zero);
    for (let at = 0; at < SIZE; at += PAGE) expect(Buffer.compare(page(t, at), m.bytes.subarray(at, at + PAGE)), text).toBe(0);
  }
});

it('a step of a repeated instruction goes to the next page boundary, RIP stays on it while RCX is not 0, and stepping changes nothing', () => {
  const start = (): TestCore => {
    const t = new TestCore();
    t.longMode(CODE);
    t.poke(CODE, 'f3a4 f4');
    t.setReg('rsi', DATA + 0xff0);
    t.setReg('rdi', DATA + 0x2ff8);
    t.setReg('rcx', 40);
    return t;
  };
  const stepped = start();
  const seen: [rip: number, rcx: number][] = [];
  for (let n = 0; n < 4; n++) {
    stepped.run(1);
    seen.push([Number(stepped.rip) - CODE, Number(stepped.reg('rcx'))]);
  }
  // 8 bytes to the end of the target's page, 8 to the end of the source's, and the rest.
  expect(seen).toEqual([
    [0, 32],
    [0, 24],
    [2, 0],
    [3, 0],
  ]);
  const whole = start();
  expect(whole.run(100)).toBe(EXIT_HLT);
  expect(stepped.state()).toBe(whole.state());
});

it.each([1, 100_000])('a repeated store that overwrites itself ends there, in slices of %i', (slice) => {
  const t = new TestCore();
  t.longMode(CODE);
  t.poke(CODE, 'f3aa 90');
  t.setReg('rax', 0xf4); // hlt
  t.setReg('rdi', CODE - 0x800);
  t.setReg('rcx', 0x800 + PAGE + 0x100);
  expect(t.run(100, slice)).toBe(EXIT_HLT);
  expect([t.rip, t.reg('rcx'), t.reg('rdi')]).toEqual([BigInt(CODE + 1), 0x100n, BigInt(CODE + PAGE)]);
});
