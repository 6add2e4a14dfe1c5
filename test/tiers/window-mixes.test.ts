/**
 * Live windows under several changes of translations at once: a loop reads and writes through windows, and draws of instructions that change
 * translations run in it every few rounds, while host and debugger change others between slices. Both tiers must agree at every stop. In ring 3 the
 * privileged ones run in the handler of an INT.
 */
import { describe, expect, it } from 'vitest';
import { CHANGED_PAGES, CHANGED_PAGES_SIZE, PAGE_SIZE, VCPU_BASE, VCPU_GUEST_CONTEXT, VCPU_TLB } from '../../engine/abi/layout';
import { TLB_ENTRIES, TLB_ENTRY_SIZE } from '../../engine/abi/tlb';
import * as abi from '../../engine/abi/vcpu';
import { hex, type TestCore } from '../support/core';
import { Random } from '../support/random';
import { Pair } from './pair';
import { DATA } from './program';

const SEED = 20261201;
const MIXES = 60;
const SLICES = 50;
const GFN = DATA / PAGE_SIZE;
/** Page table of the data, and the directory that names it. */
const TABLE = 0x9000;
const DIRECTORY = 0x3000;
/** Linear; shares entries of the TLB with the data: the third page of the data has its first page's entry there. */
const CONFLICT = 0x2200000;
/** Linear, a page of 2 MiB. */
const LARGE = 0x800000;
const HANDLERS = 0x70000;
const IDT = 0x60000;
const PRIVILEGED = 0x41;
const [READ_ONLY, CLEAN, INVALID] = [2, 4, 8];

const le32 = (value: number): string => [0, 8, 16, 24].map((shift) => ((value >>> shift) & 255).toString(16).padStart(2, '0')).join('');
/** xor qword [gpa], value, which is below 2^31 */
const flip = (gpa: number, value: number): string => `48 81 34 25 ${le32(gpa)} ${le32(value)}`;
const invlpg = (va: number): string => `0f 01 3c 25 ${le32(va)}`;
const entryOf = (page: number): number => TABLE + 8 * page;

/** test r15b, mask; jnz over */
const every = (mask: number, code: string): string => {
  const { length } = hex(code);
  return `41 f6 c7 ${mask.toString(16).padStart(2, '0')} 75 ${length.toString(16).padStart(2, '0')} ${code}`;
};

/** pushfq; xor qword [rsp], 40000h; popfq */
const ALIGNMENT = '9c 48 81 34 24 00 00 04 00 9d';
/** mov eax, DATA + 1800h; call rax; add [r14 + 30h], rax. There: add eax, 5; ret. The second adds 1 to that 5. */
const CALL = `b8 ${le32(DATA + 0x1800)} ff d0 49 01 46 30`;
const PATCH = `80 04 25 ${le32(DATA + 0x1802)} 01`;

/** What runs in the loop: for any ring. */
const FREE: readonly string[] = [
  // Pages with other frames.
  flip(entryOf(0), 0x2000),
  flip(entryOf(1), 0x2000),
  flip(DIRECTORY + 8 * (LARGE >>> 21), 0x200000),
  // Global, or not any more.
  flip(entryOf(0), 0x100),
  flip(entryOf(1), 0x100),
  // Accessed and dirty bits cleared: and qword [..], ~60h
  `48 83 24 25 ${le32(entryOf(0))} 9f`,
  `48 83 24 25 ${le32(entryOf(4))} 9f`,
  // Pages whose TLB entries replace those of the data: mov rax, [..]; inc qword [..]
  `48 8b 04 25 ${le32(CONFLICT + 0x2008)}`,
  `48 ff 04 25 ${le32(CONFLICT + 0x3010)}`,
  // RFLAGS.AC there and back, or not.
  ALIGNMENT,
  `${ALIGNMENT} ${ALIGNMENT}`,
  // A page that is written to more often than called into, and the other way round.
  `${PATCH} ${every(7, CALL)}`,
  `${CALL} ${every(7, PATCH)}`,
];
/** For ring 0. */
const SYSTEM: readonly string[] = [
  invlpg(DATA),
  invlpg(DATA + PAGE_SIZE),
  invlpg(DATA + 4 * PAGE_SIZE),
  invlpg(LARGE),
  invlpg(LARGE + 0x1ff000),
  // MOV CR3; CR4.PGE there and back; CR0.WP
  '0f 20 d8 0f 22 d8',
  '0f 20 e0 48 35 80 00 00 00 0f 22 e0 48 35 80 00 00 00 0f 22 e0',
  '0f 20 c0 48 35 00 00 01 00 0f 22 c0',
  // A page that is not writable for a while.
  flip(entryOf(1), 2),
  // DR7: a watchpoint at DR0 begins or ends. mov rax, dr7; xor rax, 30002h; mov dr7, rax
  '0f 21 f8 48 35 02 00 03 00 0f 23 f8',
];

