/**
 * Moves a machine through its past: restores a checkpoint and runs on from there with the recorded inputs. Without a recording there is no past.
 * Output that the guest repeats is dropped. Leaving the present makes a checkpoint of it, so the way back is short.
 */
import { type Machine, MachineError, type Position } from '../../machine/index';
import { breakpointsOf, type Stop } from '../breakpoints/index';
import type { Going, Mark, Moment, Outside, ReverseOptions } from './types';

/** 0.8 s of guest time on one vCPU: run again in a fraction of a second, and a checkpoint costs a guest in compiled code a few ms. */
const INSTRUCTIONS = 100_000_000;
const BYTES = 256 * 0x100000;
/** ms between two calls of `goesOn` */
const STRETCH = 20;

export class Past {
  /** The present that the machine left; undefined: it is in the present. */
  present: (Moment & Outside) | undefined;
  /** Did the machine run on from here the first time? */
  ran = false;
  /** The event before which the machine stopped when it went back. */
  ahead: Stop | undefined;
  /** For a machine in its past. */
  private applied = 0;
  /** The same: its replay_break, which stops nothing there, as a stop that was no input. */
  private breakCount: number | undefined;

  constructor(readonly options: ReverseOptions) {}

  get machine(): Machine {
    return this.options.machine;
  }

  /** Drops the past: it begins here. */
  begin(): void {
    const { instructions = INSTRUCTIONS, bytes = BYTES } = this.options;
    this.leave();
    const mark = (): Mark => ({ applied: this.inputs, ...this.outside });
    this.machine.checkpoints.keep({ instructions, bytes, mark, wallClock: this.options.wallClock });
  }

  /** Inputs applied so far. */
  get inputs(): number {
    return this.present ? this.applied : this.options.journal.length;
  }

  /** Enters the past at this moment. `behindStop`: the machine has just stopped after a breakpoint's access. */
  enter(): Moment & { behindStop: boolean } {
    const { machine } = this;
    const { journal } = this.options;
    const { underWay } = machine.changeSet;
    if (underWay !== undefined && !this.present) throw new MachineError(underWay);
    const set = breakpointsOf(machine);
    const behindStop = set.stop !== undefined && set.stop !== this.ahead && set.stop.hit.access !== 'execute';
    set.stop = undefined;
    this.ahead = undefined;
    if (!this.present) {
      machine.run.catchUp();
      const { now } = this;
      const last = machine.checkpoints.list().at(-1);
      if (!last || !samePlace(last.position, now.position) || (last.mark as Mark).applied !== now.applied) machine.checkpoints.take();
      this.present = { ...now, ...this.outside };
      this.applied = now.applied;
      this.breakCount = this.present.breakCount;
      this.ran = now.position.running;
      journal.past(true);
    }
    return { ...this.now, behindStop };
  }

  /** Ends the past. */
  leave(): void {
    this.present = undefined;
    this.options.journal.past(false);
  }

  toPresent(): 'present' {
    this.goTo(this.machine.checkpoints.list().length - 1);
    return this.arrive();
  }

  /** The machine is back in the present. */
  arrive(): 'present' {
    const { kept, breakCount } = this.present!;
    this.options.journal.putBack?.(kept);
    this.breakCount = breakCount;
    this.goOn();
    return 'present';
  }

  /** Makes this moment of the past the present. */
  goOn(): void {
    this.breakAt(this.breakCount);
    this.leave();
  }

  toBegin(): 'begin' {
    if (this.machine.checkpoints.list().length > 0) this.goTo(0);
    return this.stand('begin');
  }

  /** The machine is at this position; `ahead`: before this event. */
  stand<T>(result: T, ahead?: Stop): T {
    if (this.machine.run.state === 'running') this.machine.run.stop();
    breakpointsOf(this.machine).stop = ahead;
    this.ahead = ahead;
    return result;
  }

  checkpoint(index: number): { position: Position; mark: Mark } {
    const { position, mark } = this.machine.checkpoints.list()[index]!;
    return { position, mark: mark as Mark };
  }

