/**
 * The translation of the page that a guest runs in changes, without INVLPG or with one that takes effect, and something replaces or drops the TLB's
 * entry. Which frame the next instruction comes from must not depend on where slices end, nor on the tier.
 */
import { describe, expect, it } from 'vitest';
import { TestCore } from '../../test/support/core';
import { SvmCore, VMCB } from '../../test/support/svm';
import { HOST_BASE, VCPU_BASE, VCPU_RECORD_SIZE, VCPU_TLB, VCPU_TLB_NOTES, VCPU_WINDOWS } from '../abi/layout';
import * as svm from '../abi/svm';
import * as abi from '../abi/vcpu';
import { JIT_DEFAULTS, type JitOptions } from '../jit/jit';

const RAM = 0x800000;
const TABLE = 0x9000;
const DIRECTORY = 0x3000;
const PAGE = 0x200000;
/** The frames that bit 13 of the page's entry, or bit 22 of a large page's, selects. */
const OTHER_FRAME = PAGE + 0x2000;
const OTHER_LARGE = PAGE + 0x400000;
/** Linear; its third page shares the TLB entry of PAGE. */
const CONFLICT = 0x2200000;
/** Linear, a large page whose fifth part does too. */
const CONFLICT_LARGE = 0x4200000;
/** Linear, 32 MiB: more pages than the log of fills holds. */
const MANY = 0x8000000;
const IDT = 0x60000;
const HANDLERS = 0x70000;
/** Tables of the nested guest's host: PML4, PDPT, directory, and the table of PAGE. */
const NESTED = 0x20000;
const NESTED_TABLE = NESTED + 0x3000;

/** Each round: the flip; the action; add rbx, 1 or 7; dec ebp; jnz back; hlt */
const program = (code: string, step: number): string => {
  const body = `${code} 4883c3${step.toString(16).padStart(2, '0')} ffcd`.replaceAll(' ', '');
  return `${body}75${(254 - body.length / 2).toString(16)}f4`;
};

/** xor qword [TABLE], 2000h; xor qword [DIRECTORY + 8], 400000h; xor qword [NESTED_TABLE], 2000h */
const FLIP = '4881342500900000 00200000';
const FLIP_LARGE = '4881342508300000 00004000';
const FLIP_NESTED = '4881342500300200 00200000';

interface Case {
  flip?: string;
  action: string;
  prepare?: (t: TestCore) => void;
  /** Instructions to run. */
  count?: number;
}
const COUNT = 360;

/** The other frame takes the place of the page, or no longer, in the middle of an instruction: a memslot moves. */
const moves = (t: TestCore): void => {
  t.deviceWrite = () => {
    if (!t.moved.delete(PAGE / 4096)) t.moved.set(PAGE / 4096, OTHER_FRAME / 4096);
    t.core.zapGfnRange(PAGE / 4096, 1);
  };
};
const large = (t: TestCore): void => t.poke64(DIRECTORY + 8, BigInt(PAGE | 0x87));
const global = (t: TestCore): void => {
  t.set64(abi.VCPU_CR4, 0x6a0n);
  t.poke64(TABLE, BigInt(PAGE | 0x107));
};
const user = (t: TestCore): void => {
  t.segment(abi.SEG_CS, 0x2b, 0n, 0xffffffff, 0xafb);
  for (const seg of [abi.SEG_SS, abi.SEG_DS, abi.SEG_ES]) t.segment(seg, 0x23, 0n, 0xffffffff, 0xcf3);
  t.set32(abi.VCPU_CPL, 3);
  t.set64(abi.VCPU_CR0, 0x80040011n);
};

