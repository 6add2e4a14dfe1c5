/**
 * Random segments under random code, in real mode, protected mode, compatibility mode and 64-bit mode: one vCPU runs an instruction at a time, one in
 * slices, one with the JIT. All three must be in the same state after each slice.
 */
import { HOST_BASE } from '../../engine/abi/layout';
import * as abi from '../../engine/abi/vcpu';
import { GPR_NAMES, TestCore } from '../support/core';
import { Random } from '../support/random';
import { EAGER } from './pair';
import { EDGES, segmentProgram } from './segment-program';

const RAM = 0x80000;
const PAGE = 4096;
const GDT = 0x6000;
const IDT = 0x7000;
const TSS = 0x8000;
const HANDLERS = 0x9000;
/** The second page of code begins in the middle of the 32-bit program. */
const CODE = 0x20d00;
const CODE_BYTES = 0x600;
const DATA = 0x30000;
const DATA_BYTES = 0x8000;
const HANDLER_STACK = 0x60000;
const VECTORS = 32;
const TABLES_END = 0xa000;
const HLT = 0xf4;
/** Page table bits for each data page: present, writable, user. */
const DATA_PAGE_FLAGS: readonly (number | undefined)[] = [undefined, 5, undefined, 6, undefined, 3];
const ROUNDS = 40;
/** No exit of the core. */
const STUCK = -1;
/** GDT entries after the null descriptor: segments, gates, the TSS. */
const SEGMENTS = 25;
const GATES = SEGMENTS;
const TSS_SELECTOR = 8 + 8 * (GATES + 4);

type Mode = 'real' | 'protected' | 'paged' | 'long';

interface Descriptor {
  base: number;
  /** Offset of its last byte, scaled by G. */
  limit: number;
  /** Type, S, DPL, P, AVL, L, D/B and G as SEG_ATTR has them. */
  attr: number;
}
const isCode = ({ attr }: Descriptor): boolean => (attr & 8) !== 0;
const isConforming = ({ attr }: Descriptor): boolean => (attr & 12) === 12;
const dplOf = ({ attr }: Descriptor): number => (attr >> 5) & 3;

function words({ base, limit, attr }: Descriptor): bigint {
  const shown = attr & 0x800 ? limit >>> 12 : limit;
  return (
    BigInt(shown & 0xffff) |
    (BigInt(base & 0xffffff) << 16n) |
    (BigInt(attr & 0xff) << 40n) |
    (BigInt((shown >>> 16) & 15) << 48n) |
    (BigInt((attr >> 8) & 15) << 52n) |
    (BigInt(base >>> 24) << 56n)
  );
}

function randomDescriptor(random: Random, code: boolean, long: boolean): Descriptor {
  const expandDown = !code && random.below(3) === 0;
  const area = code ? CODE : DATA;
  const base = random.of([0, 0, area, area - 16, area - 0xf8, area & ~0xffff, code ? 0 : 0xfffff000, random.below(area)]);
  const near = (area + random.below(code ? CODE_BYTES : DATA_BYTES) - base) >>> 0;
  let limit = random.of([near, near, near + 3, 0xffff, 0xfff, 0xffffffff, 0xffffffff, expandDown ? 0 : near]) >>> 0;
  const wide = limit > 0xfffff || random.below(4) === 0;
  if (wide) limit = (limit | 0xfff) >>> 0;
  const type = code ? random.of([0xb, 0xb, 0xb, 0x9, 0xa, 0xf]) : (expandDown ? random.of([7, 7, 6, 5]) : random.of([3, 3, 3, 2, 1])) & 7;
  const dpl = random.below(2) * 3;
  const l = long && code && random.below(3) === 0;
  const big = !l && random.below(2) === 0;
  const present = random.below(24) > 0;
  return {
    base,
    limit,
    attr: type | 0x10 | (dpl << 5) | (present ? 0x80 : 0) | (l ? 0x200 : 0) | (big ? 0x400 : 0) | (wide ? 0x800 : 0),
  };
}

