/** Where the single-step trap occurs: SDM 3B 18.3.1.4 (TF), SDM 3A 6.8.3 (MOV SS), and for SYSCALL and SYSRET what kvm-unit-tests expect. */
import { describe, expect, it } from 'vitest';
import * as abi from '../abi/vcpu';
import { TestCore } from '../../test/support/core';

const CODE = 0x10000;
const DATA = 0x8000;
const LOG = 0x9000;
const KERNEL = 0x12000;
const HANDLERS = 0x14000;
const IDT = 0x60000;
const GDT = 0x61000;
const TSS = 0x62000;
const TF = 0x100;
const IF = 0x200;

/** Each #DB is logged at LOG: RIP, and DR6, which it clears. Vector 6 skips two bytes; others return at once. */
const LOG64 =
  '50 53 8b1c2500900000 488b442410 488904dd10900000 0f21f0 488904dd18900000 83042500900000 02 b8f00fffff 0f23f0 5b 58 48cf';
const LOG32 = '50 53 8b1d00900000 8b442408 890 4dd10900000 0f21f0 8904dd18900000 830500900000 02 b8f00fffff 0f23f0 5b 58 cf';
/** An external interrupt is logged as address 0x20. */
const IRQ64 = '53 8b1c2500900000 48c704dd10900000 20000000 83042500900000 02 5b 48cf';

interface Trap {
  rip: number;
  /** DR6.BS */
  step: boolean;
}

function traps(t: TestCore): Trap[] {
  const count = Number(t.peek(LOG, 4)) / 2;
  return Array.from({ length: count }, (_unused, i) => ({
    rip: Number(t.peek(LOG + 0x10 + 16 * i, 8)),
    step: (t.peek(LOG + 0x18 + 16 * i, 8) & 0x4000n) !== 0n,
  }));
}

function gates(t: TestCore, wide: boolean): void {
  t.returningHandlers(wide, IDT, HANDLERS, wide ? { 1: LOG64, 0x20: IRQ64 } : { 1: LOG32 });
  t.set64(abi.VCPU_GDT_BASE, BigInt(GDT));
  t.set32(abi.VCPU_GDT_LIMIT, 0x3f);
  const code = wide ? 0x00af9b000000ffffn : 0x00cf9b000000ffffn;
  t.poke64(GDT + 8, code);
  t.poke64(GDT + 0x10, 0x00cf93000000ffffn);
  t.poke64(GDT + 0x18, 0x00cffb000000ffffn);
  t.poke64(GDT + 0x20, 0x00cff3000000ffffn);
  t.poke64(GDT + 0x28, 0x00affb000000ffffn);
}

function wide(code: string, flags: number): TestCore {
  const t = new TestCore();
  t.longMode(CODE);
  gates(t, true);
  t.poke(CODE, `${code} ${'90'.repeat(16)}`);
  t.setReg('rcx', 0x10);
  t.setReg('rsp', 0x20000);
  t.setReg('rsi', DATA);
  t.setReg('rdi', DATA + 0x100);
  t.core.setRflags(0, flags);
  return t;
}

/** The same in ring 3, with SYSCALL into KERNEL. */
function user(code: string, kernel: string, mask: number): TestCore {
  const t = wide(code, TF);
  t.segment(abi.SEG_CS, 0x2b, 0n, 0xffffffff, 0xafb);
  for (const seg of [abi.SEG_SS, abi.SEG_DS, abi.SEG_ES]) t.segment(seg, 0x23, 0n, 0xffffffff, 0xcf3);
  t.segment(abi.SEG_TR, 0x30, BigInt(TSS), 0x67, 0x8b);
  t.poke64(TSS + 4, 0x30000n);
  t.poke64(0x1000, 0x2007n);
  t.poke(KERNEL, kernel);
  t.set64(abi.VCPU_EFER, 0x501n);
  t.set64(abi.VCPU_STAR, (0x18n << 48n) | (8n << 32n));
  t.set64(abi.VCPU_LSTAR, BigInt(KERNEL));
  t.set64(abi.VCPU_SFMASK, BigInt(mask));
  t.set64(abi.VCPU_SYSENTER_CS, 8n);
  t.set64(abi.VCPU_SYSENTER_EIP, BigInt(KERNEL));
  t.set64(abi.VCPU_SYSENTER_ESP, 0x38000n);
  t.core.stateChanged(0);
  t.core.setRflags(0, TF | 2);
  return t;
}

function narrow(code: string, flags: number): TestCore {
  const t = new TestCore();
  t.flat32(CODE);
  gates(t, false);
  t.poke(CODE, `${code} ${'90'.repeat(16)}`);
  t.setReg('rcx', 0x10);
  t.setReg('rsp', 0x20000);
  t.core.setRflags(0, flags);
  return t;
}

const SLICES = [1, 3, 1000];
/** The first traps of a run of `prepare`d code, as distances from CODE; the same in slices of any length. */
function check(prepare: () => TestCore, expected: readonly number[]): TestCore {
  let last: TestCore | undefined;
  for (const slice of SLICES) {
    last = prepare();
    last.run(200, slice);
    const seen = traps(last).map(({ rip }) => rip - CODE);
    expect(seen.slice(0, expected.length)).toEqual(expected);
  }
  return last!;
}
const quiet = (prepare: () => TestCore, expected: readonly number[]): void => {
  expect(traps(check(prepare, expected))).toHaveLength(expected.length);
};

