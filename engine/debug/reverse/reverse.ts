/**
 * Reverse execution: restores the checkpoint before the target and runs forward to the exact instruction with the recorded inputs (past.ts). The
 * target is an instruction, a count, an input, or the last hit of a breakpoint (search.ts).
 */
import type { Machine } from '../../machine/index';
import type { Breakpoint } from '../breakpoints/index';
import { Past } from './past';
import { findLast, toLastHit } from './search';
import type { Finding, Going, Mark, Met, ReverseOptions, Span } from './types';

const histories = new WeakMap<Machine, Reverse>();

/** Reverse execution of a machine that keeps checkpoints. */
export const reverseOf = (machine: Machine): Reverse | undefined => histories.get(machine);

export class Reverse {
  private readonly past: Past;
  private cancelled = false;

  constructor(readonly options: ReverseOptions) {
    this.past = new Past(options);
    histories.set(options.machine, this);
    this.begin();
  }

  /** Drops the past: it begins here. */
  begin(): void {
    this.past.begin();
  }

  end(): void {
    this.past.leave();
    this.options.machine.checkpoints.keep(undefined);
    histories.delete(this.options.machine);
  }

  /** Runs until `cancel`. */
  get going(): Going {
    this.cancelled = false;
    return async () => {
      await this.options.turn?.();
      return !this.cancelled;
    };
  }

  /** Ends the run of `going`. */
  cancel(): void {
    this.cancelled = true;
  }

  /** Is the machine in its past? */
  get behind(): boolean {
    return this.past.present !== undefined;
  }

  get span(): Span {
    const { machine } = this.options;
    const list = machine.checkpoints.list();
    const now = machine.run.instructions;
    return {
      begin: list[0]?.position.instructions ?? now,
      now,
      present: this.past.present?.position.instructions ?? now,
      checkpoints: list.map(({ position, bytes }) => ({ instructions: position.instructions, bytes })),
    };
  }

  /** Inputs applied so far. */
  get inputs(): number {
    return this.past.inputs;
  }

  /** Goes to just before the vCPU's last instruction. */
  async step(vcpu: number, going: Going): Promise<'there' | 'begin'> {
    const target = this.options.machine.debug.icount(vcpu) - 1;
    return this.quietly(() => this.before(vcpu, target, this.options.machine.run.instructions - 1, going));
  }

  /** Goes, back or forward, to just before the vCPU's instruction with that count, at most `instructions` after power-on. */
  async toInstruction(vcpu: number, icount: number, instructions: number, going: Going): Promise<'there' | 'begin'> {
    return this.quietly(() => this.before(vcpu, icount, instructions, going));
  }

  /** Goes, back or forward, to where this many instructions had run. */
  async toCount(count: number, going: Going): Promise<'there' | 'begin' | 'present'> {
    return this.quietly(async () => {
      const { past } = this;
      const { run } = this.options.machine;
      const { position } = past.enter();
      const present = past.present!;
      if (count >= present.position.instructions) return past.toPresent();
      const index = past.newest(({ instructions }) => instructions <= count);
      if (index < 0) return past.toBegin();
      if (position.instructions > count || past.checkpoint(index).position.instructions > position.instructions) past.goTo(index);
      else if (past.ran && run.state === 'paused') run.cont();
      if (run.instructions < count) {
        run.breakAt(count);
        await past.unstopped(() => past.walk(present, going, () => run.instructions >= count));
        run.breakAt(undefined);
      }
      return past.stand('there');
    });
  }

  /** Goes, back or forward, to just before an input. */
  async toInput(index: number, going: Going): Promise<'there' | 'begin'> {
    return this.quietly(async () => {
      const { past } = this;
      past.enter();
      const moment = { position: this.options.journal.at(index), applied: index };
      return (await past.toMoment(moment, going)) ? past.stand('there') : past.toBegin();
    });
  }

  /** Returns to the present; the machine runs on if it ran there. */
  async home(): Promise<void> {
    if (this.behind) await this.quietly(async () => this.past.toPresent());
  }

  /** Makes this moment the present and discards what followed. The machine is stopped. */
  goOnFromHere(): void {
    if (!this.behind) return;
    const { past } = this;
    const { machine, journal } = this.options;
    const { instructions } = machine.run;
    const { inputs, ran } = past;
    const ahead = machine.checkpoints
      .list()
      .findIndex(({ position, mark }) => position.instructions > instructions || (mark as Mark).applied > inputs);
    if (ahead >= 0) machine.checkpoints.forget(ahead);
    past.goOn();
    journal.drop?.(inputs, ran);
  }

  /** Goes to the last breakpoint hit: before its instruction, or before the one that made the access. */
  async toBreakpoint(going: Going): Promise<'there' | 'begin'> {
    return this.toHit(going, () => true);
  }

  /** Goes to the last hit of any breakpoint that `wanted` accepts. */
  async toHit(going: Going, wanted: (breakpoint: Breakpoint) => boolean): Promise<'there' | 'begin'> {
    return this.quietly(() => toLastHit(this.past, going, wanted));
  }

  /**
   * Runs on from the past with the recorded inputs: to a breakpoint, to `goal` (a vCPU's count), or to the present, where the machine stops.
   */
  async forward(going: Going, goal?: { vcpu: number; icount: number }): Promise<'stopped' | 'present'> {
    const { past } = this;
    const { machine } = this.options;
    const { present } = past;
    if (!present) return 'present';
    return this.quietly(async () => {
      if (goal) machine.debug.breakVcpu(goal.vcpu, goal.icount);
      if (machine.run.state === 'paused') machine.run.cont();
      try {
        const there = await past.walk(present, going, () => goal !== undefined && machine.debug.icount(goal.vcpu) >= goal.icount);
        if (!there) return 'stopped';
        return past.arrive();
      } finally {
        if (goal) machine.debug.breakVcpu(goal.vcpu, undefined);
        if (machine.run.state === 'running') machine.run.stop();
      }
    });
  }

  /**
   * Finds the last access before here that a breakpoint of `watch` sees, between two checkpoints for which `may` holds. Afterwards the machine is
   * where it was. `look` is called after each such access; its result for the last one is returned too.
   */
  async findLast<T>(find: Finding<T>, going: Going): Promise<{ met: Met; rip: bigint; seen: T } | 'cancelled' | undefined> {
    return this.quietly(() => findLast(this.past, find, going));
  }

  private async quietly<T>(act: () => Promise<T>): Promise<T> {
    const { checkpoints } = this.options.machine;
    const release = this.options.hold?.();
    checkpoints.muted = true;
    try {
      return await act();
    } finally {
      checkpoints.muted = false;
      release?.();
      this.options.arrived?.();
    }
  }

  private async before(vcpu: number, target: number, instructions: number, going: Going): Promise<'there' | 'begin'> {
    const { past } = this;
    const { debug } = this.options.machine;
    past.enter();
    // The checkpoint's count of that vCPU is known only after the restore.
    for (let index = past.newest((position) => position.instructions <= instructions); index >= 0; index--) {
      past.goTo(index);
      if (debug.icount(vcpu) > target) continue;
      if (debug.icount(vcpu) < target) await past.until(vcpu, target, past.present!, going);
      return past.stand('there');
    }
    return past.stand('begin');
  }
}
