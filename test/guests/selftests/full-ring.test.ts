/** Dirty rings end to end: a vCPU that fills its ring stops right after that instruction, is reported, and resumes after a reset. */
import { describe, expect, it } from 'vitest';
import type { MachineOptions } from '../../../engine/machine/index';
import { MemFlag } from '../../../engine/memory/types';
import { DATA, Program } from './program';
import { PAGE, Vm } from './vm';

const G = 0xc0000000;
const SLOT = 11;
const PAGES = 1024;
const ENTRIES = 256;
const SOFT_LIMIT = ENTRIES - 64;

/** Writes 1, 2, 3... to page after page, and counts at DATA. */
const pageByPage = new Program()
  .set('rdi', DATA)
  .set('rsi', G)
  .set('rcx', 0)
  .label('next')
  .addValue('rcx', 1)
  .store('rsi', 'rcx')
  .label('written')
  .store('rdi', 'rcx')
  .addValue('rsi', PAGE)
  .compareValue('rcx', PAGES)
  .jumpIf('ne', 'next')
  .label('end')
  .jump('end');

/** The same with one instruction that writes 4 MiB. */
const allAtOnce = new Program()
  .set('rdi', G)
  .set('rax', 7)
  .set('rcx', (PAGES * PAGE) / 8)
  .fill()
  .label('end')
  .jump('end');

async function start(program: Program, options: Partial<MachineOptions> = { dirtyRing: { entries: ENTRIES } }) {
  const vm = await Vm.start(program, options);
  const backing = vm.backing(PAGES * PAGE);
  const region = { slot: SLOT, flags: MemFlag.LogDirtyPages, guestPhysAddr: G, memorySize: PAGES * PAGE, userspaceAddr: backing.hva };
  vm.commit(region);
  return { vm, backing, region };
}

const told = (vm: Vm) => vm.guest.events.filter(({ type }) => type === 'dirty-ring-full').length;

