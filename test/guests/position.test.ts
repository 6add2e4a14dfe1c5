/** A run with inputs at wall-clock times, repeated with the same inputs at the same positions in another machine, ends in the same state. */
import { describe, expect, it } from 'vitest';
import type { MachineOptions } from '../../engine/machine/index';
import { multibootImage } from '../support/assembler';
import { COUNTER, startSecond } from '../support/two-vcpus';
import { MIB, rootFile } from './harness';
import { linuxImage, missing } from './linux';
import { record, replay, sameAgain } from './recorded';

const kernel = rootFile('guests/memlab/memlab.elf');

/** vCPU 1 counts and then halts forever with interrupts off; vCPU 0 polls the serial line, and halts too on a '!'. */
const sleepers = multibootImage((asm) => {
  startSecond(asm, 64);
  // 16 bits: xor ax, ax; mov ds, ax; mov cx, 5000; L: lock inc dword [COUNTER]; loop L; hlt; jmp to hlt
  asm.b(
    0x31,
    0xc0,
    0x8e,
    0xd8,
    0xb9,
    0x88,
    0x13,
    0xf0,
    0x66,
    0xff,
    0x06,
    COUNTER & 255,
    COUNTER >> 8,
    0xe2,
    -8 & 255,
    0xf4,
    0xeb,
    -3 & 255,
  );
});

describe('inputs at the positions of another run lead to the same state', () => {
  const same = async (options: Partial<MachineOptions>, inputs: readonly string[], rounds: number, seeds: readonly number[]) => {
    for (const seed of seeds) expect((await sameAgain(options, seed, inputs, rounds)).taken).toHaveLength(rounds);
  };

  it('memlab, typed to while it works and while it is idle, stopped and reset', async () => {
    const inputs = ['a', '\r', 'mem\r', '<stop>', '<cont>', '<cont>', '<cont>', '<reset>', 'watch 0x2000000\r', 'q'];
    await same({ guest: { name: 'memlab', kernel } }, inputs, 60, [1, 2, 3]);
  });

  it('three vCPUs, some of them asleep', async () => {
    await same({ guest: { name: 'sleepers', kernel: sleepers }, smp: 3 }, ['a', 'bc', '<stop>', '<cont>', '<cont>'], 80, [5, 6, 7]);
  });

  it.skipIf(missing)(
    'Linux with two vCPUs, as it boots and as it waits at its prompt',
    async () => {
      const inputs = ['a', '\r', '<stop>', '<cont>', '<cont>', '<cont>'];
      const { text } = await sameAgain({ guest: linuxImage(), ram: 256 * MIB, smp: 2 }, 8, inputs, 2_000, 8);
      expect(text).toContain('guest# ');
    },
    120_000,
  );

  it('a run with other inputs differs from it', async () => {
    const options = { guest: { name: 'memlab', kernel } };
    const first = await record(options, 11, ['mem\r', '\r'], 20);
    first.taken[10]!.input += 'mem\r';
    await expect(replay(options, 12, first)).rejects.toThrow(/and not at/);
  });
});
