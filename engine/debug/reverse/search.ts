/** Finds the last hit of a breakpoint before a moment: runs each stretch between two checkpoints again, the newest first, until one has a hit. */
import type { WatchHit } from '../../machine/index';
import { type Breakpoint, breakpointsOf, stopText } from '../breakpoints/index';
import type { Past } from './past';
import type { Finding, Going, Met, Moment } from './types';

/** A stretch that is run again from the machine's position. */
interface Stretch {
  end: Moment;
  /** Instructions at the moment before which hits count. */
  below: number;
  /** The access that stopped the machine at the end counts too, even if its instruction did not complete. */
  over: boolean;
  wanted(breakpoint: Breakpoint): boolean;
  look?(hit: WatchHit): void;
}

/** Leaves the machine before the instruction of the last hit, or at the beginning. */
export async function toLastHit(past: Past, going: Going, wanted: (breakpoint: Breakpoint) => boolean): Promise<'there' | 'begin'> {
  const from = past.enter();
  let end: Moment = from;
  for (let index = newestBefore(past, from); index >= 0; index--) {
    const { position, mark } = past.checkpoint(index);
    past.goTo(index);
    const met = await collect(past, { end, below: from.position.instructions, over: end === from && from.behindStop, wanted }, going);
    if (met) {
      past.goTo(index);
      await standAt(past, met, end, going);
      return past.stand('there', met.stop);
    }
    end = { position, applied: mark.applied };
  }
  return past.toBegin();
}

/** See `Reverse.findLast`. */
export async function findLast<T>(
  past: Past,
  find: Finding<T>,
  going: Going,
): Promise<{ met: Met; rip: bigint; seen: T } | 'cancelled' | undefined> {
  const { machine } = past;
  const set = breakpointsOf(machine);
  const { stop } = set;
  const { ahead } = past;
  let cancelled = false;
  const on = async (): Promise<boolean> => {
    cancelled ||= !(await going());
    return !cancelled;
  };
  const wasBehind = past.present !== undefined;
  const from = past.enter();
  try {
    let end: Moment = from;
    for (let index = newestBefore(past, from); index >= 0; index--) {
      const { position, mark } = past.checkpoint(index);
      if (find.may(index)) {
        past.goTo(index);
        let seen: T | undefined;
        const look = (hit: WatchHit): void => {
          seen = find.look(hit);
        };
        const over = end === from && from.behindStop;
        const undo = find.watch();
        const met = await collect(past, { end, below: from.position.instructions, over, wanted: find.wanted, look }, on).finally(undo);
        if (met && !cancelled) {
          past.goTo(index);
          await past.until(met.stop.vcpu, met.icount - 1, end, on);
        }
        if (cancelled) return 'cancelled';
        if (met) return { met, rip: machine.inspect.registers(met.stop.vcpu).rip, seen: seen! };
        find.passed?.(position, end.position);
      }
      end = { position, applied: mark.applied };
    }
    return undefined;
  } finally {
    if (!wasBehind) past.toPresent();
    else {
      await past.toMoment(from, async () => true);
      past.stand('there');
    }
    set.stop = stop;
    past.ahead = ahead;
  }
}

const newestBefore = (past: Past, { position }: Moment): number => past.newest(({ instructions }) => instructions < position.instructions);

/** The last hit of the stretch. */
async function collect(past: Past, { end, below, over, wanted, look }: Stretch, going: Going): Promise<Met | undefined> {
  const { machine } = past;
  let last: Met | undefined;
  const undo = breakpointsOf(machine).divert(({ vcpu, hits }, breakpoints) => {
    const { instructions } = machine.run;
    const met = breakpoints.filter(wanted);
    const hit = hits[0]!;
    // An access counts with its instruction, so one at `below` belongs to the last instruction; execution breakpoints there have already been
    // reached.
    if (met.length === 0 || instructions > below || (instructions === below && hit.access === 'execute')) return undefined;
    last = { stop: { vcpu, breakpoints: met, hit }, icount: machine.debug.icount(vcpu), instructions, applied: past.inputs };
    look?.(hit);
    return undefined;
  });
  try {
    // An exception pushes its frame after that count, and before the next instruction.
    if ((await past.walk(end, going, () => false)) && over) machine.run.advance(1);
  } finally {
    undo();
  }
  return last;
}

async function standAt(past: Past, { stop, icount }: Met, end: Moment, going: Going): Promise<void> {
  const { machine } = past;
  if (stop.hit.access !== 'execute') {
    await past.until(stop.vcpu, icount - 1, end, going);
    return;
  }
  const undo = breakpointsOf(machine).divert(({ vcpu, hits }) =>
    vcpu === stop.vcpu && machine.debug.icount(vcpu) === icount && hits.some(({ access }) => access === 'execute')
      ? stopText(stop)
      : undefined,
  );
  await past.walk(end, going, () => false).finally(undo);
}
