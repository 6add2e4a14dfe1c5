/**
 * Going back: to the checkpoint before, and forward again to the exact instruction, with the inputs that were recorded. Where nothing was
 * recorded there is nothing to go back over. What the guest sent goes out once only. The present that was left is a checkpoint itself, so the
 * way to it is short.
 */
import { type Machine, MachineError, type Position, type WatchHit } from '../../machine/index';
import { type Breakpoint, breakpointsOf, type Stop, stopText } from '../breakpoints/index';

/** The inputs so far. */
export interface Journal {
  /** How many there are. */
  readonly length: number;
  at(index: number): Position;
  /** Does it once more, and records nothing. */
  redo(index: number): unknown;
  /** The machine stands in its past from now on (or no more): nothing but what was recorded may reach it. */
  past(stands: boolean): void;
  /** Those from this one on never come: the machine goes on another way, stopped. `ran`: it ran there. */
  drop?(from: number, ran: boolean): void;
  /** What is no part of the machine and goes back with it (the history of commits), and puts that back. */
  keep?(): unknown;
  putBack?(kept: unknown): void;
}

export interface ReverseOptions {
  machine: Machine;
  journal: Journal;
  /** ms, monotonic */
  wallClock(): number;
  /** Nobody else runs the machine until the result is called. */
  hold?(): () => void;
  /** Other events are handled meanwhile. */
  turn?(): Promise<void>;
  /** The end of each way through the past. */
  arrived?(): void;
  /** Instructions between two checkpoints. */
  instructions?: number;
  /** What all of them may take, bytes. */
  bytes?: number;
}

/** 0.8 s of guest time on one vCPU: run again in a fraction of a second, and a checkpoint costs a guest in compiled code a few ms. */
const INSTRUCTIONS = 100_000_000;
const BYTES = 256 * 0x100000;
/** ms between two looks at whether to go on */
const STRETCH = 20;

/** A moment: `applied` inputs had come. */
interface Moment {
  position: Position;
  applied: number;
}

/** What a checkpoint's `mark` is. */
interface Mark {
  applied: number;
  kept: unknown;
}

/** A hit on the way: of which vCPU, at which count of its instructions, behind how many inputs. */
export interface Met {
  stop: Stop;
  icount: number;
  instructions: number;
  applied: number;
}

/** What `findLast` looks for. */
export interface Finding<T> {
  /** May it lie between the checkpoint at this place and the next? */
  may(index: number): boolean;
  /** Sets breakpoints; the result takes them away. */
  watch(): () => void;
  wanted(breakpoint: Breakpoint): boolean;
  look(hit: WatchHit): T;
  /** Nothing was seen between these two. */
  passed?(from: Position, to: Position): void;
}

/** Asked every few ms whether to go on. */
export type Going = () => Promise<boolean>;

/** Where it can go: counts of instructions, of all vCPUs together. */
export interface Span {
  begin: number;
  now: number;
  present: number;
  checkpoints: readonly { instructions: number; bytes: number }[];
}

const histories = new WeakMap<Machine, Reverse>();

/** The machine's way back, where it keeps one. */
export const reverseOf = (machine: Machine): Reverse | undefined => histories.get(machine);

export class Reverse {
  /** Where the machine came to before it went back; undefined: it stands at its present. */
  private present: (Moment & { kept: unknown }) | undefined;
  private applied = 0;
  /** Did the machine run where it stands now, when it was there first? */
  private ran = false;
  private cancelled = false;

  constructor(readonly options: ReverseOptions) {
    histories.set(options.machine, this);
    this.begin();
  }

  /** History begins here: what was is forgotten. */
  begin(): void {
    const { machine, instructions = INSTRUCTIONS, bytes = BYTES, journal } = this.options;
    this.leavePast();
    const mark = (): Mark => ({ applied: this.present ? this.applied : journal.length, kept: journal.keep?.() });
    machine.checkpoints.keep({ instructions, bytes, mark });
  }

  end(): void {
    this.leavePast();
    this.options.machine.checkpoints.keep(undefined);
    histories.delete(this.options.machine);
  }

  /** Goes on until `cancel`. */
  get going(): Going {
    this.cancelled = false;
    return async () => {
      await this.options.turn?.();
      return !this.cancelled;
    };
  }

  /** Ends what is on its way by `going`. */
  cancel(): void {
    this.cancelled = true;
  }

  /** Does the machine stand in its past? */
  get behind(): boolean {
    return this.present !== undefined;
  }

  get span(): Span {
    const { machine } = this.options;
    const list = machine.checkpoints.list();
    const now = machine.run.instructions;
    return {
      begin: list[0]?.position.instructions ?? now,
      now,
      present: this.present?.position.instructions ?? now,
      checkpoints: list.map(({ position, bytes }) => ({ instructions: position.instructions, bytes })),
    };
  }

