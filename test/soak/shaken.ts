/** Runs a command in a Linux guest while the memslots of its DIMM change. */
import { MIB } from '../guests/harness';
import type { Linux } from '../guests/linux';
import type { Random } from '../support/random';
import { changeAtRandom } from './linux';

/** A DIMM for `shaken`. `zone`: with online_movable, Linux prefers it for memory that programs map, including a nested guest's memory. */
export function plugForShaking(linux: Linux, zone: 'online' | 'online_movable' = 'online'): void {
  linux.plug('d', 128 * MIB);
  linux.sh(`sleep 1; echo ${zone} > /sys/devices/system/memory/memory2/state`);
}

export interface Shaken {
  output: string;
  /** Change sets committed while the command ran. */
  sets: number;
  /** Those of them during which a vCPU was in its nested guest, or had just left it, with nested guest memory in the DIMM. */
  under: number;
}

/** `slice`: instructions between two change sets, at most. */
export async function shaken(linux: Linux, command: string, random: Random, slice: number): Promise<Shaken> {
  const { guest } = linux;
  const { addr, size } = guest.machine.dimms.list().find(({ id }) => id === 'd')!;
  const inDimm = (): boolean =>
    guest.machine.inspect.nestedGuests().some(({ memory }) => memory.some(({ start, end }) => start < addr + size && end > addr));
  guest.since();
  guest.machine.serial.input(new TextEncoder().encode(`${command}\n`));
  const result: Shaken = { output: '', sets: 0, under: 0 };
  while (!/\nkvm# /.test(result.output)) {
    if (inDimm()) result.under++;
    await changeAtRandom(linux, 'd-ram', random);
    result.sets++;
    guest.machine.run.advance(1 + random.below(slice));
    result.output += guest.since();
  }
  return result;
}
