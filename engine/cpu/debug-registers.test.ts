/** The guest's debug registers: SDM 3B 18.2 (DR0-DR7), 18.3.1 (the classes of #DB), and what kvm-unit-tests' debug test expects. */
import { describe, expect, it } from 'vitest';
import { TestCore } from '../../test/support/core';
import * as abi from '../abi/vcpu';

const CODE = 0x10000;
const DATA = 0x8000;
const LOG = 0x9000;
const HANDLERS = 0x14000;
const IDT = 0x60000;
const GDT = 0x61000;
const RF = 0x10000n;
const TF = 0x100;
const BS = 0x4000;
const BD = 0x2000;

/** Each #DB is logged at LOG: RIP, DR6 (which it clears) and RFLAGS of its frame, in which it then sets RF. */
const LOG64 =
  '50 53 8b1c2500900000 488b442410 488904dd10900000 0f21f0 488904dd18900000 8b442420 488904dd20900000 83042500900000 03' +
  '814c242000000100 b8f00fffff 0f23f0 5b 58 48cf';
const LOG32 =
  '50 53 8b1d00900000 8b442408 8904dd10900000 0f21f0 8904dd18900000 8b442410 8904dd20900000 830500900000 03' +
  '814c241000000100 b8f00fffff 0f23f0 5b 58 cf';

interface Trap {
  at: number;
  dr6: number;
  rf: boolean;
}

function traps(t: TestCore): Trap[] {
  const count = Number(t.peek(LOG, 4)) / 3;
  return Array.from({ length: count }, (_unused, i) => ({
    at: Number(t.peek(LOG + 0x10 + 24 * i, 8)) - CODE,
    dr6: Number(t.peek(LOG + 0x18 + 24 * i, 8) & 0xe00fn),
    rf: (t.peek(LOG + 0x20 + 24 * i, 4) & RF) !== 0n,
  }));
}

function machine(code: string, wide = true, jit = false, data = 0): TestCore {
  const t = jit
    ? new TestCore(undefined, { quantum: 40, samples: 1, limits: { instructions: 200, pages: 8 }, regions: 100, thrashing: 1000 })
    : new TestCore();
  if (wide) t.longMode(CODE);
  else t.flat32(CODE);
  t.returningHandlers(wide, IDT, HANDLERS, { 1: wide ? LOG64 : LOG32 });
  t.set64(abi.VCPU_GDT_BASE, BigInt(GDT));
  t.set32(abi.VCPU_GDT_LIMIT, 0x1f);
  t.poke64(GDT + 8, wide ? 0x00af9b000000ffffn : 0x00cf9b000000ffffn);
  t.poke64(GDT + 0x10, 0x00cf93000000ffffn);
  t.poke(CODE, `${code} ${'90'.repeat(16)} f4`);
  t.setReg('rcx', 0x10);
  t.setReg('rsp', 0x20000);
  t.setReg('rbx', DATA);
  t.setReg('rsi', DATA);
  t.setReg('rdi', DATA + 0x100);
  t.poke64(DATA, BigInt(data));
  t.core.setRflags(0, 2);
  return t;
}

/** DR0-DR3 by number: [address, R/W, LEN code], all enabled. */
type Breakpoint = readonly [address: number, rw: number, length?: number];
function arm(t: TestCore, breakpoints: readonly Breakpoint[]): TestCore {
  let dr7 = 0x400;
  for (const [n, [address, rw, length = 0]] of breakpoints.entries()) {
    t.set64(abi.VCPU_DR0 + 8 * n, BigInt(address));
    dr7 |= (1 << (2 * n)) | ((rw | (length << 2)) << (16 + 4 * n));
  }
  t.set64(abi.VCPU_DR7, BigInt(dr7 >>> 0));
  t.core.watchesChanged();
  return t;
}

const EXEC = 0;
const WRITE = 1;
const PORT = 2;
const ACCESS = 3;

/** The log of a run, which is the same in slices of any length and in both tiers. */
function logged(prepare: (jit: boolean) => TestCore): Trap[] {
  let first: Trap[] | undefined;
  for (const jit of [false, true])
    for (const slice of [1, 3, 1000]) {
      const t = prepare(jit);
      t.run(600, slice);
      const seen = traps(t);
      first ??= seen;
      expect(seen, `slices of ${slice}, ${jit ? 'compiled' : 'interpreted'}`).toEqual(first);
    }
  return first!;
}
const at = (list: readonly Trap[]): [number, number][] => list.map(({ at, dr6 }) => [at, dr6]);

