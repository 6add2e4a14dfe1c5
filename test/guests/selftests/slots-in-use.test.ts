/**
 * memslot_modification_stress_test, memslot_perf_test (its checks, not its timing) and mmu_stress_test, with real guests and the kernel's parameters;
 * less memory where the kernel's guests fill gigabytes (scale.ts).
 */
import { describe, expect, it } from 'vitest';
import { MemFlag } from '../../../engine/memory/types';
import { MIB } from '../harness';
import { DATA, Program } from './program';
import { scaled } from './scale';
import { accepted, PAGE, VARIANTS, Vm } from './vm';

/** Writes 8 bytes every `step` bytes of [start, start + size), again and again. DATA: rounds so far. */
const toucher = (start: number, size: number, step: number) =>
  new Program()
    .set('rdi', DATA)
    .set('rdx', 0)
    .label('again')
    .set('rsi', start)
    .set('rcx', start + size)
    .label('next')
    .store('rsi', 'rdx')
    .addValue('rsi', step)
    .compare('rsi', 'rcx')
    .jumpIf('b', 'next')
    .addValue('rdx', 1)
    .store('rdi', 'rdx')
    .jump('again');

/** The same for two vCPUs, each with its own region and count; the second starts at `second`. */
const twoTouchers = (start: number, size: number, step: number) => {
  const program = new Program();
  for (const vcpu of [0, 1])
    program
      .label(vcpu ? 'second' : 'first')
      .set('rdi', DATA + 8 * vcpu)
      .set('rdx', 0)
      .label(`again${vcpu}`)
      .set('rsi', start + vcpu * size)
      .set('rcx', start + (vcpu + 1) * size)
      .label(`next${vcpu}`)
      .store('rsi', 'rdx')
      .addValue('rsi', step)
      .compare('rsi', 'rcx')
      .jumpIf('b', `next${vcpu}`)
      .addValue('rdx', 1)
      .store('rdi', 'rdx')
      .jump(`again${vcpu}`);
  return program;
};

const PERF_SIZE = 512 * MIB + 0x10000;

