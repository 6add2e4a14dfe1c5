/**
 * tools/testing/selftests/kvm/set_memory_region_test.c with its parameters: a region of 2 MiB in slot 10 at 0xc0000000, MMIO answered with
 * 0xbeef, ten rounds, both zap modes. The guest spins on the region's first qword and notes each value that differs from the last.
 */
import { describe, expect, it } from 'vitest';
import { Guest, MIB } from '../harness';
import { DATA, Program } from './program';
import { accepted, type Backing, MMIO_VALUE, PAGE, VARIANTS, Vm } from './vm';

const G = 0xc0000000;
const SLOT = 10;
const SIZE = 2 * MIB;
const ROUNDS = 10;
/** Id of the boot slot that holds CODE and DATA. */
const CODE_SLOT = 3;
const SLICE = 500;

/** DATA: the values seen, in order. */
const watcher = () =>
  new Program()
    .set('rsi', G)
    .set('rbx', DATA)
    .set('rdx', 0x5eed)
    .label('spin')
    .load('rax', 'rsi')
    .compare('rax', 'rdx')
    .jumpIf('e', 'spin')
    .move('rdx', 'rax')
    .store('rbx', 'rax')
    .addValue('rbx', 8)
    .jump('spin')
    .label('end');

const at = (gpa: number, backing: Backing) => ({ slot: SLOT, guestPhysAddr: gpa, memorySize: SIZE, userspaceAddr: backing.hva });

function seen(vm: Vm): number[] {
  const count = (Number(vm.machine.inspect.registers().gpr[3]) - DATA) / 8;
  return Array.from({ length: count }, (_unused, index) => vm.peek(DATA + index * 8));
}

/** guest_code_move_memory_region: from 0 to 1 or MMIO, from MMIO to 0 or 1, and the end is 1. */
function isMoveChain(values: number[]): boolean {
  const after: Record<number, number[]> = { 0: [1, MMIO_VALUE], [MMIO_VALUE]: [0, 1] };
  return values[0] === 0 && values.at(-1) === 1 && values.slice(1).every((value, index) => after[values[index]!]?.includes(value) ?? false);
}

describe.each(VARIANTS)('set_memory_region_test, $index, zap $zap', ({ index, zap }) => {
  async function start() {
    const program = watcher();
    const vm = await Vm.start(program, { index });
    vm.memory.zap = zap;
    vm.answerMmio(G);
    const backing = vm.backing(SIZE);
    vm.commit(at(G, backing));
    return { vm, backing, program };
  }

  it('move in use: the guest sees 0, then 1, never the 2 below the region’s new place', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const { vm, backing } = await start();
      vm.run(SLICE + round);
      // The new range overlaps the old one. From here on G shows the second page.
      vm.commitSlowly({ call: 'region', region: at(G - PAGE, backing) }, 100 + round);
      backing.write(0, 2);
      vm.run(SLICE);
      backing.write(0, 1);
      vm.commitSlowly({ call: 'region', region: at(G, backing) }, 100 + round);
      vm.run(SLICE);
      expect(seen(vm)).toEqual([0, 1]);
      // A guest that accesses the INVALID slot retries; it does not exit for MMIO.
      expect(vm.machine.inspect.stats().retries).toBeGreaterThan(0);
      expect(vm.exits).toEqual([]);
      expect(vm.machine.run.state).toBe('running');
    }
  });

  it('move in use by delete and create: the guest falls into the hole, in the selftest’s chain, and every exit is a read at G', async () => {
    const { vm, backing } = await start();
    const moveTo = (gpa: number) => {
      vm.remove(SLOT);
      vm.run(SLICE);
      vm.commit(at(gpa, backing));
    };
    vm.run(SLICE);
    moveTo(G - PAGE);
    backing.write(0, 2);
    vm.run(SLICE);
    backing.write(0, 1);
    moveTo(G);
    vm.run(SLICE);
    expect(seen(vm)).toEqual([0, MMIO_VALUE, 0, MMIO_VALUE, 1]);
    expect(isMoveChain(seen(vm))).toBe(true);
    // 8 bytes, which the bus reads in two halves.
    expect(new Set(vm.exits.map(({ gpa, size, write }) => `${gpa - G} ${size} ${write}`))).toEqual(new Set(['0 4 false', '4 4 false']));
  });

  it('delete in use and back, ten times; then the code’s own slot goes', async () => {
    const { vm, backing, program } = await start();
    vm.run(SLICE);
    for (let round = 0; round < ROUNDS; round++) {
      vm.commitSlowly({ call: 'region', region: { slot: SLOT, guestPhysAddr: 0, memorySize: 0, userspaceAddr: 0 } }, 50 + round);
      vm.run(SLICE);
      vm.commit(at(G, backing));
      vm.run(SLICE);
    }
    expect(seen(vm)).toEqual([0, ...Array.from({ length: 2 * ROUNDS }, (_unused, index) => (index % 2 ? 0 : MMIO_VALUE))]);
    vm.remove(CODE_SLOT);
    vm.run(SLICE);
    expect(['internal-error', 'shutdown']).toContain(vm.machine.run.state);
    const rip = Number(vm.machine.inspect.registers().rip);
    if (vm.machine.run.state === 'internal-error') {
      expect(rip).toBeGreaterThanOrEqual(program.at('spin'));
      expect(rip).toBeLessThan(program.at('end'));
    }
  });
});