describe('an instruction breakpoint', () => {
  it('is a fault before the instruction, whose frame has no RF; RF lets it run', () => {
    const seen = logged((jit) => arm(machine('90 90 90', true, jit), [[CODE + 1, EXEC]]));
    expect(seen).toEqual([{ at: 1, dr6: 1, rf: false }]);
  });

  it('fires at every arrival in a loop, and at the first instruction of the run', () => {
    const code = '31c0 ffc0 83f803 75f9 90';
    expect(at(logged((jit) => arm(machine(code, true, jit), [[CODE + 2, EXEC]])))).toEqual([[2, 1], [2, 1], [2, 1]]);
    expect(at(logged((jit) => arm(machine(code, true, jit), [[CODE, EXEC]])))).toEqual([[0, 1]]);
  });

  it('reports in DR6 which of several was hit, but not disabled ones', () => {
    const seen = logged((jit) => {
      const t = arm(machine('90 90 90', true, jit), [[CODE + 1, EXEC], [CODE + 2, EXEC], [CODE + 2, EXEC], [CODE, EXEC]]);
      t.set64(abi.VCPU_DR7, t.get64(abi.VCPU_DR7) & ~0xc0n);
      t.core.watchesChanged();
      return t;
    });
    expect(at(seen)).toEqual([[1, 1], [2, 6]]);
  });

  it('fires once for a repeated string instruction', () => {
    const seen = logged((jit) => {
      const t = arm(machine('f3a4 90', true, jit), [[CODE, EXEC]]);
      t.setReg('rcx', 0x3000);
      t.setReg('rsi', 0x30000);
      t.setReg('rdi', 0x40000);
      return t;
    });
    expect(at(seen)).toEqual([[0, 1]]);
  });

  it('does not fire after MOV SS', () => {
    expect(logged((jit) => arm(machine('8ed1 90 90', true, jit), [[CODE + 2, EXEC]]))).toEqual([]);
    expect(at(logged((jit) => arm(machine('8ed1 90 90', true, jit), [[CODE + 3, EXEC]])))).toEqual([[3, 1]]);
  });

  it('follows the single-step trap of the preceding instruction, whose handler sets RF', () => {
    const seen = logged((jit) => {
      const t = arm(machine('90 90', true, jit), [[CODE + 1, EXEC]]);
      t.core.setRflags(0, TF | 2);
      return t;
    });
    expect(at(seen).slice(0, 3)).toEqual([[1, BS], [2, BS], [3, BS]]);
  });

  it('is hit in code that was decoded and compiled before it was set', () => {
    const seen = logged((jit) => {
      const t = machine('31c0 ffc0 3d00100000 75f7 90', true, jit);
      t.run(2000);
      return arm(t, [[CODE + 4, EXEC]]);
    });
    expect(seen.length).toBeGreaterThan(3);
    expect(new Set(seen.map((trap) => trap.at))).toEqual(new Set([4]));
  });

  it('works in 32-bit code', () => {
    expect(at(logged(() => arm(machine('90 90 90', false), [[CODE + 1, EXEC]])))).toEqual([[1, 1]]);
  });
});