describe.each(VARIANTS)('$index, zap $zap', ({ index, zap }) => {
  it('memslot_modification_stress_test: a dummy slot 7 comes and goes ten times below memory that two vCPUs use; no exit, no fault', async () => {
    const START = 0x40000000;
    const SIZE = 2 * scaled(1024 * MIB, 8 * MIB);
    // Two vCPUs and four instructions a page: at least two passes over all of it.
    const SOME = (SIZE / PAGE) * 10;
    const program = twoTouchers(START, SIZE / 2, PAGE);
    const vm = await Vm.start(program, { smp: 2, index });
    vm.startSecond(program.at('second'));
    vm.memory.zap = zap;
    const [region, dummy] = [vm.backing(SIZE), vm.backing(PAGE)];
    vm.commit({ slot: 10, guestPhysAddr: START, memorySize: SIZE, userspaceAddr: region.hva });
    vm.run(SOME);
    const misses = vm.machine.inspect.stats().tlb_misses!;
    for (let round = 0; round < 10; round++) {
      const added = { slot: 7, guestPhysAddr: START - PAGE, memorySize: PAGE, userspaceAddr: dummy.hva };
      vm.commitSlowly({ call: 'region', region: added }, 2000 + round);
      vm.commitSlowly({ call: 'region', region: { ...added, memorySize: 0 } }, 2000 + round);
    }
    vm.run(SOME);
    expect(vm.exits).toEqual([]);
    expect(vm.machine.run.state).toBe('running');
    // Each page holds its vCPU's current round number or the previous one.
    const pages = region.firstOfPages(SIZE / PAGE);
    for (const vcpu of [0, 1]) {
      const rounds = vm.peek(DATA + 8 * vcpu);
      expect(rounds).toBeGreaterThan(3);
      const own = pages.slice((vcpu * pages.length) / 2, ((vcpu + 1) * pages.length) / 2);
      expect(own.filter((value) => value !== rounds && value !== rounds - 1)).toEqual([]);
    }
    if (zap === 'slot') expect(vm.machine.inspect.stats().zapped_entries).toBe(0);
    expect(misses).toBeGreaterThan(0);
  });

  /** Slots 10 .. 41 over [256 MiB, + 512 MiB + 64 KiB), the last with the remainder; it is moved to just past the area and back. */
  async function perf(window: { start: number; size: number }) {
    const SLOTS = 32;
    const START = 256 * MIB;
    const SIZE = PERF_SIZE;
    const vm = await Vm.start(toucher(window.start, window.size, PAGE), { index });
    vm.memory.zap = zap;
    const backing = vm.backing(SIZE);
    const pages = Math.floor(SIZE / PAGE / SLOTS);
    for (let index = 0; index < SLOTS; index++) {
      const offset = index * pages * PAGE;
      const size = index === SLOTS - 1 ? SIZE - offset : pages * PAGE;
      vm.commit({ slot: 10 + index, guestPhysAddr: START + offset, memorySize: size, userspaceAddr: backing.hva + offset });
    }
    const offset = (SLOTS - 1) * pages * PAGE;
    const last = { slot: 9 + SLOTS, memorySize: SIZE - offset, userspaceAddr: backing.hva + offset };
    vm.run(2000);
    for (let round = 0; round < 20; round++) {
      const guestPhysAddr = round % 2 ? START + offset : START + SIZE;
      vm.commitSlowly({ call: 'region', region: { ...last, guestPhysAddr } }, 200 + round);
    }
    vm.run(2000);
    return { vm, boundary: START + offset };
  }
  const pagesPerSlot = Math.floor(PERF_SIZE / PAGE / 32);
  const boundaryOf = 256 * MIB + 31 * pagesPerSlot * PAGE;

  it('memslot_perf_test, move active: MMIO writes happen, and only inside the window', async () => {
    const window = { start: boundaryOf - 0x18000, size: 0x30000 };
    const { vm, boundary } = await perf(window);
    expect(vm.exits.length).toBeGreaterThan(0);
    expect(vm.exits.filter(({ gpa, write }) => !write || gpa < boundary || gpa >= window.start + window.size)).toEqual([]);
    expect(vm.machine.run.state).toBe('running');
  });

  it('memslot_perf_test, move inactive: a window below the moved slot sees no MMIO at all', async () => {
    const { vm } = await perf({ start: boundaryOf - 0x30000, size: 0x30000 });
    expect(vm.exits).toEqual([]);
    expect(vm.peek(DATA)).toBeGreaterThan(1);
  });

  it('memslot_perf_test, RW: the guest writes the starts of pages, the host their halves, and each finds what the other wrote', async () => {
    const START = 256 * MIB;
    const SLOTS = 32;
    const PAGES = scaled((512 * MIB) / PAGE, 128);
    const [VAL_1, VAL_2] = [0x1122334455667788n, 0x99aabbccddeeff00n];
    // DATA: the host's turn is over (1), the guest's is (0), or a half did not hold VAL_2 (2).
    const program = new Program()
      .set('rdi', DATA)
      .set('rdx', VAL_1)
      .set('r8', VAL_2)
      .set('r9', 0)
      .label('wait')
      .load('rax', 'rdi')
      .compareValue('rax', 1)
      .jumpIf('ne', 'wait')
      .set('rsi', START)
      .set('rcx', START + PAGES * PAGE)
      .label('next')
      .store('rsi', 'rdx')
      .addValue('rsi', PAGE / 2)
      .load('rax', 'rsi')
      .compare('rax', 'r8')
      .jumpIf('ne', 'wrong')
      .store('rsi', 'r9')
      .addValue('rsi', PAGE / 2)
      .compare('rsi', 'rcx')
      .jumpIf('b', 'next')
      .store('rdi', 'r9')
      .jump('wait')
      .label('wrong')
      .set('rax', 2)
      .store('rdi', 'rax')
      .label('end')
      .jump('end');
    const vm = await Vm.start(program, { index });
    vm.memory.zap = zap;
    const backing = vm.backing(PAGES * PAGE);
    const size = (PAGES / SLOTS) * PAGE;
    const regions = Array.from({ length: SLOTS }, (_unused, index) => ({
      slot: 10 + index,
      guestPhysAddr: START + index * size,
      memorySize: size,
      userspaceAddr: backing.hva + index * size,
    }));
    for (const region of regions) vm.commit(region);
    const first = Buffer.alloc(8);
    first.writeBigUInt64LE(VAL_1);
    const half = Buffer.alloc(8);
    half.writeBigUInt64LE(VAL_2);
    for (let round = 0; round < 4; round++) {
      for (let page = 0; page < PAGES; page++) {
        const gpa = START + page * PAGE;
        if (round > 0) expect(vm.machine.physical.read(gpa, 8)).toEqual(new Uint8Array(first));
        vm.poke(gpa, 0);
        vm.machine.physical.write(gpa + PAGE / 2, half);
      }
      vm.poke(DATA, 1);
      for (let slice = 0; slice < 100 && vm.peek(DATA) === 1; slice++) vm.run(101 + PAGES / 8);
      expect(vm.peek(DATA)).toBe(0);
    }
    expect(vm.exits).toEqual([]);
  });

  it('mmu_stress_test: 62 slots over one backing; write, rewrite, read, read-only and back, then the even ones go', async () => {
    const START = 4096 * MIB;
    const SIZE = 2048 * MIB;
    const SLOTS = 62;
    const OUT = DATA + 0x1000;
    // DATA: the pass to do (1 write, 2 read), 0 when done; DATA + 8: what to write. A write goes to the slot's own qword, number `index`.
    const program = new Program()
      .set('rdi', DATA)
      .label('wait')
      .load('rax', 'rdi')
      .compareValue('rax', 0)
      .jumpIf('e', 'wait')
      .set('rsi', START)
      .set('rbx', OUT)
      .set('rcx', 0)
      .set('r8', DATA + 8)
      .load('rdx', 'r8')
      .set('r10', SIZE + 8)
      .label('next')
      .compareValue('rax', 2)
      .jumpIf('e', 'read')
      .store('rsi', 'rdx')
      .label('read')
      .load('r9', 'rsi')
      .store('rbx', 'r9')
      .add('rsi', 'r10')
      .addValue('rbx', 8)
      .addValue('rdx', 1)
      .addValue('rcx', 1)
      .compareValue('rcx', SLOTS)
      .jumpIf('ne', 'next')
      .set('rax', 0)
      .store('rdi', 'rax')
      .jump('wait');
    const vm = await Vm.start(program, { index });
    vm.memory.zap = zap;
    vm.mapHigh();
    const backing = vm.backing(SIZE);
    const regions = Array.from({ length: SLOTS }, (_unused, index) => ({
      slot: 10 + index,
      guestPhysAddr: START + index * SIZE,
      memorySize: SIZE,
      userspaceAddr: backing.hva,
    }));
    for (const region of regions) vm.commit(region);
    const pass = (kind: 'write' | 'read', value = 0) => {
      vm.poke(DATA + 8, value);
      vm.poke(DATA, kind === 'write' ? 1 : 2);
      for (let slice = 0; slice < 100 && vm.peek(DATA) !== 0; slice++) vm.run(100);
      expect(vm.peek(DATA)).toBe(0);
      return Array.from({ length: SLOTS }, (_unused, index) => vm.peek(OUT + index * 8));
    };
    const own = Array.from({ length: SLOTS }, (_unused, index) => index);
    const host = () => own.map((index) => backing.read(index * 8));

    pass('write', 1000);
    expect(host()).toEqual(own.map((index) => 1000 + index));
    pass('write', 2000);
    expect(host()).toEqual(own.map((index) => 2000 + index));
    for (const index of own) backing.write(index * 8, 3000 + index);
    expect(pass('read')).toEqual(own.map((index) => 3000 + index));

    accepted(vm.memory.changeUserMemoryRegions(regions.map((region) => ({ ...region, flags: MemFlag.ReadOnly }))));
    expect(pass('write', 4000)).toEqual(own.map((index) => 3000 + index));
    expect(host()).toEqual(own.map((index) => 3000 + index));
    accepted(vm.memory.changeUserMemoryRegions(regions));
    pass('write', 5000);
    expect(host()).toEqual(own.map((index) => 5000 + index));
    expect(vm.exits).toEqual([]);

    accepted(vm.memory.changeUserMemoryRegions(regions.filter((_region, index) => index % 2 === 0).map((r) => ({ ...r, memorySize: 0 }))));
    const left = pass('read');
    expect(left.filter((_value, index) => index % 2)).toEqual(own.filter((index) => index % 2).map((index) => 5000 + index));
    expect(vm.exits).toHaveLength(SLOTS / 2);
  });
});
