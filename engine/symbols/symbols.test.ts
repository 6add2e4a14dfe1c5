import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Guest } from '../../test/guests/harness';
import { Monitor } from '../monitor/index';
import { testEnv } from '../monitor/testing';
import { SymbolError } from './error';
import { type FilePieces, readSymbols } from './file';
import { symbolsOf } from './guest';
import { kallsymsAt, tokenIndexes } from './kallsyms';
import { elf64, kallsymsImage, manySymbols } from './testing';

const BASE = 0xffffffff81000000n;
const pieces = (bytes: Uint8Array): FilePieces => ({
  size: bytes.length,
  read: async (offset, length) => bytes.slice(offset, offset + length),
});
const text = (lines: string): FilePieces => pieces(new TextEncoder().encode(lines));

/** xorshift32 */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

describe('a symbol file', () => {
  it('names each byte of a function, and nothing between two of them', async () => {
    const table = await readSymbols(
      pieces(
        elf64([
          { name: 'second', address: 0x2000n, size: 0x10 },
          { name: 'first', address: 0x1000n, size: 0x40 },
        ]),
      ),
    );
    expect(table.at(0x1000n)).toEqual({ name: 'first', offset: 0 });
    expect(table.at(0x103fn)).toEqual({ name: 'first', offset: 0x3f });
    for (const outside of [0x0fffn, 0x1040n, 0x1fffn, 0x2010n, 0xffffffffffffffffn]) expect(table.at(outside)).toBeUndefined();
    expect(table.find('second')).toBe(0x2000n);
    expect(table.find('third')).toBeUndefined();
    expect(table.startingWith('s', 10)).toEqual(['second']);
  });

  it('may be a System.map: per-CPU offsets and absolute numbers are no addresses', async () => {
    const map = `0000000000000000 D __per_cpu_start\n0000000001000000 A phys_startup_64\n${BASE.toString(16)} T _text\n${(BASE + 0x100n).toString(16)} t do_it\t[module]\n`;
    const table = await readSymbols(text(map));
    expect(table.size).toBe(2);
    expect(table.at(BASE + 0x104n)).toEqual({ name: 'do_it', offset: 4 });
    expect(table.at(0x10n)).toBeUndefined();
  });

  it.each([
    ['', 'the file is empty'],
    ['hello\n', 'line 1 is not "address type name": "hello"'],
    ['0000000000001000 T a\n10 T b\n', 'line 2 is not'],
    ['0000000000000000 T a\n0000000000000000 T b\n', 'kptr_restrict'],
    ['\n\n', 'it names no symbol'],
    ['\x00\x01\x02', 'neither an ELF file nor a System.map'],
  ])('is refused in words: %j', async (lines, reason) => {
    await expect(readSymbols(text(lines))).rejects.toThrow(reason);
  });

  it('is not read when it is compressed: that is said', async () => {
    await expect(readSymbols(pieces(Uint8Array.of(0x1f, 0x8b, 8, 0)))).rejects.toThrow('gunzip');
  });

  it('refuses an ELF file that is cut short, or claims more than there is, with the number', async () => {
    const whole = elf64([{ name: 'main', address: 0x1000n }]);
    const patched = (at: number, value: number): FilePieces => {
      const bytes = whole.slice();
      new DataView(bytes.buffer).setUint32(at, value, true);
      return pieces(bytes);
    };
    const sections = whole.length - 3 * 64;
    await expect(readSymbols(patched(60, 0xffff))).rejects.toThrow('the table of sections is cut short');
    await expect(readSymbols(patched(sections + 64 + 32, 0xfffffff0))).rejects.toThrow(/it has 178956970 symbols, at most 2000000/);
    await expect(readSymbols(patched(sections + 64 + 40, 9))).rejects.toThrow('name section 9 for their names, there are 3');
    await expect(readSymbols(patched(sections + 64 + 56, 1))).rejects.toThrow('1 bytes each, 24 are needed');
    await expect(readSymbols(patched(sections + 64 + 4, 1))).rejects.toThrow('it was stripped');
    await expect(readSymbols(patched(40, 0))).rejects.toThrow('without sections');
    for (let length = 1; length < whole.length; length++)
      await expect(readSymbols(pieces(whole.slice(0, length)))).rejects.toThrow(SymbolError);
  });

  it('is accepted or refused, whatever bytes it has', async () => {
    const seed = Date.now() >>> 0 || 1;
    const next = random(seed);
    const whole = elf64(manySymbols(40, 0x1000n));
    for (let run = 0; run < 400; run++) {
      const bytes = whole.slice(0, run % 3 === 0 ? next() % whole.length : whole.length);
      for (let change = next() % 6; change > 0 && bytes.length > 6; change--) bytes[6 + (next() % (bytes.length - 6))] = next();
      try {
        (await readSymbols(pieces(bytes))).at(BigInt(next()));
      } catch (error) {
        expect(error, `seed ${seed}, run ${run}`).toBeInstanceOf(SymbolError);
      }
    }
  });
});

