/**
 * Compares the short paths of x87 instructions with the general one. With the precision exception unmasked no instruction takes a short path;
 * results, status and stack are the same except for the summary bits, since that exception is reported after the result.
 */
import { expect, it } from 'vitest';
import { EXIT_BUDGET } from '../../../engine/abi/exits';
import * as abi from '../../../engine/abi/vcpu';
import { bareLongMode, DATA } from '../../../test/support/bare-long-mode';
import type { TestCore } from '../../../test/support/core';
import { Random } from '../../../test/support/random';

const CODE = 0x10000;
const SEED = 20261;
const CASES = 30_000;
const EX_PRECISION = 0x20;
/** ES and B. */
const SUMMARY = 0x8080;

/** ModRM bytes of forms with a register, and of those with memory at [rbx]. */
const FORMS: readonly (readonly [opcode: number, modrm: number])[] = [
  ...[0xd8, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf].flatMap((opcode) =>
    [0, 1, 2, 3, 4, 5, 6, 7].flatMap((reg) => {
      if (opcode === 0xd9 && (reg === 1 || reg > 3)) return [];
      if (opcode === 0xdb && (reg === 4 || reg === 6)) return [];
      if (opcode === 0xdd && reg > 3) return [];
      return opcode === 0xdf && (reg === 4 || reg === 6) ? [] : [[opcode, (reg << 3) | 3] as const];
    }),
  ),
  ...[0xd8, 0xdc, 0xde].flatMap((opcode) => [0, 1, 4, 5, 6, 7].map((reg) => [opcode, 0xc1 | (reg << 3)] as const)),
  ...[0xd8d1, 0xd8d9, 0xd9c1, 0xd9c9, 0xd9e0, 0xd9e1, 0xd9e8, 0xd9ee, 0xd9fa, 0xdae9, 0xdbe9, 0xdbf1, 0xddd1, 0xddd9, 0xdde1, 0xdde9]
    .concat([0xded9, 0xdfe9, 0xdff1, 0xd8c0, 0xdce0, 0xdee9, 0xd8f1, 0xd8f9])
    .map((word) => [word >> 8, word & 0xff] as const),
].filter(([, modrm]) => (modrm & 0xc0) !== 0x40);

const BIAS = 16383;

function significand(random: Random): bigint {
  const word = (): bigint => (BigInt(random.below(0x10000)) << 48n) | (BigInt(random.below(0x1000000)) << 24n) | BigInt(random.below(0x1000000));
  const top = 1n << 63n;
  switch (random.below(6)) {
    case 0:
      return top;
    case 1:
      return top | ((1n << BigInt(random.below(64))) - 1n);
    case 2:
      // Few bits: sums and products that are exact, or ties.
      return top | (word() & (word() << 32n) & 0x7fffffff00000000n);
    case 3:
      return 0xffffffffffffffffn - BigInt(random.below(4));
    default:
      return top | word();
  }
}

/** An operand: mostly normal, close to the others or at the edges of the range, sometimes none at all. */
function operand(random: Random): [bigint, number] {
  const sign = random.below(2) << 15;
  switch (random.below(20)) {
    case 0:
      return [0n, sign];
    case 1:
      return [significand(random), sign | 0x7fff];
    case 2:
      return [significand(random) >> BigInt(random.below(64)), sign | random.below(3)];
    case 3:
      return [significand(random), sign | (1 + random.below(3))];
    case 4:
      return [significand(random), sign | (0x7ffe - random.below(3))];
    case 5:
    case 6:
      return [significand(random), sign | (BIAS - 1100 + random.below(2200))];
    case 7:
      return [significand(random), sign | (BIAS / 2 + random.below(200))];
    default:
      return [significand(random), sign | (BIAS - 70 + random.below(140))];
  }
}

interface Case {
  code: number;
  control: number;
  status: number;
  tags: number;
  registers: [bigint, number][];
  memory: [bigint, number];
}