const CASES: Record<string, Case> = {
  'a write to the page': { action: '48ff042500082000' },
  'a read of a page with the same entry of the TLB': { action: '488b042500202002' },
  'a write to a page with the same entry of the TLB': { action: '48ff042508282002' },
  // xor dword [TABLE + 4], 80000000h; inc qword [PAGE + 800h]
  'NX, and a write to the page': { action: '813425049000000000008048ff042500082000' },
  // mov rsp, CONFLICT + 2800h; call and pop
  'a CALL whose stack has the same entry': { action: '48c7c400282002 e800000000 58' },
  // movups [CONFLICT + 2808h], xmm0; fst qword [CONFLICT + 2810h]
  'a store of a vector': { action: '0f11042508282002' },
  'a store of the x87': { action: 'dd142510282002' },
  // mov edi, CONFLICT_LARGE + 3000h; mov ecx, 3000h; rep stosb
  'REP STOSB over a page with the same entry': { action: 'bf00302004 b900300000 f3aa' },
  // mov esi, CONFLICT + 1000h; mov ecx, 3000h; rep lodsb
  'REP LODSB over a page with the same entry': { action: 'be00102002 b900300000 f3ac' },
  // mov eax, CONFLICT + 2900h; call rax. There: ret
  'a CALL into a page with the same entry': {
    action: 'b800292002 ffd0',
    prepare: (t) => t.poke(OTHER_FRAME + 0x900, 'c3'),
  },
  // The same, and the page called writes to a page with the entry of the first: inc qword [CONFLICT + 2808h]; ret
  'a CALL into another page, which writes to one with the same entry': {
    action: 'b800192000 ffd0',
    prepare: (t) => t.poke(PAGE + 0x1900, '48ff042508282002 c3'),
  },
  'INVLPG': { action: '0f013c2500002000' },
  'INVLPG of another page, then a read of one with the same entry': { action: '0f013c2500102000 488b042500202002' },
  'INVLPG of another part of a large page': { flip: FLIP_LARGE, action: '0f013c2500501f00', prepare: large },
  'INVLPG of a far part of a large page': { flip: FLIP_LARGE, action: '0f013c2500f03f00', prepare: large },
  // mov rax, cr3; mov cr3, rax
  'MOV CR3': { action: '0f20d8 0f22d8' },
  'MOV CR3, the page global': { action: '0f20d8 0f22d8', prepare: global },
  // In the first round: mov esi, MANY; mov ecx, 1400000h; rep lodsb
  'MOV CR3 after more fills than the log holds, the page global': {
    action: '83fd28 750c be00000008 b900004001 f3ac 0f20d8 0f22d8',
    prepare: global,
    count: 5500,
  },
  // mov eax, 30002h; mov dr7, rax; xor eax, eax; mov dr7, rax, with DR0 in the page
  'a watchpoint in the page that comes and goes': {
    action: 'b802000300 0f23f8 31c0 0f23f8',
    prepare: (t) => t.set64(abi.VCPU_DR0, BigInt(PAGE + 0x800)),
  },
  'a watchpoint that comes, a write to the page, and it goes': {
    action: 'b802000300 0f23f8 48ff042500082000 31c0 0f23f8',
    prepare: (t) => t.set64(abi.VCPU_DR0, BigInt(PAGE + 0xa00)),
  },
  // mov [900000h], eax; out 10h, al; rep stosb and push there
  'no flip, a write to a device that moves the memslot': { flip: '', action: '89042500009000', prepare: moves },
  'no flip, OUT to a port that moves the memslot': { flip: '', action: 'e610', prepare: moves },
  'no flip, REP STOSB to a device that moves the memslot': { flip: '', action: 'bf00009000 b903000000 f3aa', prepare: moves },
  'no flip, PUSH to a device that moves the memslot': { flip: '', action: '48c7c408009000 50', prepare: moves },
  // pushfq; xor qword [rsp], 40000h; popfq
  'in ring 3, RFLAGS.AC that comes and goes': { action: '9c 4881342400000400 9d', prepare: user },
  'in ring 3, RFLAGS.AC and a read': { action: '9c 4881342400000400 9d 488b042500202002', prepare: user },
  'in ring 3, a write to the page': { action: '48ff042500082000', prepare: user },
};

const EAGER: JitOptions = { ...JIT_DEFAULTS, quantum: 24, samples: 1 };

function load(t: TestCore, { flip = FLIP, action, prepare = () => {} }: Case): void {
  for (const at of [PAGE, CONFLICT]) t.poke64(DIRECTORY + 8 * (at >>> 21), BigInt(TABLE | 7));
  for (let page = 0; page < 16; page++) t.poke64(TABLE + 8 * page, BigInt((PAGE + page * 4096) | 7));
  t.poke64(DIRECTORY + 8 * (CONFLICT_LARGE >>> 21), 0x400087n);
  for (let n = 0; n < 16; n++) t.poke64(DIRECTORY + 8 * ((MANY >>> 21) + n), 0x87n);
  t.poke(PAGE, program(`${flip} ${action}`, 1));
  for (const frame of [OTHER_FRAME, OTHER_LARGE]) t.poke(frame, program(`${flip} ${action}`, 7));
  for (const [name, value] of [
    ['rbx', 0],
    ['rbp', 40],
    ['rdx', 0],
    ['rsp', 0x40000],
  ] as const)
    t.setReg(name, value);
  prepare(t);
  t.core.stateChanged(0);
}

function runInSlices(t: TestCore, slice: number, count = COUNT): string {
  for (let done = 0; done < count; done += slice) t.run(Math.min(slice, count - done));
  return t.state();
}

const plain = new TestCore(RAM);
const compiled = new TestCore(RAM, EAGER);

/** What the guest is after the test's instructions, run in slices of this many. */
function after(t: TestCore, test: Case, slice: number): string {
  new Uint8Array(t.memory.buffer, HOST_BASE, RAM).fill(0);
  t.moved.clear();
  t.deviceWrite = () => {};
  t.core.invalidateAllCode();
  t.core.resetVcpu(0);
  t.core.zapAll();
  t.longMode(PAGE);
  t.set64(abi.VCPU_EFER, 0xd00n);
  t.set64(abi.VCPU_CR4, 0x620n);
  t.haltingHandlers(true, IDT, HANDLERS);
  load(t, test);
  return runInSlices(t, slice, test.count);
}

