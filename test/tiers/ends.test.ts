/** Compiled code continues after out-of-line instructions that end their block, and exits where the interpreter would. */
import { describe, expect, it } from 'vitest';
import * as abi from '../../engine/abi/vcpu';
import { JIT_DEFAULTS } from '../../engine/jit/jit';
import { TestCore } from '../support/core';

const CODE = 0x10000;
const IDT = 0x60000;
const GDT = 0x61000;
const HANDLERS = 0x70000;
const VECTOR = 0x21;

function machine(jit: boolean): TestCore {
  const t = jit ? new TestCore(0x800000, { ...JIT_DEFAULTS, quantum: 200, samples: 1 }) : new TestCore();
  t.longMode(CODE);
  t.haltingHandlers(true, IDT, HANDLERS);
  t.poke64(GDT + 8, 0x00af9b000000ffffn);
  t.poke64(GDT + 16, 0x00cf93000000ffffn);
  t.set64(abi.VCPU_GDT_BASE, BigInt(GDT));
  t.set32(abi.VCPU_GDT_LIMIT, 0x17);
  t.setReg('rsp', 0x80000);
  for (const name of ['rax', 'rbx', 'rdx'] as const) t.setReg(name, 0);
  return t;
}

/** Both tiers must agree on the final state, two counters in memory, the last exit, and every device access. */
function agree(prepare: (t: TestCore) => void, budget: number): TestCore {
  const [plain, compiled] = [false, true].map((jit) => {
    const t = machine(jit);
    prepare(t);
    const exit = t.run(budget, 50_000);
    return { t, seen: { exit, state: t.state(), counters: [t.peek(0x30000, 8), t.peek(0x30008, 8)], accesses: t.accesses } };
  });
  expect(compiled!.seen).toEqual(plain!.seen);
  return compiled!.t;
}

/** Compiled code ran at least this share of all instructions. */
function expectCompiled(t: TestCore, share: number): void {
  expect(t.jit!.figures().ran / Number(t.icount)).toBeGreaterThan(share);
}

/** OUT 80h, AL; INC EAX; IN AL, 81h; DEC ECX; JNZ back; HLT. */
const PORTS = 'e680 ffc0 e481 ffc9 75f6 f4';

/** SYSCALL goes to CODE + 0x1000, with ZF cleared. */
function prepareSyscall(core: TestCore): void {
  core.set64(abi.VCPU_EFER, 0x501n);
  core.set64(abi.VCPU_STAR, (0x18n << 48n) | (8n << 32n));
  core.set64(abi.VCPU_LSTAR, BigInt(CODE + 0x1000));
  core.set64(abi.VCPU_SFMASK, 0x40n);
}