/** mov r14, DATA; r15 counts the rounds. Reads and writes two pages of 4 KiB and one of 2 MiB, and reads another page. */
const loop = (inside: string): Uint8Array => {
  const body = hex(
    `49 8b 06 48 83 c0 03 49 89 46 08 49 8b 9e 00 10 00 00 49 01 9e 08 10 00 00 49 03 86 00 40 00 00 48 03 04 25 ${le32(LARGE + 0x100a00)}
     49 01 46 38 48 ff 04 25 ${le32(LARGE + 0x100a08)} ${inside} 49 ff c7`,
  );
  return Uint8Array.from([
    ...hex('49 c7 c6 00 00 20 00 45 31 ff'),
    ...body,
    0xe9,
    ...new Uint8Array(Int32Array.of(-body.length - 5).buffer),
  ]);
};

/** The TLB of the vCPU, host's and guest's context, as a checkpoint keeps it. */
const tlbOf = (core: TestCore): Uint8Array[] =>
  [0, VCPU_GUEST_CONTEXT].map(
    (context) => new Uint8Array(core.memory.buffer, VCPU_BASE + context + VCPU_TLB, 2 * TLB_ENTRIES * TLB_ENTRY_SIZE),
  );

type Act = (core: TestCore, random: Random, kept: { tlb?: Uint8Array[] }) => void;
const OUTSIDE: readonly Act[] = [
  (core, random) => {
    const gfn = GFN + random.below(2);
    if (!core.moved.delete(gfn)) core.moved.set(gfn, 0x300 + random.below(16));
    core.core.zapGfnRange(gfn, 1);
  },
  (core, random) => {
    const gfn = GFN + random.below(2);
    core.pageFlags.set(gfn, CLEAN);
    core.core.protectGfnRange(gfn, 1);
  },
  (core, random) => {
    const gfn = GFN + random.below(2);
    if (!core.pageFlags.delete(gfn)) core.pageFlags.set(gfn, READ_ONLY);
    core.core.zapGfnRange(gfn, 1);
  },
  (core, random) => {
    const gfn = GFN + random.below(2);
    core.pageFlags.set(gfn, INVALID);
    core.core.zapGfnRange(gfn, 1);
  },
  (core) => void core.core.zapAll(),
  // A checkpoint, and the way back to its TLB.
  (core, _random, kept) => {
    core.core.trackWrites(1);
    kept.tlb = tlbOf(core).map((tables) => tables.slice());
  },
  (core) => core.core.trackWrites(0),
  (core, _random, kept) => {
    if (!kept.tlb) return;
    tlbOf(core).forEach((tables, index) => {
      tables.set(kept.tlb![index]!);
    });
    core.core.tlbRestored(0);
    delete kept.tlb;
  },
];

interface Mix {
  seed: number;
  user: boolean;
}

