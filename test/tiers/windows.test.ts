/**
 * Compiled code whose memory changes underneath it: a loop reads and writes two pages through live windows while translations change in every
 * possible way, from inside the guest or from outside. Both tiers must agree at every stop.
 */
import { describe, expect, it } from 'vitest';
import { PAGE_SIZE, VCPU_BASE, VCPU_BLOCK_SIZE, VCPU_TLB } from '../../engine/abi/layout';
import { TLB_ENTRIES, TLB_ENTRY_SIZE } from '../../engine/abi/tlb';
import * as abi from '../../engine/abi/vcpu';
import { hex, type TestCore } from '../support/core';
import { Random } from '../support/random';
import { Pair } from './pair';
import { CODE, DATA } from './program';

const SEED = 4711;
const GFN = DATA / PAGE_SIZE;
/** Page table of the data, from DATA on: 8 bytes a page. */
const TABLE = 0x9000;
const CLEAN = 4;
const READ_ONLY = 2;
const INVALID = 8;

/** mov r14, DATA; sums in the first two pages are incremented through several registers; `inside` runs once per round. */
function loop(inside: string): Uint8Array {
  const body = hex(
    `49 8b 06  48 83 c0 03  49 89 46 08  49 8b 5e 08  49 01 5e 10  49 8b 9e 00 10 00 00  49 01 9e 08 10 00 00  4c 89 f1  48 8d 51 40  48 89 02  48 ff 02 ${inside} 49 ff c7`,
  );
  const start = hex('49 c7 c6 00 00 20 00');
  return Uint8Array.from([...start, ...body, 0xe9, ...new Uint8Array(Int32Array.of(-body.length - 5).buffer)]);
}

/** Runs the loop in slices and applies `outside` to both between them. Returns how many windows were filled and how many dropped. */
function run(forward: boolean, inside: string, outside?: (core: TestCore, round: number) => void): { filled: number; dropped: number } {
  const pair = new Pair(forward);
  const random = new Random(SEED);
  pair.load(loop(inside));
  for (let round = 0; round < 120; round++) {
    if (outside && round % 3 === 2) for (const core of pair.both) outside(core, Math.floor(round / 3));
    const wrong = pair.run(1 + random.below(round % 4 === 0 ? 12 : 700));
    if (wrong) throw new Error(`seed ${SEED}, round ${round}: ${wrong}`);
  }
  const wrong = pair.memoryDiffers();
  if (wrong) throw new Error(wrong);
  const { windows, ran } = pair.compiled.jit!.figures();
  expect(ran).toBeGreaterThan(1000);
  return windows;
}