  /** Inputs that had come by now. */
  get inputs(): number {
    return this.present ? this.applied : this.options.journal.length;
  }

  /** In front of the last instruction of this vCPU. */
  async step(vcpu: number, going: Going): Promise<'there' | 'begin'> {
    const target = this.options.machine.debug.icount(vcpu) - 1;
    return this.quietly(() => this.before(vcpu, target, this.options.machine.run.instructions - 1, going));
  }

  /** In front of the instruction of this vCPU with that count, which comes at most `instructions` behind power-on; back or on. */
  async toInstruction(vcpu: number, icount: number, instructions: number, going: Going): Promise<'there' | 'begin'> {
    return this.quietly(() => this.before(vcpu, icount, instructions, going));
  }

  /** To where so many instructions had run, back or on. */
  async toCount(count: number, going: Going): Promise<'there' | 'begin' | 'present'> {
    return this.quietly(async () => {
      const { machine } = this.options;
      const { position } = this.enterPast();
      breakpointsOf(machine).stop = undefined;
      if (count >= this.present!.position.instructions) return this.toPresent();
      const index = this.newest(({ instructions }) => instructions <= count);
      if (index < 0) return this.toBegin();
      if (position.instructions > count || this.checkpoint(index).position.instructions > position.instructions) this.goTo(index);
      else if (this.ran && machine.run.state === 'paused') machine.run.cont();
      if (machine.run.instructions < count) {
        const undo = breakpointsOf(machine).divert(() => undefined);
        machine.run.breakAt(count);
        await this.walk(this.present!, going, () => machine.run.instructions >= count).finally(undo);
        machine.run.breakAt(undefined);
      }
      return this.stand('there');
    });
  }

  /** In front of an input, back or on. */
  async toInput(index: number, going: Going): Promise<'there' | 'begin'> {
    return this.quietly(async () => {
      this.enterPast();
      breakpointsOf(this.options.machine).stop = undefined;
      const moment = { position: this.options.journal.at(index), applied: index };
      return (await this.toMoment(moment, going)) ? this.stand('there') : this.toBegin();
    });
  }

  /** To where it came to before it went back; it goes on running if it ran. */
  async home(): Promise<void> {
    if (!this.present) return;
    await this.quietly(async () => this.toPresent());
  }

  /** The past is the present from now on: what lay ahead never comes. The machine stands. */
  goOnFromHere(): void {
    if (!this.present) return;
    const { machine, journal } = this.options;
    const { instructions } = machine.run;
    const ahead = machine.checkpoints
      .list()
      .findIndex(({ position, mark }) => position.instructions > instructions || (mark as Mark).applied > this.applied);
    if (ahead >= 0) machine.checkpoints.forget(ahead);
    this.leavePast();
    journal.drop?.(this.applied, this.ran);
  }

  /** To the last hit of a breakpoint: in front of its instruction, or of the one that made the access. */
  async toBreakpoint(going: Going): Promise<'there' | 'begin'> {
    return this.quietly(() => this.lastHit(going, () => true));
  }

  /** To the last access that `wanted` picks among the hits of all breakpoints. */
  async toHit(going: Going, wanted: (breakpoint: Breakpoint) => boolean): Promise<'there' | 'begin'> {
    return this.quietly(() => this.lastHit(going, wanted));
  }

  /**
   * On from the past, with the inputs that came: to a breakpoint, to `goal` (a vCPU's count), or to the present, where the machine stops.
   */
  async forward(going: Going, goal?: { vcpu: number; icount: number }): Promise<'stopped' | 'present'> {
    const { machine } = this.options;
    const present = this.present;
    if (!present) return 'present';
    return this.quietly(async () => {
      if (goal) machine.debug.breakVcpu(goal.vcpu, goal.icount);
      if (machine.run.state === 'paused') machine.run.cont();
      try {
        const there = await this.walk(present, going, () => goal !== undefined && machine.debug.icount(goal.vcpu) >= goal.icount);
        if (!there) return 'stopped';
        this.options.journal.putBack?.(present.kept);
        this.leavePast();
        return 'present';
      } finally {
        if (goal) machine.debug.breakVcpu(goal.vcpu, undefined);
        if (machine.run.state === 'running') machine.run.stop();
      }
    });
  }

  private leavePast(): void {
    this.present = undefined;
    this.options.journal.past(false);
  }

