/** Two bare vCPUs in the same state, one with the JIT and one without. Every event is applied to both. */
import { HOST_BASE, PAGE_SIZE } from '../../engine/abi/layout';
import * as abi from '../../engine/abi/vcpu';
import type { JitOptions } from '../../engine/jit/index';
import { TestCore } from '../support/core';
import { Random } from '../support/random';
import { CODE, DATA, DATA_PAGES, randomProgram, STACK } from './program';

/** Compiles almost at once: the programs are short. */
export const EAGER: JitOptions = {
  quantum: 24,
  samples: 1,
  limits: { instructions: 400, pages: 4 },
  regions: 40,
  thrashing: 1e9,
};

const PAGE_TABLE = 0x9000;
const GDT = 0x61000;
const IDT = 0x60000;
const HANDLERS = 0x70000;
const SYSCALL = 0x72000;
const TSS = 0x73000;
const KERNEL_STACK = 0x75000;
const _COUNTER = 0x71000;
const RAM = 0x400000;
const TIMER = 0x40;
/** gfns that data pages can be moved to. */
const SPARE_GFN = 0x300;
const PAGE_FAULT = 14;
const DIRTY_LOG_CLEAN = 4;
const READ_ONLY = 2;
const INVALID = 8;
const EXIT_RETRY = 3;

/** Makes the page of CR2 present and writable, and goes back. */
const FAULT_HANDLER =
  '50 51 0f 20 d0 48 89 c1 48 c1 e9 0c 81 e1 ff 01 00 00 48 0f ba 2c cd 00 90 00 00 00 48 0f ba 2c cd 00 90 00 00 01 0f 01 38 59 58 48 83 c4 08 48 cf';
/** inc qword [COUNTER]; iretq */
const TIMER_HANDLER = '48 ff 04 25 00 10 07 00 48 cf';
/** Back to ring 3 if a NOP follows the SYSCALL, and on in ring 0 if not: cmp byte [rcx], 90h; je +2; jmp rcx; inc qword [COUNTER]; sysretq */
const SYSCALL_HANDLER = '80 39 90 74 02 ff e1 48 ff 04 25 00 10 07 00 48 0f 07';

/** The initial contents of the data pages: integers of all sizes, doubles and singles, ordinary and special ones. */
function numbers(random: Random): BigUint64Array {
  const values = new BigUint64Array((DATA_PAGES * PAGE_SIZE) / 8);
  const doubles = new Float64Array(values.buffer);
  const singles = new Float32Array(values.buffer);
  for (let at = 0; at < values.length; at++) {
    const kind = random.below(8);
    if (kind < 3) doubles[at] = (random.below(2000) - 1000) / (1 + random.below(16));
    else if (kind < 6) for (const half of [0, 1]) singles[2 * at + half] = (random.below(2000) - 1000) / (1 + random.below(16));
    else if (kind === 6) values[at] = BigInt(random.below(300));
    else values[at] = (BigInt(random.below(2 ** 32)) << 32n) | BigInt(random.below(2 ** 32));
  }
  return values;
}

export class Pair {
  readonly plain: TestCore;
  readonly compiled: TestCore;

  /** `forward`: adjacent guest pages are adjacent in host memory, so windows hold many pages. */
  constructor(
    readonly forward = false,
    readonly options: JitOptions = EAGER,
  ) {
    this.plain = new TestCore(RAM, undefined, forward);
    this.compiled = new TestCore(RAM, options, forward);
  }

  get both(): TestCore[] {
    return [this.plain, this.compiled];
  }

