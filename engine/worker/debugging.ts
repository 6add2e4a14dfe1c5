/** Debugging for the page: sends it breakpoints and the past, moves through that, and finds who wrote what. */
import { WATCH_PHYSICAL } from '../abi/watch';
import {
  accessText,
  breakpointsOf,
  conditionText,
  hitText,
  placeText,
  type Reverse,
  watchesOf,
  whoWrote,
  writtenText,
} from '../debug/index';
import type { Machine, Runner } from '../machine/index';
import { type CommitLog, hostRange, slotRange } from '../monitor/index';
import type { Recorder } from '../replay/recorder';
import { historyOf } from '../shell/history';
import { symbolsOf } from '../symbols/index';
import { codeBase, parseGva } from './cpu-view';
import type { BreakpointView, CommitMark, DebugView, Journey, JourneyEnd, StopView, WroteView, WroteWhere } from './debug-types';

/** Limit of a page's checkpoints, bytes. */
const BYTES = 128 * 0x100000;

export interface DebuggingOptions {
  machine: Machine;
  recorder: Recorder;
  commits: CommitLog;
  runner: Pick<Runner, 'hold'>;
  monotonic(): number;
  yieldTurn(): Promise<void>;
  /** The view has changed. */
  changed(): void;
  /** The machine is at a different moment of its past, or back in its present. */
  arrived(): void;
}

export class PageDebugging {
  private readonly reverse: Reverse;
  /** By generation: the input that made the commit; undefined: the guest did. */
  private readonly made = new Map<number, { mark: CommitMark; input: number | undefined }>();

  constructor(private readonly options: DebuggingOptions) {
    const { machine, recorder, commits, runner, monotonic, yieldTurn, changed, arrived } = options;
    this.reverse = historyOf({ machine, recorder, commits, runner, wallClock: monotonic, turn: yieldTurn, arrived, bytes: BYTES });
    breakpointsOf(machine).subscribe(changed);
    commits.onChange(() => this.noteCommit());
    machine.subscribe((event) => {
      if (event.type === 'restored') this.made.clear();
      if (event.type === 'state' || event.type === 'restored') changed();
    });
  }

  /** A move is under way: intermediate states are not shown. */
  get travelling(): boolean {
    return this.options.machine.checkpoints.muted;
  }

  /** Inputs are no longer recorded. */
  ended(): void {
    this.reverse.end();
    this.options.changed();
  }

  view(): DebugView {
    const { machine, recorder } = this.options;
    const { begin, now, present, checkpoints } = this.reverse.span;
    const stop = this.stopView();
    return {
      breakpoints: this.breakpoints(),
      ...(stop && { stop }),
      past: {
        begin,
        now,
        nowNs: machine.run.guestTimeNs,
        present,
        behind: this.reverse.behind,
        checkpoints: checkpoints.map(({ instructions }) => instructions),
        bytes: checkpoints.reduce((sum, { bytes }) => sum + bytes, 0),
        commits: [...this.made.values()].map(({ mark }) => mark),
        ...(recorder.ended !== undefined && { none: recorder.ended }),
      },
    };
  }

  /** Throws a one-line reason if it cannot start. */
  async go(journey: Journey): Promise<JourneyEnd> {
    const { machine, recorder } = this.options;
    if (recorder.ended !== undefined) throw new Error(`the machine cannot go back: ${recorder.ended}`);
    if (recorder.playing) throw new Error('a replay is running: cancel it, or wait for its end');
    if (machine.run.state === 'running') throw new Error('the guest is running: stop it first');
    if (machine.changeSet.stepping) throw new Error('a commit is between its phases: finish or abort it first');
    return this.journey(journey);
  }

  /** Ends the move or search that is under way. */
  cancel(): void {
    this.reverse.cancel();
  }

  async whoWrote(where: WroteWhere): Promise<WroteView> {
    const { machine, recorder } = this.options;
    if (recorder.ended !== undefined) throw new Error(`nobody knows: ${recorder.ended}`);
    if (recorder.playing) throw new Error('a replay is running: cancel it, or wait for its end');
    if (machine.changeSet.stepping) throw new Error('a commit is between its phases: finish or abort it first');
    const who = await whoWrote(this.reverse, this.rangeOf(where), this.reverse.going);
    const name = (address: bigint): string | undefined => symbolsOf(machine).name(address);
    const text = writtenText(who, name);
    if (who.by !== 'vcpu') return { text };
    const { vcpu, rip, icount, instructions, timeNs, generation, gpa, bytes, value } = who;
    const code = name(rip);
    const place = { vcpu, rip: hex(rip), ...(code !== undefined && { code }) };
    const write = { ...place, icount, instructions, timeNs, generation, gpa, bytes, value: hex(value) };
    return { text, write };
  }

