/**
 * `npm run bench:debug [-- ROUNDS]`: what a debugger costs a guest that runs in compiled code. Checkpoints, kept as the page keeps them, on three
 * workloads, off and on in turn on one machine; no breakpoint, a deleted one and one on another page; how long it takes to go back over one
 * second of guest time; and what breakpoints, checkpoints and the trace cost while they are off (hooks.ts). Processor time counts, except for
 * the way back. The best run counts, since other processes can only make a run longer; hooks.ts takes the median of the rounds' ratios.
 */
import { cpus, loadavg } from 'node:os';
import { breakpointsOf, type Journal, Reverse } from '../../engine/debug/index';
import type { Machine } from '../../engine/machine/index';
import { Guest, MIB, rootFile } from '../guests/harness';
import { Linux, missing } from '../guests/linux';
import { hooks } from './hooks';

/** As the page has them. */
const KEPT = { instructions: 100_000_000, bytes: 128 * MIB };
const SECOND = 125_000_000;
const MOST_COST = 0.1;
const MOST_BACK_MS = 2000;
/** Of the comparison with builds that have no hooks. */
const HOOK_ROUNDS = 9;
/** Of a breakpoint that is gone: nothing, as far as this can be measured. */
const MOST_LEFT = 0.03;

/** ms for which the process had a processor: what else runs has less of a say. */
const timed = (act: () => void): number => {
  const start = process.cpuUsage();
  act();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
};
const percent = (part: number): string => `${(100 * part).toFixed(1)} %`;

interface Variant {
  name: string;
  /** The machine is in the same state afterwards. */
  around(act: () => void): void;
}

/** Runs the variants in turn, each round starting with the next one; ms of the best run of each. */
function compare(rounds: number, work: () => void, variants: readonly Variant[]): number[] {
  const best = variants.map(() => Number.POSITIVE_INFINITY);
  work();
  for (let round = 0; round < rounds; round++)
    for (let i = 0; i < variants.length; i++) {
      const at = (i + round) % variants.length;
      variants[at]!.around(() => {
        best[at] = Math.min(best[at]!, timed(work));
      });
    }
  return best;
}

/** Checkpoints off and on; the cost as a share. */
function checkpoints(name: string, machine: Machine, rounds: number, work: () => void): number {
  const instructions = machine.run.instructions;
  work();
  const ran = machine.run.instructions - instructions;
  let held = '';
  const [off, on] = compare(rounds, work, [
    { name: 'off', around: (act) => act() },
    {
      name: 'on',
      around(act) {
        machine.checkpoints.keep({ ...KEPT, mark: () => undefined, wallClock: () => performance.now() });
        act();
        const list = machine.checkpoints.list();
        held = `${list.length} kept at the end, ${(list.reduce((sum, { bytes }) => sum + bytes, 0) / MIB).toFixed(0)} MiB`;
        machine.checkpoints.keep(undefined);
      },
    },
  ]) as [number, number];
  const cost = on / off - 1;
  console.log(
    `checkpoints, ${name}: ${(ran / 1e6).toFixed(0)} M instructions, ${off.toFixed(0)} ms without, ${on.toFixed(0)} ms with: ${percent(cost)} (${held})`,
  );
  return cost;
}

const memlab = (): Promise<Guest> =>
  Guest.boot({ guest: { name: 'memlab', kernel: rootFile('guests/memlab/memlab.elf') }, ram: 128 * MIB, accel: 'jit' });

/** memlab's integer loops, `times` times. */
function loops(guest: Guest, times: number): () => void {
  return () => {
    for (let i = 0; i < times; i++) guest.command('bench');
  };
}

/** The cost of one that is gone, as a share. */
function breakpoints(guest: Guest, rounds: number): number {
  const set = breakpointsOf(guest.machine);
  const add = (): number =>
    set.add({
      place: { kind: 'gpa', first: 0x6000000n, length: 8 },
      access: { execute: false, read: true, write: true },
    }).id;
  const [none, deleted, elsewhere] = compare(rounds, loops(guest, 8), [
    { name: 'none', around: (act) => act() },
    {
      name: 'deleted',
      around(act) {
        set.delete(add());
        act();
      },
    },
    {
      name: 'elsewhere',
      around(act) {
        const id = add();
        act();
        set.delete(id);
      },
    },
  ]) as [number, number, number];
  console.log(
    `breakpoints, memlab's loops: ${none.toFixed(0)} ms with none, ${deleted.toFixed(0)} ms with one deleted (${percent(deleted / none - 1)}), ` +
      `${elsewhere.toFixed(0)} ms with one on another page (${percent(elsewhere / none - 1)})`,
  );
  return deleted / none - 1;
}