  /** Resets the machine and loads this program; the cores themselves are reused. */
  load(program: Uint8Array, seed = 1): void {
    const data = numbers(new Random(seed));
    for (const core of this.both) {
      core.pageFlags.clear();
      core.dirtied.length = 0;
      core.accesses.length = 0;
      core.vectors.length = 0;
      core.moved.clear();
      new Uint8Array(core.memory.buffer, HOST_BASE, RAM).fill(0);
      core.core.invalidateAllCode();
      core.core.resetVcpu(0);
      core.core.zapAll();
      core.longMode(CODE);
      core.poke64(0x3000 + 8 * (DATA >>> 21), BigInt(PAGE_TABLE | 7));
      for (let page = 0; page < 512; page++) core.poke64(PAGE_TABLE + 8 * page, BigInt((DATA + page * PAGE_SIZE) | 7));
      core.set64(abi.VCPU_GDT_BASE, BigInt(GDT));
      core.set32(abi.VCPU_GDT_LIMIT, 0x2f);
      core.poke64(GDT + 8, 0x00af9b000000ffffn);
      core.poke64(GDT + 16, 0x00cf93000000ffffn);
      core.poke64(GDT + 0x20, 0x00cff3000000ffffn);
      core.poke64(GDT + 0x28, 0x00affb000000ffffn);
      core.segment(abi.SEG_TR, 0x30, BigInt(TSS), 0x67, 0x8b);
      core.poke64(TSS + 4, BigInt(KERNEL_STACK));
      core.set64(abi.VCPU_EFER, 0x501n);
      core.set64(abi.VCPU_STAR, (0x18n << 48n) | (8n << 32n));
      core.set64(abi.VCPU_LSTAR, BigInt(SYSCALL));
      core.set64(abi.VCPU_SFMASK, 0x44n);
      core.poke(SYSCALL, SYSCALL_HANDLER);
      core.set64(abi.VCPU_IDT_BASE, BigInt(IDT));
      core.set32(abi.VCPU_IDT_LIMIT, 0xfff);
      for (const [vector, code] of [
        [PAGE_FAULT, FAULT_HANDLER],
        [TIMER, TIMER_HANDLER],
      ] as const) {
        const at = HANDLERS + 64 * vector;
        core.poke(at, code);
        core.poke64(IDT + 16 * vector, (BigInt(at) & 0xffffn) | 0x80000n | (0xee00n << 32n) | ((BigInt(at) >> 16n) << 48n));
      }
      core.set64(abi.VCPU_CR4, 0x620n);
      core.core.stateChanged(0);
      data.forEach((value, index) => {
        core.view.setBigUint64(core.hva(DATA + 8 * index), value, true);
      });
      core.poke(CODE, program);
      core.setReg('rsp', STACK);
      core.core.setRflags(0, 0x3202);
      core.deviceRead = ({ address, size, icount }) => BigInt.asUintN(size * 8, BigInt(address) * 0x9e3779b97f4a7c15n + icount);
    }
  }

  /** Runs both; returns the first difference, or undefined. */
  run(budget: number): string | undefined {
    const exits = this.both.map((core) => core.core.run(0, budget));
    const [a, b] = this.both.map((core) => core.state());
    if (exits[0] !== exits[1]) return `exits ${exits.join(' and ')}\n  ${a}\n  ${b}`;
    if (a !== b) return `registers\n  ${a}\n  ${b}`;
    const [record, other] = this.both.map((core) => new Uint8Array(core.memory.buffer, 0x100000, abi.VCPU_STATS));
    const at = record!.findIndex((byte, index) => byte !== other![index]);
    if (at >= 0) return `the record at 0x${at.toString(16)}: ${record![at]} and ${other![at]}`;
    const accesses = this.both.map((core) => JSON.stringify(core.accesses.map((access) => Object.values(access).join())));
    if (accesses[0] !== accesses[1]) return `devices\n  ${accesses[0]}\n  ${accesses[1]}`;
    if (exits[0] === EXIT_RETRY)
      for (const core of this.both) for (const [gfn, flags] of core.pageFlags) core.pageFlags.set(gfn, flags & ~INVALID);
    return undefined;
  }

  memoryDiffers(): string | undefined {
    const [a, b] = this.both.map((core) => new BigUint64Array(core.memory.buffer, HOST_BASE, RAM / 8));
    for (let at = 0; at < a!.length; at++)
      if (a![at] !== b![at]) return `memory at hva +0x${(at * 8).toString(16)}: ${a![at]!.toString(16)} and ${b![at]!.toString(16)}`;
    return undefined;
  }