describe('a full dirty ring', () => {
  it.each([0, 100_000])('holds the vCPU after the write that filled it, and reports it once (slices of %i)', async (slice) => {
    const { vm } = await start(pageByPage);
    for (let run = 0; run < 20; run++) vm.run(slice || 77);
    expect(vm.machine.inspect.registers().rip).toBe(BigInt(pageByPage.at('written')));
    expect(vm.machine.inspect.registers().gpr[1]).toBe(BigInt(SOFT_LIMIT));
    expect(told(vm)).toBe(1);
    expect(vm.machine.run.state).toBe('running');
    expect(vm.machine.rings.status()).toEqual([
      { vcpu: 0, size: ENTRIES, used: SOFT_LIMIT, pending: SOFT_LIMIT, full: true, overflows: 0 },
    ]);
  });

  it('resumes after a reset, not after a harvest, and only as far as there is room', async () => {
    const { vm } = await start(pageByPage);
    vm.run(100_000);
    expect(vm.machine.rings.harvest(10).map(({ offset }) => offset)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const { instructions, guestTimeNs } = vm.machine.run;
    vm.run(100_000);
    expect([vm.machine.run.instructions, vm.machine.run.guestTimeNs]).toEqual([instructions, guestTimeNs]);
    expect(vm.machine.rings.reset()).toBe(10);
    vm.run(100_000);
    expect(vm.machine.inspect.registers().gpr[1]).toBe(BigInt(SOFT_LIMIT + 10));
    expect(told(vm)).toBe(2);
  });

  it('leaves the machine’s loop idle until the reset wakes it', async () => {
    const { vm } = await start(pageByPage);
    const { machine } = vm;
    expect(machine.run.until(1)).toEqual({ idle: true });
    expect(machine.rings.status()[0]!.full).toBe(true);
    const time = machine.run.guestTimeNs;
    expect(machine.run.until(1)).toEqual({ idle: true });
    expect(machine.run.guestTimeNs).toBe(time);
    machine.rings.harvest();
    const before = vm.guest.events.length;
    machine.rings.reset();
    expect(vm.guest.events.slice(before).map(({ type }) => type)).toContain('wake');
    expect(machine.run.until(1)).toEqual({ idle: true });
    expect(vm.peek(DATA)).toBe(2 * SOFT_LIMIT - 1);
  });

  it.each([
    ['page by page', pageByPage],
    ['with one instruction', allAtOnce],
  ] as const)('loses no page of a guest that writes %s', async (_how, program) => {
    const { vm, backing } = await start(program);
    const offsets: number[] = [];
    for (let rounds = 0; offsets.length < PAGES && rounds < 20; rounds++) {
      vm.run(100_000);
      const entries = vm.machine.rings.harvest();
      offsets.push(...entries.map(({ offset }) => offset));
      expect(entries.length).toBeLessThan(ENTRIES);
      expect(vm.machine.rings.reset()).toBe(entries.length);
    }
    expect(offsets).toEqual(Array.from({ length: PAGES }, (_unused, page) => page));
    expect(backing.firstOfPages(PAGES)).toEqual(offsets.map((page) => (program === allAtOnce ? 7 : page + 1)));
    expect(vm.machine.rings.status()[0]!.overflows).toBe(0);
  });

  it('does not change what the guest computes', async () => {
    const plain = await start(pageByPage, {});
    plain.vm.run(20_000);
    const ringed = await start(pageByPage);
    while (ringed.vm.machine.run.instructions < plain.vm.machine.run.instructions) {
      ringed.vm.run(plain.vm.machine.run.instructions - ringed.vm.machine.run.instructions);
      ringed.vm.machine.rings.harvest();
      ringed.vm.machine.rings.reset();
    }
    expect(await ringed.vm.machine.digest()).toBe(await plain.vm.machine.digest());
  });

  it('entries of a deleted slot are reset without harm, and the vCPU continues', async () => {
    const { vm, region } = await start(pageByPage);
    vm.run(100_000);
    vm.remove(SLOT);
    expect(vm.machine.rings.harvest()).toHaveLength(SOFT_LIMIT);
    expect(vm.machine.rings.reset()).toBe(SOFT_LIMIT);
    vm.run(100_000);
    expect(vm.exits).toHaveLength(PAGES - SOFT_LIMIT);
    vm.commit(region);
    expect(vm.machine.rings.status()[0]).toMatchObject({ used: 0, full: false });
  });

  it('can be enabled until the guest first runs, and only once', async () => {
    const { vm } = await start(pageByPage, {});
    expect(() => vm.machine.rings.harvest()).toThrow('EINVAL: dirty rings are off');
    expect(() => vm.machine.rings.enable({ entries: 255 })).toThrow(
      'EINVAL: a dirty ring of 255 entries: it has 256 to 65536, a power of two',
    );
    expect(() => vm.machine.rings.enable({ entries: 131072 })).toThrow('E2BIG');
    expect(() => vm.machine.rings.enable({ entries: 512, bitmap: true })).toThrow('before there is any memslot');
    vm.machine.rings.enable({ entries: 512 });
    expect(() => vm.machine.rings.enable({ entries: 512 })).toThrow('are on already, with 512 entries');
    vm.run(1000);
    expect(vm.machine.rings.status()).toMatchObject([{ size: 512, used: vm.peek(DATA) }]);
    const late = await start(pageByPage, {});
    late.vm.run(10);
    expect(() => late.vm.machine.rings.enable({ entries: 256 })).toThrow('before the guest first runs');
  });

  it('with a bitmap, host writes go to the bitmap and guest writes to its ring', async () => {
    const { vm } = await start(pageByPage, { dirtyRing: { entries: ENTRIES, bitmap: true } });
    vm.run(100);
    vm.poke(G + 500 * PAGE, 9);
    const log = vm.memory.getDirtyLog(SLOT);
    expect(log.ok && log.bitmap.findIndex((byte) => byte !== 0)).toBe(Math.floor(500 / 8));
    expect(vm.machine.rings.harvest()).toHaveLength(vm.peek(DATA));
  });

  it('holds its own vCPU only: the other one continues', async () => {
    const vm = await Vm.start(pageByPage, { dirtyRing: { entries: ENTRIES }, smp: 2 });
    vm.startSecond(pageByPage.at('end'));
    const backing = vm.backing(PAGES * PAGE);
    vm.commit({ slot: SLOT, flags: MemFlag.LogDirtyPages, guestPhysAddr: G, memorySize: PAGES * PAGE, userspaceAddr: backing.hva });
    vm.run(100_000);
    expect(vm.machine.rings.status().map(({ full }) => full)).toEqual([true, false]);
    const { instructions } = vm.machine.run;
    vm.run(100_000);
    expect(vm.machine.run.instructions).toBe(instructions + 100_000);
    expect(vm.machine.inspect.registers(0).gpr[1]).toBe(BigInt(SOFT_LIMIT));
    expect(told(vm)).toBe(1);
    vm.machine.rings.harvest();
    vm.machine.rings.reset();
    vm.run(100_000);
    expect(vm.machine.inspect.registers(0).gpr[1]).toBe(BigInt(2 * SOFT_LIMIT));
  });
});