describe.each([
  ['scattered', false],
  ['side by side', true],
] as const)('live windows, host pages %s', (_name, forward) => {
  it('are filled once if nothing changes', () => {
    const { filled, dropped } = run(forward, '');
    expect(filled).toBeGreaterThan(1);
    expect(filled).toBeLessThan(20);
    expect(dropped).toBe(0);
  });

  const inside: [name: string, code: string, drops: boolean][] = [
    ['INVLPG', '41 0f 01 3e', true],
    ['INVLPG of a page without a window', '41 0f 01 be 00 50 00 00', false],
    ['a page table entry that changes, and INVLPG', '48 81 34 25 00 90 00 00 00 20 00 00 41 0f 01 3e', true],
    // Both tiers may use a cached translation, and must agree on which.
    ['a page table entry that changes without INVLPG', '48 81 34 25 00 90 00 00 00 20 00 00', false],
    ['accessed and dirty bits that the guest clears', '48 83 24 25 08 90 00 00 9f', false],
    ['accessed and dirty bits that it clears, and INVLPG', '48 83 24 25 08 90 00 00 9f 41 0f 01 be 00 10 00 00', true],
    ['a page that is no longer writable, CR0.WP set and clear', '48 83 34 25 08 90 00 00 02 0f 20 c0 48 35 00 00 01 00 0f 22 c0', true],
    ['MOV CR3', '0f 20 d8 0f 22 d8', true],
    ['CR4.PGE', '0f 20 e0 48 35 80 00 00 00 0f 22 e0', true],
    ['CR4.PSE', '0f 20 e0 48 83 f0 10 0f 22 e0', true],
    ['EFER.NXE', 'b9 80 00 00 c0 0f 32 35 00 08 00 00 0f 30', true],
    ['a write to a page of code', '48 8b 04 25 00 08 01 00 48 89 04 25 00 08 01 00', false],
  ];
  it.each(inside)('%s in the loop', (_what, code, drops) => {
    const { filled, dropped } = run(forward, code);
    expect(filled).toBeGreaterThan(0);
    if (drops) expect(dropped).toBeGreaterThan(10);
  });

  it('paging that 32-bit code switches off and on again in the loop', () => {
    // jmp far [CODE + 3f0h], to CODE + 400h in a segment of 32-bit code. It flips CR0.PG, and the frame of the first page, and flips CR0.PG again:
    // mov edx, cr0; xor edx, 80000000h; mov cr0, edx; xor dword [TABLE], 2000h; ...; jmp far 8:back
    const pair = new Pair(forward);
    const flip = '0f 20 c2 81 f2 00 00 00 80 0f 22 c2';
    pair.load(loop('ff 2c 25 f0 03 01 00'));
    const back = CODE + loop('').length - 8 + 7;
    for (const core of pair.both) {
      core.poke64(0x61018, 0x00cf9b000000ffffn);
      core.poke64(CODE + 0x3f0, BigInt(CODE + 0x400) | (0x18n << 32n));
      core.poke(CODE + 0x400, `${flip} 81 35 00 90 00 00 00 20 00 00 ${flip} ea`);
      core.poke(CODE + 0x400 + 35, [...new Uint8Array(Int32Array.of(back).buffer), 8, 0]);
    }
    for (let round = 0; round < 60; round++) expect(pair.run(301), `round ${round}`).toBeUndefined();
    expect(pair.memoryDiffers()).toBeUndefined();
    const { windows, ran } = pair.compiled.jit!.figures();
    expect(ran).toBeGreaterThan(1000);
    expect(windows.dropped).toBeGreaterThan(10);
  });

  it('global pages stay through MOV CR3', () => {
    const pair = new Pair(forward);
    pair.load(loop('0f 20 d8 0f 22 d8'));
    for (const core of pair.both) {
      core.set64(abi.VCPU_CR4, core.get64(abi.VCPU_CR4) | 0x80n);
      for (let page = 0; page < 16; page++) core.poke64(TABLE + 8 * page, BigInt((DATA + page * PAGE_SIZE) | 0x107));
      core.core.stateChanged(0);
    }
    for (let round = 0; round < 60; round++) expect(pair.run(301)).toBeUndefined();
    expect(pair.compiled.jit!.figures().windows.filled).toBeLessThan(40);
  });

  const page = (round: number): number => GFN + (round & 1);
  const outside: [name: string, act: (core: TestCore, round: number) => void][] = [
    [
      'a memslot that moves in host memory',
      (core, round) => {
        if (core.moved.has(page(round))) core.moved.delete(page(round));
        else core.moved.set(page(round), 0x300 + round);
        core.core.zapGfnRange(page(round), 1);
      },
    ],
    [
      'a memslot that is deleted, and made again',
      (core, round) => {
        if (core.moved.has(GFN)) core.moved.clear();
        else core.moved.set(GFN, -1);
        core.core.zapGfnRange(page(round) - (round & 1), 1);
      },
    ],
    [
      'a stepped commit: INVALID until the guest retries',
      (core, round) => {
        core.pageFlags.set(page(round), INVALID);
        core.core.zapGfnRange(page(round), 1);
      },
    ],
    [
      'a memslot that becomes read-only, and writable again',
      (core, round) => {
        if (core.pageFlags.has(GFN)) core.pageFlags.clear();
        else core.pageFlags.set(GFN, READ_ONLY);
        if (round % 2 === 0) core.core.protectGfnRange(GFN, 1);
        else core.core.zapGfnRange(GFN, 1);
      },
    ],
    [
      'a dirty log that begins, and is harvested',
      (core, round) => {
        core.pageFlags.set(page(round), CLEAN);
        core.core.protectGfnRange(page(round), 1);
      },
    ],
    ['zap all', (core) => void core.core.zapAll()],
    [
      'a data page that aliases the code',
      (core, round) => {
        core.poke64(TABLE + 8, round & 1 ? BigInt((DATA + PAGE_SIZE) | 7) : BigInt((CODE + PAGE_SIZE) | 7));
        core.core.stateChanged(0);
        core.poke(CODE + PAGE_SIZE + 0x800, 'c3');
        core.core.zapAll();
      },
    ],
    [
      'code that a device writes',
      (core, round) => core.poke(CODE + 7 + (round % 30), [core.view.getUint8(core.hva(CODE + 7 + (round % 30)))]),
    ],
    [
      'a watchpoint that comes and goes',
      (core, round) => {
        core.set64(abi.VCPU_DR7, round & 1 ? 0n : 0x30002n);
        core.set64(abi.VCPU_DR0, BigInt(DATA + 0x100));
        core.core.stateChanged(0);
      },
    ],
    ['a reset of the TLB by a restored state', (core) => core.core.stateChanged(0)],
  ];
  it.each(outside)('%s between slices', (_what, act) => {
    const { filled } = run(forward, '', act);
    expect(filled).toBeGreaterThan(2);
  });
});