function makeCase(random: Random): Case {
  const registers: [bigint, number][] = [];
  for (let i = 0; i < 8; i++) registers.push(operand(random));
  const top = random.below(8);
  // Two operands are often close to each other.
  if (random.below(3) === 0) {
    const [sig, se] = registers[top]!;
    registers[(top + 1) & 7] = [random.below(2) ? sig : sig + 1n, (se ^ 0x8000) + (random.below(2) && (se & 0x7fff) < 0x7f00 ? 1 : 0)];
  }
  let tags = 0;
  for (let i = 0; i < 8; i++) if (random.below(12) === 0) tags |= 3 << (2 * i);
  // Room for a push, mostly.
  if (random.below(8)) tags |= 3 << (2 * ((top + 7) & 7));
  const control = 0x1f | (random.of([0, 0, 0x400, 0x800, 0xc00]) as number) | random.of([0x300, 0x300, 0x200, 0x000, 0x100]) | 0x20;
  const exponent = BigInt(1023 - 80 + random.below(160));
  const double = (BigInt(random.below(2)) << 63n) | (exponent << 52n) | ((significand(random) >> 11n) & 0xfffffffffffffn);
  const single = BigInt(random.below(2) << 8) | BigInt(127 - 40 + random.below(80));
  const first = random.of([double, ((single << 23n) | (significand(random) & 0x7fffffn)) & 0xffffffffn, significand(random), 0n]);
  return {
    code: random.below(FORMS.length),
    control,
    status: (top << 11) | (random.below(2) << 9) | random.of([0, 0x20, 0x4500]),
    tags,
    registers,
    memory: [BigInt.asUintN(64, first), random.below(0x10000)],
  };
}

/** The state after the instruction, as text. */
function outcome(t: TestCore, at: number, c: Case, control: number): string {
  for (const [i, [sig, se]] of c.registers.entries()) {
    t.set64(abi.VCPU_FPU_REGS + 16 * i, sig);
    t.set64(abi.VCPU_FPU_REGS + 16 * i + 8, BigInt(se));
  }
  t.set32(abi.VCPU_FCW, (control | ((c.status & 0xffff) << 16)) >>> 0);
  t.set32(abi.VCPU_FTW, c.tags);
  t.poke64(DATA, c.memory[0]);
  t.poke64(DATA + 8, BigInt(c.memory[1]));
  t.core.setRflags(0, 2);
  t.rip = BigInt(at);
  expect(t.run(1), `${FORMS[c.code]!.map((byte) => byte.toString(16))}`).toBe(EXIT_BUDGET);
  const status = (t.get32(abi.VCPU_FCW) >>> 16) & ~SUMMARY;
  const registers = c.registers.map((_, i) => `${t.get64(abi.VCPU_FPU_REGS + 16 * i + 8).toString(16)}:${t.get64(abi.VCPU_FPU_REGS + 16 * i).toString(16)}`);
  const rest = [status, t.get32(abi.VCPU_FTW), t.flags, t.get64(abi.VCPU_FDP), t.rip, t.peek(DATA, 8), t.peek(DATA + 8, 8)];
  return [...rest.map((value) => value.toString(16)), ...registers].join(' ');
}

it(`equals the general way, in ${CASES} random cases (seed ${SEED})`, () => {
  const t = bareLongMode();
  const bytes = FORMS.flatMap(([opcode, modrm]) => [opcode, modrm]);
  t.poke(CODE, bytes);
  t.setReg('rbx', DATA);
  t.core.stateChanged(0);
  const random = new Random(SEED);
  for (let i = 0; i < CASES; i++) {
    const c = makeCase(random);
    const at = CODE + 2 * c.code;
    // The page is in the TLB for the short path, as it is for the general one.
    const short = outcome(t, at, c, c.control);
    const general = outcome(t, at, c, c.control & ~EX_PRECISION);
    if (short !== general) {
      const text = JSON.stringify(c, (_, value) => (typeof value === 'bigint' ? value.toString(16) : value));
      expect(short, `case ${i}, ${bytes.slice(2 * c.code, 2 * c.code + 2).map((byte) => byte.toString(16))} ${text}`).toBe(general);
    }
  }
});
