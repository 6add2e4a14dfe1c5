/** Slices, faults, self-modifying and page-crossing code, REP restart, mode switches, interrupts: how the core runs programs. */
import { beforeEach, describe, expect, it } from 'vitest';
import { HOST_BASE, PAGE_SIZE, VCPU_BASE, VCPU_RECORD_SIZE } from '../abi/layout';
import { VCPU_BREAK_ICOUNT, VCPU_EXIT_REQUEST, VCPU_HALTED, VCPU_IRQ_PENDING, VCPU_SLICE_END } from '../abi/vcpu';
import { hex, TestCore } from '../../test/support/core';

const CODE = 0x10000;
const EXIT_BUDGET = 0;
const EXIT_HLT = 1;
const EXIT_SHUTDOWN = 2;
const EXIT_REQUESTED = 4;
const EXIT_BREAK = 5;

/**
 * A loop of 400 rounds over REP STOSQ, REP MOVSQ, IMUL, ADC, ROL, CALL, PUSH, SETcc, CMOVcc, BT, DIV, REPE CMPSB and PUSHF, then HLT.
 * Assembled for 0x10000 in 64-bit mode.
 */
const MIXED = `
bc00000800 41bf90010000 488d3c2500000200 4c89f8 b9bc020000 f348ab 488d342500000200 488d3c25f02f0200 b9e8030000 f348a5 31db b932000000
488b04cd00000200 4869c067452301 4801c3 4911c8 48c1c305 311c8d00400200 53 e852000000 5a 39d3 7203 4919d9 f6c310 410f95c2 4c0f44db
0fa3cb 4183d400 0fb6c3 ffc0 99 be07000000 f7f6 4901d5 ffc9 75ac 488d342500000200 488d3c2500300200 b9f4010000 f3a6 9c 415e 41ffcf
0f8557ffffff f4 488b442408 48c1e803 4829442408 c3`;

/** REP MOVSB of 0x2000 bytes from 0x30000 to 0x40ff0; at 0x10020 a #PF handler that counts, notes RCX RDI RIP CR2 at 0x9000 and maps the page. */
const REP_FAULT = `
bc00000800 be00000300 bff00f0400 b900200000 f3a4 f4 90909090 90909090
4883c408 50 53 48ff042500900000 48890c2508900000 48893c2510900000 488b442410 4889042518900000 0f20d0 4889042520900000 48c1e80c
488d1cc500000500 48830b03 5b 58 48cf`;

/** Boots at 0x7c00 in real mode: INT 20h, protected mode, 16-bit far call, long mode, INT3, UD2, compatibility mode and back. */
const MODES = `
fa31c08ed88ec08ed0bc007066c706009011111111c7068000357cc70682000000cd200f0116c07d0f20c00c010f22c0ea3c7c0800c70604902020cf66b810008ed8
8ec08ed0bc00700000c70508900000323232329ac37c00002800bf00a0000031c0b9000c0000fcf3abc70500a0000003b00000c70500b0000003c00000c70500c000
0083000000c70508c0000083002000b8200000000f22e0b800a000000f22d8b9800000c00f320d000100000f300f20c00d000000800f22c0eacb7c00001800c7060c
90161666cb66b810008ed0bc0070000048b864646464646464644889042510900000bf00d00000b90002000031c0f3ab48b8567d0000000000006689042560d00000
66c7042562d00000180066c7042564d00000008e48b8647d0000000000006689042530d0000066c7042532d00000180066c7042534d00000008f0f011c25c67d0000
cc0f0b6a08686d7d000048cb4883042402ff04251890000048cfff04251c90000048cf89e0a320900000ea7b7d00001800b9800000c00f3289042524900000f49090
909090900000000000000000ffff0000009bcf00ffff00000093cf00ffff0000009baf000000000000000000ffff0000009b0f002f00907d0000ff0100d000000000
0000`;

let t: TestCore;
beforeEach(() => {
  t = new TestCore();
});