/** Linear, a page whose TLB entry is that of the data's sixth page; it maps the data's eighth page. */
const CONFLICT = 0x2207000;

describe.each([
  ['scattered', false],
  ['side by side', true],
] as const)('a window on a page that the TLB knows otherwise by now, host pages %s', (_name, forward) => {
  /** xor qword [TABLE + 28h], 2000h: the sixth page gets another frame, without INVLPG. */
  const FLIP = '48 81 34 25 28 90 00 00 00 20 00 00';
  /** add rax, [DATA + 5000h] */
  const READ = '48 03 04 25 00 50 20 00';
  /** test r15b, 7; jnz over */
  const eighth = (code: string): string => `41 f6 c7 07 75 ${hex(code).length.toString(16).padStart(2, '0')} ${code}`;
  /** mov rdx, cr3; mov cr3, rdx */
  const RELOAD = '0f 20 da 0f 22 da';
  /** `first` every eighth round, and four rounds later MOV CR3 and `behind`: add r15d, 4 ... sub r15d, 4 */
  const flushed = (first: string, behind: string): string => `${eighth(first)} 41 83 c7 04 ${eighth(`${RELOAD} ${behind}`)} 41 83 ef 04`;
  /** The same for the seventh page and for the fifth, which are not global. */
  const FLIP_NEXT = '48 81 34 25 30 90 00 00 00 20 00 00';
  const FLIP_BEFORE = '48 81 34 25 20 90 00 00 00 20 00 00';
  /** add rax, [DATA + 6000h] and [DATA + 4000h] */
  const READ_NEXT = '48 03 04 25 00 60 20 00';
  const READ_BEFORE = '48 03 04 25 00 40 20 00';
  /** add rdx, [CONFLICT + 8] */
  const EVICT = '48 03 14 25 08 70 20 02';
  const INVLPG = '0f 01 3c 25 00 50 20 00';
  /** add rax, [rcx]; xor rcx, 3000h: one window, of the sixth and the seventh page in turn. */
  const [ADD, TURN] = ['48 03 01', '48 81 f1 00 30 00 00'];
  /** xor rcx, 1000h: the sixth and the fifth page. */
  const TURN_BACK = '48 81 f1 00 10 00 00';
  const chains: [name: string, chain: string, outside: (core: TestCore) => void][] = [
    [
      'the first write to a clean page finds the new frame',
      // inc qword [rcx + 8]
      `${READ} ${eighth(`${FLIP} 48 ff 41 08`)}`,
      (core) => {
        for (const gfn of [GFN + 5, GFN + 7]) {
          core.pageFlags.set(gfn, CLEAN);
          core.core.protectGfnRange(gfn, 1);
        }
      },
    ],
    ['MOV CR3 drops a global page that lies where another one was noted', `${READ} ${flushed(EVICT, FLIP)}`, () => {}],
    [
      'MOV CR3 drops a window of a global page that took in the next one, which is not',
      `${TURN} ${ADD} ${flushed(INVLPG, FLIP_NEXT)}`,
      () => {},
    ],
    ['MOV CR3 drops a window that took in a global page', `${ADD} ${TURN} ${flushed(INVLPG, FLIP_NEXT)}`, () => {}],
    [
      'MOV CR3 drops a window that was filled upwards from a global page',
      `${READ_NEXT} ${ADD} ${TURN} ${eighth(`${FLIP_NEXT} ${RELOAD}`)}`,
      () => {},
    ],
    [
      'MOV CR3 drops a window that was filled downwards from a global page',
      `${READ_BEFORE} ${ADD} ${TURN_BACK} ${eighth(`${FLIP_BEFORE} ${RELOAD}`)}`,
      () => {},
    ],
  ];
  it.each(chains)('%s', (_what, chain, outside) => {
    const pair = new Pair(forward);
    // mov rcx, DATA + 5000h; xor r15d, r15d; the loop: the chain; inc r15
    const body = hex(`${chain} 49 ff c7`);
    const jump = new Uint8Array(Int32Array.of(-body.length - 5).buffer);
    pair.load(Uint8Array.from([...hex('48 c7 c1 00 50 20 00 45 31 ff'), ...body, 0xe9, ...jump]));
    for (const core of pair.both) {
      core.set64(abi.VCPU_CR4, core.get64(abi.VCPU_CR4) | 0x80n);
      core.poke64(TABLE + 8 * 5, BigInt((DATA + 5 * PAGE_SIZE) | 0x107));
      core.poke64(0x3000 + 8 * (CONFLICT >>> 21), BigInt(TABLE | 7));
      core.core.stateChanged(0);
    }
    const random = new Random(SEED);
    for (let round = 0; round < 60; round++) {
      if (round % 3 === 2) for (const core of pair.both) outside(core);
      expect(pair.run(1 + random.below(400)), `round ${round}`).toBeUndefined();
    }
    expect(pair.memoryDiffers()).toBeUndefined();
    expect(pair.compiled.jit!.figures().windows.dropped).toBeGreaterThan(5);
  });
});