describe('a single-step trap in 64-bit mode', () => {
  it.each<[string, string, number[]]>([
    ['follows each instruction', '90 90', [1, 2, 3]],
    ['follows a jump to itself', 'ebfe', [0, 0, 0]],
    ['occurs between CMP and the following branch', '39c0 7402 9090', [2, 6, 7]],
    ['is delayed by MOV SS', '8ed1 90', [3, 4]],
    ['is delayed by the first of two MOV SS', '8ed1 8ed1 90', [4, 5]],
    ['is not delayed by STI', 'fb 90', [1, 2, 3]],
    ['follows CPUID', '0fa2 90', [2, 3]],
    ['follows MOV to CR3', '0f20d8 0f22d8 90', [3, 6, 7]],
    ['follows a port access', 'e680 90', [2, 3]],
    ['ends HLT', 'f4 90', [1, 2]],
    ['does not occur for INT n, but after the first instruction following its return', 'cd21 90', [3, 4]],
    ['does not occur for INT3', 'cc 90', [2, 3]],
    ['does not occur for an instruction that faults', '0f0b 90', [3, 4]],
    ['follows a far return', '6a08 680b000100 48cb 9090', [2, 7, 11, 12]],
    ['for POPF depends on TF before it', '9c 810c2400010000 9d 90', [1, 8, 9, 10]],
    ['for MOV SS and INT1 occurs only for INT1', '8ed1 f1 90', [3, 4]],
  ])('%s', (_what, code, expected) => {
    check(() => wide(code, TF), expected);
  });

  it('follows each iteration of a REP instruction', () => {
    const rep =
      (code: string, count: number): (() => TestCore) =>
      () => {
        const t = wide(code, TF);
        t.setReg('rcx', count);
        return t;
      };
    check(rep('f3a4 90', 3), [0, 0, 2, 3]);
    check(rep('f348ab 90', 2), [0, 3, 4]);
    check(rep('f3a6 90', 2), [0, 2, 3]);
    check(rep('f36e 90', 2), [0, 2, 3]);
    check(rep('f3a4 90', 0), [2, 3]);
  });

  it('begins one instruction after POPF that sets TF', () => {
    check(() => wide('9c 810c2400010000 9d 90 90', 0), [10, 11]);
  });

  it('follows POPF that clears TF, and then no more', () => {
    quiet(() => wide('9c 812424fffeffff 9d 90', TF), [1, 8, 9]);
  });

  const frame = (t: TestCore, flags: number): TestCore => {
    [CODE + 4, 8, flags, 0x20000, 0x10].forEach((value, i) => {
      t.poke64(0x1f000 + 8 * i, BigInt(value));
    });
    t.setReg('rsp', 0x1f000);
    return t;
  };
  it('begins one instruction after IRET that sets TF, and follows IRET that clears it', () => {
    check(() => frame(wide('48cf 9090', 0), TF | 2), [5, 6]);
    quiet(() => frame(wide('48cf 9090', TF), 2), [4]);
  });

  it('shows DR6.BS, which INT1 does not', () => {
    const t = check(() => wide('f1 90', TF), [1, 2]);
    expect(traps(t)[0]!.step).toBe(false);
    expect(traps(t)[1]!.step).toBe(true);
  });

  it('shows RFLAGS without RF, and a fault with it', () => {
    const t = wide('90', TF);
    t.poke(HANDLERS + 128, 'f4');
    t.run(10);
    expect(t.peek(Number(t.reg('rsp')) + 16, 4) & 0x10000n).toBe(0n);
    const fault = wide('0f0b', 0);
    fault.poke(HANDLERS + 128 * 6, 'f4');
    fault.run(10);
    expect(fault.peek(Number(fault.reg('rsp')) + 16, 4) & 0x10000n).toBe(0x10000n);
  });

  it('precedes an external interrupt that became pending with its instruction', () => {
    const prepare = (): TestCore => {
      const t = wide('e680 90', TF | IF);
      t.deviceWrite = () => {
        t.vectors.push(0x20);
        t.set32(abi.VCPU_IRQ_PENDING, 1);
      };
      return t;
    };
    const t = prepare();
    t.run(100);
    expect(
      traps(t)
        .slice(0, 3)
        .map(({ rip }) => rip),
    ).toEqual([CODE + 2, 0x20, CODE + 3]);
  });
});

describe('SYSCALL, SYSRET and SYSENTER', () => {
  it('trap by TF at the end of SYSCALL: not in a kernel that masks it, and after SYSRET at the return address', () => {
    check(() => user('0f05 90 90', '480f07', 0x700), [2, 3, 4]);
  });

  it('trap in a kernel that does not mask TF', () => {
    check(() => user('0f05 90 90', '480f07', 0x200), [KERNEL - CODE]);
  });

  it('trap after SYSENTER, which leaves TF alone', () => {
    check(() => user('0f34', '90 90', 0), [KERNEL - CODE, KERNEL - CODE + 1]);
  });
});

describe('a single-step trap in 32-bit mode', () => {
  it.each<[string, string, number[]]>([
    ['is delayed by POP SS', '16 17 90', [1, 3, 4]],
    ['is not delayed by LSS', '0fb22500800000 90', [7, 8]],
    ['follows INTO that does nothing', 'ce 90', [1, 2]],
    ['does not occur for INTO that interrupts', '04ff 04ff b07f 0401 ce 90', [2, 4, 6, 8, 10]],
    ['follows a far jump', 'ea090001000800 9090', [9, 10]],
  ])('%s', (_what, code, expected) => {
    check(() => {
      const t = narrow(code, TF);
      t.poke64(DATA, 0x20000n | (0x10n << 32n));
      return t;
    }, expected);
  });
});
