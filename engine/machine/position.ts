/**
 * The exact position of a run, and running to one. Between two inputs a machine depends only on its state, so two machines with the same inputs at
 * the same positions are equal. The count of instructions is not enough: the wall clock decides how long an idle guest sleeps, and with several vCPUs
 * turns pass without an instruction.
 */
import type { Position } from './api';
import type { Advance, Scheduler } from './scheduler';

/** Instructions between two reads of the wall clock. */
const CHUNK = 200_000;

/** What running to a position needs of the machine. */
export interface Traveller {
  executor: Scheduler;
  instructions(): number;
  running(): boolean;
  /** The executor's `advance`, including the breakpoint. */
  advance(budget: number): Exclude<Advance, 'stopped'> | 'break';
  /** A vCPU waits for a reset of its dirty ring: guest time is stopped. */
  anyHeld(): boolean;
  /** ms */
  wallClock(): number;
}

export function positionOf({ executor, instructions, running }: Pick<Traveller, 'executor' | 'instructions' | 'running'>): Position {
  return { instructions: instructions(), timeNs: executor.earliest(), ...executor.place(), running: running() };
}

/** See `MachineRun.to`. */
export function travel(traveller: Traveller, to: Position, deadline: number): 'there' | 'going' | 'never' {
  const { executor } = traveller;
  /** The guest sleeps, and the whole time that it may sleep has passed. */
  let asleep = false;
  for (;;) {
    const at = positionOf(traveller);
    if (same(at, to)) return 'there';
    if (!at.running || at.instructions > to.instructions || at.timeNs > to.timeNs) return 'never';
    if (traveller.wallClock() >= deadline) return 'going';
    // At the right count only turns and time are missing: another instruction would mean that the inputs were different. A breakpoint may have stopped
    // the machine before the first instruction of a round.
    const left = to.instructions - at.instructions;
    const result = traveller.advance(left > 0 ? Math.min(left, CHUNK) : at.inRound ? 1 : 0);
    // A guest that waits for swap 2 of a stepped commit sleeps like an idle one.
    if (result !== 'idle' && result !== 'retry') continue;
    // One whole round after that sleep: the position may lie between two of its turns.
    if (asleep) return 'never';
    if (result === 'idle' && traveller.anyHeld()) {
      asleep = true;
      continue;
    }
    const due = executor.clock.next;
    executor.skipTo(to.timeNs);
    asleep = executor.earliest() >= to.timeNs && (due === undefined || due > to.timeNs);
  }
}

function same(a: Position, b: Position): boolean {
  return (
    a.instructions === b.instructions && a.timeNs === b.timeNs && a.turn === b.turn && a.inRound === b.inRound && a.running === b.running
  );
}