describe('after an instruction that ends its block', () => {
  it('compiled code continues', () => {
    const t = agree((core) => {
      core.poke(CODE, PORTS);
      core.setReg('rcx', 20_000);
    }, 200_000);
    expect(t.rip).toBe(BigInt(CODE + 11));
    expectCompiled(t, 0.9);
    // Of 40,000 accesses only those at the end of a slice made it exit.
    const left = t.jit!.figures().exits.filter(({ reason }) => reason === 'in' || reason === 'out');
    expect(left.reduce((sum, { count }) => sum + count, 0)).toBeLessThan(1000);
  });

  it('an interrupt that a device raises is delivered at once', () => {
    const t = agree((core) => {
      core.poke(CODE, PORTS);
      core.core.setRflags(0, 0x202);
      core.setReg('rcx', 20_000);
      // The handler: IRETQ.
      core.poke(HANDLERS + 16 * VECTOR, '48cf');
      core.deviceWrite = ({ icount }) => {
        if (icount % 7n !== 0n) return;
        core.vectors.push(VECTOR);
        core.set32(abi.VCPU_IRQ_PENDING, 1);
      };
    }, 200_000);
    expectCompiled(t, 0.3);
  });

  it('a device can request an exit of the vCPU', () => {
    const t = agree((core) => {
      core.poke(CODE, PORTS);
      core.setReg('rcx', 20_000);
      let writes = 0;
      core.deviceWrite = () => {
        if (++writes === 15_000) core.set32(abi.VCPU_EXIT_REQUEST, 1);
      };
    }, 200_000);
    expect(t.icount).toBe(14_999n * 5n + 1n);
  });

  it('code that a device writes takes effect', () => {
    agree((core) => {
      core.poke(CODE, PORTS);
      core.setReg('rcx', 20_000);
      let writes = 0;
      core.deviceWrite = () => {
        // INC EBX instead of INC EAX.
        if (++writes === 15_000) core.poke(CODE + 2, 'ffc3');
      };
    }, 200_000);
  });

  it('the code of another address space takes effect', () => {
    // MOV CR3, RDX; INC EBX (in the other page: INC EAX); XCHG RDX, RSI; DEC ECX; JNZ back; HLT
    const loop = (inc: string): string => `0f22da ${inc} 4887f2 ffc9 75f4 f4`;
    const t = agree((core) => {
      core.poke(CODE, loop('ffc3'));
      core.poke(CODE + 0x1000, loop('ffc0'));
      // 4 KiB pages over the first 2 MiB; in the second address space CODE is the page behind it.
      for (const [root, table, code] of [
        [0x1000, 0x50000, CODE],
        [0x20000, 0x51000, CODE + 0x1000],
      ] as const) {
        const [pointers, directory] = root === 0x1000 ? [0x2000, 0x3000] : [0x21000, 0x22000];
        core.poke64(root, BigInt(pointers | 7));
        core.poke64(pointers, BigInt(directory | 7));
        core.poke64(directory, BigInt(table | 7));
        for (let page = 0; page < 512; page++) core.poke64(table + 8 * page, BigInt((page * 0x1000) | 7));
        core.poke64(table + 8 * (CODE >> 12), BigInt(code | 7));
      }
      core.core.stateChanged(0);
      core.core.zapAll();
      core.setReg('rcx', 5000);
      core.setReg('rdx', 0x20000);
      core.setReg('rsi', 0x1000);
    }, 200_000);
    expect([t.reg('rax'), t.reg('rbx')]).toEqual([2500n, 2500n]);
  });

  it('SYSCALL and SYSRET change the privilege', () => {
    const t = agree((core) => {
      prepareSyscall(core);
      // At CPL 3 by SYSRET: INC EBX; SYSCALL; DEC EDX; JNZ back; SYSCALL at CPL 0 again ends it (RAX is 0 then).
      core.poke(CODE, '48b9 0020010000000000 49c7c302020000 480f07');
      core.poke(CODE + 0x2000, 'ffc3 0f05 ffca 75f8 31c0 0f05');
      // The kernel: MOV RDI, CS; TEST EAX, EAX; JZ to HLT; ADD QWORD [0x30000], 1; SYSRETQ; HLT
      core.poke(CODE + 0x1000, '8ccf 85c0 740c 4883042500000300 01 480f07 f4');
      core.setReg('rax', 1);
      core.setReg('rdx', 10_000);
      core.core.stateChanged(0);
    }, 300_000);
    expect(t.peek(0x30000, 8)).toBe(10_000n);
    expect(t.get32(abi.VCPU_HALTED)).toBe(1);
  });

  describe('SYSCALL between regions', () => {
    const KERNEL = CODE + 0x1000;
    const USER = CODE + 0x2000;
    const LONG = '48ffc6 '.repeat(16);
    /** INC RSI, 16 times; ADD QWORD [0x30000], 1; SYSRETQ */
    const add = (to: string): string => `${LONG} 48830425${to} 01 480f07`;
    const [HERE, THERE] = ['00000300', '08000300'];
    /** To CPL 3, and there, 20,000 times: INC RSI, 16 times; SYSCALL; DEC EDX; JNZ back; at last IN AL, 80h, which ends it. */
    const prepare = (core: TestCore): void => {
      prepareSyscall(core);
      core.poke(CODE, '48b9 0020010000000000 49c7c302320000 480f07');
      core.poke(USER, `${LONG} 0f05 ffca 75ca e480 ebfe`);
      core.poke(KERNEL, add(HERE));
      core.setReg('rsi', 0);
      core.setReg('rdx', 20_000);
      core.deviceRead = () => {
        core.set32(abi.VCPU_EXIT_REQUEST, 1);
        return 0n;
      };
      core.core.stateChanged(0);
    };
    const MOST = 2_000_000;

    it('enters the next one at once, whatever the privilege', () => {
      const t = agree(prepare, MOST);
      expect(t.peek(0x30000, 8)).toBe(20_000n);
      expect(t.reg('rsi')).toBe(2n * 16n * 20_000n);
      expectCompiled(t, 0.9);
      expect(t.jit!.figures().linked).toBeGreaterThan(35_000);
    });

    /** The same, and this happens after 300,000 instructions. */
    function changed(act: (core: TestCore) => void): TestCore {
      return agree((core) => {
        prepare(core);
        core.run(300_000, 50_000);
        act(core);
      }, MOST);
    }

    it('meets the handler that was written over the old one', () => {
      const t = changed((core) => core.poke(KERNEL, add(THERE)));
      expect(t.peek(0x30008, 8)).toBeGreaterThan(10_000n);
      expect(t.peek(0x30000, 8) + t.peek(0x30008, 8)).toBe(20_000n);
    });

    it('meets the handler that LSTAR names now', () => {
      const t = changed((core) => {
        core.poke(KERNEL + 0x2000, add(THERE));
        core.set64(abi.VCPU_LSTAR, BigInt(KERNEL + 0x2000));
      });
      expect(t.peek(0x30008, 8)).toBeGreaterThan(10_000n);
    });

    it('meets the handler that is mapped there now', () => {
      const t = changed((core) => {
        core.poke(KERNEL + 0x2000, add(THERE));
        core.moved.set(KERNEL >> 12, (KERNEL >> 12) + 2);
        core.core.zapGfnRange(KERNEL >> 12, 1);
      });
      expect(t.peek(0x30008, 8)).toBeGreaterThan(10_000n);
      expect(t.peek(0x30000, 8) + t.peek(0x30008, 8)).toBe(20_000n);
    });
  });
});