  /** Applies an external event: an interrupt, a change of the memory layout or of access rights, a write to code. Returns a description. */
  event(random: Random, program: Uint8Array): string {
    const page = random.below(DATA_PAGES);
    const gfn = DATA / PAGE_SIZE + page;
    const each = (act: (core: TestCore) => void): void => this.both.forEach(act);
    const what = random.below(10);
    switch (what) {
      case 0:
      case 1:
        each((core) => {
          core.vectors.push(TIMER);
          core.set32(abi.VCPU_IRQ_PENDING, 1);
        });
        return 'interrupt';
      case 2:
        // Unmaps a page of the guest; its handler maps it again.
        each((core) => {
          core.poke64(PAGE_TABLE + 8 * page, BigInt((DATA + page * PAGE_SIZE) | 6));
          core.core.stateChanged(0);
        });
        return `page ${page} not present`;
      case 3:
        each((core) => {
          core.poke64(PAGE_TABLE + 8 * page, BigInt((DATA + page * PAGE_SIZE) | 5));
          core.core.stateChanged(0);
        });
        return `page ${page} not writable, or nothing, with CR0.WP clear`;
      case 4:
        each((core) => {
          core.pageFlags.set(gfn, DIRTY_LOG_CLEAN);
          core.core.protectGfnRange(gfn, 1);
        });
        return `gfn ${gfn} clean`;
      case 5:
        each((core) => {
          core.pageFlags.set(gfn, random.below(1) + READ_ONLY);
          core.core.protectGfnRange(gfn, 1);
        });
        return `gfn ${gfn} read-only`;
      case 6:
        each((core) => {
          core.pageFlags.set(gfn, (core.pageFlags.get(gfn) ?? 0) | INVALID);
          core.core.zapGfnRange(gfn, 1);
        });
        return `gfn ${gfn} invalid until the guest retries`;
      case 7: {
        const to = SPARE_GFN + random.below(16);
        each((core) => {
          if (core.moved.has(gfn)) core.moved.delete(gfn);
          else core.moved.set(gfn, to);
          core.pageFlags.delete(gfn);
          core.core.zapGfnRange(gfn, 1);
        });
        return `gfn ${gfn} moved`;
      }
      case 8: {
        const first = random.below(DATA_PAGES);
        each((core) => {
          core.moved.set(DATA / PAGE_SIZE + first, -1);
          core.core.zapGfnRange(DATA / PAGE_SIZE + first, 1);
        });
        return `gfn ${DATA / PAGE_SIZE + first} is a device`;
      }
      default: {
        const at = random.below(program.length);
        each((core) => core.poke(CODE + at, [program[at]!]));
        return `code written at +0x${at.toString(16)}`;
      }
    }
  }
}

/** A run of a random program: slices of random lengths with events between them. */
export interface Trial {
  seed: number;
  slices: number;
  /** Overrides the length of the last slice; for narrowing. */
  last?: number;
  /** Makes the program; `randomProgram` when absent. */
  make?: (seed: number) => Uint8Array;
}

/** What differed and where, or undefined. */
export interface Difference {
  text: string;
  slice: number;
  /** Length of that slice, instructions. */
  budget: number;
}

/** Runs one random program in both tiers. */
export function tryProgram(pair: Pair, { seed, slices, last, make = randomProgram }: Trial): Difference | undefined {
  const random = new Random(seed);
  const program = make(seed);
  pair.load(program, seed);
  const history: string[] = [];
  const told = (text: string): string => `seed ${seed}: ${text}\n${history.slice(-5).join('\n')}`;
  for (let slice = 0; slice < slices; slice++) {
    if (random.below(3) === 0) history.push(`@${pair.plain.icount} ${pair.event(random, program)}`);
    const drawn = 1 + random.below(random.below(4) === 0 ? 20 : 900);
    const budget = slice === slices - 1 && last !== undefined ? last : drawn;
    const wrong = pair.run(budget);
    if (wrong !== undefined) return { text: told(`slice ${slice}: ${wrong}`), slice, budget };
  }
  const wrong = pair.memoryDiffers();
  return wrong === undefined ? undefined : { text: told(wrong), slice: slices, budget: 0 };
}

/**
 * Narrows a difference to one instruction: finds the shortest last slice after which the tiers differ. `fresh` makes a new pair, so that the same
 * code is compiled in the same way again.
 */
export function narrow(fresh: () => Pair, trial: Trial, found: Difference): Difference {
  const slices = Math.min(found.slice + 1, trial.slices);
  let low = 0;
  let high = found.budget;
  let best = found;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    const again = tryProgram(fresh(), { ...trial, slices, last: middle });
    if (again !== undefined) {
      best = again;
      high = middle;
    } else low = middle;
  }
  return best;
}