describe.each(['array', 'rbtree', 'btree'] as const)('set_memory_region_test, %s', (index) => {
  it('a vCPU without any memslot stops at once: with an internal error, or with a triple fault if paging is on', async () => {
    const vm = await Vm.start(watcher(), { index });
    accepted(vm.memory.setUserMemoryRegions([], 0));
    vm.run(SLICE);
    expect([vm.machine.run.state, vm.machine.run.instructions]).toEqual(['shutdown', 0]);

    const { machine } = await Guest.boot({ ram: 4 * MIB });
    accepted(machine.memory.setUserMemoryRegions([], 0));
    machine.run.advance(SLICE);
    expect([machine.run.state, machine.run.instructions]).toEqual(['internal-error', 0]);
  });

  it('an IDT in unbacked memory: a #GP reads its gate at the IDT + 13 * 16 and stops the vCPU, as a processor that reads all ones does', async () => {
    const program = new Program().set('rdi', DATA).loadIdt('rdi').set('rax', 0xfff8).label('fault').loadSs().label('end').jump('end');
    const vm = await Vm.start(program, { index });
    vm.machine.physical.write(DATA, Uint8Array.of(0xff, 0x0f));
    vm.poke(DATA + 2, G);
    vm.run(SLICE);
    expect(['shutdown', 'internal-error']).toContain(vm.machine.run.state);
    expect(Number(vm.machine.inspect.registers().rip)).toBe(program.at('fault'));
    // It reads the gates of #GP and of the following #DF, and nothing else.
    const gates = vm.exits.map(({ gpa, write }) => (write ? -1 : Math.floor((gpa - G) / 16)));
    expect([...new Set(gates)]).toEqual([13, 8]);
  });

  it('as many slots of 2 MiB as there are ids, side by side: the guest can read all of them, one more is refused', async () => {
    const MAX = 32764;
    const HIGH = 4096 * MIB;
    // DATA: sum of the first qwords of all slots; DATA + 8: done.
    const program = new Program()
      .set('rsi', HIGH)
      .set('rcx', 0)
      .set('rdx', 0)
      .set('rdi', DATA)
      .label('next')
      .load('rax', 'rsi')
      .add('rdx', 'rax')
      .addValue('rsi', SIZE)
      .addValue('rcx', 1)
      .compareValue('rcx', MAX - 5)
      .jumpIf('ne', 'next')
      .store('rdi', 'rdx')
      .addValue('rdi', 8)
      .store('rdi', 'rcx')
      .label('end')
      .jump('end');
    const vm = await Vm.start(program, { index });
    vm.mapHigh();
    const hva = vm.machine.host.allocate(SIZE, 'selftest');
    // The board's own are 0 to 4.
    for (let slot = 5; slot < MAX; slot++)
      vm.commit({ slot, guestPhysAddr: HIGH + (slot - 5) * SIZE, memorySize: SIZE, userspaceAddr: hva });
    const more = { slot: MAX, guestPhysAddr: HIGH + MAX * SIZE, memorySize: SIZE, userspaceAddr: hva };
    expect(vm.memory.setUserMemoryRegion(more)).toMatchObject({ ok: false, refusals: [{ errno: 'EINVAL' }] });
    expect(vm.memory.slotCount(0)).toBe(MAX);
    vm.poke(HIGH + 7 * SIZE, 3);
    vm.run(6 * MAX + 100);
    expect([vm.peek(DATA), vm.peek(DATA + 8)]).toEqual([3 * (MAX - 5), MAX - 5]);
    expect(vm.exits).toEqual([]);
  });
});