describe('a data breakpoint', () => {
  it.each<[string, string, Breakpoint, [number, number][]]>([
    ['is a trap after the write', 'c60301 90', [DATA, WRITE], [[3, 1]]],
    ['for writes ignores reads', '8a03 90', [DATA, WRITE], []],
    ['for reads and writes sees a read', '8a03 90', [DATA, ACCESS], [[2, 1]]],
    ['sees a write that begins before it', '48890424 488943fe 90', [DATA, WRITE], [[8, 1]]],
    ['does not see a neighbour', 'c6430101 c643ff01 90', [DATA, WRITE], []],
    ['of four bytes sees each of them', 'c6430301 90', [DATA, WRITE, 3], [[4, 1]]],
    ['of four bytes is aligned by its length', 'c60301 90', [DATA + 2, WRITE, 3], [[3, 1]]],
    ['of eight bytes sees the last', 'c6430701 90', [DATA, WRITE, 2], [[4, 1]]],
    ['sees a read-modify-write once', 'fe03 90', [DATA, ACCESS], [[2, 1]]],
    ['sees a push', '50 90', [0x20000 - 8, WRITE, 2], [[1, 1]]],
    ['sees a call', 'e800000000 90', [0x20000 - 8, WRITE, 2], [[5, 1]]],
    ['sees a store of a vector', '0f1103 90', [DATA + 8, WRITE, 2], [[3, 1]]],
    ['sees a store that crosses pages', '48894bfe 90', [DATA, WRITE, 3], [[4, 1]]],
    ['sees each iteration of REP MOVSB that touches it', 'f3a4 90', [DATA + 0x102, WRITE, 1], [[0, 1], [0, 1]]],
    ['sees REP STOSB', 'f3aa 90', [DATA + 0x101, WRITE], [[0, 1]]],
    ['sees what REP SCASB reads', '0402 f2ae 90', [DATA + 0x101, ACCESS], [[2, 1]]],
    ['is not enabled by its address', 'c60301 90', [0, WRITE], []],
  ])('%s', (_what, code, breakpoint, expected) => {
    const seen = logged((jit) => {
      const t = machine(code, true, jit);
      t.set64(abi.VCPU_CR4, 0x220n);
      t.core.stateChanged(0);
      return arm(t, [breakpoint]);
    });
    expect(at(seen)).toEqual(expected);
// Between two iterations of a REP instruction RF is set.
    const repeated = code.replaceAll(' ', '').search(/f[23]a/) / 2;
    expect(seen.every((trap) => trap.rf === (trap.at === repeated))).toBe(true);
  });

  it('and a single-step trap are one exception', () => {
    const seen = logged((jit) => {
      const t = arm(machine('c60301 90', true, jit), [[DATA, WRITE]]);
      t.core.setRflags(0, TF | 2);
      return t;
    });
    expect(at(seen).slice(0, 2)).toEqual([[3, BS | 1], [4, BS]]);
  });

  it('that MOV SS reads is delayed until after the next instruction', () => {
    expect(at(logged((jit) => arm(machine('8e13 90 90', true, jit, 0x10), [[DATA, ACCESS, 1]])))).toEqual([[3, 1]]);
  });

  it('does not count what an instruction did before it faulted', () => {
    // PUSH [watched] onto a stack that is not mapped.
    const seen = logged((jit) => {
      const t = arm(machine('48bc0000008000000000 ff33', true, jit), [[DATA, ACCESS, 2]]);
      t.poke(HANDLERS + 128 * 14, 'f4');
      return t;
    });
    expect(seen).toEqual([]);
  });

  it('is hit by the stack of an interrupt', () => {
    const seen = logged((jit) => arm(machine('cd21 90', true, jit), [[0x20000 - 40, WRITE, 2]]));
    expect(at(seen)[0]).toEqual([HANDLERS + 128 * 0x21 - CODE, 1]);
  });

  it('in a hot loop leaves the other pages of the loop compiled, and sees every write', () => {
    const seen = logged((jit) => {
      const t = machine('31c0 8903 ffc0 83f805 75f7 90', true, jit);
      return arm(t, [[DATA, WRITE, 3]]);
    });
    expect(at(seen)).toEqual(Array(5).fill([4, 1]));
  });
});

describe('an I/O breakpoint', () => {
  const debugExtensions = (t: TestCore, on: boolean): TestCore => {
    t.set64(abi.VCPU_CR4, on ? 0x28n : 0x20n);
    t.core.stateChanged(0);
    return t;
  };
  it('is a trap after IN and OUT, only with CR4.DE', () => {
    const run = (on: boolean): [number, number][] =>
      at(logged((jit) => arm(debugExtensions(machine('e680 e580 e681 90', true, jit), on), [[0x80, PORT]])));
    expect(run(true)).toEqual([[2, 1], [4, 1]]);
    expect(run(false)).toEqual([]);
  });

  it('sees each iteration of REP OUTSB', () => {
    const seen = logged((jit) => {
      const t = arm(debugExtensions(machine('f36e 90', true, jit), true), [[0x80, PORT]]);
      t.setReg('rcx', 2);
      t.setReg('rdx', 0x80);
      return t;
    });
    expect(at(seen)).toEqual([[0, 1], [2, 1]]);
  });
});

describe('DR7', () => {
  it('.GD makes an access to a debug register a fault, and is clear in the handler', () => {
    const seen = logged((jit) => {
      const t = machine('0f21f8 90', true, jit);
      t.set64(abi.VCPU_DR7, 0x2400n);
      return t;
    });
    expect(seen).toEqual([{ at: 0, dr6: BD, rf: false }]);
  });

  it('written by the guest arms the breakpoint at once', () => {
    // mov dr0, rbx; mov eax, 0x10001; mov dr7, rax; mov byte [rbx], 1
    expect(at(logged((jit) => machine('0f23c3 b801000100 0f23f8 c60301 90', true, jit)))).toEqual([[14, 1]]);
    // mov ecx, CODE + 16; mov dr0, rcx; mov eax, 1; mov dr7, rax; nop
    expect(at(logged((jit) => machine('b910000100 0f23c1 b801000000 0f23f8 90 90', true, jit)))).toEqual([[16, 1]]);
  });

  it('cleared by the guest disarms it', () => {
    const seen = logged((jit) => arm(machine('c60301 31c0 0f23f8 c60301 90', true, jit), [[DATA, WRITE]]));
    expect(at(seen)).toEqual([[3, 1]]);
  });
});