describe('kallsyms in memory', () => {
  it.each([
    ['of Linux up to 6.3', false],
    ['of 6.4 and newer', true],
  ])('are read in the layout %s', (_name, late) => {
    const symbols = manySymbols(3000, BASE);
    const all = late ? symbols : [{ name: 'per_cpu_thing', address: 0x20n }, ...symbols];
    const { bytes, index } = kallsymsImage(all, BASE, late);
    expect(tokenIndexes(bytes)).toContain(index);
    const table = kallsymsAt({ bytes, index })!;
    expect(table.size).toBe(3000);
    for (const each of [0, 1, 255, 256, 1024, 2999]) {
      const { name, address } = symbols[each]!;
      expect(table.at(address + 5n)).toEqual({ name, offset: 5 });
      expect(table.find(name)).toBe(address);
    }
  });

  it('are refused where anything does not fit, and random bytes never hang or throw', () => {
    const { bytes, index } = kallsymsImage(manySymbols(700, BASE), BASE, true);
    const seed = Date.now() >>> 0 || 1;
    const next = random(seed);
    for (let run = 0; run < 150; run++) {
      const broken = bytes.slice();
      const from = next() % broken.length;
      for (let at = from; at < Math.min(broken.length, from + (next() % 600)); at++) broken[at] = next();
      const table = kallsymsAt({ bytes: broken, index });
      if (table) expect(table.size, `seed ${seed}, run ${run}`).toBe(700);
    }
    expect(kallsymsAt({ bytes: bytes.slice(index - 64), index: 64 })).toBeUndefined();
    const noise = Uint8Array.from({ length: 1 << 20 }, () => next());
    for (const at of tokenIndexes(noise)) expect(kallsymsAt({ bytes: noise, index: at })).toBeUndefined();
  });

  it('cost a bounded search in memory that is made to mislead: a token table, and markers everywhere before it', () => {
    const { bytes, index } = kallsymsImage(manySymbols(300, BASE), BASE, true);
    const size = 4 << 20;
    const trap = new Uint8Array(size + bytes.length);
    const view = new DataView(trap.buffer);
    for (let at = 0; at < size; at += 8) view.setUint32(at + 4, 600 + (at % 1000), true);
    trap.set(bytes.slice(index - 1024, index + 512), size);
    expect(kallsymsAt({ bytes: trap, index: size + 1024 })).toBeUndefined();
  });
});

describe('memlab', () => {
  const kernel = new Uint8Array(readFileSync(new URL('../../guests/memlab/memlab.elf', import.meta.url)));

  it('has its own names: for symbol, x /i, info walk and info backtrace', async () => {
    const guest = await Guest.boot({ guest: { name: 'memlab', kernel } });
    guest.until('lab> ');
    const monitor = new Monitor(guest.machine, testEnv());
    expect(await monitor.execute('symbol')).toMatch(/^memlab: 1\d\d symbols\n$/);
    const address = /^command_poke (0x[0-9a-f]+)\n$/.exec(await monitor.execute('symbol command_poke'))![1]!;
    expect(await monitor.execute(`symbol ${address}+4`)).toMatch(/^0x[0-9a-f]{16} command_poke\+0x4\n$/);
    expect(await monitor.execute('symbol command_pok')).toMatch(/^Error: there is no symbol 'command_pok'; there is command_poke\n$/);
    expect(await monitor.execute('symbol 0x90000000')).toBe('Error: no symbol is known at 0x90000000\n');
    expect(await monitor.execute('x /1i command_poke')).toMatch(/^command_poke:\n0x0010[0-9a-f]{4}: /);
    expect(await monitor.execute('x /40i lab_main')).toMatch(/ callq? +0x[0-9a-f]+ <[a-z_0-9]+>\n/);
    expect(await monitor.execute('info walk command_poke')).toMatch(/^0x10[0-9a-f]{4} <command_poke>: 4-level paging/);
    const frames = (await monitor.execute('info backtrace')).split('\n');
    expect(frames[0]).toMatch(/^#0 {2}0x[0-9a-f]{16} [a-z_]+\+0x[0-9a-f]+$/);
    expect(frames.some((frame) => /lab_main\+0x[0-9a-f]+ \(guess\)$/.test(frame))).toBe(true);
    expect(await monitor.execute('info backtrace 7')).toBe('Error: invalid CPU index\n');
    // A breakpoint by name, and the backtrace there.
    await monitor.execute('breakpoint_add gva=command_poke,once=on');
    guest.type('poke 0x500000 1\r');
    guest.machine.run.advance(5e6);
    expect(guest.machine.run.state).toBe('paused');
    expect(await monitor.execute('info backtrace')).toMatch(/^#0 {2}0x[0-9a-f]{16} command_poke\n#1 {2}0x[0-9a-f]{16} [a-z_]+\+0x/);
    expect(await monitor.execute('memslot_move 3 command_poke')).toMatch(/invalid char/);
  });

  it('uses a file before its own symbols', async () => {
    const guest = await Guest.boot({ guest: { name: 'memlab', kernel } });
    guest.machine.run.advance(1e6);
    const symbols = symbolsOf(guest.machine);
    const own = symbols.find('lab_main')!;
    await symbols.load('mine', pieces(elf64([{ name: 'mine', address: own, size: 8 }])));
    expect(symbols.name(own)).toBe('mine');
    expect(symbols.name(own + 8n)).toBe('lab_main+0x8');
    await expect(symbols.load('none', text('no'))).rejects.toThrow(SymbolError);
    expect(symbols.name(own)).toBe('mine');
    expect(symbols.sources().map(({ name }) => name)).toEqual(['mine', 'memlab']);
  });
});