/** 4 KiB pages over the first 2 MiB in a table at 0x50000, so that a test can unmap some. */
function smallPages(core: TestCore, unmapped: readonly number[] = []): void {
  core.poke64(0x3000, 0x50007n);
  for (let i = 0; i < 512; i++) core.poke64(0x50000 + 8 * i, BigInt(i * PAGE_SIZE) | (unmapped.includes(i) ? 4n : 7n));
  core.core.stateChanged(0);
}

/** IDT at 0x60000 with 64-bit interrupt gates into the CS of longMode; its GDT at 0x61000. */
function gate(core: TestCore, vector: number, handler: number): void {
  core.poke64(0x61008, 0x00af9b000000ffffn);
  core.poke64(0x61010, 0x00cf93000000ffffn);
  core.set64(0x140, 0x61000n);
  core.set32(0x148, 0x17);
  core.set64(0x150, 0x60000n);
  core.set32(0x158, 0xfff);
  core.poke64(0x60000 + 16 * vector, BigInt(handler & 0xffff) | 0x80000n | (0x8e00n << 32n) | (BigInt(handler >>> 16) << 48n));
  core.poke64(0x60008 + 16 * vector, 0n);
}

function mixed(slice: number): TestCore {
  const core = new TestCore();
  core.longMode(CODE);
  core.poke(CODE, MIXED);
  expect(core.run(10_000_000, slice)).toBe(EXIT_HLT);
  return core;
}

it('is in its power-on state when it is loaded, though its loop has run', () => {
  const test = new TestCore();
  const record = () => new Uint8Array(test.memory.buffer.slice(VCPU_BASE, VCPU_BASE + VCPU_RECORD_SIZE));
  test.core.init();
  const loaded = record();
  test.core.resetVcpu(0);
  expect(loaded).toEqual(record());
});

describe('slices', () => {
  it('end exactly at the budget, whatever the blocks', () => {
    t.longMode(CODE);
    t.poke(CODE, MIXED);
    for (const budget of [1, 2, 3, 5, 7, 64, 65, 997, 1]) {
      const before = t.icount;
      expect(t.run(budget)).toBe(EXIT_BUDGET);
      expect(t.icount - before).toBe(BigInt(budget));
    }
  });

  it('of any size lead to the same registers, flags and memory', () => {
    const whole = mixed(1_000_000);
    for (const slice of [1, 997, 20_011]) {
      const sliced = mixed(slice);
      expect(sliced.state()).toBe(whole.state());
      const range = [HOST_BASE, whole.ramSize] as const;
      expect(Buffer.from(sliced.memory.buffer, ...range).equals(Buffer.from(whole.memory.buffer, ...range))).toBe(true);
    }
  });

  it('agree at every common end, also in flags', () => {
    const states = (slice: number): string[] => {
      const core = new TestCore();
      core.longMode(CODE);
      core.poke(CODE, MIXED);
      return Array.from({ length: 60 }, () => {
        core.run(2000, slice);
        return core.state();
      });
    };
    expect(states(1)).toEqual(states(2000));
    expect(states(13)).toEqual(states(2000));
  });

  it('stop before the instruction of a break count', () => {
    t.longMode(CODE);
    t.poke(CODE, '90909090 f4');
    t.set64(VCPU_BREAK_ICOUNT, 3n);
    expect(t.run(100)).toBe(EXIT_BREAK);
    expect(t.rip).toBe(BigInt(CODE + 3));
    t.set64(VCPU_BREAK_ICOUNT, -1n);
    expect(t.run(100)).toBe(EXIT_HLT);
  });
});

