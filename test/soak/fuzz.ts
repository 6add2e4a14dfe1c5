import { readFileSync } from 'node:fs';
import type { GuestImage, Machine } from '../../engine/machine/index';
import { createMachine } from '../../engine/machine/index';
import { Guest, MIB, rootFile } from '../guests/harness';
import { nonsense } from '../guests/nonsense';
import type { Soak } from './soak';

const SEEDS = 12;
/** Guest instructions with each seed. */
const INSTRUCTIONS = 200e6;
/** Limit for a stretch that should end after a few ms, ms; the machine is shared. */
const STRETCH_LIMIT_MS = 10_000;
/** Bytes by which the process may grow between the first seeds and the last. */
const GROWTH = 48 * MIB;
const WARM_UP = 4;
/** Guest instructions that memlab needs to read what was typed before. */
const DRAIN = 5e6;
/** Guest instructions between resets: the random operations may have sent a vCPU somewhere where it runs nothing of interest. */
const RESET_EVERY = 3e6;
/** Idle stretches after which the guest counts as switched off. */
const IDLE_LIMIT = 50;

export interface Fuzzed {
  resets: number;
  /** How often the guest powered off, shut down or jumped to unbacked memory. */
  ends: number;
  stats: Record<string, number>;
}

/** One machine with one seed; afterwards it boots memlab. Its clock is a counter, so a seed always gives the same run. */
export async function fuzzMachine(seed: number, instructions: number): Promise<Fuzzed> {
  let now = 0;
  const wallClock = () => {
    now += 0.25;
    return now;
  };
  const image: GuestImage = { name: 'nonsense', kernel: nonsense(seed) };
  const machine = await createMachine({
    core: new WebAssembly.Module(rootFile('build/core.wasm') as Uint8Array<ArrayBuffer>),
    guest: image,
    ram: 32 * MIB,
    slots: 4,
    maxmem: 1024 * MIB,
    objects: [{ id: 'vmem0', size: 64 * MIB }],
    virtio: [
      { driver: 'virtio-mem', id: 'vm0', memdev: 'vmem0' },
      { driver: 'virtio-balloon-device', id: 'balloon0' },
    ],
    smp: 1 + (seed % 2),
    accel: 'interp',
    debugExitPort: 0xf4,
    seed,
    wallClock,
  });
  const memory = machine.inspect.stats().host_memory!;
  const fuzzed: Fuzzed = { resets: 0, ends: 0, stats: {} };
  machine.subscribe((event) => {
    if (event.type === 'reset') fuzzed.resets++;
  });
  let idle = 0;
  let reset = RESET_EVERY;
  for (let n = 0; machine.run.instructions < instructions; n++) {
    const start = performance.now();
    const result = machine.run.until(now + 2);
    const took = performance.now() - start;
    if (took > STRETCH_LIMIT_MS)
      throw new Error(`seed ${seed}: a stretch took ${took.toFixed(0)} ms at instruction ${machine.run.instructions}`);
    idle = result.idle ? idle + 1 : 0;
    if (result.idle) now += Math.min((result.wakeIn ?? 1e6) / 1e6, 100);
    if (machine.run.state === 'paused') {
      fuzzed.ends++;
      machine.run.cont();
    } else if (machine.run.state !== 'running' || idle > IDLE_LIMIT) {
      fuzzed.ends++;
      idle = 0;
      machine.reset();
    } else if (machine.run.instructions >= reset) {
      reset = machine.run.instructions + RESET_EVERY;
      machine.reset();
    }
    if (n % 3 === 0) machine.serial.input(Uint8Array.of(n & 255));
    if (n % 7 === 0) hotplug(machine);
    if (n % 11 === 0) {
      machine.virtio.setRequestedSize('vm0', (n % 32) * 2 * MIB);
      machine.virtio.setBalloon((n % 32) * MIB);
    }
  }
  fuzzed.stats = machine.inspect.stats();
  await bootMemlab(machine, image);
  for (const { id } of machine.dimms.list()) dropDimm(machine, id);
  for (const { id, kind } of machine.backends.list()) if (kind !== 'board' && id !== 'vmem0') machine.backends.delete(id);
  const after = machine.inspect.stats().host_memory!;
  if (after !== memory) throw new Error(`seed ${seed}: the machine holds ${after} bytes of host memory, ${memory} at its start`);
  return fuzzed;
}

/** Plugs missing DIMMs and requests the removal of the others; the guest answers at random. */
function hotplug(machine: Machine): void {
  const dimm = machine.dimms.list()[0];
  if (dimm) {
    if (!dimm.pendingUnplug) machine.dimms.unplug(dimm.id);
    return;
  }
  if (!machine.backends.list().some(({ id }) => id === 'mem')) machine.backends.add('mem', 64 * MIB);
  machine.dimms.plug({ id: 'dimm', memdev: 'mem' });
}

function dropDimm(machine: Machine, id: string): void {
  machine.dimms.unplug(id);
  for (let n = 0; n < 100 && machine.dimms.list().length > 0; n++) machine.run.advance(100_000);
}

/** Boots another guest on the same machine: a reset must still reset everything. */
async function bootMemlab(machine: Machine, image: GuestImage): Promise<void> {
  const guest = new Guest(machine);
  image.kernel = rootFile('guests/memlab/memlab.elf');
  machine.reset();
  if (machine.run.state === 'paused') machine.run.cont();
  guest.until('lab> ');
  // Keys that the previous guest never fetched come first.
  machine.run.advance(DRAIN);
  guest.type('\r');
  machine.run.advance(DRAIN);
  const answer = guest.command('sum 0x200000 0x1000');
  if (!answer.includes('over 512 words')) throw new Error(`memlab answers ${JSON.stringify(answer)}`);
}

/** Resident memory of this process, bytes. */
function resident(): number {
  return Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? 0) * 1024;
}

/** Every port, every MMIO window and the MSRs, with random values and sizes, by code that runs on the core. */
export const fuzz: Soak = {
  name: 'fuzz',
  title: `a guest that writes nonsense to every device: ${SEEDS} seeds of ${INSTRUCTIONS / 1e6} M instructions, one and two vCPUs`,
  async run(say) {
    let resets = 0;
    let accesses = 0;
    let before = 0;
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { resets: more, ends, stats } = await fuzzMachine(seed, INSTRUCTIONS);
      resets += more;
      accesses += stats.mmio! + stats.pio!;
      say(`seed ${seed}: ${stats.pio} port and ${stats.mmio} MMIO accesses, ${stats.exceptions} exceptions, ${more} resets, ${ends} ends`);
      if (seed === WARM_UP) before = resident();
    }
    const growth = resident() - before;
    if (growth > GROWTH) throw new Error(`the process holds ${(growth / MIB).toFixed(0)} MiB more than after the first ${WARM_UP} seeds`);
    return `${accesses} accesses, ${resets} resets, ${(growth / MIB).toFixed(0)} MiB of growth; memlab boots on each machine afterwards`;
  },
};