  /**
   * The last access that a breakpoint of `watch` sees, before here, among what came between two checkpoints that `may` holds for. The machine is
   * back where it was afterwards. `look`: asked at each such access, behind it; what it answers to the last one comes with it.
   */
  async findLast<T>(find: Finding<T>, going: Going): Promise<{ met: Met; rip: bigint; seen: T } | 'cancelled' | undefined> {
    const { machine } = this.options;
    const set = breakpointsOf(machine);
    const { stop } = set;
    let cancelled = false;
    const on = async (): Promise<boolean> => {
      cancelled ||= !(await going());
      return !cancelled;
    };
    return this.quietly(async () => {
      const wasBehind = this.behind;
      const from = this.enterPast();
      try {
        let end: Moment = from;
        for (let index = this.newest(({ instructions }) => instructions < from.position.instructions); index >= 0; index--) {
          const began = this.checkpoint(index);
          if (find.may(index)) {
            this.goTo(index);
            let seen: T | undefined;
            const undo = find.watch();
            let met: Met | undefined;
            try {
              met = await this.collect(end, from.position.instructions, on, find.wanted, (hit) => (seen = find.look(hit)));
            } finally {
              undo();
            }
            if (cancelled) return 'cancelled';
            if (met) {
              this.goTo(index);
              await this.until(met.stop.vcpu, met.icount - 1, end, on);
              if (cancelled) return 'cancelled';
              return { met, rip: machine.inspect.registers(met.stop.vcpu).rip, seen: seen! };
            }
            find.passed?.(began.position, end.position);
          }
          end = { position: began.position, applied: began.mark.applied };
        }
        return undefined;
      } finally {
        if (!wasBehind) this.toPresent();
        else {
          await this.toMoment(from, async () => true);
          this.stand('there');
        }
        set.stop = stop;
      }
    });
  }

  private async quietly<T>(act: () => Promise<T>): Promise<T> {
    const { machine, hold } = this.options;
    const { checkpoints } = machine;
    const release = hold?.();
    checkpoints.muted = true;
    try {
      return await act();
    } finally {
      checkpoints.muted = false;
      release?.();
      this.options.arrived?.();
    }
  }

  private get now(): Moment {
    return { position: this.options.machine.run.position, applied: this.inputs };
  }

  /** Where the machine is becomes its past. */
  private enterPast(): Moment {
    if (!this.present) {
      const { machine, journal } = this.options;
      machine.run.catchUp();
      const { now } = this;
      const last = machine.checkpoints.list().at(-1);
      if (!last || !samePlace(last.position, now.position) || (last.mark as Mark).applied !== now.applied) machine.checkpoints.take();
      this.present = { ...now, kept: journal.keep?.() };
      this.applied = now.applied;
      this.ran = now.position.running;
      journal.past(true);
    }
    return this.now;
  }

  private toPresent(): 'present' {
    const { machine, journal } = this.options;
    const present = this.present!;
    this.goTo(machine.checkpoints.list().length - 1);
    journal.putBack?.(present.kept);
    this.leavePast();
    return 'present';
  }

  private toBegin(): 'begin' {
    if (this.options.machine.checkpoints.list().length > 0) this.goTo(0);
    return this.stand('begin');
  }

  private checkpoint(index: number): { position: Position; mark: Mark } {
    const { position, mark } = this.options.machine.checkpoints.list()[index]!;
    return { position, mark: mark as Mark };
  }

  private goTo(index: number): void {
    const { checkpoints, run } = this.options.machine;
    const { position, mark } = this.checkpoint(index);
    checkpoints.to(index);
    this.applied = mark.applied;
    this.ran = position.running;
    this.options.journal.putBack?.(mark.kept);
    if (position.running) run.cont();
  }

  /** False: that is before all checkpoints. */
  private async toMoment(moment: Moment, going: Going): Promise<boolean> {
    const { instructions } = moment.position;
    const list = this.options.machine.checkpoints.list();
    const index = list.findLastIndex(
      ({ position, mark }) =>
        (mark as Mark).applied <= moment.applied &&
        (position.instructions < instructions || (position.instructions === instructions && position.timeNs <= moment.position.timeNs)),
    );
    if (index < 0) return false;
    this.goTo(index);
    const undo = breakpointsOf(this.options.machine).divert(() => undefined);
    await this.walk(moment, going, () => false).finally(undo);
    return true;
  }

  /** The newest checkpoint at which `isBefore` holds; -1: none. */
  private newest(isBefore: (position: Position) => boolean): number {
    return this.options.machine.checkpoints.list().findLastIndex(({ position }) => isBefore(position));
  }