describe('devices', () => {
  it('see the exact count, and can end or shorten the slice', () => {
    t.longMode(CODE);
    // nop; mov eax, [0x3000000] (MMIO); nop; nop; out 0x80, al; nop; hlt
    t.poke(CODE, '90 8b042500000003 90 90 e680 90 f4');
    t.deviceRead = () => {
      t.set64(VCPU_SLICE_END, 3n);
      return 0x1234n;
    };
    t.deviceWrite = () => t.set32(VCPU_EXIT_REQUEST, 1);
    expect(t.core.run(0, 100)).toBe(EXIT_BUDGET);
    expect(t.icount).toBe(3n);
    expect(t.reg('rax')).toBe(0x1234n);
    expect(t.run(100)).toBe(EXIT_REQUESTED);
    expect(t.icount).toBe(5n);
    expect(t.rip).toBe(BigInt(CODE + 12));
    expect(t.accesses.map(({ kind, address, size, icount }) => [kind, address, size, icount])).toEqual([
      ['mmioRead', 0x3000000, 4, 1n],
      ['ioWrite', 0x80, 1, 4n],
    ]);
    expect(t.run(100)).toBe(EXIT_HLT);
  });

  it('may be read by a compare joined with its branch', () => {
    t.longMode(CODE);
    // l: cmp byte [0x3000000], 3; jne l; hlt
    t.poke(CODE, '803c250000000303 75f6 f4');
    let reads = 0n;
    t.deviceRead = () => ++reads;
    expect(t.run(100)).toBe(EXIT_HLT);
    expect(reads).toBe(3n);
    expect(t.icount).toBe(7n);
  });
});

describe('interrupts', () => {
  it('are taken after the instruction that follows STI, at the same count in all slices', () => {
    for (const slice of [1, 100]) {
      const core = new TestCore();
      core.longMode(CODE);
      core.setReg('rsp', 0x80000);
      gate(core, 0x40, CODE + 0x100);
      core.poke(CODE, 'fb 90 90 90 f4');
      core.poke(CODE + 0x100, '488b0424 f4'); // mov rax, [rsp]; hlt
      core.vectors.push(0x40);
      core.set32(VCPU_IRQ_PENDING, 1);
      expect(core.run(100, slice)).toBe(EXIT_HLT);
      expect(core.reg('rax')).toBe(BigInt(CODE + 2));
      expect(core.icount).toBe(4n);
    }
  });

  it('wake HLT', () => {
    t.longMode(CODE);
    t.setReg('rsp', 0x80000);
    gate(t, 0x41, CODE + 0x100);
    t.poke(CODE, 'fb f4 ffc3 fa f4'); // sti; hlt; inc ebx; cli; hlt
    t.poke(CODE + 0x100, '48cf');
    expect(t.run(100)).toBe(EXIT_HLT);
    expect(t.run(100)).toBe(EXIT_HLT);
    t.vectors.push(0x41);
    t.set32(VCPU_IRQ_PENDING, 1);
    expect(t.run(100)).toBe(EXIT_HLT);
    expect(t.reg('rbx')).toBe(1n);
  });

  it('single steps trap after each instruction', () => {
    t.longMode(CODE);
    t.setReg('rsp', 0x80000);
    gate(t, 1, CODE + 0x100);
    t.poke(CODE, '90 90 90 f4');
    t.poke(CODE + 0x100, 'ffc3 83fb03 7508 81642410fffeffff 48cf'); // count; after three, clear TF in the frame
    t.core.setRflags(0, 0x102);
    t.run(100);
    expect(t.reg('rbx')).toBe(3n);
  });
});