  private async journey(journey: Journey): Promise<JourneyEnd> {
    const { reverse } = this;
    const { going } = reverse;
    switch (journey.do) {
      case 'step-back':
        return reverse.step(journey.vcpu, going);
      case 'back':
        return this.back();
      case 'step': {
        const { debug } = this.options.machine;
        debug.passBreakpoint(journey.vcpu);
        return reverse.forward(going, { vcpu: journey.vcpu, icount: debug.icount(journey.vcpu) + 1 });
      }
      case 'forward': {
        const { debug, config } = this.options.machine;
        for (let vcpu = 0; vcpu < config.smp; vcpu++) debug.passBreakpoint(vcpu);
        return reverse.forward(going);
      }
      case 'present':
        await reverse.home();
        return 'present';
      case 'count':
        return reverse.toCount(journey.count, going);
      case 'commit': {
        const made = this.made.get(journey.generation);
        if (!made) throw new Error(`no commit of this run led to generation ${journey.generation}`);
        if (made.input !== undefined) return reverse.toInput(made.input, going);
        return reverse.toCount(made.mark.instructions - 1, going);
      }
      case 'instruction':
        return reverse.toInstruction(journey.vcpu, journey.icount, journey.instructions, going);
      case 'go-on-from-here':
        reverse.goOnFromHere();
        this.forgetAhead();
        this.options.arrived();
        return 'there';
    }
  }

  /** If it met no breakpoint, it stays where it is. */
  private async back(): Promise<JourneyEnd> {
    const { reverse } = this;
    const { machine } = this.options;
    const wasBehind = reverse.behind;
    const here = machine.run.instructions;
    const how = await reverse.toBreakpoint(reverse.going);
    if (how === 'there') return how;
    if (wasBehind) await reverse.toCount(here, reverse.going);
    else await reverse.home();
    return 'begin';
  }

  private rangeOf(where: WroteWhere): { start: number; end: number } {
    const { machine } = this.options;
    if ('slot' in where) return slotRange(machine, where.slot);
    const { size } = where;
    if (!Number.isSafeInteger(size) || size < 1 || size > 2 ** 30) throw new Error(`size ${size}: the size must be 1 byte to 1 GiB`);
    const gpa = 'gpa' in where ? where.gpa : machine.inspect.translate(parseGva(where.gva), where.vcpu);
    if (gpa === undefined) throw new Error('the guest does not map it');
    return hostRange(machine, gpa, size);
  }

  private noteCommit(): void {
    if (this.travelling) return;
    const { commits, recorder, machine } = this.options;
    const { generation, instructions, title } = commits.entries()[commits.live]!;
    const current = machine.memory.generation(0);
    if (this.made.has(current) || commits.live === 0) {
      const known = this.made.get(generation);
      if (known) known.mark.title = title;
      return;
    }
    this.made.set(current, { mark: { instructions, generation: current, title }, input: recorder.busy ? recorder.length - 1 : undefined });
  }

  private forgetAhead(): void {
    const { inputs, span } = this.reverse;
    for (const [generation, { mark, input }] of this.made)
      if (mark.instructions > span.now || (input !== undefined && input >= inputs)) this.made.delete(generation);
  }

  private stopView(): StopView | undefined {
    const { machine } = this.options;
    const { stop } = breakpointsOf(machine);
    if (!stop || machine.run.state === 'running') return undefined;
    const { vcpu, breakpoints, hit } = stop;
    const registers = machine.inspect.registers(vcpu);
    const rip = codeBase(registers) + registers.rip;
    const code = symbolsOf(machine).name(rip);
    const memory = hit.access !== 'event' && !(hit.gpa === 0 && hit.address < 0x10000n);
    return {
      ids: breakpoints.map(({ id }) => id),
      vcpu,
      access: hitText(hit, breakpoints[0]?.place.kind),
      rip: hex(rip),
      ...(code !== undefined && { code }),
      ...(memory && hit.access !== 'execute' ? { gpa: hit.gpa } : {}),
    };
  }

  private breakpoints(): BreakpointView[] {
    const { machine } = this.options;
    return breakpointsOf(machine)
      .list()
      .map((breakpoint) => {
        const { id, place, access, hits, enabled, owner } = breakpoint;
        const physical = watchesOf({ ...breakpoint, waits: false }, machine).filter(({ kind }) => kind & WATCH_PHYSICAL);
        const spans = physical.map(({ first, last }) => ({ start: Number(first), end: Number(last) + 1 }));
        return {
          id,
          kind: place.kind,
          where: placeText(place),
          ...('first' in place && place.first !== undefined ? { first: hex(place.first) } : {}),
          ...('length' in place && place.length !== undefined ? { length: place.length } : {}),
          ...(place.kind === 'slot' ? { slot: place.slot } : {}),
          spans: place.kind === 'hole' && place.first !== undefined ? [holeSpan(place)] : spans,
          access: place.kind === 'vector' ? '' : accessText(access),
          condition: conditionText(breakpoint),
          hits,
          enabled,
          owner,
        };
      });
  }
}

const hex = (value: bigint): string => `0x${value.toString(16)}`;

const holeSpan = ({ first = 0n, length = 1 }: { first?: bigint; length?: number }): { start: number; end: number } => ({
  start: Number(first),
  end: Number(first) + length,
});
