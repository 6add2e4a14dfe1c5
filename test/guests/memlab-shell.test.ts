/** memlab's shell with valid and invalid lines. For memory that moves under it, see memlab.test.ts. */
import { beforeEach, describe, expect, it } from 'vitest';
import { MemFlag } from '../../engine/memory/types';
import { Guest, MIB, rootFile } from './harness';

const kernel = rootFile('guests/memlab/memlab.elf');
const PAGE = 4096;

let guest: Guest;

/** The output of a command, without its echo and the prompt. */
function answer(line: string, limit?: number): string {
  return guest
    .command(line, 'lab> ', limit)
    .replaceAll('\r\n', '\n')
    .replace(/^[^\n]*\n/, '')
    .replace(/lab> $/, '');
}

function plug(id: string, addr: number): void {
  guest.machine.backends.add(`${id}-ram`, 64 * MIB);
  guest.machine.dimms.plug({ id, memdev: `${id}-ram`, addr });
  guest.until('64 MiB\r\nlab> ');
}

beforeEach(async () => {
  guest = await Guest.boot({ guest: { name: 'memlab', kernel }, ram: 16 * MIB, slots: 8, maxmem: 2 ** 42 });
  guest.until('lab> ', 5e6);
});

describe("memlab's shell", () => {
  it('prints the machine it runs on', () => {
    expect(guest.text).toMatch(/memlab, x86-64, \d+ [KM]iB in 2 ranges\r\n/);
    expect(guest.text).toContain('beyond on demand to 46 bits');
  });

  it('mem prints boot memory and that nothing is plugged in', () => {
    const text = answer('mem');
    expect(text).toMatch(/0x00000000 +6\d\d KiB +RAM/);
    expect(text).toMatch(/0x00100000 +15 MiB +RAM/);
    expect(text).toContain('no memory is plugged in');
  });

  it('fill and sum agree', () => {
    answer('fill 0x800000 1M 3');
    expect(answer('sum 0x800000 1M')).toBe('sum 0x0000000000060000 over 131072 words\n');
  });

  it('peek reports a hole', () => {
    expect(answer('peek 0x10000000')).toBe('0x10000000: 0xffffffffffffffff  hole\n');
    expect(guest.machine.inspect.holes.total).toBe(1);
  });

  it('reaches memory at 1 TiB', () => {
    plug('far', 2 ** 40);
    answer('poke 0x10000000008 0x1234');
    expect(answer('peek 1T 2')).toBe('0x10000000000: 0x0000000000000000\n0x10000000008: 0x0000000000001234\n');
  });

  it('keeps the half-typed line when a message comes in', () => {
    guest.type('pee');
    guest.until('pee');
    guest.machine.backends.add('m', 64 * MIB);
    guest.machine.dimms.plug({ id: 'd', memdev: 'm', addr: 0x10000000 });
    guest.until('memory hotplug: DIMM slot 0 at 0x10000000, 64 MiB\r\nlab> pee');
    guest.type('k 0x10000000\r');
    guest.until('0x10000000: 0x0000000000000000\r\nlab> ');
  });

  it('accepts keys that were typed before it was ready', async () => {
    const early = await Guest.boot({ guest: { name: 'memlab', kernel } });
    early.type('peek 0x100000\r');
    early.until('lab> peek 0x100000\r\n0x00100000: ');
  });

  it('accepts a paste of 400 lines completely, at its prompt, after a command and before it was ready', async () => {
    const words = Array.from({ length: 400 }, (_, n) => 0x800000 + n * 8);
    const paste = words.map((at, n) => `poke 0x${at.toString(16)} ${n + 1}\r`).join('');
    const sum = `sum 0x800000 ${400 * 8}\r`;
    const expected = `sum 0x${((400 * 401) / 2).toString(16).padStart(16, '0')} over 400 words\r\nlab> `;
    guest.type(paste + sum);
    guest.until(expected);
    guest.type(`fill 0x800000 8K 0\rtest 0xa00000 64K\r${paste}${sum}`);
    guest.until(expected);

    const early = await Guest.boot({ guest: { name: 'memlab', kernel } });
    early.type(paste + sum);
    early.until(expected);
  });

  it('edits the line: backspace, Ctrl-U, Ctrl-C, cursor up', () => {
    guest.type('upp\x7ftime nonsense\x15\x1b[Cuptix\x08me\r');
    guest.until('s of guest time');
    guest.type('nonsense\x03');
    guest.until('^C\r\nlab> ');
    guest.type('\x1b[A\r');
    guest.until('s of guest time');
  });

  it('keeps held memory, and answers busy', () => {
    plug('a', 0x10000000);
    expect(answer('hold 0')).toContain('requests to remove it are refused');
    guest.machine.dimms.unplug('a');
    guest.until('DIMM slot 0 at 0x10000000 stays: held');
    expect(guest.machine.dimms.list()[0]?.pendingUnplug).toBe(false);
    answer('release 0');
    guest.machine.dimms.unplug('a');
    guest.until('given back');
    expect(guest.machine.dimms.list()).toEqual([]);
  });

  it('keeps memory that a running command uses', () => {
    plug('a', 0x10000000);
    guest.type('watch 0x10000000\r');
    guest.until('any key ends');
    guest.machine.dimms.unplug('a');
    guest.until('stays: in use by the running command');
    guest.type('q');
    guest.until(', 0 changes, 0 holes\r\nlab> ');
    expect(guest.machine.dimms.list()).toHaveLength(1);
  });

  it('sweep uses as many translations as its range has pages', () => {
    guest.type('sweep 0x800000 1M\r');
    guest.until('0x00800000, 1 MiB: a word of each page, round and round (any key ends)');
    guest.machine.run.advance(100_000);
    const before = guest.machine.inspect.stats().tlb_misses ?? 0;
    guest.machine.changeSet.setZap('all');
    guest.machine.memory.setUserMemoryRegion({
      slot: 90,
      guestPhysAddr: 0x40000000,
      memorySize: PAGE,
      userspaceAddr: guest.machine.host.allocate(PAGE, 'bare'),
    });
    guest.machine.memory.setUserMemoryRegion({ slot: 90, guestPhysAddr: 0, memorySize: 0, userspaceAddr: 0 });
    guest.machine.run.advance(100_000);
    expect((guest.machine.inspect.stats().tlb_misses ?? 0) - before).toBeGreaterThanOrEqual(256);
    guest.type('q');
    guest.until(' rounds over 256 pages\r\nlab> ');
  });

  it('reports a slot that shrinks and one that is removed', () => {
    plug('a', 0x10000000);
    const { memory } = guest.machine;
    const { slot } = memory.memslotAt(0x10000)!;
    expect(memory.resizeMemslot(slot, 32 * MIB).ok).toBe(true);
    guest.until('memory resized: DIMM slot 0 at 0x10000000 from 64 MiB to 32 MiB');
    const gone = { slot, guestPhysAddr: 0x10000000, memorySize: 0, userspaceAddr: 0 };
    expect(memory.setUserMemoryRegion(gone).ok).toBe(true);
    guest.until('DIMM slot 0 at 0x10000000 is gone');
  });

  it('Ctrl-C stops a long command', () => {
    guest.type('test 0x400000 8M\r');
    guest.until('own address');
    guest.type('\x03');
    guest.until('test: stopped, 0 bad words so far\r\nlab> ');
  });

  it('Ctrl-C after a long paste stops the running command, and the pasted lines are not run', () => {
    const pasted = 'poke 0xd00000 0x4711\r'.repeat(400);
    guest.type('fill 0xd00000 4K 0\rtest 0x400000 8M\r');
    guest.until('own address');
    guest.type(`${pasted}\x03`);
    guest.until('^C\r\n\r\ntest: stopped, 0 bad words so far\r\nlab> ');
    expect(answer('peek 0xd00000')).toContain('0x0000000000000000');
    // At the prompt too.
    guest.type(`${pasted}\x03`);
    guest.until('^C\r\nlab> ');
    guest.type('uptime\r');
    guest.until('s of guest time\r\nlab> ');
  });

  it('input beyond the type-ahead buffer waits on the line and is not lost either', () => {
    guest.type(`test 0x400000 64K\r${`${'x'.repeat(100)}\x15`.repeat(700)}poke 0x900000 0x1234\rpeek 0x900000\r`);
    guest.until('0x0000000000001234\r\nlab> ');
  });

  it('test finds no error in good memory, and the exact range of a read-only slot', () => {
    expect(answer('test 0x900000 256K', 200e6)).toContain('test: no error in 256 KiB');
    const { memory } = guest.machine;
    expect(memory.splitMemslot(memory.memslotAt(0xa00)!.slot, 0xa00000, 100).ok).toBe(true);
    expect(memory.splitMemslot(100, 0xa00000 + 4 * PAGE, 101).ok).toBe(true);
    const { userspaceAddr } = memory.memslotById(100)!;
    const region = { slot: 100, flags: MemFlag.ReadOnly, guestPhysAddr: 0xa00000, memorySize: 4 * PAGE, userspaceAddr };
    expect(memory.changeUserMemoryRegions([region]).ok).toBe(true);
    const text = answer('test 0x9f0000 128K', 200e6);
    expect(text).toMatch(/bad 0x00a00000 - 0x00a04000,/);
    expect(text).toMatch(/test: \d+ bad words in 1 range\n/);
    expect(answer('poke 0xa00008 0x77')).toContain('did not take 0x77');
  });

  it.each([
    ['peek', 'peek: an argument is missing\nusage: peek ADDR [N]\n'],
    ['peek 0xzz', 'peek: 0xzz: not a number below 2^64 (0x1000, 4096, 64K, 64M, 1G)\nusage: peek ADDR [N]\n'],
    ['peek 1 2 3', 'peek: 3: one argument too many\nusage: peek ADDR [N]\n'],
    ['peek 64T', 'peek: 64T: physical addresses end at 0x400000000000 (46 bits)\n'],
    ['poke 0x100000 1', expect.stringContaining('is memlab itself')],
    ['fill 0x800004 8 1', 'fill: 0x800004: the address must be a multiple of 8\n'],
    ['fill 0x800000 0 1', 'fill: 0: the length must be a multiple of 8, at least 8\n'],
    ['hold 3', 'hold: DIMM slot 3 holds no memory (mem lists the DIMM slots)\n'],
    ['nonsense', 'nonsense: unknown command, help lists them\n'],
  ])('answers %j clearly', (line, text) => {
    expect(answer(line)).toEqual(text);
  });

  it('reports an exception and returns to the prompt', () => {
    expect(answer('fault')).toMatch(/invalid opcode \(vector 6, error code 0x0\) at rip 0x10[0-9a-f]{4}\n/);
    expect(answer('uptime')).toMatch(/^up \d+\.\d{3} s of guest time\n$/);
  });

  it('crash is a triple fault, after which the machine stops', () => {
    guest.type('crash\r');
    guest.machine.run.advance(5e6);
    expect(guest.machine.run.state).toBe('shutdown');
  });

  it('reset starts anew', () => {
    expect(answer('reset')).toMatch(/^resetting\n\nmemlab, x86-64, /);
  });

  it('off switches the machine off', () => {
    guest.type('off\r');
    guest.machine.run.advance(5e6);
    expect(guest.events).toContainEqual({ type: 'quit', status: 0 });
  });

  it('bench computes the same as on any processor', () => {
    const text = answer('bench', 500e6);
    const results = [...text.matchAll(/(\w+) +0x([0-9a-f]{8}) /g)].map(([, name, result]) => `${name} ${result}`);
    // The same figures as under QEMU.
    expect(results).toEqual(['sieve 0000198e', 'crc32 6182291b', 'chase 00000b80', 'fib 00012511']);
  });
});
