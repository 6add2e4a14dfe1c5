/** A run with inputs at moments of the wall clock, and the same inputs at the same positions in another machine: the same machine. */
import { describe, expect, it } from 'vitest';
import type { MachineOptions, Position } from '../../engine/machine/api';
import { multibootImage } from '../support/assembler';
import { Random } from '../support/random';
import { COUNTER, startSecond } from '../support/two-vcpus';
import { Guest, rootFile } from './harness';
import { linuxImage, missing } from './linux';

const kernel = rootFile('guests/memlab/memlab.elf');

/** vCPU 1 counts and then sleeps for ever with interrupts off; vCPU 0 reads the serial line by polling, and sleeps too on a '!'. */
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

interface Taken {
  at: Position;
  input: string;
}

/** Runs by the wall clock, which a seed moves, and takes inputs now and then. */
async function record(options: Partial<MachineOptions>, seed: number, inputs: readonly string[], rounds: number) {
  const random = new Random(seed);
  let now = 0;
  const guest = await Guest.boot({ ...options, wallClock: () => (now += 0.7) });
  const { machine } = guest;
  const taken: Taken[] = [];
  for (let n = 0; n < rounds; n++) {
    for (let runs = random.below(4); runs > 0; runs--) {
      machine.runUntil(now + random.below(6));
      now += random.below(30);
    }
    machine.catchUp();
    const input = random.of(inputs);
    taken.push({ at: machine.position, input });
    apply(guest, input);
  }
  machine.runUntil(now + 5);
  machine.catchUp();
  return { taken, end: machine.position, digest: await machine.digest(), text: guest.text };
}

function apply(guest: Guest, input: string): void {
  if (input === '<stop>') guest.machine.stop();
  else if (input === '<cont>') guest.machine.cont();
  else if (input === '<reset>') guest.machine.reset();
  else guest.type(input);
}

/** The same again, in stretches that another seed chooses. */
async function replay(options: Partial<MachineOptions>, seed: number, run: Awaited<ReturnType<typeof record>>) {
  const random = new Random(seed);
  let now = 0;
  const guest = await Guest.boot({ ...options, wallClock: () => (now += 0.1 + random.below(2)) });
  const { machine } = guest;
  const go = (to: Position): void => {
    for (;;) {
      const result = machine.runTo(to, now + 1);
      if (result === 'there') return;
      if (result === 'never') throw new Error(`at ${JSON.stringify(machine.position)} and not at ${JSON.stringify(to)}`);
    }
  };
  for (const { at, input } of run.taken) {
    go(at);
    apply(guest, input);
  }
  go(run.end);
  return { digest: await machine.digest(), text: guest.text };
}

describe('inputs at the positions of another run lead to the same machine', () => {
  const same = async (options: Partial<MachineOptions>, inputs: readonly string[], rounds: number, seeds: readonly number[]) => {
    for (const seed of seeds) {
      const first = await record(options, seed, inputs, rounds);
      const again = await replay(options, seed + 1, first);
      expect(again.digest, `seed ${seed}`).toBe(first.digest);
      expect(again.text, `seed ${seed}`).toBe(first.text);
    }
  };

  it('memlab, typed to while it works and while it is idle, stopped and reset', async () => {
    const inputs = ['a', '\r', 'mem\r', '<stop>', '<cont>', '<cont>', '<cont>', '<reset>', 'watch 0x2000000\r', 'q'];
    await same({ guest: { name: 'memlab', kernel } }, inputs, 60, [1, 2, 3]);
  });

  it('three vCPUs of which some sleep', async () => {
    await same({ guest: { name: 'sleepers', kernel: sleepers }, smp: 3 }, ['a', 'bc', '<stop>', '<cont>', '<cont>'], 80, [5, 6, 7]);
  });

  it.skipIf(missing)(
    'Linux with two vCPUs, as it boots',
    async () => {
      await same({ guest: linuxImage(), ram: 256 * 0x100000, smp: 2 }, ['a', '\r', '<stop>', '<cont>'], 400, [8]);
    },
    120_000,
  );

  it('a run with other inputs is told from it', async () => {
    const options = { guest: { name: 'memlab', kernel } };
    const first = await record(options, 11, ['mem\r', '\r'], 20);
    first.taken[10]!.input += 'mem\r';
    await expect(replay(options, 12, first)).rejects.toThrow(/and not at/);
  });
});