/** The tiers share the TLB and agree where it is wrong, so these say what must be seen. */
describe('what a read finds gives no right to write', () => {
  // mov rax, [rdi]; inc qword [rdi + 8]; jmp
  const LOOP = '48 8b 07 48 ff 47 08 eb f7';

  it('to a read-only page: the writes go to a device', () => {
    const pair = new Pair();
    pair.load(hex(LOOP));
    for (const core of pair.both) {
      core.poke64(TABLE, BigInt(DATA | 0x67));
      core.pageFlags.set(GFN, READ_ONLY);
      core.core.zapAll();
      core.setReg('rdi', DATA);
      const before = core.peek(DATA + 8, 8);
      core.run(3000, 500);
      expect(core.peek(DATA + 8, 8)).toBe(before);
      expect(core.accesses.filter(({ kind }) => kind === 'mmioWrite')).toHaveLength(1000);
    }
  });

  it('to a clean page: the first write after each harvest is noted', () => {
    const pair = new Pair();
    pair.load(hex(LOOP));
    for (const core of pair.both) {
      core.setReg('rdi', DATA);
      for (let harvest = 1; harvest <= 20; harvest++) {
        core.pageFlags.set(GFN, CLEAN);
        if (harvest % 2 === 0) core.core.protectGfnRange(GFN, 1);
        else core.core.zapGfnRange(GFN, 1);
        core.run(301);
        expect(core.dirtied).toHaveLength(harvest);
      }
    }
    expect(pair.compiled.jit!.figures().ran).toBeGreaterThan(3000);
  });
});

it('a zap finds the pages of a TLB that was put back', () => {
  const pair = new Pair();
  // inc qword [rdi]; jmp
  pair.load(hex('48 ff 07 eb fb'));
  for (const core of pair.both) {
    const tlb = new Uint8Array(core.memory.buffer, VCPU_BASE + VCPU_TLB, 2 * TLB_ENTRIES * TLB_ENTRY_SIZE);
    const run = (rdi: number): void => {
      core.setReg('rdi', rdi);
      core.run(2000, 200);
    };
    core.poke64(0x3000 + 8 * (CONFLICT >>> 21), BigInt(TABLE | 7));
    run(DATA + 5 * PAGE_SIZE);
    const kept = tlb.slice();
    run(CONFLICT);
    tlb.set(kept);
    core.core.tlbRestored(0);
    const before = core.peek(DATA + 5 * PAGE_SIZE, 8);
    core.moved.set(GFN + 5, 0x300);
    core.core.zapGfnRange(GFN + 5, 1);
    run(DATA + 5 * PAGE_SIZE);
    expect(core.peek(DATA + 5 * PAGE_SIZE, 8)).toBe(before);
    expect(core.peek(0x300 * PAGE_SIZE, 8)).toBe(1000n);
  }
});