describe('faults', () => {
  it('leave RIP and registers at the instruction and do not count', () => {
    t.longMode(CODE);
    smallPages(t, [0x41]);
    t.setReg('rax', 5);
    t.poke(CODE, 'ffc0 03042500100400 ffc0 f4'); // inc eax; add eax, [0x41000]
    expect(t.run(100)).toBe(EXIT_SHUTDOWN);
    expect(t.rip).toBe(BigInt(CODE + 2));
    expect(t.reg('rax')).toBe(6n);
    expect(t.icount).toBe(1n);
  });

  it('show the flags of the preceding instruction, though nothing reads them', () => {
    t.longMode(CODE);
    smallPages(t, [0x41]);
    t.poke(CODE, '31c0 83c0ff 3b042500100400 f4'); // xor eax, eax; add eax, -1; cmp eax, [0x41000]
    t.run(100);
    expect(t.flags & 0x8d5).toBe(0x84);
  });

  it('restart REP MOVSB where it stopped', () => {
    t.longMode(CODE);
    smallPages(t, [0x41, 0x42]);
    gate(t, 14, CODE + 0x20);
    t.poke(CODE, REP_FAULT);
    for (let i = 0; i < 0x2000; i++) t.view.setUint8(t.hva(0x30000 + i), (i * 7) & 255);
    expect(t.run(1000)).toBe(EXIT_HLT);
    expect(t.peek(0x9000, 8)).toBe(2n);
    expect(t.peek(0x9008, 8)).toBe(0x2000n - 0x1010n);
    expect(t.peek(0x9010, 8)).toBe(0x42000n);
    expect(t.peek(0x9018, 8)).toBe(BigInt(CODE + 20));
    expect(t.peek(0x9020, 8)).toBe(0x42000n);
    expect(t.reg('rcx')).toBe(0n);
    for (let i = 0; i < 0x2000; i++) expect(t.view.getUint8(t.hva(0x40ff0 + i))).toBe((i * 7) & 255);
  });
});

describe('REP', () => {
  it('copies over itself element by element', () => {
    t.longMode(CODE);
    t.poke(0x20000, [1, 2, 3]);
    t.setReg('rsi', 0x20000);
    t.setReg('rdi', 0x20003);
    t.setReg('rcx', 300);
    t.poke(CODE, 'f3a4 f4');
    t.run(100);
    for (let i = 0; i < 303; i++) expect(t.view.getUint8(t.hva(0x20000 + i))).toBe((i % 3) + 1);
  });

  it('runs backwards with DF', () => {
    t.longMode(CODE);
    for (let i = 0; i < 0x2000; i++) t.view.setUint8(t.hva(0x20000 + i), i & 255);
    t.setReg('rsi', 0x21ff8);
    t.setReg('rdi', 0x22ff8);
    t.setReg('rcx', 0x400);
    t.poke(CODE, 'fd f348a5 fc f4');
    t.run(100);
    expect(t.reg('rdi')).toBe(0x20ff8n);
    for (let i = 0; i < 0x2000; i++) expect(t.view.getUint8(t.hva(0x21000 + i))).toBe(i & 255);
  });

  it('stops at the first difference', () => {
    t.longMode(CODE);
    t.poke(0x20000, [1, 2, 3, 4, 9]);
    t.poke(0x21000, [1, 2, 3, 4, 5]);
    t.setReg('rsi', 0x20000);
    t.setReg('rdi', 0x21000);
    t.setReg('rcx', 100);
    t.poke(CODE, 'f3a6 f4');
    t.run(100);
    expect(t.reg('rcx')).toBe(95n);
    expect(t.flags & 0x41).toBe(0);
  });

  it('gives a device one element at a time, each an instruction', () => {
    t.longMode(CODE);
    t.setReg('rdi', 0x3000000);
    t.setReg('rcx', 3);
    t.setReg('rax', 0x77);
    t.poke(CODE, 'f3aa f4');
    t.run(100);
    expect(t.accesses.map(({ address, size, icount }) => [address, size, icount])).toEqual([
      [0x3000000, 1, 0n],
      [0x3000001, 1, 1n],
      [0x3000002, 1, 2n],
    ]);
    expect(t.icount).toBe(4n);
  });
});

