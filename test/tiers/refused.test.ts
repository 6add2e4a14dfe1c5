/** If WebAssembly may not be compiled at run time, the guest still runs, and the log says what is missing. */
import { afterEach, expect, it } from 'vitest';
import { Monitor } from '../../engine/monitor/index';
import { testEnv } from '../../engine/monitor/testing';
import { Guest, rootFile } from '../guests/harness';

const { Module } = WebAssembly;
afterEach(() => {
  WebAssembly.Module = Module;
});

it('falls back to the interpreter', async () => {
  const guest = await Guest.boot({ guest: { name: 'memlab', kernel: rootFile('guests/memlab/memlab.elf') }, accel: 'jit' });
  class Refused {
    constructor() {
      throw new EvalError('unsafe-eval is not an allowed source of script');
    }
  }
  WebAssembly.Module = Refused as unknown as typeof WebAssembly.Module;
  guest.until('lab> ');
  expect(guest.command('bench', 'lab> ', 1e9)).toMatch(/sieve[\s\S]*crc32[\s\S]*chase[\s\S]*fib/);
  const logs = guest.events.flatMap((event) => (event.type === 'log' ? [event.text] : []));
  expect(logs.filter((text) => text.includes('JIT'))).toEqual(['the JIT is off: unsafe-eval is not an allowed source of script']);
  expect(guest.machine.inspect.codeTier()).toEqual({
    tier: 'interpreter',
    why: 'refused',
    text: 'unsafe-eval is not an allowed source of script',
  });
  expect(await new Monitor(guest.machine, testEnv()).execute('info jit')).toContain('off, the interpreter runs');
});