/** The same in a guest under SVM, with nested paging. */
function nestedAfter(test: Case, slice: number, jit?: JitOptions): string {
  const t = new SvmCore(RAM, jit);
  t.poke64(NESTED, BigInt(NESTED + 0x1000) | 7n);
  t.poke64(NESTED + 0x1000, BigInt(NESTED + 0x2000) | 7n);
  for (let n = 0; n < 4; n++) t.poke64(NESTED + 0x2000 + 8 * n, BigInt(n * 0x200000) | 0x87n);
  t.poke64(NESTED + 0x2008, BigInt(NESTED_TABLE) | 7n);
  for (let page = 0; page < 512; page++) t.poke64(NESTED_TABLE + 8 * page, BigInt(PAGE + page * 4096) | 7n);
  t.put(svm.VMCB_NP_ENABLE, 1n);
  t.put(svm.VMCB_NCR3, BigInt(NESTED));
  t.put(svm.VMCB_EFER, 0x1d00n);
  t.put(svm.VMCB_RIP, BigInt(PAGE));
  t.put(svm.VMCB_RSP, 0x40000n);
  load(t, test);
  t.setReg('rax', VMCB);
  t.set32(svm.SVM_GIF_CLEAR, 1);
  return runInSlices(t, slice);
}

describe.each(Object.entries(CASES))('the frame of the running page changes, then %s', (_name, test) => {
  it('is the same in all slices and both tiers', () => {
    const alone = after(plain, test, 1);
    for (const slice of [2, 3, 7, test.count ?? COUNT]) {
      expect(after(plain, test, slice), `slices of ${slice}`).toBe(alone);
      expect(after(compiled, test, slice), `slices of ${slice}, compiled`).toBe(alone);
    }
  });
});

describe.each([
  ['the guest’s table', FLIP],
  ['the host’s table', FLIP_NESTED],
])('in a nested guest the frame of the running page changes, by %s', (_table, flip) => {
  it.each([
    'a write to the page',
    'a read of a page with the same entry of the TLB',
    'INVLPG',
    'a CALL into a page with the same entry',
  ])('then %s: is the same in all slices and both tiers', (name) => {
    const test = { ...CASES[name]!, flip };
    const alone = nestedAfter(test, 1);
    for (const slice of [2, COUNT]) {
      expect(nestedAfter(test, slice), `slices of ${slice}`).toBe(alone);
      expect(nestedAfter(test, slice, EAGER), `slices of ${slice}, compiled`).toBe(alone);
    }
  });
});

/** Ring 3 with RFLAGS.AC: the user TLB has tags for execution only. */
const checked = (t: TestCore): void => {
  user(t);
  t.core.setRflags(0, 0x40202);
};
/** What a checkpoint keeps of vCPU 0: its record, caches and TLB. Returns the way back to it, in a machine with two vCPUs. */
const checkpoint = (t: TestCore): (() => void) => {
  const part = (from: number, end: number): Uint8Array => new Uint8Array(t.memory.buffer, VCPU_BASE + from, end - from);
  const parts = [part(0, VCPU_RECORD_SIZE), part(VCPU_RECORD_SIZE, VCPU_TLB_NOTES), part(VCPU_TLB, VCPU_WINDOWS)];
  const kept = parts.map((bytes) => bytes.slice());
  return () => {
    parts[0]!.set(kept[0]!);
    t.core.stateChanged(0);
    t.core.stateChanged(1);
    parts[1]!.set(kept[1]!);
    parts[2]!.set(kept[2]!);
    t.core.tlbRestored(0);
  };
};
/** The guest goes on elsewhere with RFLAGS.AC clear, then another vCPU runs. */
const elsewhere = (t: TestCore): void => {
  t.core.setRflags(0, 0x202);
  t.poke(OTHER_FRAME + 0xc00, '90 ebfd');
  t.rip = BigInt(PAGE + 0x2c00);
  t.run(10);
  t.core.run(1, 10);
};

describe('the frame of the running page changes while alignment is checked', () => {
  it.each<[string, (t: TestCore) => void]>([
    ['another vCPU has a turn', (t) => void t.core.run(1, 10)],
    ['the debugger writes registers of another vCPU', (t) => t.core.stateChanged(1)],
    [
      'a checkpoint is restored',
      (t) => {
        const back = checkpoint(t);
        elsewhere(t);
        back();
      },
    ],
  ])('and %s: the TLB keeps the frame', (_what, between) => {
    for (const t of [plain, compiled]) {
      const test = { action: '90', prepare: checked };
      const alone = after(t, test, COUNT);
      after(t, { ...test, count: 0 }, COUNT);
      for (let done = 0; done < COUNT; done += 7) {
        t.run(7);
        between(t);
      }
      expect(t.state()).toBe(alone);
    }
  });
});
