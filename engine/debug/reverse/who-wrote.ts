/**
 * Finds the last write to a range. Goes back from checkpoint to checkpoint, only through stretches in which one of its pages changed, with a
 * watch on the host memory: a slot that has moved since does not hide the write. Afterwards the machine is where it was.
 */
import type { Machine, WatchHit } from '../../machine/index';
import { type Breakpoint, breakpointsOf } from '../breakpoints/index';
import type { Reverse } from './reverse';
import type { Going } from './types';

/** Bytes that are compared if no vCPU wrote. */
const MOST_COMPARED = 1024 * 1024;

/** Host memory, bytes. */
export interface HostRange {
  start: number;
  end: number;
}

/** The write: its instruction, and the machine's position after it. */
export interface Written {
  by: 'vcpu';
  vcpu: number;
  rip: bigint;
  /** Count of that vCPU, and of all together. */
  icount: number;
  instructions: number;
  timeNs: number;
  generation: number;
  /** The gpa of the access: a slot may have moved since. */
  gva: bigint;
  gpa: number;
  bytes: number;
  /** At most 8 of the bytes, little-endian. */
  value: bigint;
}

export type WhoWrote =
  | Written
  /** Written between two instruction counts, by a device, the monitor or a loader. */
  | { by: 'other'; from: number; to: number }
  /** Not written since this count. */
  | { by: 'nobody'; since: number }
  | { by: 'cancelled' };

export async function whoWrote(reverse: Reverse, range: HostRange, going: Going): Promise<WhoWrote> {
  const { machine } = reverse.options;
  let watch: Breakpoint | undefined;
  let before: Uint8Array | undefined;
  let other: WhoWrote | undefined;
  const bytes = (): Uint8Array | undefined => (range.end - range.start > MOST_COMPARED ? undefined : machine.checkpoints.memory(range));
  const found = await reverse.findLast<Omit<Written, 'by' | 'vcpu' | 'rip' | 'icount'>>(
    {
      may: (index) => other === undefined && machine.checkpoints.changed(index, range),
      watch() {
        before = bytes();
        const { breakpoint, undo } = breakpointsOf(machine).alone({
          place: { kind: 'hva', first: BigInt(range.start), length: range.end - range.start },
          access: { execute: false, read: false, write: true },
        });
        watch = breakpoint;
        return undo;
      },
      wanted: (breakpoint) => breakpoint === watch,
      look: (hit) => lookAt(machine, hit),
      passed(from, to) {
        const after = bytes();
        if (before && after && before.some((byte, at) => byte !== after[at]))
          other ??= { by: 'other', from: from.instructions, to: to.instructions };
      },
    },
    going,
  );
  if (found === 'cancelled') return { by: 'cancelled' };
  if (found) return { by: 'vcpu', vcpu: found.met.stop.vcpu, rip: found.rip, icount: found.met.icount, ...found.seen };
  return other ?? { by: 'nobody', since: reverse.span.begin };
}

function lookAt(machine: Machine, { address: gva, gpa, bytes }: WatchHit): Omit<Written, 'by' | 'vcpu' | 'rip' | 'icount'> {
  const read = machine.physical.read(gpa, Math.min(8, bytes)) ?? new Uint8Array();
  const value = read.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  const { instructions, guestTimeNs: timeNs } = machine.run;
  return { instructions, timeNs, generation: machine.memory.generation(0), gva, gpa, bytes, value };
}

/** As text, one line. `name`: names an address in code, if it can. */
export function writtenText(who: WhoWrote, name: (address: bigint) => string | undefined): string {
  switch (who.by) {
    case 'vcpu': {
      const { vcpu, rip, instructions, timeNs, generation, gva, gpa, bytes, value } = who;
      const size = bytes === 1 ? '1 byte' : `${bytes} bytes`;
      const code = name(rip);
      return (
        `vCPU ${vcpu} at rip 0x${rip.toString(16)}${code === undefined ? '' : ` (${code})`}, instruction ${instructions} (${(timeNs / 1e9).toFixed(6)} s), generation ${generation}: ` +
        `0x${value.toString(16)}, ${size} at gva 0x${gva.toString(16)}, gpa 0x${gpa.toString(16)}`
      );
    }
    case 'other':
      return `no vCPU: a device, the monitor or a loader, between instructions ${who.from} and ${who.to}`;
    case 'nobody':
      return who.since === 0 ? 'nobody since power-on' : `nobody since instruction ${who.since}, where the kept history begins`;
    case 'cancelled':
      return 'cancelled';
  }
}