describe('code that changes', () => {
  it('takes effect in the running block', () => {
    t.longMode(CODE);
    // mov byte [CODE+9], 0x43 turns `mov eax, 1; ...` imm: here it rewrites the next instruction's immediate
    t.poke(CODE, 'c604250900010043 b800000000 f4');
    t.run(100);
    expect(t.reg('rax')).toBe(0x43n);
  });

  it('is noticed from another page, from REP STOS and through an alias', () => {
    t.longMode(CODE);
    smallPages(t);
    t.poke64(0x50000 + 8 * 0x90, 0x20007n); // 0x90000 is an alias of 0x20000
    t.core.stateChanged(0);
    t.setReg('rsp', 0x80000);
    t.poke(0x20000, 'b001 c3'); // mov al, 1; ret
    // call 0x20000; mov byte [0x90001], 2; mov bl, al; call 0x20000; mov bh, al; mov edi, 0x20001; mov al, 3; mov ecx, 1; rep stosb; call 0x20000; hlt
    t.poke(CODE, 'e8fbff0000 c604250100090002 88c3 e8ecff0000 88c7 bf01000200 b003 b901000000 f3aa e8d7ff0000 f4');
    expect(t.run(100)).toBe(EXIT_HLT);
    expect(t.reg('rbx')).toBe(0x0201n);
    expect(t.reg('rax')).toBe(3n);
  });

  it('is noticed after a write from outside', () => {
    t.longMode(CODE);
    t.poke(CODE, 'b001 f4');
    t.run(100);
    expect(t.reg('rax')).toBe(1n);
    t.poke(CODE + 1, [2]);
    t.set32(VCPU_HALTED, 0);
    t.rip = BigInt(CODE);
    t.run(100);
    expect(t.reg('rax')).toBe(2n);
  });

  it('runs across a page boundary, and faults with the address of the second page', () => {
    t.longMode(0x20ffe);
    smallPages(t);
    t.poke(0x20ffe, 'b878563412 f4');
    t.run(1, 1);
    expect(t.reg('rax')).toBe(0x12345678n);
    t.poke(0x21000, [0x99]); // the middle of the instruction, in the second page
    t.rip = 0x20ffen;
    t.run(1);
    expect(t.reg('rax')).toBe(0x12349978n);
    t.poke64(0x50000 + 8 * 0x21, 0x21006n);
    t.core.stateChanged(0);
    t.rip = 0x20ffen;
    expect(t.run(1)).toBe(EXIT_SHUTDOWN);
    expect(t.get64(0x168)).toBe(0x21000n);
    expect(t.rip).toBe(0x20ffen);
  });

  it('crosses a page after other instructions of the same block, in one slice or several', () => {
    for (const slice of [1, 100]) {
      const core = new TestCore();
      core.longMode(0x20ff8);
      core.setReg('rsp', 0x80000);
      core.poke(0x20ff2, 'ffc0 c3'); // inc eax; ret
      core.poke(0x20ff8, '31c0 ffc0 9090 e8efffffff f4'); // xor eax, eax; inc eax; nop; nop; call 0x20ff2; hlt
      core.run(100, slice);
      expect(core.rip).toBe(0x21004n);
      expect(core.reg('rax')).toBe(2n);
      expect(core.icount).toBe(8n);
    }
  });
});

describe('modes', () => {
  it('go from real to protected, 16-bit, long and compatibility mode and back', () => {
    for (const slice of [1, 1000]) {
      const core = new TestCore();
      core.real(0x7c00);
      core.poke(0x7c00, hex(MODES));
      expect(core.run(5000, slice)).toBe(EXIT_HLT);
      expect(core.peek(0x9000, 4)).toBe(0x11111111n);
      expect(core.peek(0x9004, 2)).toBe(0x2020n);
      expect(core.peek(0x9008, 4)).toBe(0x32323232n);
      expect(core.peek(0x900c, 2)).toBe(0x1616n);
      expect(core.peek(0x9010, 8)).toBe(0x6464646464646464n);
      expect(core.peek(0x9018, 4)).toBe(1n);
      expect(core.peek(0x901c, 4)).toBe(1n);
      expect(core.peek(0x9020, 4)).toBe(0x7000n);
      expect(core.peek(0x9024, 4)).toBe(0x500n);
    }
  });
});