it('a region is left where another of its pages is mapped elsewhere by now', () => {
  // inc rax; test al, 31; jnz over; xor qword [TABLE + 10h], 1000h; invlpg [DATA + 2000h]; jmp there, where rbx is counted up, by 1 or by 2; and back
  const head = hex('48 ff c0 a8 1f 75 14 48 81 34 25 10 90 00 00 00 10 00 00 0f 01 3c 25 00 20 20 00');
  const there = DATA + 0x2800;
  const rel = (from: number, to: number): number[] => [...new Uint8Array(Int32Array.of(to - from - 5).buffer)];
  const pair = new Pair();
  pair.load(Uint8Array.from([...head, 0xe9, ...rel(CODE + head.length, there)]));
  for (const core of pair.both) {
    for (const by of [1, 2]) core.poke(DATA + 0x1800 + 0x1000 * by, [0x48, 0x83, 0xc3, by, 0xe9, ...rel(there + 4, CODE)]);
    core.setReg('rax', 0);
    core.setReg('rbx', 0);
  }
  for (let round = 0; round < 40; round++) expect(pair.run(311), `round ${round}`).toBeUndefined();
  expect(pair.compiled.jit!.figures().ran).toBeGreaterThan(2000);
});

it('a region is left where another of its pages has a breakpoint by now', () => {
  // inc rax; jmp there, where rbx is counted up; and back
  const there = DATA + 0x800;
  const jump = (from: number, to: number): number[] => [0xe9, ...new Uint8Array(Int32Array.of(to - from - 5).buffer)];
  const pair = new Pair();
  pair.load(Uint8Array.from([...hex('48 ff c0'), ...jump(CODE + 3, there)]));
  for (const core of pair.both) {
    core.poke(there, [...hex('48 ff c3'), ...jump(there + 3, CODE)]);
    // The #DB handler counts, and sets RF in its frame: inc qword [72f00h]; or dword [rsp + 10h], 10000h; iretq
    core.poke(0x72800, '48 ff 04 25 00 2f 07 00 81 4c 24 10 00 00 01 00 48 cf');
    core.poke64(0x60010, 0x2800n | 0x80000n | (0xee00n << 32n) | (0x7n << 48n));
  }
  const run = (): void => {
    for (let round = 0; round < 10; round++) expect(pair.run(311), `round ${round}`).toBeUndefined();
  };
  run();
  const { ran } = pair.compiled.jit!.figures();
  expect(ran).toBeGreaterThan(2000);
  for (const core of pair.both) {
    core.set64(abi.VCPU_DR0, BigInt(there));
    core.set64(abi.VCPU_DR7, 2n);
    core.core.watchesChanged();
  }
  run();
  for (const core of pair.both) expect(Number(core.peek(0x72f00, 8))).toBeGreaterThan(400);
});

/** vCPU 1 becomes what vCPU 0 is. */
function addSecond(core: TestCore): void {
  core.core.resetVcpu(1);
  const [first, second] = [0, 1].map((vcpu) => new Uint8Array(core.memory.buffer, VCPU_BASE + vcpu * VCPU_BLOCK_SIZE, abi.VCPU_STATS));
  const index = second!.slice(abi.VCPU_INDEX, abi.VCPU_INDEX + 4);
  second!.set(first!);
  second!.set(index, abi.VCPU_INDEX);
  core.core.stateChanged(1);
}

