/** Resuming under gdb: step, continue, range step, reverse; and the stop reply. */
import type { Breakpoint } from '../breakpoints/index';
import { breakpointsOf } from '../breakpoints/index';
import type { Backwards, GdbHost } from './host';

/** Action for one thread, or for all. */
export type Action =
  | { kind: 'continue' }
  | { kind: 'step'; vcpu: number; range?: { start: bigint; end: bigint } }
  | { kind: 'back-step'; vcpu: number }
  | { kind: 'back' };

export interface Halt {
  /** GDB's number of a signal. */
  signal: number;
  vcpu: number;
  /** "watch:1000;" or the like, or ''. */
  detail: string;
}

const SIGINT = 2;
const SIGQUIT = 3;
const SIGTRAP = 5;
const SIGABRT = 6;
/** ms between two polls of gdb's input */
const STRETCH = 20;
/** Most instructions of all vCPUs during one step: the others run in turn, and a halted one sleeps. */
const MOST = 2 ** 40;

export class Resume {
  private interrupted = false;
  /** Ends `continue`. */
  private wake: (() => void) | undefined;

  constructor(
    private readonly host: GdbHost,
    /** Stop replies that the client supports. */
    private readonly features: { swbreak: boolean; hwbreak: boolean },
    private readonly isSoftware: (breakpoint: Breakpoint) => boolean,
  ) {}

  /** Ctrl-C. */
  interrupt(): void {
    this.interrupted = true;
    this.wake?.();
  }

  /** Resolves when the machine has stopped. `first`: the vCPU to report if the stop names none. */
  async run(action: Action, first: number): Promise<Halt> {
    this.interrupted = false;
    const { machine } = this.host;
    const { state } = machine.run;
    if (state === 'shutdown' || state === 'internal-error') return this.ended(first);
    for (let vcpu = 0; vcpu < machine.config.smp; vcpu++) machine.debug.passBreakpoint(vcpu);
    if (action.kind === 'back' || action.kind === 'back-step') return this.back(action, first);
    if (this.host.backwards?.behind) return this.onFromPast(action, this.host.backwards, first);
    return action.kind === 'step' ? this.step(action, first) : this.goOn(first);
  }

  private async goOn(first: number): Promise<Halt> {
    const { host } = this;
    const { machine } = host;
    const stopped = new Promise<void>((resolve) => {
      const undo = machine.subscribe((event) => {
        if (event.type !== 'state' || event.state === 'running') return;
        undo();
        resolve();
      });
      this.wake = () => host.stop();
    });
    host.cont();
    if (machine.run.state === 'running') await stopped;
    this.wake = undefined;
    // The watch event follows the state event.
    await host.turn();
    return this.halt(first);
  }

  private async step({ vcpu, range }: Extract<Action, { kind: 'step' }>, first: number): Promise<Halt> {
    const { host } = this;
    const { machine } = host;
    const release = host.hold();
    try {
      host.cont();
      for (;;) {
        const seek = machine.run.seek({ vcpu });
        let result = seek(MOST, host.wallClock() + STRETCH);
        while (result === 'going' && !this.interrupted) {
          await host.turn();
          result = seek(MOST, host.wallClock() + STRETCH);
        }
        if (result !== 'there' || this.interrupted) break;
        const { rip } = machine.inspect.registers(vcpu);
        if (!range || rip < range.start || rip >= range.end) {
          if (machine.run.state === 'running') host.stop();
          return { signal: SIGTRAP, vcpu, detail: '' };
        }
      }
      // A breakpoint of another vCPU, Ctrl-C, or a vCPU that sleeps for good.
      if (machine.run.state === 'running') host.stop();
      return this.halt(first);
    } finally {
      release();
    }
  }

  private async onFromPast(action: Extract<Action, { kind: 'continue' | 'step' }>, backwards: Backwards, first: number): Promise<Halt> {
    const { machine } = this.host;
    const release = this.host.hold();
    const going = async (): Promise<boolean> => {
      await this.host.turn();
      return !this.interrupted;
    };
    try {
      for (;;) {
        breakpointsOf(machine).stop = undefined;
        const goal = action.kind === 'step' ? { vcpu: action.vcpu, icount: machine.debug.icount(action.vcpu) + 1 } : undefined;
        const result = await backwards.forward(going, goal);
        const arrived = goal !== undefined && machine.debug.icount(goal.vcpu) >= goal.icount;
        if (breakpointsOf(machine).stop || this.interrupted) return this.halt(first);
        if (!arrived) return { signal: SIGTRAP, vcpu: first, detail: result === 'present' ? 'replaylog:end;' : '' };
        const { rip } = machine.inspect.registers(goal.vcpu);
        const range = action.kind === 'step' ? action.range : undefined;
        if (result === 'present' || !range || rip < range.start || rip >= range.end)
          return { signal: SIGTRAP, vcpu: goal.vcpu, detail: '' };
      }
    } finally {
      release();
    }
  }

  private async back(action: Extract<Action, { kind: 'back' | 'back-step' }>, first: number): Promise<Halt> {
    const { backwards } = this.host;
    if (!backwards) throw new Error('this machine keeps no history, so it cannot go back');
    const release = this.host.hold();
    const going = async (): Promise<boolean> => {
      await this.host.turn();
      return !this.interrupted;
    };
    try {
      const result = action.kind === 'back' ? await backwards.toBreakpoint(going) : await backwards.step(action.vcpu, going);
      if (result === 'begin')
        return { signal: this.interrupted ? SIGINT : SIGTRAP, vcpu: first, detail: this.interrupted ? '' : 'replaylog:begin;' };
      if (action.kind === 'back-step') return { signal: SIGTRAP, vcpu: action.vcpu, detail: '' };
      return this.halt(first);
    } finally {
      release();
    }
  }

  private ended(vcpu: number): Halt {
    return { signal: this.host.machine.run.state === 'shutdown' ? SIGQUIT : SIGABRT, vcpu, detail: '' };
  }

  /** Why the machine is stopped now. */
  halt(first: number): Halt {
    const { machine } = this.host;
    if (machine.run.state === 'shutdown' || machine.run.state === 'internal-error') return this.ended(first);
    const { stop } = breakpointsOf(machine);
    if (!stop) return { signal: SIGINT, vcpu: first, detail: '' };
    const { hit, vcpu, breakpoints } = stop;
    if (hit.access === 'execute') {
      const software = breakpoints.some((each) => this.isSoftware(each));
      const reason = software ? (this.features.swbreak ? 'swbreak:;' : '') : this.features.hwbreak ? 'hwbreak:;' : '';
      return { signal: SIGTRAP, vcpu, detail: breakpoints.some(({ owner }) => owner === 'gdb') ? reason : '' };
    }
    const mine = breakpoints.find(({ owner }) => owner === 'gdb');
    if (mine?.place.kind !== 'gva') return { signal: SIGTRAP, vcpu, detail: '' };
    const kind = mine.access.read ? (mine.access.write ? 'awatch' : 'rwatch') : 'watch';
    return { signal: SIGTRAP, vcpu, detail: `${kind}:${mine.place.first.toString(16)};` };
  }
}
