/** Running and stopping: how far a stretch runs, what ends it, and how an idle guest sleeps without getting ahead of the wall clock. */
import {
  type GuestCondition,
  MachineError,
  type MachineEvent,
  type MachineOptions,
  type MachineRun,
  type Position,
  type RunState,
  type Seek,
  type SeekGoal,
  type WatchStop,
} from './api';
import type { Clock } from './clock';
import { positionOf, type Traveller, travel } from './position';
import type { Advance, Scheduler } from './scheduler';
import { seeker } from './seek';
import { Throttle } from './throttle';
import type { Vcpu } from './vcpu';

/** Instructions between two reads of the wall clock. */
const CHUNK = 200_000;
/** If every vCPU that could run waits for a commit to continue, they retry at this interval, ns. */
const RETRY_NS = 2e6;
/** Timer expiries in a row that let no vCPU run an instruction, until the guest counts as halted for good... */
const FRUITLESS_FOR_GOOD = 500_000;
/** ...and until a host that follows the wall clock wakes only at this interval of guest time, ns. */
const FRUITLESS_FOR_NOW = 1000;
const NAP_NS = 20e6;

export interface RunContext {
  /** ms */
  wallClock(): number;
  vcpus: readonly Vcpu[];
  condition(): GuestCondition | undefined;
  /** A vCPU waits for a reset of its dirty ring. */
  anyHeld(): boolean;
  /** This many instructions have run: a checkpoint may be due. */
  checkpoint(instructions: number): void;
  /** The hit that last stopped the machine. */
  watchStop(): { stop: WatchStop; text: string };
  /** Passes on the guest's output. */
  flush(): void;
  emit(event: MachineEvent): void;
  betweenCalls: MachineOptions['betweenCalls'];
}

export class RunControl implements MachineRun {
  private readonly throttle: Throttle;
  private runState: RunState = 'running';
  private wasIdle = false;
  /** Timer expiries since the last instruction, `instructionsThen`. */
  private fruitless = 0;
  private instructionsThen = -1;
  private breakpoint: number | undefined;
  /** While above 0 nothing runs: the machine's state is being read piece by piece. */
  private holds = 0;

  constructor(
    private readonly executor: Scheduler,
    private readonly clock: Clock,
    private readonly context: RunContext,
  ) {
    this.throttle = new Throttle(() => context.wallClock());
  }

  get state(): RunState {
    return this.runState;
  }

  until(deadline: number): { idle: boolean; wakeIn?: number } {
    if (this.runState !== 'running' || this.held) return { idle: true };
    try {
      if (this.wasIdle && !this.atBreak) this.skipTo(this.throttle.allowed(this.clock.now()));
      this.wasIdle = false;
      for (;;) {
        const result = this.slice(CHUNK);
        if (this.runState !== 'running') return { idle: true };
        // Guest time is stopped until the rings are reset.
        if (result === 'idle' && this.context.anyHeld()) return { idle: true };
        if (result === 'retry' && !this.sleep()) return this.sleeping(RETRY_NS);
        if (result === 'idle' && !this.sleep()) return this.sleeping(Infinity);
        if (this.context.wallClock() >= deadline) return { idle: false };
      }
    } finally {
      this.context.flush();
    }
  }

  advance(n: number): void {
    const { runState } = this;
    if (runState !== 'running' && runState !== 'paused') return;
    const end = this.instructions + n;
    this.fruitless = 0;
    while (this.runState === runState && this.instructions < end) {
      const result = this.slice(end - this.instructions);
      if (result === 'break' || result === 'retry') break;
      if (result !== 'idle') continue;
      if (this.context.anyHeld()) break;
      const next = this.clock.next;
      if (next === undefined || this.fruitless >= FRUITLESS_FOR_GOOD) break;
      this.skipTo(next);
    }
    this.context.flush();
  }

  get position(): Position {
    return positionOf(this.traveller);
  }

  catchUp(): void {
    const idle = this.wasIdle;
    this.wasIdle = false;
    if (!idle || this.runState !== 'running' || this.held || this.atBreak) return;
    this.executor.skipTo(this.throttle.allowed(this.clock.now()));
  }

  to(position: Position, deadline: number): 'there' | 'going' | 'never' {
    if (this.held) return 'going';
    this.wasIdle = false;
    try {
      return travel(this.traveller, position, deadline);
    } finally {
      this.throttle.restart(this.clock.now());
      this.context.flush();
    }
  }

  seek({ vcpu: index, ...place }: SeekGoal): Seek {
    const vcpu = this.context.vcpus[index];
    if (!vcpu) throw new MachineError('invalid CPU index');
    const go = seeker(this.traveller, vcpu, place);
    return (most, deadline) => {
      if (this.held) return 'going';
      this.wasIdle = false;
      try {
        return go(most, deadline);
      } finally {
        this.throttle.restart(this.clock.now());
        this.context.flush();
      }
    };
  }

  get breakCount(): number | undefined {
    return this.breakpoint;
  }

