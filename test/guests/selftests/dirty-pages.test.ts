/**
 * dirty_log_test.c: the guest writes the number of the iteration to random pages; the log is collected while it runs and once it is stopped. A page
 * reported dirty holds this iteration's number, any other an older one. Modes dirty-log, clear-log and dirty-ring. As in the kernel, 32 iterations of
 * at least 0x100 writes; the region is 4 MiB + 3 pages instead of 1 GiB + 3 pages in quick runs (scale.ts).
 */
import { expect, it } from 'vitest';
import { MANUAL_PROTECT } from '../../../engine/memory/index';
import { MemFlag } from '../../../engine/memory/types';
import { DATA, Program } from './program';
import { scaled } from './scale';
import { accepted, type Backing, PAGE, Vm } from './vm';

/** The kernel's is 0xc0000000: 1 GiB from there would lie over this board's devices. */
const G = 0x100000000;
const SLOT = 11;
const PAGES = scaled(262144, 1024) + 3;
const ITERATIONS = 32;
const WRITES = 0x100;

/** DATA: the iteration, written by the host. DATA + 8: writes so far. Random pages by Knuth's 64-bit linear congruence. */
const writer = new Program()
  .set('rsi', DATA)
  .set('rcx', 0)
  .set('r8', 0x1234567)
  .set('r9', 6364136223846793005n)
  .set('r10', 1442695040888963407n)
  .set('r11', PAGES)
  .set('rbx', DATA + 8)
  .label('again')
  .multiply('r8', 'r9')
  .add('r8', 'r10')
  .move('rdi', 'r8')
  .shiftRight('rdi', 32)
  .multiply('rdi', 'r11')
  .shiftRight('rdi', 32)
  .shiftLeft('rdi', 12)
  .set('rdx', G)
  .add('rdi', 'rdx')
  .load('rax', 'rsi')
  .label('store')
  .store('rdi', 'rax')
  .addValue('rcx', 1)
  .store('rbx', 'rcx')
  .jump('again');

type Collect = (vm: Vm, dirty: Set<number>) => void;

function addBits(bitmap: Uint8Array, dirty: Set<number>): void {
  for (let page = 0; page < bitmap.length * 8; page++) if ((bitmap[page >> 3]! >> (page & 7)) & 1) dirty.add(page);
}

function getLog(vm: Vm): Uint8Array {
  const log = vm.memory.getDirtyLog(SLOT);
  if (!log.ok) throw new Error(log.errno);
  return log.bitmap;
}

const dirtyLog: Collect = (vm, dirty) => addBits(getLog(vm), dirty);

/** In pieces of 256 pages, the last up to the slot's end. */
const clearLog: Collect = (vm, dirty) => {
  const log = getLog(vm);
  expect(getLog(vm)).toEqual(log);
  addBits(log, dirty);
  for (let firstPage = 0; firstPage < PAGES; firstPage += 256) {
    const numPages = Math.min(256, PAGES - firstPage);
    const bitmap = log.slice(firstPage / 8, firstPage / 8 + Math.ceil(numPages / 64) * 8);
    expect(vm.memory.clearDirtyLog({ slot: SLOT, firstPage, numPages, bitmap })).toEqual({ ok: true });
  }
};

const dirtyRing: Collect = (vm, dirty) => {
  const entries = vm.machine.rings.harvest();
  for (const { asId, slot, offset } of entries) {
    expect([asId, slot, offset < PAGES]).toEqual([0, SLOT, true]);
    dirty.add(offset);
  }
  expect(vm.machine.rings.reset()).toBe(entries.length);
};

/** The guest may have loaded the iteration's number but not yet stored it; KVM's test also exempts that page. */
function inFlight(vm: Vm): number | undefined {
  const { rip, gpr } = vm.machine.inspect.registers();
  return Number(rip) === writer.at('store') ? (Number(gpr[7]) - G) / PAGE : undefined;
}

/** Runs one iteration, collecting as it goes; returns the reported pages. */
function iterate(vm: Vm, collect: Collect, iteration: number): Set<number> {
  vm.poke(DATA, iteration);
  const before = vm.peek(DATA + 8);
  const dirty = new Set<number>();
  for (let slices = 0; vm.peek(DATA + 8) - before < WRITES; slices++) {
    vm.run(997);
    if (slices > 100) throw new Error('the guest makes no progress');
    // While the ring is full, the guest cannot continue until it is collected.
    if (slices % 2 === 1 || vm.machine.rings.status().some((ring) => ring.full)) collect(vm, dirty);
  }
  vm.machine.run.stop();
  collect(vm, dirty);
  vm.machine.run.cont();
  return dirty;
}

function check(backing: Backing, dirty: ReadonlySet<number>, iteration: number, excused: number | undefined): void {
  backing.firstOfPages(PAGES).forEach((value, page) => {
    if (dirty.has(page) ? value !== iteration : value >= iteration)
      if (page !== excused) throw new Error(`iteration ${iteration}: page ${page}, ${dirty.has(page) ? 'dirty' : 'clean'}, holds ${value}`);
  });
}

it.each([
  ['dirty-log', dirtyLog, 'slot'],
  ['dirty-log', dirtyLog, 'all'],
  ['clear-log', clearLog, 'slot'],
  ['dirty-ring', dirtyRing, 'slot'],
  ['dirty-ring', dirtyRing, 'all'],
] as const)('dirty_log_test, mode %s: each page holds what the log says', async (mode, collect, zap) => {
  const vm = await Vm.start(writer, mode === 'dirty-ring' ? { dirtyRing: { entries: scaled(65536, 256) } } : {});
  vm.memory.zap = zap;
  vm.mapHigh();
  if (mode === 'clear-log') vm.memory.dirtyLog.setManualProtect(MANUAL_PROTECT);
  const backing = vm.backing(PAGES * PAGE);
  const region = { slot: SLOT, guestPhysAddr: G, memorySize: PAGES * PAGE, userspaceAddr: backing.hva };
  accepted(vm.memory.setUserMemoryRegion(region));
  vm.run(5000);
  vm.commit({ ...region, flags: MemFlag.LogDirtyPages });
  let excused = inFlight(vm);
  let reported = 0;
  for (let iteration = 1; iteration <= ITERATIONS; iteration++) {
    const dirty = iterate(vm, collect, iteration);
    check(backing, dirty, iteration, excused);
    excused = inFlight(vm);
    reported += dirty.size;
  }
  expect(reported).toBeGreaterThan((ITERATIONS * WRITES) / 2);
  expect(vm.machine.rings.status().reduce((sum, ring) => sum + ring.overflows, 0)).toBe(0);
  expect(vm.exits).toEqual([]);
});
