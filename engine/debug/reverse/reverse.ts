/**
 * Going back: to the checkpoint before, and forward again to the exact instruction, with the inputs that were recorded. Where nothing was
 * recorded there is nothing to go back over. What the guest sent goes out once only.
 */
import { type Machine, MachineError, type Position } from '../../machine/index';
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
}

export interface ReverseOptions {
  machine: Machine;
  journal: Journal;
  /** ms, monotonic */
  wallClock(): number;
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

/** A moment of the past: `applied` inputs had come. */
interface Moment {
  position: Position;
  applied: number;
}

/** A hit on the way: of which vCPU, at which count of its instructions, behind how many inputs. */
interface Met {
  stop: Stop;
  icount: number;
  instructions: number;
  applied: number;
}

type Going = () => Promise<boolean>;

export class Reverse {
  /** Where the machine came to before it went back; undefined: it stands at its present. */
  private present: Moment | undefined;
  private applied = 0;

  constructor(private readonly options: ReverseOptions) {
    this.begin();
  }

  /** History begins here: what was is forgotten. */
  begin(): void {
    const { machine, instructions = INSTRUCTIONS, bytes = BYTES, journal } = this.options;
    this.leavePast();
    machine.checkpoints.keep({ instructions, bytes, mark: () => (this.present ? this.applied : journal.length) });
  }

  end(): void {
    this.leavePast();
    this.options.machine.checkpoints.keep(undefined);
  }

  /** Does the machine stand in its past? */
  get behind(): boolean {
    return this.present !== undefined;
  }

  /** In front of the last instruction of this vCPU. */
  async step(vcpu: number, going: Going): Promise<'there' | 'begin'> {
    const target = this.options.machine.debug.icount(vcpu) - 1;
    return this.quietly(() => this.before(vcpu, target, going));
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

  private async quietly<T>(act: () => Promise<T>): Promise<T> {
    const { checkpoints } = this.options.machine;
    checkpoints.muted = true;
    try {
      return await act();
    } finally {
      checkpoints.muted = false;
    }
  }

  private get now(): Moment {
    return { position: this.options.machine.run.position, applied: this.present ? this.applied : this.options.journal.length };
  }

  /** Where the machine is becomes its past. */
  private enterPast(): Moment {
    const { now } = this;
    if (!this.present) {
      this.present = now;
      this.applied = now.applied;
      this.options.journal.past(true);
    }
    return now;
  }

  private backTo(index: number): void {
    const { checkpoints, run } = this.options.machine;
    const { mark, position } = checkpoints.list()[index]!;
    checkpoints.back(index);
    this.applied = mark;
    if (position.running) run.cont();
  }

  /** The newest checkpoint at which `isBefore` holds; -1: none. */
  private newest(isBefore: (position: Position) => boolean): number {
    return this.options.machine.checkpoints.list().findLastIndex(({ position }) => isBefore(position));
  }

  private async before(vcpu: number, target: number, going: Going): Promise<'there' | 'begin'> {
    const { machine } = this.options;
    const from = this.enterPast();
    // The checkpoint's own count of that vCPU shows once it is put back.
    for (let index = this.newest(({ instructions }) => instructions < from.position.instructions); index >= 0; index--) {
      this.backTo(index);
      if (machine.debug.icount(vcpu) > target) continue;
      if (machine.debug.icount(vcpu) === target) return this.stand('there');
      await this.until(vcpu, target, from, going);
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
    let end = from;
    for (let index = this.newest(({ instructions }) => instructions < from.position.instructions); index >= 0; index--) {
      const start = machine.checkpoints.list()[index]!;
      const began: Moment = { position: start.position, applied: start.mark };
      this.backTo(index);
      const met = await this.collect(end, from.position.instructions, going, wanted);
      if (met) {
        this.backTo(index);
        await this.standAt(met, end, going);
        return this.stand('there');
      }
      end = began;
    }
    if (machine.checkpoints.list().length > 0) this.backTo(0);
    return this.stand('begin');
  }

  /** The last hit between here and `end`, below so many instructions. */
  private async collect(end: Moment, below: number, going: Going, wanted: (breakpoint: Breakpoint) => boolean): Promise<Met | undefined> {
    const { machine } = this.options;
    let last: Met | undefined;
    const undo = breakpointsOf(machine).divert(({ vcpu, hits }, breakpoints) => {
      const { instructions } = machine.run;
      const met = breakpoints.filter(wanted);
      if (instructions < below && met.length > 0)
        last = { stop: { vcpu, breakpoints: met, hit: hits[0]! }, icount: machine.debug.icount(vcpu), instructions, applied: this.applied };
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
      if (result === 'never') throw new MachineError('it went another way than it went: something reached it that was not recorded');
      if (!(await going())) {
        machine.run.stop();
        return false;
      }
    }
  }
}