  breakAt(count: number | undefined): void {
    const { instructions } = this;
    if (count !== undefined && !Number.isSafeInteger(count))
      throw new MachineError(`an instruction count is a whole number below 2^53, not ${count}`);
    if (count !== undefined && count < instructions)
      throw new MachineError(
        `cannot set breakpoint at the instruction in the past: ${count} was requested, the count is ${instructions} now`,
      );
    this.breakpoint = count;
    this.context.emit({ type: 'wake' });
  }

  stop(): void {
    if (this.runState !== 'running') return;
    this.setState('paused');
  }

  cont(): void {
    if (this.runState === 'shutdown' || this.runState === 'internal-error') {
      throw new MachineError('Resetting the Virtual Machine is required');
    }
    if (this.runState === 'running') return;
    this.throttle.restart(this.clock.now());
    this.setState('running');
  }

  get held(): boolean {
    return this.holds > 0;
  }

  hold(): void {
    this.holds += 1;
  }

  release(): void {
    this.holds -= 1;
  }

  /** Guest time was stopped although the guest did not sleep: that time does not count. */
  resumed(): void {
    this.throttle.restart(this.clock.now());
  }

  /** The machine's state was replaced by one captured while it was in `run`; `report` runs before the run state changes. A running machine keeps running. */
  restored(run: RunState, report: () => void): void {
    this.wasIdle = false;
    this.resumed();
    if (this.breakpoint !== undefined && this.breakpoint < this.instructions) this.breakpoint = undefined;
    report();
    if (run === 'shutdown' || run === 'internal-error') this.setState(run);
    else if (this.runState !== 'running') this.setState('paused');
  }

  /** The machine was restored to an earlier or later state: it is paused, or has ended. */
  rewound(run: Exclude<RunState, 'running'>): void {
    this.wasIdle = false;
    this.breakpoint = undefined;
    this.fruitless = 0;
    this.resumed();
    this.runState = run;
  }

  get condition(): GuestCondition | undefined {
    return this.context.condition();
  }

  get instructions(): number {
    return this.context.vcpus.reduce((sum, vcpu) => sum + vcpu.icount, 0);
  }

  get guestTimeNs(): number {
    return this.clock.now();
  }

  private get atBreak(): boolean {
    return this.breakpoint !== undefined && this.instructions >= this.breakpoint;
  }

  /** The executor's `advance`, but never past the breakpoint: it stops before time passes there, so that it is the same instant in every run. */
  private slice(budget: number): Exclude<Advance, 'stopped'> | 'break' {
    const count = this.breakpoint;
    if (count === undefined) return this.advanced(budget);
    if (!this.atBreak) {
      const result = this.advanced(Math.min(budget, count - this.instructions));
      if (result === 'break' || !this.atBreak) return result;
    }
    this.breakpoint = undefined;
    if (this.runState === 'running') this.setState('paused');
    this.context.emit({ type: 'break', count });
    return 'break';
  }

  private advanced(budget: number): Exclude<Advance, 'stopped'> | 'break' {
    const result = this.executor.advance(budget);
    this.context.checkpoint(this.instructions);
    if (result !== 'stopped') return result;
    if (this.runState === 'running') this.setState('paused');
    this.context.emit({ type: 'watch-stop', ...this.context.watchStop() });
    return 'break';
  }

  /** Nothing runs for at most `longest` ns, or until the next timer. */
  private sleeping(longest: number): { idle: true; wakeIn?: number } {
    this.wasIdle = true;
    const next = this.clock.next;
    const nap = this.fruitless > FRUITLESS_FOR_NOW ? NAP_NS : 0;
    const wakeIn = Math.min(longest, next === undefined ? Infinity : Math.max(nap, next - this.clock.now()));
    return wakeIn === Infinity ? { idle: true } : { idle: true, wakeIn };
  }

  /** An idle guest: lets the allowed time pass. false: it stays asleep. */
  private sleep(): boolean {
    const next = this.clock.next;
    const allowed = this.throttle.allowed(this.clock.now());
    this.skipTo(allowed);
    return next !== undefined && next <= allowed;
  }

  private skipTo(at: number): void {
    const { instructions } = this;
    const next = this.clock.next;
    if (instructions !== this.instructionsThen) this.fruitless = 0;
    this.instructionsThen = instructions;
    if (next !== undefined && next <= at) this.fruitless += 1;
    this.executor.skipTo(at);
  }

  async runBetween(instructions: number): Promise<boolean> {
    if (this.runState === 'running') this.advance(instructions);
    return (await this.context.betweenCalls?.()) ?? true;
  }

  private get traveller(): Traveller {
    const { executor, context } = this;
    return {
      executor,
      instructions: () => this.instructions,
      running: () => this.runState === 'running',
      advance: (budget) => this.slice(budget),
      anyHeld: () => context.anyHeld(),
      wallClock: () => context.wallClock(),
    };
  }

  setState(state: RunState): void {
    if (state === this.runState) return;
    this.runState = state;
    this.context.emit({ type: 'state', state });
  }
}