/** In real mode, at 0x7000. IRET there sets no RF, so the handler disarms everything. */
const CODE16 = 0x7000;
const LOG16 =
  '6650 6653 668b1e0090 66670fb7442408 66678904dd10900000 0f21f0 66678904dd18900000 66670fb744240c 66678904dd20900000' +
  '66678305 00900000 03 66b8f00fffff 0f23f0 6631c0 0f23f8 665b 6658 cf';

function real(code: string, jit: boolean): TestCore {
  const t = new TestCore(undefined, jit ? { quantum: 40, samples: 1, limits: { instructions: 200, pages: 8 }, regions: 100, thrashing: 1000 } : undefined);
  t.real(CODE16);
  for (let vector = 0; vector < 48; vector++) t.poke(4 * vector, [vector === 1 ? 0x80 : 0, 0xa0, 0, 0]);
  t.poke(0xa000, 'f4');
  t.poke(0xa080, LOG16);
  t.poke(CODE16, `${code} ${'90'.repeat(16)} f4`);
  t.setReg('rsp', 0x6000);
  t.setReg('rbx', DATA);
  t.setReg('rcx', 0x10);
  t.setReg('rsi', DATA);
  t.setReg('rdi', DATA + 0x100);
  t.set64(abi.VCPU_CR4, 8n);
  t.core.setRflags(0, 2);
  t.core.stateChanged(0);
  return t;
}

describe.each([16, 32, 64])('in %i-bit code', (bits) => {
  const base = bits === 16 ? CODE16 : CODE;
  const prepared = (code: string, breakpoints: readonly Breakpoint[], dr6 = 0xffff0ff0, trap = false) =>
    logged((jit) => {
      const t = bits === 16 ? real(code, jit) : machine(code, bits === 64, jit);
      if (bits !== 16) t.set64(abi.VCPU_CR4, t.get64(abi.VCPU_CR4) | 8n);
      t.core.stateChanged(0);
      t.set64(abi.VCPU_DR6, BigInt(dr6));
      if (trap) t.core.setRflags(0, TF | 2);
      return arm(t, breakpoints);
    }).map((each) => [each.at + CODE - base, each.dr6]);
  // mov byte [rbx], 1: by SI where addresses have 16 bits.
  const write = bits === 16 ? 'c60401' : 'c60301';

  it('an instruction breakpoint is hit before the instruction, data and port breakpoints after the access', () => {
    expect(prepared('90 90 90', [[base + 1, EXEC]])).toEqual([[1, 1]]);
    expect(prepared(`90 ${write} 90`, [[DATA, WRITE]])).toEqual([[4, 1]]);
    expect(prepared('90 e580 90', [[0x80, PORT]])).toEqual([[3, 1]]);
  });

  it('set bits of DR6 stay, except those of the breakpoints, which show the ones that were hit', () => {
    expect(prepared('90 90', [[base + 1, EXEC]], 0xffff4ff8)).toEqual([[1, BS | 1]]);
    expect(prepared(`90 ${write} 90`, [[DATA + 8, WRITE], [DATA, ACCESS]], 0xffff2ff1)).toEqual([[4, BD | 2]]);
  });

  it('a single-step trap and a data breakpoint are one exception, an instruction breakpoint is a separate one', () => {
    expect(prepared(`${write} 90`, [[DATA, WRITE]], undefined, true)[0]).toEqual([3, BS | 1]);
    // After the first instruction both are due: the trap comes first, and its handler returns to the breakpoint.
    const [first, second] = prepared('90 90 90', [[base + 1, EXEC]], undefined, true);
    expect(first).toEqual([1, BS]);
    expect(second).toEqual([2, BS]);
  });

  it('MOV SS delays its own data breakpoint, but not an access to a debug register', () => {
    // mov ss, [rbx]: what DATA has there. mov ax, ss; mov ss, ax; mov dr7, rax with GD: a fault, whatever MOV SS does.
    const seen = logged((jit) => {
      const t = bits === 16 ? real('8cd0 8ed0 0f23f8', jit) : machine('668cd0 8ed0 0f23f8', bits === 64, jit);
      t.set64(abi.VCPU_DR7, 0x2400n);
      return t;
    });
    expect(seen[0]).toMatchObject({ at: (bits === 16 ? 4 : 5) + base - CODE, dr6: BD });
  });
});

describe('RF', () => {
  it('is set by IRET, and not shown by PUSHF nor kept by POPF', () => {
    const t = machine('9c 58 90');
    t.core.setRflags(0, 0x10002);
    t.run(2);
    expect(t.reg('rax') & RF).toBe(0n);
    expect(t.flags & 0x10000).toBe(0);
    const popped = machine('68 02000100 9d 90');
    popped.run(2);
    expect(popped.flags & 0x10000).toBe(0);
  });
});