/** A program, its segments and its memory, from one seed. */
class Scene {
  readonly random: Random;
  readonly mode: Mode;
  readonly descriptors: Descriptor[] = [];
  readonly programs: { at: number; width: number; bytes: Uint8Array; starts: readonly number[] }[] = [];
  /** Call gates, from GATES on; each takes two entries, of which 32-bit modes use one. */
  readonly gates: bigint[] = [];
  readonly data: Uint8Array;
  private readonly tables: Uint8Array;

  constructor(seed: number) {
    const random = new Random(Math.imul(seed, 0x9e3779b1) | 1);
    for (let n = 0; n < 8; n++) random.below(2);
    this.random = random;
    this.mode = random.of(['real', 'protected', 'protected', 'paged', 'long', 'long', 'long']);
    const long = this.mode === 'long';
    this.descriptors.push({ base: 0, limit: 0xffffffff, attr: long ? 0xa9b : 0xc9b }, { base: 0, limit: 0xffffffff, attr: 0xc93 });
    // At least one code segment and one stack segment for each ring.
    for (const dpl of [0, 3])
      this.descriptors.push(
        { base: 0, limit: 0xffffffff, attr: 0xc9b | (dpl << 5) },
        { base: CODE - 16, limit: CODE_BYTES + 16, attr: 0x9b | (dpl << 5) },
        { base: DATA, limit: DATA_BYTES - 1, attr: 0x93 | (dpl << 5) },
        { base: 0, limit: 0xffffffff, attr: 0xc93 | (dpl << 5) },
      );
    while (this.descriptors.length < SEGMENTS) this.descriptors.push(randomDescriptor(random, random.below(3) === 0, long));
    for (let n = 0; n < 2; n++) {
      const { selector, offset } = this.target();
      const type = long || random.below(2) === 0 ? 0xc : 4;
      const parameters = long ? 0 : random.below(4);
      this.gates.push(
        BigInt(offset & 0xffff) |
          (BigInt(selector) << 16n) |
          (BigInt(parameters | ((type | 0xe0) << 8)) << 32n) |
          (BigInt(offset >>> 16) << 48n),
        0n,
      );
    }
    const quiet = random.below(3) === 0;
    for (const [n, width] of [16, 32, 64].entries()) {
      const at = CODE + 0x200 * n;
      this.programs.push({ at, width, ...segmentProgram(random, { width, length: 0x200, quiet, target: () => this.target() }) });
    }
    this.data = Uint8Array.from({ length: DATA_BYTES }, () => random.below(256));
    // Far pointers, and numbers that are addresses of data.
    for (let at = 0; at < DATA_BYTES; at += 16) {
      const { selector, offset } = this.target();
      const kind = random.below(4);
      const view = new DataView(this.data.buffer);
      if (kind === 0) view.setUint32(at, offset, true);
      if (kind === 0) view.setUint16(at + 4, selector, true);
      if (kind === 1) view.setUint16(at, offset & 0xffff, true);
      if (kind === 1) view.setUint16(at + 2, selector, true);
      if (kind === 2) view.setUint32(at, random.of(EDGES), true);
    }
    this.tables = this.makeTables();
  }

  /** A random selector, and the offset of some code in its segment. */
  target(): { selector: number; offset: number } {
    const { random } = this;
    if (random.below(10) === 0) return { selector: random.of([0, 1, 3, TSS_SELECTOR, 0x1f8, 0xfffc]), offset: random.of(EDGES) };
    const n = random.below(SEGMENTS + 4);
    const { base } = this.descriptors[n] ?? { base: 0 };
    const at = CODE + random.below(CODE_BYTES);
    return { selector: (8 + 8 * n) | (random.below(2) * 3), offset: (at - base) >>> 0 };
  }

  /** Restores the initial contents of memory. */
  load(core: TestCore): void {
    core.pageFlags.clear();
    core.dirtied.length = 0;
    core.accesses.length = 0;
    new Uint8Array(core.memory.buffer, HOST_BASE, RAM).fill(0);
    core.core.invalidateAllCode();
    core.core.resetVcpu(0);
    core.core.zapAll();
    for (const { at, bytes } of this.programs) core.poke(at, bytes);
    core.poke(DATA, this.data);
    core.deviceRead = ({ address, size }) => BigInt.asUintN(size * 8, BigInt(address) * 0x9e3779b97f4a7c15n);
  }