function start(pair: Pair, { seed, user }: Mix, random: Random): void {
  const draw = (from: readonly string[], most: number): string =>
    Array.from({ length: 1 + random.below(most) }, () => every(random.of([0, 1, 3, 7, 15, 31]), random.of(from))).join(' ');
  const [free, system] = [draw(FREE, 7), draw(SYSTEM, 3)];
  pair.load(loop(user ? `${free} cd ${PRIVILEGED.toString(16)}` : `${free} ${system}`), seed);
  const globals = random.below(2) * 0x100;
  for (const core of pair.both) {
    for (let page = 0; page < 16; page++) core.poke64(entryOf(page), BigInt((DATA + page * PAGE_SIZE) | 7 | globals));
    core.poke64(DIRECTORY + 8 * (CONFLICT >>> 21), BigInt(TABLE | 7));
    core.poke64(DIRECTORY + 8 * (LARGE >>> 21), 0x200087n);
    core.poke64(0x300a00, 5n);
    core.poke64(0x100a00, 9n);
    core.poke(DATA + 0x1800, '83 c0 05 c3');
    core.set64(abi.VCPU_CR4, core.get64(abi.VCPU_CR4) | 0x80n);
    core.set64(abi.VCPU_CR0, core.get64(abi.VCPU_CR0) | 0x40000n);
    // The #DB handler counts; the other runs what ring 3 may not.
    for (const [vector, code] of [
      [1, '48 ff 04 25 00 2f 07 00 48 cf'],
      [PRIVILEGED, `50 ${system} 58 48 cf`],
    ] as const) {
      const at = HANDLERS + (vector === PRIVILEGED ? 0x900 : 0x800);
      core.poke(at, code);
      core.poke64(IDT + 16 * vector, BigInt(at & 0xffff) | 0x80000n | (0xee00n << 32n) | (BigInt(at >>> 16) << 48n));
    }
    core.set64(abi.VCPU_DR0, BigInt(DATA + 0x38));
    if (user) {
      core.segment(abi.SEG_CS, 0x2b, 0n, 0xffffffff, 0xafb);
      for (const seg of [abi.SEG_SS, abi.SEG_DS, abi.SEG_ES]) core.segment(seg, 0x23, 0n, 0xffffffff, 0xcf3);
      core.set32(abi.VCPU_CPL, 3);
    }
    core.core.stateChanged(0);
  }
}

/** The first difference, or undefined. */
function play(pair: Pair, mix: Mix): string | undefined {
  const random = new Random(mix.seed);
  for (const core of pair.both) core.core.trackWrites(0);
  start(pair, mix, random);
  const acts = Array.from({ length: 1 + random.below(3) }, () => random.below(OUTSIDE.length));
  const kept = pair.both.map(() => ({}));
  for (let slice = 0; slice < SLICES; slice++) {
    if (slice % 3 === 2) {
      const [act, drawn] = [random.of(acts), random.below(2 ** 31)];
      pair.both.forEach((core, index) => {
        OUTSIDE[act]!(core, new Random(drawn), kept[index]!);
      });
    }
    const wrong = pair.run(1 + random.below(random.below(4) === 0 ? 20 : 500)) ?? changedDiffers(pair);
    if (wrong) return `seed ${mix.seed}, ring ${mix.user ? 3 : 0}, slice ${slice}, acts ${acts}: ${wrong}`;
  }
  const wrong = pair.memoryDiffers();
  return wrong && `seed ${mix.seed}, ring ${mix.user ? 3 : 0}, acts ${acts}: ${wrong}`;
}

/** Pages that checkpoints take for changed. */
function changedDiffers(pair: Pair): string | undefined {
  const [a, b] = pair.both.map((core) => Buffer.from(core.memory.buffer, CHANGED_PAGES, CHANGED_PAGES_SIZE));
  return a!.equals(b!) ? undefined : 'other pages count as changed';
}

describe.each([
  ['scattered', false],
  ['side by side', true],
] as const)('several changes at once, host pages %s', (_name, forward) => {
  it.each([0, 3])(`agree in ${MIXES} mixes in ring %i, seeds from ${SEED}`, { timeout: 120_000 }, (ring) => {
    const pair = new Pair(forward);
    for (let seed = SEED; seed < SEED + MIXES; seed++) expect(play(pair, { seed, user: ring === 3 })).toBeUndefined();
    const { ran, windows } = pair.compiled.jit!.figures();
    expect(ran).toBeGreaterThan(MIXES * 1000);
    expect(windows.filled).toBeGreaterThan(MIXES * 10);
    expect(windows.dropped).toBeGreaterThan(MIXES);
  });
});