  /** The newest checkpoint at which `isBefore` holds; -1: none. */
  newest(isBefore: (position: Position) => boolean): number {
    return this.machine.checkpoints.list().findLastIndex(({ position }) => isBefore(position));
  }

  goTo(index: number): void {
    const { checkpoints, run } = this.machine;
    const { position, mark } = this.checkpoint(index);
    checkpoints.to(index);
    this.applied = mark.applied;
    this.ran = position.running;
    this.breakCount = mark.breakCount;
    this.options.journal.putBack?.(mark.kept);
    if (position.running) run.cont();
  }

  /** Returns false if the target is before all checkpoints. */
  async toMoment(moment: Moment, going: Going): Promise<boolean> {
    const { instructions } = moment.position;
    const index = this.machine.checkpoints
      .list()
      .findLastIndex(
        ({ position, mark }) =>
          (mark as Mark).applied <= moment.applied &&
          (position.instructions < instructions || (position.instructions === instructions && position.timeNs <= moment.position.timeNs)),
      );
    if (index < 0) return false;
    this.goTo(index);
    await this.unstopped(() => this.walk(moment, going, () => false));
    return true;
  }

  /** Runs forward to just before the vCPU's instruction with this count. */
  async until(vcpu: number, icount: number, end: Moment, going: Going): Promise<void> {
    const { debug } = this.machine;
    debug.breakVcpu(vcpu, icount);
    try {
      await this.unstopped(() => this.walk(end, going, () => debug.icount(vcpu) >= icount));
    } finally {
      debug.breakVcpu(vcpu, undefined);
    }
  }

  /**
   * Runs on with the recorded inputs, up to `end`. Returns false if the machine stopped earlier, or `there` held. Throws if the run diverges: then an
   * input was not recorded.
   */
  async walk(end: Moment, going: Going, there: () => boolean): Promise<boolean> {
    const { journal } = this.options;
    while (this.applied < end.applied) {
      if (!(await this.reach(journal.at(this.applied), going, there))) return false;
      await this.redo();
    }
    return this.reach(end.position, going, there);
  }

  /** Applies the next input. replay_break is as it was then; what the walk itself stops at waits. */
  private async redo(): Promise<void> {
    const { journal, machine } = this.options;
    const { run } = machine;
    const goal = run.breakCount;
    // If the machine was stopped there, the break has passed.
    this.breakAt(journal.at(this.applied).running || this.breakCount !== run.instructions ? this.breakCount : undefined);
    await journal.redo(this.applied);
    this.breakCount = run.breakCount;
    this.breakAt(goal);
    this.applied += 1;
    this.ran = run.state === 'running';
  }

  /** Nowhere if the machine is beyond this count. */
  private breakAt(count: number | undefined): void {
    const { run } = this.machine;
    run.breakAt(count !== undefined && count < run.instructions ? undefined : count);
  }

  private get outside(): Outside {
    return { kept: this.options.journal.keep?.(), breakCount: this.machine.run.breakCount };
  }

  /** Breakpoints do not stop the machine meanwhile. */
  async unstopped<T>(act: () => Promise<T>): Promise<T> {
    const undo = breakpointsOf(this.machine).divert(() => undefined);
    return act().finally(undo);
  }

  private get now(): Moment {
    return { position: this.machine.run.position, applied: this.inputs };
  }

  private async reach(position: Position, going: Going, there: () => boolean): Promise<boolean> {
    const { machine } = this;
    for (;;) {
      if (there()) return false;
      // A stop that was not an input does not count here.
      const result = machine.run.to({ ...position, running: machine.run.state === 'running' }, this.options.wallClock() + STRETCH);
      if (result === 'there') return !there();
      if (there() || machine.run.state === 'paused') return false;
      // It ended here the first time too.
      if (machine.run.state !== 'running') return machine.run.instructions === position.instructions;
      if (result === 'never') throw new MachineError('the replay diverged: the machine got an input that was not recorded');
      if (!(await going())) {
        machine.run.stop();
        return false;
      }
    }
  }
}

function samePlace(a: Position, b: Position): boolean {
  return (
    a.instructions === b.instructions && a.timeNs === b.timeNs && a.turn === b.turn && a.inRound === b.inRound && a.running === b.running
  );
}