describe('windows of several vCPUs and privileges', () => {
  it('are separate: two vCPUs with different page tables run the same code in turns', () => {
    const pair = new Pair(true);
    const { both } = pair;
    pair.load(loop(''));
    for (const core of both) {
      addSecond(core);
      // The same code, and data in other frames.
      core.poke64(0x80000, 0x81007n);
      core.poke64(0x81000, 0x82007n);
      for (let entry = 0; entry < 4; entry++) core.poke64(0x82000 + 8 * entry, entry === 1 ? 0x83007n : BigInt(entry * 0x200000) | 0x87n);
      for (let entry = 0; entry < 512; entry++) core.poke64(0x83000 + 8 * entry, BigInt(0x380000 + (entry & 15) * PAGE_SIZE) | 7n);
      core.set64(abi.VCPU_CR3, 0x80000n, 1);
      core.core.stateChanged(1);
    }
    for (let round = 0; round < 80; round++) {
      const exits = both.map((core) => [core.core.run(0, 97 + round), core.core.run(1, 211)]);
      expect(exits[0]).toEqual(exits[1]);
      expect(pair.memoryDiffers()).toBeUndefined();
      for (const core of both) if (round % 5 === 4) core.core.zapGfnRange(GFN, 1);
    }
    expect(pair.compiled.jit!.figures().windows.filled).toBeGreaterThan(10);
  });

  it('are dropped on all vCPUs: what moves, moves for both', () => {
    const pair = new Pair();
    // inc qword [DATA] by vCPU 0, [DATA + 8] by vCPU 1, at rdi
    pair.load(hex('48 ff 07 eb fb'));
    const { compiled: core } = pair;
    addSecond(core);
    core.setReg('rdi', DATA);
    core.set64(abi.VCPU_GPR + 8 * 7, BigInt(DATA + 8), 1);
    const run = (): void => {
      for (let turn = 0; turn < 6; turn++) for (const vcpu of [0, 1]) core.core.run(vcpu, 400);
    };
    const at = (gfn: number): bigint[] => [0, 8].map((offset) => core.peek(gfn * PAGE_SIZE + offset, 8));
    run();
    let place = GFN;
    for (const [round, zap] of [() => core.core.zapAll(), () => core.core.zapGfnRange(GFN, 1)].entries()) {
      const before = at(place);
      place = 0x300 + round;
      core.moved.set(GFN, place);
      zap();
      const start = at(place);
      run();
      expect(at(round === 0 ? GFN : 0x300)).toEqual(before);
      for (const vcpu of [0, 1]) expect(at(place)[vcpu]! - start[vcpu]!).toBe(1200n);
    }
    expect(core.jit!.figures().windows.dropped).toBeGreaterThan(1);
  });

  it('do not hide that another vCPU runs code in a page that one writes to', () => {
    const pair = new Pair();
    const { compiled: core } = pair;
    // inc dword [DATA + 801h]; jmp. From +100h on: mov rax, DATA + 800h; call rax; mov [DATA + 1000h], rax; jmp
    pair.load(hex('ff 04 25 01 08 20 00 eb f7'));
    core.poke(CODE + 0x100, '48 c7 c0 00 08 20 00 ff d0 48 89 04 25 00 10 20 00 eb ed');
    // mov eax, imm32; ret
    core.poke(DATA + 0x800, 'b8 00 00 00 00 c3');
    addSecond(core);
    core.set64(abi.VCPU_RIP, BigInt(CODE + 0x100), 1);
    for (let round = 0; round < 60; round++) {
      core.core.run(0, 301);
      core.core.run(1, 100);
      expect(core.peek(DATA + PAGE_SIZE, 8)).toBe(core.peek(DATA + 0x801, 4));
    }
    expect(core.jit!.figures().ran).toBeGreaterThan(1000);
  });

  it('do not hide watched pages: a watchpoint set while windows are live is met on either vCPU', () => {
    for (const vcpu of [0, 1]) {
      const pair = new Pair();
      const { compiled: core } = pair;
      pair.load(hex('48 ff 07 eb fb'));
      addSecond(core);
      // The #DB handler counts: inc qword [72f00h]; iretq
      core.poke(0x72800, '48 ff 04 25 00 2f 07 00 48 cf');
      core.poke64(0x60010, 0x2800n | 0x80000n | (0xee00n << 32n) | (0x7n << 48n));
      for (const each of [0, 1]) core.set64(abi.VCPU_GPR + 8 * 7, BigInt(DATA), each);
      const run = (): void => {
        for (let turn = 0; turn < 6; turn++) for (const each of [0, 1]) core.core.run(each, 400);
      };
      run();
      expect(core.peek(0x72f00, 8)).toBe(0n);
      core.set64(abi.VCPU_DR0, BigInt(DATA), vcpu);
      core.set64(abi.VCPU_DR7, 0xd0002n, vcpu);
      core.core.watchesChanged();
      run();
      expect(Number(core.peek(0x72f00, 8))).toBeGreaterThan(400);
    }
  });
});