/** Over at least a second of guest time, to a write at its beginning. */
async function back(rounds: number): Promise<number> {
  const guest = await memlab();
  guest.until('lab> ');
  const { machine } = guest;
  const typed: { at: Machine['run']['position']; text: string }[] = [];
  const journal: Journal = {
    get length() {
      return typed.length;
    },
    at: (index) => typed[index]!.at,
    redo: (index) => machine.serial.input(new TextEncoder().encode(typed[index]!.text)),
    past: () => {},
  };
  const command = (text: string): void => {
    typed.push({ at: machine.run.position, text: `${text}\r` });
    guest.command(text);
  };
  const reverse = new Reverse({ machine, journal, wallClock: () => performance.now(), ...KEPT });
  command('poke 0x5000000 0x77');
  const began = machine.run.instructions;
  while (machine.run.instructions < began + SECOND) command('bench');
  machine.run.stop();
  breakpointsOf(machine).add({
    place: { kind: 'gpa', first: 0x5000000n, length: 8 },
    access: { execute: false, read: false, write: true },
  });
  const over = machine.run.instructions - began;
  let best = Number.POSITIVE_INFINITY;
  let step = Number.POSITIVE_INFINITY;
  for (let round = 0; round < rounds; round++) {
    let start = performance.now();
    if ((await reverse.toBreakpoint(async () => true)) !== 'there') throw new Error('the write was not found');
    best = Math.min(best, performance.now() - start);
    await reverse.home();
    start = performance.now();
    await reverse.step(0, async () => true);
    step = Math.min(step, performance.now() - start);
    await reverse.home();
  }
  console.log(
    `back over ${(over / 1e6).toFixed(0)} M instructions, ${machine.checkpoints.list().length} checkpoints: ${best.toFixed(0)} ms to a write at their beginning, ` +
      `${step.toFixed(0)} ms to the instruction before`,
  );
  return best;
}

async function main(): Promise<number> {
  const rounds = Number(process.argv[2] ?? '5');
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`ROUNDS is a whole number from 1 on, not ${process.argv[2]}`);
  console.log(
    `${cpus()[0]?.model.trim()}, Node ${process.versions.node}, best of ${rounds}, load of the machine before: ${loadavg()[0]!.toFixed(1)}`,
  );
  const costs: number[] = [];
  const guest = await memlab();
  guest.until('lab> ');
  costs.push(checkpoints("memlab's loops", guest.machine, rounds, loops(guest, 16)));
  costs.push(
    checkpoints('memlab filling and summing 64 MiB', guest.machine, rounds, () => {
      for (let i = 0; i < 4; i++) {
        guest.command('fill 0x2000000 0x4000000 0x5a', 'lab> ', 1e9);
        guest.command('sum 0x2000000 0x4000000', 'lab> ', 1e9);
      }
    }),
  );
  const left = breakpoints(guest, rounds);
  if (missing === undefined) {
    const linux = await Linux.boot({ accel: 'jit' });
    const work =
      'dd if=/dev/zero of=/tmp/f bs=1M count=32 2>&1; cp /tmp/f /tmp/g; rm /tmp/f /tmp/g; head -c 512k /proc/kallsyms | sort -r | md5sum';
    costs.push(checkpoints('Linux copying 32 MiB and sorting 0.5 MiB', linux.machine, rounds, () => void linux.sh(work)));
  } else console.log(missing);
  const ms = await back(rounds);
  const most = Math.max(...costs);
  const reached = [
    [most <= MOST_COST, `checkpoints cost ${percent(most)} of at most ${percent(MOST_COST)}`],
    [left <= MOST_LEFT, `a breakpoint that was deleted costs ${percent(left)} of at most ${percent(MOST_LEFT)}`],
    [ms <= MOST_BACK_MS, `back over a second of guest time in ${ms.toFixed(0)} ms of at most ${MOST_BACK_MS} ms`],
    ...(await hooks(HOOK_ROUNDS)),
  ] as const;
  for (const [ok, text] of reached) console.log(`${ok ? 'reached' : 'MISSED'}: ${text}`);
  return reached.every(([ok]) => ok) ? 0 : 1;
}

process.exitCode = await main();
