/** Real guests in both tiers: the same digest at the same counts of instructions. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { MachineOptions } from '../../engine/machine/index';
import { GIB, Guest, MIB, rootFile } from '../guests/harness';
import { linuxImage, missing } from '../guests/linux';
import { sameAgain } from '../guests/recorded';

const SEED = 20261130;
const MEMTEST = join(import.meta.dirname, '../../public/guests/memtest86plus.bin');

/** Digests after each of `counts` instructions, the guest's output, and the number of compiled regions. */
async function digests(
  options: Partial<MachineOptions>,
  counts: readonly number[],
  typed = '',
): Promise<{ seen: string[]; compiled: number }> {
  const guest = await Guest.boot(options);
  const { machine } = guest;
  const seen: string[] = [];
  for (const count of counts) {
    machine.run.advance(count - machine.run.instructions);
    seen.push(`${machine.run.instructions} ${await machine.digest()} ${guest.text}`);
    guest.type(typed);
  }
  return { seen, compiled: machine.inspect.jitFigures()?.compiled ?? 0 };
}

async function compare(options: Partial<MachineOptions>, counts: readonly number[], typed = ''): Promise<void> {
  const interpreted = await digests({ ...options, accel: 'interp' }, counts, typed);
  const compiled = await digests({ ...options, accel: 'jit' }, counts, typed);
  expect(compiled.seen).toEqual(interpreted.seen);
  expect(compiled.compiled).toBeGreaterThan(1);
}

describe('the same guest in both tiers', () => {
  it('memlab, typed to', { timeout: 120_000 }, () =>
    compare(
      { guest: { name: 'memlab', kernel: rootFile('guests/memlab/memlab.elf') } },
      [3e6, 7e6, 15_000_001, 40e6, 60_000_007],
      'bench\rmem\r',
    ),
  );

  it.skipIf(!existsSync(MEMTEST))('Memtest86+', { timeout: 120_000 }, () =>
    compare(
      { guest: { name: 'memtest86+', kernel: new Uint8Array(readFileSync(MEMTEST)) }, ram: 24 * MIB, slots: 0, maxmem: 24 * MIB },
      [20e6, 77_777_777],
    ),
  );

  it.skipIf(missing)('Linux, one vCPU', { timeout: 240_000 }, () =>
    compare({ guest: linuxImage(), ram: 256 * MIB, slots: 8, maxmem: 4 * GIB }, [40e6, 111_111_111, 200e6]),
  );

  it.skipIf(missing)('Linux, three vCPUs', { timeout: 240_000 }, () =>
    compare({ guest: linuxImage(), ram: 256 * MIB, slots: 8, maxmem: 4 * GIB, smp: 3 }, [60e6, 123_456_789]),
  );
});

it.each([
  ['jit', 'interp'],
  ['interp', 'jit'],
] as const)('what memlab did with -accel %s, it repeats with -accel %s', async (first, then) => {
  const options = { guest: { name: 'memlab', kernel: rootFile('guests/memlab/memlab.elf') }, accel: first };
  const inputs = ['bench\r', 'mem\r', 'fill 0x1000000 1M 7\r', '<plug>', '<unplug>', '<stop>', '<cont>', '<cont>', '<cont>'];
  const { text } = await sameAgain(options, SEED, inputs, 80, 12, { accel: then });
  expect(text).toContain('crc32');
});