  /** Tables and handlers, which guests may have written to. */
  restore(core: TestCore): void {
    for (let page = 0; page < TABLES_END; page += PAGE) {
      const hva = core.hva(page);
      const bytes = new Uint8Array(core.memory.buffer, hva, PAGE);
      const wanted = this.tables.subarray(page, page + PAGE);
      if (Buffer.compare(bytes, wanted) === 0) continue;
      bytes.set(wanted);
      core.core.invalidateCode(hva, PAGE);
    }
  }

  private makeTables(): Uint8Array {
    const long = this.mode === 'long';
    const bytes = new Uint8Array(TABLES_END);
    const view = new DataView(bytes.buffer);
    const put = (at: number, value: bigint): void => view.setBigUint64(at, value, true);
    for (const [n, descriptor] of this.descriptors.entries()) put(GDT + 8 + 8 * n, words(descriptor));
    for (const [n, gate] of this.gates.entries()) put(GDT + 8 + 8 * (GATES + n), gate);
    put(GDT + TSS_SELECTOR, words({ base: TSS, limit: 0x67, attr: 0x89 }));
    for (let vector = 0; vector < VECTORS; vector++) {
      const at = HANDLERS + 16 * vector;
      bytes[at] = HLT;
      const gate = BigInt(at & 0xffff) | 0x80000n | (0xee00n << 32n) | (BigInt(at >>> 16) << 48n);
      // In long mode by IST 1: the stack may be anything.
      if (long) put(IDT + 16 * vector, gate | (1n << 32n));
      else put(IDT + 8 * vector, gate);
      // Of real mode
      view.setUint32(4 * vector, at, true);
    }
    if (long) for (const at of [4, 12, 20, 36]) put(TSS + at, BigInt(HANDLER_STACK));
    else view.setUint32(TSS + 4, HANDLER_STACK, true);
    // Some pages of the data are not present, read-only or the supervisor's.
    const flags = (page: number): number => DATA_PAGE_FLAGS[page - DATA / PAGE] ?? 7;
    if (long) {
      put(0x1000, 0x2007n);
      put(0x2000, 0x3007n);
      for (let n = 0; n < 512; n++) put(0x3000 + 8 * n, n === 0 ? 0x4007n : BigInt(n * 0x200000) | 0x87n);
      for (let page = 0; page < 512; page++) put(0x4000 + 8 * page, BigInt((page * PAGE) | flags(page)));
    } else if (this.mode === 'paged') {
      view.setUint32(0x1000, 0x2007, true);
      for (let page = 0; page < 1024; page++) view.setUint32(0x2000 + 4 * page, (page * PAGE) | flags(page), true);
    }
    return bytes;
  }

