/** A run with inputs at wall-clock times, and its repetition with the same inputs at the same positions in another machine. */
import type { MachineOptions, Position } from '../../engine/machine/index';
import { Random } from '../support/random';
import { Guest } from './harness';

/** The actions for inputs in angle brackets; all others are typed. A refusal must be the same in both runs. */
const DEEDS: Record<string, (guest: Guest) => void> = {
  '<stop>': ({ machine }) => machine.run.stop(),
  '<cont>': ({ machine }) => machine.run.cont(),
  '<reset>': ({ machine }) => machine.reset(),
  '<plug>': ({ machine }) => {
    if (!machine.backends.list().some(({ id }) => id === 'm')) machine.backends.add('m', 128 * 0x100000);
    machine.dimms.plug({ id: 'd', memdev: 'm' });
  },
  '<unplug>': ({ machine }) => machine.dimms.unplug('d'),
  '<nmi>': ({ machine }) => machine.nmi?.(0),
};

interface Recorded {
  taken: { at: Position; input: string }[];
  end: Position;
  digest: string;
  text: string;
}

function apply(guest: Guest, input: string): void {
  const deed = DEEDS[input];
  if (!deed) {
    guest.type(input);
    return;
  }
  try {
    deed(guest);
  } catch {}
}

/** Runs by a wall clock that a seed advances, with occasional inputs. `pace`: factor for the stretches between them. */
export async function record(
  options: Partial<MachineOptions>,
  seed: number,
  inputs: readonly string[],
  rounds: number,
  pace = 1,
): Promise<Recorded> {
  const random = new Random(seed);
  let now = 0;
  const guest = await Guest.boot({ ...options, wallClock: () => (now += 0.7) });
  const { machine } = guest;
  const taken: Recorded['taken'] = [];
  for (let n = 0; n < rounds; n++) {
    for (let runs = random.below(4); runs > 0; runs--) {
      machine.run.until(now + random.below(6 * pace));
      now += random.below(30);
    }
    machine.run.catchUp();
    const input = random.of(inputs);
    taken.push({ at: machine.run.position, input });
    apply(guest, input);
  }
  machine.run.until(now + 5);
  machine.run.catchUp();
  return { taken, end: machine.run.position, digest: await machine.digest(), text: guest.text };
}

/**
 * Repeats it, in stretches that another seed chooses.
 * @throws Error with both positions when it cannot reach the position of an input
 */
export async function replay(options: Partial<MachineOptions>, seed: number, run: Recorded): Promise<Pick<Recorded, 'digest' | 'text'>> {
  const random = new Random(seed);
  let now = 0;
  const guest = await Guest.boot({ ...options, wallClock: () => (now += 0.1 + random.below(2)) });
  const { machine } = guest;
  const go = (to: Position): void => {
    for (;;) {
      const result = machine.run.to(to, now + 1);
      if (result === 'there') return;
      if (result === 'never')
        throw new Error(`seed ${seed - 1}: at ${JSON.stringify(machine.run.position)} and not at ${JSON.stringify(to)}`);
    }
  };
  for (const { at, input } of run.taken) {
    go(at);
    apply(guest, input);
  }
  go(run.end);
  return { digest: await machine.digest(), text: guest.text };
}

/**
 * `then`: options of the machine that repeats it.
 * @throws Error when the repetition diverged, or ended in another state
 */
export async function sameAgain(
  options: Partial<MachineOptions>,
  seed: number,
  inputs: readonly string[],
  rounds: number,
  pace = 1,
  then: Partial<MachineOptions> = {},
): Promise<Recorded> {
  const first = await record(options, seed, inputs, rounds, pace);
  const again = await replay({ ...options, ...then }, seed + 1, first);
  if (again.text !== first.text)
    throw new Error(`seed ${seed}: the guest wrote ${JSON.stringify(again.text)} and not ${JSON.stringify(first.text)}`);
  if (again.digest !== first.digest) throw new Error(`seed ${seed}: digest ${again.digest} and not ${first.digest}`);
  return first;
}