  private async before(vcpu: number, target: number, instructions: number, going: Going): Promise<'there' | 'begin'> {
    const { machine } = this.options;
    this.enterPast();
    breakpointsOf(machine).stop = undefined;
    // The checkpoint's own count of that vCPU shows once it is put back.
    for (let index = this.newest((position) => position.instructions <= instructions); index >= 0; index--) {
      this.goTo(index);
      if (machine.debug.icount(vcpu) > target) continue;
      if (machine.debug.icount(vcpu) === target) return this.stand('there');
      await this.until(vcpu, target, this.present!, going);
      return this.stand('there');
    }
    return this.stand('begin');
  }

  /** Forward to in front of the instruction of the vCPU with this count. */
  private async until(vcpu: number, icount: number, end: Moment, going: Going): Promise<void> {
    const { machine } = this.options;
    const undo = breakpointsOf(machine).divert(() => undefined);
    machine.debug.breakVcpu(vcpu, icount);
    try {
      await this.walk(end, going, () => machine.debug.icount(vcpu) >= icount);
    } finally {
      machine.debug.breakVcpu(vcpu, undefined);
      undo();
    }
  }

  private async lastHit(going: Going, wanted: (breakpoint: Breakpoint) => boolean): Promise<'there' | 'begin'> {
    const { machine } = this.options;
    const from = this.enterPast();
    breakpointsOf(machine).stop = undefined;
    let end = from;
    for (let index = this.newest(({ instructions }) => instructions < from.position.instructions); index >= 0; index--) {
      const start = this.checkpoint(index);
      const began: Moment = { position: start.position, applied: start.mark.applied };
      this.goTo(index);
      const met = await this.collect(end, from.position.instructions, going, wanted);
      if (met) {
        this.goTo(index);
        await this.standAt(met, end, going);
        return this.stand('there');
      }
      end = began;
    }
    return this.toBegin();
  }

  /** The last hit between here and `end`, below so many instructions. */
  private async collect(
    end: Moment,
    below: number,
    going: Going,
    wanted: (breakpoint: Breakpoint) => boolean,
    look?: (hit: WatchHit) => void,
  ): Promise<Met | undefined> {
    const { machine } = this.options;
    let last: Met | undefined;
    const undo = breakpointsOf(machine).divert(({ vcpu, hits }, breakpoints) => {
      const { instructions } = machine.run;
      const met = breakpoints.filter(wanted);
      const hit = hits[0]!;
      // The way ends at `end`: an access there is behind it. In front of that instruction execution stands already.
      if (met.length === 0 || instructions > below || (instructions === below && hit.access === 'execute')) return undefined;
      last = { stop: { vcpu, breakpoints: met, hit }, icount: machine.debug.icount(vcpu), instructions, applied: this.applied };
      look?.(hit);
      return undefined;
    });
    try {
      await this.walk(end, going, () => false);
    } finally {
      undo();
    }
    return last;
  }

  private async standAt({ stop, icount }: Met, end: Moment, going: Going): Promise<void> {
    const { machine } = this.options;
    const set = breakpointsOf(machine);
    if (stop.hit.access === 'execute') {
      const undo = set.divert(({ vcpu, hits }) =>
        vcpu === stop.vcpu && machine.debug.icount(vcpu) === icount && hits.some(({ access }) => access === 'execute')
          ? stopText(stop)
          : undefined,
      );
      try {
        await this.walk(end, going, () => false);
      } finally {
        undo();
      }
    } else await this.until(stop.vcpu, icount - 1, end, going);
    set.stop = stop;
  }

  private stand<T>(result: T): T {
    const { run } = this.options.machine;
    const { stop } = breakpointsOf(this.options.machine);
    if (run.state === 'running') run.stop();
    breakpointsOf(this.options.machine).stop = stop;
    return result;
  }

  /**
   * Runs on with the inputs that came, up to `end`. False: the machine stopped before, or `there` held. Throws when it goes another way than
   * it went: then something reached it that was not recorded.
   */
  private async walk(end: Moment, going: Going, there: () => boolean): Promise<boolean> {
    const { journal } = this.options;
    while (this.applied < end.applied) {
      if (!(await this.reach(journal.at(this.applied), going, there))) return false;
      await journal.redo(this.applied);
      this.applied += 1;
      this.ran = this.options.machine.run.state === 'running';
    }
    return this.reach(end.position, going, there);
  }

  private async reach(position: Position, going: Going, there: () => boolean): Promise<boolean> {
    const { machine, wallClock } = this.options;
    for (;;) {
      if (there()) return false;
      // A stop that was no input is none now.
      const result = machine.run.to({ ...position, running: machine.run.state === 'running' }, wallClock() + STRETCH);
      if (result === 'there') return !there();
      if (there() || machine.run.state === 'paused') return false;
      // It ended, as it did.
      if (machine.run.state !== 'running') return machine.run.instructions === position.instructions;
      if (result === 'never') throw new MachineError('it went another way than it went: something reached it that was not recorded');
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