  /** Sets the state in which a round begins; the draws are the same for each core. */
  start(): (core: TestCore) => void {
    const { random, mode } = this;
    const real = mode === 'real';
    const cpl = real ? 0 : random.below(2) * 3;
    // In half of the rounds, the initial segments and registers let most instructions succeed.
    const calm = random.below(2) === 0;
    const usable = this.descriptors
      .map((descriptor, n) => ({ descriptor, selector: 8 + 8 * n }))
      .filter(({ descriptor }) => descriptor.attr & 0x80);
    const code = random.of(
      usable.filter(
        ({ descriptor }) => isCode(descriptor) && (isConforming(descriptor) ? dplOf(descriptor) <= cpl : dplOf(descriptor) === cpl),
      ),
    );
    const stack = random.of(
      usable.filter(({ descriptor }) => !isCode(descriptor) && (descriptor.attr & 2) !== 0 && dplOf(descriptor) === cpl),
    );
    const data = usable.filter(
      ({ descriptor }) => !isCode(descriptor) || ((descriptor.attr & 2) !== 0 && (isConforming(descriptor) || dplOf(descriptor) >= cpl)),
    );
    const chosen = [abi.SEG_ES, abi.SEG_DS, abi.SEG_FS, abi.SEG_GS].map((segment) => ({
      segment,
      of:
        random.below(calm ? 30 : 6) === 0
          ? undefined
          : random.of(
              data.filter(
                ({ descriptor }) =>
                  (dplOf(descriptor) >= cpl || isConforming(descriptor)) &&
                  (!calm || descriptor.limit === 0xffffffff) &&
                  (!calm || !descriptor.base),
              ),
            ),
    }));
    const width = code.descriptor.attr & 0x200 ? 64 : code.descriptor.attr & 0x400 ? 32 : 16;
    const program = random.below(6) === 0 ? random.of(this.programs) : this.programs.find((each) => each.width === (real ? 16 : width))!;
    const linear = program.at + (random.below(8) === 0 ? random.below(program.bytes.length) : random.of(program.starts));
    const base = width === 64 && !real ? 0 : real ? CODE : code.descriptor.base;
    const registers = GPR_NAMES.map((name) =>
      name === 'rcx' ? random.below(20) : calm ? DATA + random.below(DATA_BYTES) : random.of(EDGES),
    );
    const stackBase = width === 64 ? 0 : stack.descriptor.base;
    const sp = random.below(calm ? 20 : 3) === 0 ? random.of(EDGES) : (DATA + random.below(DATA_BYTES) - stackBase) >>> 0;
    const flags = 2 | (random.below(2) << 18) | (random.below(12) === 0 ? 0x100 : 0) | (random.below(4) === 0 ? 0x400 : 0);
    const align = random.below(4) === 0;
    // Of ring 0, in the TSS: mostly the flat one
    const stackSelector = random.below(10) === 0 ? this.target().selector & ~3 : 0x10;
    return (core) => {
      core.core.resetVcpu(0);
      this.restore(core);
      if (mode !== 'long') core.poke64(TSS + 8, BigInt(stackSelector));
      core.set64(abi.VCPU_CR0, (real ? 0x10n : 0x11n) | (align ? 0x40000n : 0n) | (mode === 'paged' || mode === 'long' ? 0x80010000n : 0n));
      core.set64(abi.VCPU_CR3, 0x1000n);
      core.set64(abi.VCPU_CR4, mode === 'long' ? 0x620n : 0x600n);
      core.set64(abi.VCPU_EFER, mode === 'long' ? 0x500n : 0n);
      core.set64(abi.VCPU_GDT_BASE, BigInt(GDT));
      core.set32(abi.VCPU_GDT_LIMIT, TSS_SELECTOR + 15);
      core.set64(abi.VCPU_IDT_BASE, real ? 0n : BigInt(IDT));
      core.set32(abi.VCPU_IDT_LIMIT, real ? 0x3ff : (mode === 'long' ? 16 : 8) * VECTORS - 1);
      core.set32(abi.VCPU_CPL, cpl);
      if (real) {
        core.segment(abi.SEG_CS, CODE >> 4, BigInt(CODE), 0xffff, 0x93);
        for (const { segment, of } of chosen) {
          const paragraph = of === undefined ? 0 : (DATA + (of.selector << 4)) >> 4;
          core.segment(segment, paragraph, BigInt(paragraph << 4), 0xffff, 0x93);
        }
        core.segment(abi.SEG_SS, DATA >> 4, BigInt(DATA), 0xffff, 0x93);
      } else {
        const put = (segment: number, of: (typeof usable)[number]): void =>
          core.segment(segment, of.selector | cpl, BigInt(of.descriptor.base), of.descriptor.limit, of.descriptor.attr | 1);
        put(abi.SEG_CS, code);
        put(abi.SEG_SS, stack);
        for (const { segment, of } of chosen) {
          if (of) put(segment, of);
          else core.segment(segment, 0, 0n, 0, 0);
        }
        core.segment(abi.SEG_TR, TSS_SELECTOR, BigInt(TSS), 0x67, 0x8b);
      }
      for (const [n, value] of registers.entries()) core.set64(abi.VCPU_GPR + 8 * n, BigInt(value));
      core.setReg('rsp', real ? sp & 0xffff : sp);
      core.rip = BigInt((linear - base) >>> 0);
      core.core.setRflags(0, flags);
      core.core.stateChanged(0);
    };
  }
}

/** Parts of the record that a guest can see: all but lazy flags, counts of slices, and statistics. */
const VISIBLE: readonly (readonly [from: number, to: number])[] = [
  [0, abi.VCPU_FLAGS],
  [abi.VCPU_SEG, abi.VCPU_ICOUNT],
  [abi.VCPU_FAULT_VECTOR, abi.VCPU_LOG_BYTES],
  [abi.VCPU_EVENT, abi.VCPU_XMM + 256],
];

export class Trio {
  readonly single = new TestCore(RAM);
  readonly sliced = new TestCore(RAM);
  readonly compiled = new TestCore(RAM, EAGER);
  /** How often each vector was delivered. */
  readonly faults = new Map<number, number>();
  rounds = 0;
  /** Rounds that ended because the guest faulted forever. */
  stuck = 0;
  /** Instructions that the rounds ran. */
  instructions = 0n;

  get all(): TestCore[] {
    return [this.single, this.sliced, this.compiled];
  }

  /** Runs all of them for that many instructions or to the same exit; returns the exit, or how they differ. */
  private run(budget: number): number | string {
    const until = this.single.icount + BigInt(budget);
    const exits = [this.sliced, this.compiled].map((core) => core.core.run(0, budget));
    let exit = 0;
    while (exit === 0 && this.single.icount < until) {
      const before = this.single.icount;
      exit = this.single.core.run(0, 1);
      // A handler that faults forever: the core gave up, at a stack depth that depends on the budget.
      if (exit === 0 && this.single.icount === before) return STUCK;
    }
    const names = ['one at a time', 'in slices', 'compiled'];
    const states = this.all.map((core) => core.state());
    const ends = [exit, ...exits];
    for (const n of [1, 2]) {
      const pair = `${names[0]} and ${names[n]}`;
      if (ends[0] !== ends[n] || states[0] !== states[n]) return `${pair}: exits ${ends[0]} and ${ends[n]}\n  ${states[0]}\n  ${states[n]}`;
      const [record, other] = [this.single, this.all[n]!].map((core) => Buffer.from(core.memory.buffer, 0x100000, abi.VCPU_STATS));
      for (const [from, to] of VISIBLE)
        if (record!.compare(other!, from, to, from, to) !== 0) {
          const at = Array.from({ length: to - from }, (_, i) => from + i).find((i) => record![i] !== other![i])!;
          return `${pair}: the record at 0x${at.toString(16)}: ${record![at]} and ${other![at]}\n  ${states[0]}`;
        }
      const [memory, copy] = [this.single, this.all[n]!].map((core) => Buffer.from(core.memory.buffer, HOST_BASE, RAM));
      if (memory!.compare(copy!) !== 0) {
        const at = memory!.findIndex((byte, i) => byte !== copy![i]);
        return `${pair}: memory at hva +0x${at.toString(16)}: ${memory![at]} and ${copy![at]}\n  ${states[0]}`;
      }
      const accesses = [this.single, this.all[n]!].map((core) => core.accesses.map((access) => Object.values(access).join()).join(' '));
      if (accesses[0] !== accesses[1]) return `${pair}: devices\n  ${accesses[0]}\n  ${accesses[1]}`;
    }
    for (const core of this.all) core.accesses.length = 0;
    return exit;
  }

  /** Runs the scene of a seed; how the three differ, or undefined. */
  try(seed: number): string | undefined {
    const scene = new Scene(seed);
    for (const core of this.all) scene.load(core);
    for (let round = 0; round < ROUNDS; round++) {
      const start = scene.start();
      this.all.forEach(start);
      const begin = this.single.state();
      this.rounds++;
      for (let slice = 0; slice < 4; slice++) {
        const before = this.single.icount;
        const result = this.run(1 + scene.random.below(scene.random.below(3) === 0 ? 4 : 80));
        if (typeof result === 'string')
          return `seed ${seed}, ${scene.mode} mode, round ${round}, slice ${slice}: ${result}\n  begun at ${begin}`;
        this.instructions += this.single.icount - before;
        if (result === STUCK) this.stuck++;
        if (result === 0) continue;
        const vector = (Number(this.single.rip) - 1 - HANDLERS) / 16;
        if (Number.isInteger(vector) && vector >= 0 && vector < VECTORS) this.faults.set(vector, (this.faults.get(vector) ?? 0) + 1);
        break;
      }
    }
    return undefined;
  }
}
